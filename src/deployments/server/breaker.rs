//! A breaker: after several silences in a row an engine is not asked for a while.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// So many failures in a row open it.
const FAILURES: u32 = 5;

/// The shortest and the longest time it stays open.
const SPANS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Counts failures in a row. Closed, everything passes; open, nothing does; half open, one may try.
#[derive(Debug, Default)]
pub struct Breaker(Mutex<Count>);

#[derive(Debug, Default)]
struct Count {
    failures: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    /// Whether a call may be tried now. Once the time is over one call is let through at a time.
    pub fn admits(&self, now: Instant) -> bool {
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match count.open_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                count.open_until = Some(now + SPANS.0);
                true
            }
        }
    }

    /// A call was answered.
    pub fn succeeded(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Count::default();
    }

    /// A call was not answered.
    pub fn failed(&self, now: Instant) {
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        count.failures += 1;
        if count.failures >= FAILURES {
            count.open_until = Some(now + jittered(backoff(count.failures - FAILURES)));
        }
    }
}

fn backoff(step: u32) -> Duration {
    (SPANS.0 * 2_u32.pow(step.min(5))).min(SPANS.1)
}

/// Between half the span and all of it, so that many servers do not knock at once.
pub fn jittered(span: Duration) -> Duration {
    let mut byte = [0_u8];
    // Without randomness the span is merely not spread.
    let _ = getrandom::fill(&mut byte);
    span.mul_f64(0.5 + f64::from(byte[0]) / 510.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_five_failures_and_lets_one_call_try_again() {
        let breaker = Breaker::default();
        let start = Instant::now();
        for _ in 0..4 {
            breaker.failed(start);
        }
        assert!(breaker.admits(start));

        breaker.failed(start);
        assert!(!breaker.admits(start));

        let later = start + Duration::from_secs(2);
        assert!(breaker.admits(later));
        assert!(!breaker.admits(later));
        breaker.succeeded();
        assert!(breaker.admits(later));
    }

    #[test]
    fn it_never_stays_open_for_more_than_half_a_minute() {
        assert_eq!(backoff(40), Duration::from_secs(30));
        assert!(jittered(Duration::from_secs(30)) <= Duration::from_secs(30));
    }
}
