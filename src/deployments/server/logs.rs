//! Logs of containers, straight from the engine with bounded buffers.

use super::{convert, engine::Engine, fault::Fault, lists, reach, wire::Wire};
use crate::{
    authentication::server::{Permit, Proof as _, Reading},
    deployments::model::{Container, LogLine, LogQuery, LogSearch},
    error::{Error, Result},
    i18n::{Locale, td_string},
    time::Timestamp,
};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use serde_json::Value;
use std::{collections::VecDeque, fmt::Write as _, pin::pin, sync::Arc, time::Duration};
use tokio::time::Instant;

/// The longest piece of a line.
pub const LONGEST_LINE: usize = 16 * 1024;

/// The greatest log that is given as one text; longer ones are streamed.
const GREATEST_TEXT: usize = 4 * 1024 * 1024;

/// Matches of a search that are given.
const MOST_MATCHES: usize = 500;

/// How long a search may take.
const SEARCH_DEADLINE: Duration = Duration::from_secs(60);

/// How long the engine may be silent in the middle of a log that is not followed.
const IDLE: Duration = Duration::from_secs(15);

/// Where a viewer left off: the time of the last line it saw, and how many lines of that very time it saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    at: String,
    seen: u64,
}

impl Place {
    /// Reads what [`Marked`] wrote as the id of an event.
    pub fn parse(text: &str) -> Option<Self> {
        let (at, seen) = text.split_once('/')?;
        at.parse::<Timestamp>().ok()?;
        Some(Self { at: at.to_owned(), seen: seen.parse().ok()? })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.at, self.seen)
    }
}

/// Counts lines of the same time, so that each has a place of its own.
#[derive(Debug, Default)]
pub struct Marked(Option<Place>);

impl From<Option<Place>> for Marked {
    fn from(place: Option<Place>) -> Self {
        Self(place)
    }
}

impl Marked {
    /// The place after this line.
    pub fn after(&mut self, line: &LogLine) -> Option<&Place> {
        if let Some(at) = &line.at {
            match &mut self.0 {
                Some(place) if place.at == *at => place.seen += 1,
                _ => self.0 = Some(Place { at: at.clone(), seen: 1 }),
            }
        }
        self.0.as_ref()
    }
}

/// An open log.
pub struct Log {
    /// Whose it is.
    pub container: Arc<Container>,
    /// Its lines; each carries its time, whether it was asked for or not.
    pub lines: std::pin::Pin<Box<dyn Stream<Item = Result<LogLine, Fault>> + Send>>,
}

/// Opens the log of a container in reach, from `place` on where a viewer left off.
///
/// # Errors
/// [`Error::NotFound`] when there is none in reach, [`Error::Invalid`] at a field of the query, and the
/// engine's words when it keeps no log.
pub async fn open(
    permit: &Permit<Reading>,
    engine: &str,
    id: &str,
    query: &LogQuery,
    follow: bool,
    place: Option<Place>,
) -> Result<Log> {
    let locale = permit.locale();
    let now = Timestamp::now();
    let since = moment(query.since.as_deref(), now).map_err(|()| wrong_time("since", locale))?;
    let until = moment(query.until.as_deref(), now).map_err(|()| wrong_time("until", locale))?;
    let engine = lists::find(permit, engine)?;
    let container = reach::container(engine, permit.scope(), id, locale).await?;
    // Naming one stream leaves the other out; leaving one out keeps the other.
    let out = query.stdout.unwrap_or(query.stderr != Some(true));
    let err = query.stderr.unwrap_or(query.stdout != Some(true));
    let tail = match (&place, query.tail) {
        (None, Some(tail)) => tail.to_string(),
        (Some(_), _) | (None, None) => "all".to_owned(),
    };
    let mut path = format!(
        "/containers/{}/logs?timestamps=1&stdout={}&stderr={}&follow={}&tail={tail}",
        container.id,
        u8::from(out),
        u8::from(err),
        u8::from(follow)
    );
    let since = place.as_ref().and_then(|place| nanos(&place.at)).or(since);
    for (name, value) in [("since", since), ("until", until)] {
        if let Some(value) = value {
            let _ = write!(path, "&{name}={value}");
        }
    }
    let idle = (!follow).then_some(IDLE);
    let opened = async {
        let wire = engine.wire()?;
        let begun = begin(engine, &wire, &container.id, &path, idle);
        engine.call(engine.timeout, begun).await
    };
    let (pieces, is_terminal) = opened.await.map_err(|fault| fault.about("container", locale))?;
    let lines = after(place, read_lines(while_there(engine.clone(), pieces), is_terminal));
    Ok(Log { container, lines: Box::pin(lines) })
}

/// The log's bytes, and whether they come from a terminal.
async fn begin(
    engine: &Engine,
    wire: &Wire,
    id: &str,
    path: &str,
    idle: Option<Duration>,
) -> Result<(impl Stream<Item = Result<Bytes, Fault>> + Send + use<>, bool), Fault> {
    let inspect = wire.get(&engine.path(&format!("/containers/{id}/json")), engine.timeout).await?;
    let inspect: Value = convert::json(&inspect)?;
    let is_terminal = inspect["Config"]["Tty"].as_bool().unwrap_or(false);
    Ok((wire.stream(&engine.path(path), engine.timeout, idle).await?, is_terminal))
}

/// The pieces, until the engine is known to be away. A log that is followed may be quiet for hours, so its
/// own silence tells nothing.
fn while_there(
    engine: Engine,
    pieces: impl Stream<Item = Result<Bytes, Fault>> + Send,
) -> impl Stream<Item = Result<Bytes, Fault>> + Send {
    async_stream::stream! {
        let (mut pieces, mut away) = (pin!(pieces), pin!(engine.away()));
        loop {
            let piece = tokio::select! {
                biased;
                piece = pieces.next() => piece,
                fault = &mut away => Some(Err(fault)),
            };
            let Some(piece) = piece else { return };
            let is_last = piece.is_err();
            yield piece;
            if is_last {
                return;
            }
        }
    }
}

fn wrong_time(field: &str, locale: Locale) -> Error {
    Error::invalid(field, td_string!(locale, deployments.spec.since))
}

/// A time as the engine wants it: seconds since 1970, with nanoseconds where there are any.
fn moment(text: Option<&str>, now: Timestamp) -> Result<Option<String>, ()> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        let is_number = text.parse::<f64>().is_ok_and(|seconds| (0.0..=1e11).contains(&seconds));
        return if is_number && text.len() <= 24 { Ok(Some(text.to_owned())) } else { Err(()) };
    }
    if let Some(nanos) = nanos(text) {
        return Ok(Some(nanos));
    }
    let (number, unit) = text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(()),
    };
    let age = number.parse::<u32>().map_err(|_| ())?;
    Ok(Some((now.seconds() - i64::from(age) * unit).max(0).to_string()))
}

/// An RFC 3339 time as seconds with all its nanoseconds.
fn nanos(text: &str) -> Option<String> {
    let at: Timestamp = text.parse().ok()?;
    let fraction: String = match text.split_once('.') {
        Some((_, rest)) => rest.chars().take_while(char::is_ascii_digit).take(9).collect(),
        None => String::new(),
    };
    Some(format!("{}.{fraction:0<9}", at.seconds()))
}

/// Passes over the lines that a viewer has seen already.
fn after(
    place: Option<Place>,
    lines: impl Stream<Item = Result<LogLine, Fault>> + Send,
) -> impl Stream<Item = Result<LogLine, Fault>> + Send {
    let mut left = place.as_ref().map_or(0, |place| place.seen);
    lines.filter(move |line| {
        let is_seen = match (&place, line) {
            (Some(place), Ok(line)) if left > 0 && line.at.as_deref() == Some(&place.at) => {
                left -= 1;
                true
            }
            _ => false,
        };
        std::future::ready(!is_seen)
    })
}

/// Cuts the engine's stream into lines.
fn read_lines(
    pieces: impl Stream<Item = Result<Bytes, Fault>> + Send,
    is_terminal: bool,
) -> impl Stream<Item = Result<LogLine, Fault>> + Send {
    async_stream::stream! {
        let mut pieces = pin!(pieces);
        let mut reader = Reader::new(is_terminal);
        let mut lines = Vec::new();
        while let Some(piece) = pieces.next().await {
            match piece {
                // A piece may hold thousands of lines; they are given before the next is read.
                Ok(piece) => {
                    if let Err(fault) = reader.read(&piece, &mut lines) {
                        yield Err(fault);
                        return;
                    }
                }
                Err(fault) => {
                    yield Err(fault);
                    return;
                }
            }
            for line in lines.drain(..) {
                yield Ok(line);
            }
        }
        reader.end(&mut lines);
        for line in lines.drain(..) {
            yield Ok(line);
        }
    }
}

/// Reads the engine's frames: a head of eight bytes (stream, three zeros, length), then so many bytes. With
/// a terminal there are no frames.
struct Reader {
    is_terminal: bool,
    head: Vec<u8>,
    left: usize,
    current: usize,
    open: [Open; 2],
}

/// A line that has not ended.
#[derive(Default)]
struct Open {
    bytes: Vec<u8>,
    at: Option<String>,
    /// The time that is being read, while it is.
    time: Option<Vec<u8>>,
}

/// A time with nanoseconds and a zone has at most so many letters.
const LONGEST_TIME: usize = 40;

impl Reader {
    fn new(is_terminal: bool) -> Self {
        let open = || Open { time: Some(Vec::new()), ..Open::default() };
        Self { is_terminal, head: Vec::with_capacity(8), left: 0, current: 0, open: [open(), open()] }
    }

    fn read(&mut self, mut piece: &[u8], lines: &mut Vec<LogLine>) -> Result<(), Fault> {
        if self.is_terminal {
            self.take(piece, lines);
            return Ok(());
        }
        while !piece.is_empty() {
            if self.left > 0 {
                let taken = self.left.min(piece.len());
                self.take(&piece[..taken], lines);
                self.left -= taken;
                piece = &piece[taken..];
                continue;
            }
            let missing = (8 - self.head.len()).min(piece.len());
            self.head.extend_from_slice(&piece[..missing]);
            piece = &piece[missing..];
            if self.head.len() < 8 {
                return Ok(());
            }
            let stream = self.head[0];
            if stream > 2 || self.head[1..4] != [0, 0, 0] {
                return Err(Fault::Unreadable("a log without frames".to_owned()));
            }
            self.current = usize::from(stream == 2);
            self.left = u32::from_be_bytes([self.head[4], self.head[5], self.head[6], self.head[7]]) as usize;
            self.head.clear();
            // Each frame is one message with a time of its own, also in the middle of a long line.
            self.open[self.current].time = Some(Vec::new());
        }
        Ok(())
    }

    fn name(&self, place: usize) -> &'static str {
        if self.is_terminal { "tty" } else { ["out", "err"][place] }
    }

    fn take(&mut self, mut bytes: &[u8], lines: &mut Vec<LogLine>) {
        let (name, is_terminal) = (self.name(self.current), self.is_terminal);
        let open = &mut self.open[self.current];
        while !bytes.is_empty() {
            bytes = open.take_time(bytes);
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let room = LONGEST_LINE.saturating_sub(open.bytes.len());
            let taken = end.unwrap_or(bytes.len()).min(room);
            open.bytes.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if end == Some(taken) {
                lines.push(open.finish(name, false));
                open.time = is_terminal.then(Vec::new);
                bytes = &bytes[1..];
            } else if open.bytes.len() >= LONGEST_LINE {
                lines.push(open.finish(name, true));
            }
        }
    }

    fn end(&mut self, lines: &mut Vec<LogLine>) {
        for place in 0..self.open.len() {
            let name = self.name(place);
            let open = &mut self.open[place];
            // What was taken for the beginning of a time was a line of its own.
            open.bytes.extend(open.time.take().unwrap_or_default());
            if !open.bytes.is_empty() || open.at.is_some() {
                lines.push(open.finish(name, false));
            }
        }
    }
}

impl Open {
    /// Takes the time off the beginning, as far as it is there, and gives the rest.
    fn take_time<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(time) = &mut self.time else { return bytes };
        let end = bytes.iter().position(|byte| matches!(byte, b' ' | b'\n'));
        let taken = end.unwrap_or(bytes.len()).min(LONGEST_TIME + 1 - time.len());
        time.extend_from_slice(&bytes[..taken]);
        let is_whole = end == Some(taken) && bytes[taken] == b' ';
        let text = std::str::from_utf8(time).ok().filter(|text| is_whole && text.parse::<Timestamp>().is_ok());
        if let Some(text) = text {
            // In the middle of a line the time of its beginning stays.
            self.at.get_or_insert_with(|| text.to_owned());
            self.time = None;
            return &bytes[taken + 1..];
        }
        if end == Some(taken) || time.len() > LONGEST_TIME {
            // It is no time; the letters belong to the line.
            self.bytes.append(time);
            self.time = None;
        }
        &bytes[taken..]
    }

    fn finish(&mut self, stream: &str, cut: bool) -> LogLine {
        if !cut && self.bytes.last() == Some(&b'\r') {
            self.bytes.pop();
        }
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        self.bytes.clear();
        let at = if cut { self.at.clone() } else { self.at.take() };
        LogLine { at, stream: stream.to_owned(), text, cut }
    }
}

/// The log as text, one line after the other; at most four megabytes of its end.
///
/// # Errors
/// As [`open`].
pub async fn text(permit: &Permit<Reading>, engine: &str, id: &str, query: &LogQuery) -> Result<String> {
    let mut log = open(permit, engine, id, query, false, None).await?;
    let mut text = String::new();
    while let Some(line) = log.lines.next().await {
        let line = line.map_err(|fault| fault.error(permit.locale()))?;
        write_line(&mut text, &line, query.timestamps);
        if text.len() > 2 * GREATEST_TEXT {
            keep_end(&mut text);
        }
    }
    keep_end(&mut text);
    Ok(text)
}

/// Drops whole lines from the beginning of a text that has grown too long.
fn keep_end(text: &mut String) {
    if text.len() > GREATEST_TEXT {
        let from = text.len() - GREATEST_TEXT;
        let from = text.as_bytes()[from..].iter().position(|byte| *byte == b'\n').map_or(from, |end| from + end + 1);
        text.drain(..from);
    }
}

/// Writes a line as text.
pub fn write_line(text: &mut String, line: &LogLine, timestamps: bool) {
    if timestamps && let Some(at) = &line.at {
        text.push_str(at);
        text.push(' ');
    }
    text.push_str(&line.text);
    if !line.cut {
        text.push('\n');
    }
}

/// Searches a whole log for lines that hold `needle`, without regard to case.
///
/// # Errors
/// As [`open`]; [`Error::Invalid`] at `needle` when it is empty or longer than a thousand letters.
pub async fn search(
    permit: &Permit<Reading>,
    engine: &str,
    id: &str,
    needle: &str,
    query: &LogQuery,
) -> Result<LogSearch> {
    let locale = permit.locale();
    let needle = needle.to_lowercase();
    if needle.trim().is_empty() || needle.len() > 1000 {
        return Err(Error::invalid("needle", td_string!(locale, deployments.spec.search_term)));
    }
    let mut log = open(permit, engine, id, query, false, None).await?;
    let until = Instant::now() + SEARCH_DEADLINE;
    let (mut found, mut matches) = (LogSearch::default(), VecDeque::new());
    while let Some(line) = log.lines.next().await {
        let line = line.map_err(|fault| fault.error(locale))?;
        found.lines += 1;
        if plain(&line.text).to_lowercase().contains(&needle) {
            found.total += 1;
            if matches.len() == MOST_MATCHES {
                matches.pop_front();
            }
            matches.push_back((found.lines, line));
        }
        if found.lines.is_multiple_of(4096) && Instant::now() >= until {
            found.truncated = true;
            break;
        }
    }
    found.matches = matches.into();
    Ok(found)
}

/// A line without the sequences that colour it, which would stand between the letters of a word.
fn plain(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\u{1b}' {
            out.push(letter);
        } else if letters.next() == Some('[') {
            // Parameters end with a letter of this range.
            letters.by_ref().find(|letter| ('@'..='~').contains(letter));
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "2026-11-22T10:00:00.123456789Z";

    fn frame(stream: u8, text: &[u8]) -> Vec<u8> {
        let mut frame = vec![stream, 0, 0, 0];
        frame.extend_from_slice(&u32::try_from(text.len()).expect("it is short").to_be_bytes());
        frame.extend_from_slice(text);
        frame
    }

    fn lines(pieces: &[&[u8]], is_terminal: bool) -> Vec<LogLine> {
        let mut reader = Reader::new(is_terminal);
        let mut lines = Vec::new();
        for piece in pieces {
            reader.read(piece, &mut lines).expect("these are frames");
        }
        reader.end(&mut lines);
        lines
    }

    fn texts(lines: &[LogLine]) -> Vec<(&str, &str)> {
        lines.iter().map(|line| (line.stream.as_str(), line.text.as_str())).collect()
    }

    #[test]
    fn frames_become_lines_however_they_are_cut_on_the_way() {
        let mut bytes = frame(1, format!("{AT} one\n").as_bytes());
        bytes.extend(frame(2, format!("{AT} bad: caf\u{e9}\n").as_bytes()));
        bytes.extend(frame(1, format!("{AT} \n").as_bytes()));

        for size in [1, 3, 7, 1000] {
            let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
            let found = lines(&pieces, false);
            assert_eq!(texts(&found), [("out", "one"), ("err", "bad: caf\u{e9}"), ("out", "")], "pieces of {size}");
            assert_eq!(found[0].at.as_deref(), Some(AT));
        }
    }

    #[test]
    fn a_long_line_in_several_frames_is_one_line_in_pieces_of_16_kib() {
        let half = "x".repeat(10_000);
        let mut bytes = frame(1, format!("{AT} {half}").as_bytes());
        bytes.extend(frame(1, format!("2026-11-22T10:00:01Z {half}\n").as_bytes()));

        let found = lines(&[&bytes], false);

        assert_eq!(
            found.iter().map(|line| (line.text.len(), line.cut)).collect::<Vec<_>>(),
            [(16_384, true), (3_616, false)]
        );
        assert!(found.iter().all(|line| line.at.as_deref() == Some(AT) && line.text.bytes().all(|byte| byte == b'x')));
    }

    #[test]
    fn a_terminal_has_no_frames() {
        let text = format!("{AT} one\r\n{AT} two\r\nnotime");

        let found = lines(&[text.as_bytes()], true);

        assert_eq!(texts(&found), [("tty", "one"), ("tty", "two"), ("tty", "notime")]);
    }

    #[test]
    fn bytes_that_are_no_text_cost_themselves_only() {
        let mut line = format!("{AT} a").into_bytes();
        line.extend([0xff, 0xfe, b'b', b'\n']);

        assert_eq!(lines(&[&frame(1, &line)], false)[0].text, "a\u{fffd}\u{fffd}b");
        assert!(Reader::new(false).read(b"not a frame at all", &mut Vec::new()).is_err());
    }

    #[test]
    fn times_are_given_in_three_ways() {
        let now = Timestamp::from_seconds(1_000_000);

        assert_eq!(moment(Some("10m"), now), Ok(Some("999400".to_owned())));
        assert_eq!(moment(Some("1970-01-01T00:00:01.5Z"), now), Ok(Some("1.500000000".to_owned())));
        assert_eq!(moment(Some("12.5"), now), Ok(Some("12.5".to_owned())));
        assert_eq!(moment(None, now), Ok(None));
        assert!(moment(Some("yesterday"), now).is_err() && moment(Some("5\u{e9}"), now).is_err());
        assert!(moment(Some("1&follow=1"), now).is_err());
    }

    #[tokio::test]
    async fn a_viewer_resumes_after_the_last_line_it_saw() {
        let line = |at: &str, text: &str| {
            Ok(LogLine { at: Some(at.to_owned()), stream: "out".to_owned(), text: text.to_owned(), cut: false })
        };
        let mut marked = Marked::default();
        let early = "2026-11-22T10:00:00Z";
        let seen = [line(early, "a"), line(AT, "b"), line(AT, "c")];
        let place = seen.iter().flatten().fold(None, |_, line| marked.after(line).cloned());
        let place = place.and_then(|place| Place::parse(&place.to_string()));

        let again = futures::stream::iter([line(AT, "b"), line(AT, "c"), line(AT, "d"), line(AT, "e")]);
        let rest: Vec<_> = after(place, again).collect().await;

        assert_eq!(rest.iter().flatten().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["d", "e"]);
        assert_eq!(Place::parse("../5"), None);
    }

    #[test]
    fn colours_do_not_stand_in_the_way_of_a_search() {
        assert_eq!(plain("\u{1b}[31mer\u{1b}[0mror"), "error");
    }
}
