//! The output of a job as a log.

use crate::{
    jobs::model::Line,
    ui::{LogBuffer, LogRow},
};
use leptos::prelude::*;

/// What finds a line in the log of a job again.
pub fn line_mark(line: &Line) -> String {
    // Many lines are written in one millisecond; what follows it is not shown and tells them apart.
    let at = line.at.to_string();
    let (whole, millis) = at.trim_end_matches('Z').split_once('.').unwrap_or((at.trim_end_matches('Z'), ""));
    format!("{whole}.{millis:0<3}{:09}Z", line.sequence)
}

/// A log that takes in the lines of a job as they come.
pub fn log_of(lines: Signal<Vec<Line>>) -> LogBuffer {
    let buffer = LogBuffer::default();
    Effect::new(move |shown: Option<i64>| {
        let shown = shown.unwrap_or(0);
        let fresh = lines.with(|lines| {
            let fresh = lines.iter().rev().take_while(|line| line.sequence > shown);
            let rows = fresh.map(|line| {
                let row = LogRow { at: Some(line_mark(line)), stream: line.stream.clone(), text: line.text.clone() };
                (line.sequence, row)
            });
            rows.collect::<Vec<_>>()
        });
        let last = fresh.first().map_or(shown, |(sequence, _)| *sequence);
        buffer.append(fresh.into_iter().rev().map(|(_, row)| row).collect());
        last
    });
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn lines_of_one_moment_are_told_apart() {
        let at = |millis, sequence| {
            let at = Timestamp::from_millis(millis);
            line_mark(&Line { sequence, at, stream: "out".to_owned(), text: String::new() })
        };

        assert_eq!(at(1_763_800_000_120, 7), "2025-11-22T08:26:40.120000000007Z");
        assert_eq!(at(1_763_800_000_000, 8), "2025-11-22T08:26:40.000000000008Z");
    }
}
