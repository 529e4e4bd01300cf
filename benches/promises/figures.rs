//! Figures and how they are told.

use std::{
    fmt,
    future::Future,
    time::{Duration, Instant},
};

/// What was measured, in the order of measuring.
#[derive(Default)]
pub struct Figures(Vec<Figure>);

struct Figure {
    promise: &'static str,
    what: String,
    measured: String,
    baseline: String,
    verdict: String,
}

impl Figures {
    /// Adds one figure and prints it, so that somebody who waits sees something.
    pub fn add(
        &mut self,
        promise: &'static str,
        what: impl Into<String>,
        measured: impl Into<String>,
        baseline: impl Into<String>,
        verdict: Verdict,
    ) {
        let verdict = verdict.0;
        let figure =
            Figure { promise, what: what.into(), measured: measured.into(), baseline: baseline.into(), verdict };
        eprintln!("{figure}");
        self.0.push(figure);
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { promise, what, measured, baseline, verdict } = self;
        write!(f, "| {promise} | {what} | {measured} | {baseline} | {verdict} |")
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let build = if cfg!(debug_assertions) { "a development build" } else { "an optimised build" };
        let binary = std::env::var("BENCH_BINARY").ok().filter(|path| !path.is_empty());
        let build = binary.unwrap_or_else(|| build.to_owned());
        writeln!(f, "Measured with {build}:\n")?;
        writeln!(f, "| # | What | Measured | Baseline | Against the promise |\n|---|---|---|---|---|")?;
        self.0.iter().try_for_each(|figure| writeln!(f, "{figure}"))
    }
}

/// A figure against its promise, in words.
pub struct Verdict(String);

impl Verdict {
    /// A ratio that may not be greater than promised.
    pub fn ratio_at_most(ratio: f64, promised: f64) -> Self {
        Self(format!("{ratio:.2} ×, promised ≤ {promised} ×: {}", kept(ratio <= promised)))
    }

    /// A ratio that may not be less than promised.
    pub fn ratio_at_least(ratio: f64, promised: f64) -> Self {
        Self(format!("{ratio:.2} ×, promised ≥ {promised} ×: {}", kept(ratio >= promised)))
    }

    /// A time that may not be longer than promised.
    pub fn within(time: Duration, promised: Duration) -> Self {
        Self(format!("promised ≤ {}: {}", short(promised), kept(time <= promised)))
    }

    /// Anything else that was promised, in words.
    pub fn of(promised: impl fmt::Display, is_kept: bool) -> Self {
        Self(format!("promised {promised}: {}", kept(is_kept)))
    }

    /// A size in megabytes that may not be greater than promised.
    pub fn megabytes_at_most(size: f64, promised: f64) -> Self {
        Self(format!("promised ≤ {promised} MB: {}", kept(size <= promised)))
    }
}

fn kept(is: bool) -> &'static str {
    if is { "kept" } else { "**not kept**" }
}

/// A duration as people read it: `12.3 ms`, `1.20 s`.
pub fn short(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1000.0;
    if millis < 1000.0 { format!("{millis:.1} ms") } else { format!("{:.2} s", millis / 1000.0) }
}

/// Times of the same thing, done again and again.
pub struct Times(Vec<Duration>);

impl Times {
    /// Does something so many times, one after the other.
    pub async fn of<F: Future<Output = ()>>(times: usize, mut act: impl FnMut(usize) -> F) -> Self {
        let mut all = Vec::with_capacity(times);
        for number in 0..times {
            let began = Instant::now();
            act(number).await;
            all.push(began.elapsed());
        }
        Self::from(all)
    }

    /// The time that so many of a hundred do not exceed.
    pub fn percentile(&self, percent: usize) -> Duration {
        let index = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(index).copied().unwrap_or_default()
    }

    /// The time in the middle.
    pub fn median(&self) -> Duration {
        self.percentile(50)
    }

    /// How many of them fit into a second.
    pub fn per_second(&self) -> f64 {
        let total: Duration = self.0.iter().sum();
        self.0.len() as f64 / total.as_secs_f64()
    }
}

impl From<Vec<Duration>> for Times {
    fn from(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times)
    }
}

/// One time over another.
pub fn ratio(of: Duration, over: Duration) -> f64 {
    of.as_secs_f64() / over.as_secs_f64()
}
