//! Colours in the output of programs: terminal sequences become classes, and nothing else gets through.
//!
//! Only "select graphic rendition" is understood. Titles, links, cursor movements, device strings and
//! private sequences are dropped; control characters and those that turn the direction of writing are
//! shown as signs, so that a line cannot pretend to be another.

use leptos::prelude::*;
use vte::{Params, Parser, Perform};

/// One of the eight colours of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colour {
    Black,
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
    White,
}

impl Colour {
    const ALL: [Self; 8] =
        [Self::Black, Self::Red, Self::Green, Self::Yellow, Self::Blue, Self::Magenta, Self::Cyan, Self::White];

    fn numbered(number: u16) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The nearest of the eight to one of 256: the sixteen basic ones, a cube of 6 × 6 × 6, greys.
    fn of_256(number: u16) -> Option<Self> {
        match number {
            0..=15 => Self::numbered(number % 8),
            16..=231 => {
                let cube = number - 16;
                let level = |value: u16| u8::try_from(value * 51).unwrap_or(u8::MAX);
                Some(Self::of_rgb(level(cube / 36), level(cube / 6 % 6), level(cube % 6)))
            }
            232..=255 => Some(if number < 244 { Self::Black } else { Self::White }),
            _ => None,
        }
    }

    fn of_rgb(red: u8, green: u8, blue: u8) -> Self {
        let bright = red.max(green).max(blue);
        let is_lit = |part: u8| u16::from(part) * 2 > u16::from(bright) && part > 40;
        let number = usize::from(is_lit(red)) + 2 * usize::from(is_lit(green)) + 4 * usize::from(is_lit(blue));
        Self::ALL[number]
    }

    const fn text_class(self) -> &'static str {
        match self {
            Self::Black => "ansi-black",
            Self::Red => "ansi-red",
            Self::Green => "ansi-green",
            Self::Yellow => "ansi-yellow",
            Self::Blue => "ansi-blue",
            Self::Magenta => "ansi-magenta",
            Self::Cyan => "ansi-cyan",
            Self::White => "ansi-white",
        }
    }

    const fn ground_class(self) -> &'static str {
        match self {
            Self::Black => "ansi-on-black",
            Self::Red => "ansi-on-red",
            Self::Green => "ansi-on-green",
            Self::Yellow => "ansi-on-yellow",
            Self::Blue => "ansi-on-blue",
            Self::Magenta => "ansi-on-magenta",
            Self::Cyan => "ansi-on-cyan",
            Self::White => "ansi-on-white",
        }
    }
}

/// How text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Look {
    bold: bool,
    dim: bool,
    italic: bool,
    underline: bool,
    inverse: bool,
    text: Option<Colour>,
    ground: Option<Colour>,
}

impl Look {
    fn classes(self) -> String {
        let mut classes = Vec::new();
        let marks = [
            (self.bold, "ansi-bold"),
            (self.dim, "ansi-dim"),
            (self.italic, "ansi-italic"),
            (self.underline, "ansi-underline"),
            (self.inverse, "ansi-inverse"),
        ];
        classes.extend(marks.into_iter().filter(|(is_on, _)| *is_on).map(|(_, class)| class));
        classes.extend(self.text.map(Colour::text_class));
        classes.extend(self.ground.map(Colour::ground_class));
        classes.join(" ")
    }
}

/// A piece of text that looks the same throughout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The text.
    pub text: String,
    /// Its classes, `ansi-*`; empty for plain text.
    pub classes: String,
}

/// Reads a line of a program's output.
pub fn spans(line: &str) -> Vec<Span> {
    let line = line.trim_end_matches(['\r', '\n']);
    let mut reader = Reader::default();
    Parser::new().advance(&mut reader, line.as_bytes());
    reader.finish();
    reader.spans
}

/// A line of a program's output as text nodes.
pub fn view(line: &str) -> AnyView {
    let mut spans = spans(line);
    if spans.len() == 1 && spans[0].classes.is_empty() {
        return spans.remove(0).text.into_any();
    }
    spans
        .into_iter()
        .map(|span| {
            if span.classes.is_empty() {
                span.text.into_any()
            } else {
                view! { <span class=span.classes>{span.text}</span> }.into_any()
            }
        })
        .collect_view()
        .into_any()
}

#[derive(Default)]
struct Reader {
    spans: Vec<Span>,
    text: String,
    look: Look,
}

impl Reader {
    fn finish(&mut self) {
        if !self.text.is_empty() {
            self.spans.push(Span { text: std::mem::take(&mut self.text), classes: self.look.classes() });
        }
    }

    fn render(&mut self, params: &Params) {
        let mut numbers = params.iter().flatten().copied().peekable();
        let mut look = self.look;
        while let Some(number) = numbers.next() {
            match number {
                0 => look = Look::default(),
                1 => look.bold = true,
                2 => look.dim = true,
                3 => look.italic = true,
                4 => look.underline = true,
                7 => look.inverse = true,
                22 => (look.bold, look.dim) = (false, false),
                23 => look.italic = false,
                24 => look.underline = false,
                27 => look.inverse = false,
                30..=37 => look.text = Colour::numbered(number - 30),
                38 => look.text = extended(&mut numbers),
                39 => look.text = None,
                40..=47 => look.ground = Colour::numbered(number - 40),
                48 => look.ground = extended(&mut numbers),
                49 => look.ground = None,
                90..=97 => look.text = Colour::numbered(number - 90),
                100..=107 => look.ground = Colour::numbered(number - 100),
                _ => {}
            }
        }
        if look != self.look {
            self.finish();
            self.look = look;
        }
    }
}

/// The colour after 38 or 48: `5;N` or `2;R;G;B`.
fn extended(numbers: &mut impl Iterator<Item = u16>) -> Option<Colour> {
    match numbers.next()? {
        5 => Colour::of_256(numbers.next()?),
        2 => {
            let mut part = || numbers.next().map(|value| u8::try_from(value).unwrap_or(u8::MAX));
            Some(Colour::of_rgb(part()?, part()?, part()?))
        }
        _ => None,
    }
}

impl Perform for Reader {
    fn print(&mut self, character: char) {
        match character {
            // Delete, the second set of controls, what turns the direction of writing, and what has no width.
            '\u{7f}'..='\u{9f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}' => self.text.push_str(&format!("⟨{:04X}⟩", u32::from(character))),
            character => self.text.push(character),
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\t' => self.text.push('\t'),
            0..=0x1f => self.text.extend(char::from_u32(0x2400 + u32::from(byte))),
            _ => self.text.push_str(&format!("⟨{byte:04X}⟩")),
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        if action == 'm' && intermediates.is_empty() && !ignore {
            self.render(params);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> Vec<(String, String)> {
        spans(line).into_iter().map(|span| (span.text, span.classes)).collect()
    }

    fn plain(text: &str) -> Vec<(String, String)> {
        vec![(text.to_owned(), String::new())]
    }

    #[test]
    fn colours_become_classes_until_they_are_reset() {
        assert_eq!(
            told("ok \x1b[1;32mgood\x1b[0m \x1b[31;44mbad\x1b[39;49m end"),
            [("ok ", ""), ("good", "ansi-bold ansi-green"), (" ", ""), ("bad", "ansi-red ansi-on-blue"), (" end", "")]
                .map(|(text, classes)| (text.to_owned(), classes.to_owned()))
        );
    }

    #[test]
    fn many_colours_become_the_nearest_of_the_eight() {
        let class = |codes: &str| spans(&format!("\x1b[{codes}mx"))[0].classes.clone();

        assert_eq!(class("91"), "ansi-red");
        assert_eq!(class("38;5;196"), "ansi-red");
        assert_eq!(class("38;2;20;200;40"), "ansi-green");
        assert_eq!(class("38:5:21"), "ansi-blue");
        assert_eq!(class("48;5;250"), "ansi-on-white");
    }

    #[test]
    fn titles_links_and_device_strings_are_dropped() {
        assert_eq!(told("a\x1b]0;owned\x07b"), plain("ab"));
        assert_eq!(told("\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\"), plain("click"));
        assert_eq!(told("a\x1bP1$qm\x1b\\b\x1b_apc\x1b\\c"), plain("abc"));
        assert_eq!(told("\x1b[2J\x1b[10;10H\x1b[?1049hx"), plain("x"));
        assert_eq!(told("before \x1b]52;c;never ended"), plain("before "));
    }

    #[test]
    fn control_characters_are_shown_and_not_obeyed() {
        assert_eq!(told("a\rb\x08c\td\0\r"), plain("a␍b␈c\td␀"));
        assert_eq!(told("safe \u{202e}gnp.exe\u{200b}"), plain("safe ⟨202E⟩gnp.exe⟨200B⟩"));
    }

    #[test]
    fn markup_stays_text() {
        assert_eq!(told("<img src=x onerror=alert(1)>"), plain("<img src=x onerror=alert(1)>"));
    }

    proptest::proptest! {
        #[test]
        fn no_input_leaves_a_control_character_in_the_text(line in "\\PC*|[\\x00-\\x7f]*|(\x1b[\\[\\]P_^X]?[0-9;:m]*.)*") {
            for span in spans(&line) {
                proptest::prop_assert!(!span.text.chars().any(|c| c.is_control() && c != '\t'));
                proptest::prop_assert!(span.classes.split(' ').all(|class| class.is_empty() || class.starts_with("ansi-")));
            }
        }
    }
}
