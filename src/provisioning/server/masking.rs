//! Hides known secrets in what a run says, before anything of it is kept.

use serde_json::Value;
use zeroize::Zeroizing;

/// What stands where a secret stood.
const MASK: &str = "********";

/// Shorter texts are not hidden: they are found everywhere, and what is left would be unreadable.
const SHORTEST: usize = 4;

/// The secrets to hide, longest first.
pub struct Mask {
    secrets: Vec<Zeroizing<Vec<u8>>>,
    /// By byte, whether a secret begins with it.
    begins: Vec<bool>,
    /// The end of what came last, when a secret may begin in it.
    held: Vec<u8>,
}

impl Mask {
    /// Hides these texts, each line of those that have several, and how both look inside JSON.
    pub fn new<'a>(secrets: impl Iterator<Item = &'a str>) -> Self {
        let mut all: Vec<Zeroizing<Vec<u8>>> = Vec::new();
        for secret in secrets {
            for text in std::iter::once(secret).chain(secret.lines()).map(str::trim) {
                let quoted = Zeroizing::new(Value::from(text).to_string());
                let inside = quoted.get(1..quoted.len() - 1).unwrap_or_default();
                all.extend([text, inside].map(|form| Zeroizing::new(form.as_bytes().to_vec())));
            }
        }
        all.retain(|secret| secret.len() >= SHORTEST);
        all.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        all.dedup();
        let begins = (0..=u8::MAX).map(|byte| all.iter().any(|secret| secret[0] == byte)).collect();
        Self { secrets: all, begins, held: Vec::new() }
    }

    /// Takes the next bytes of a stream and gives what can be kept of it by now. A tail in which a secret may
    /// begin is held back until more comes.
    pub fn stream(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.secrets.is_empty() {
            return bytes.to_vec();
        }
        self.held.extend_from_slice(bytes);
        let all = std::mem::take(&mut self.held);
        let (clean, rest) = self.hide(&all);
        self.held = rest;
        clean
    }

    /// What was held back, at the end of the stream.
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// Hides the secrets in the strings of a value.
    pub fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(all) => all.iter_mut().for_each(|inner| self.value(inner)),
            Value::Object(map) => map.values_mut().for_each(|inner| self.value(inner)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Hides the secrets in a text.
    pub fn text(&self, text: &mut String) {
        if self.secrets.iter().any(|secret| contains(text.as_bytes(), secret)) {
            let (mut clean, rest) = self.hide(text.as_bytes());
            clean.extend_from_slice(&rest);
            *text = String::from_utf8_lossy(&clean).into_owned();
        }
    }

    /// The bytes with secrets hidden, and the tail that may be the beginning of one.
    fn hide(&self, bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let mut clean = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            if !self.begins[usize::from(rest[0])] {
                let next = rest.iter().position(|byte| self.begins[usize::from(*byte)]).unwrap_or(rest.len());
                clean.extend_from_slice(&rest[..next]);
                at += next;
                continue;
            }
            // A longer secret that may still be under way comes before a shorter one that is there.
            let mut found = None;
            for secret in &self.secrets {
                if rest.starts_with(secret) {
                    found = Some(secret.len());
                    break;
                }
                if secret.starts_with(rest) {
                    return (clean, rest.to_vec());
                }
            }
            match found {
                Some(length) => {
                    clean.extend_from_slice(MASK.as_bytes());
                    at += length;
                }
                None => {
                    clean.push(rest[0]);
                    at += 1;
                }
            }
        }
        (clean, Vec::new())
    }
}

fn contains(bytes: &[u8], secret: &[u8]) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn streamed(mask: &mut Mask, parts: &[&str]) -> String {
        let mut all: Vec<u8> = parts.iter().flat_map(|part| mask.stream(part.as_bytes())).collect();
        all.extend(mask.finish());
        String::from_utf8(all).expect("it was text")
    }

    #[test]
    fn a_secret_is_hidden_however_the_stream_is_cut() {
        let text = "before hunter2hunter2 and hunter2!";
        for at in 0..text.len() {
            let mut mask = Mask::new(["hunter2"].into_iter());
            assert_eq!(streamed(&mut mask, &[&text[..at], &text[at..]]), "before **************** and ********!");
        }
    }

    #[test]
    fn a_secret_is_hidden_in_json_and_line_by_line() {
        let mut mask = Mask::new(["first \"line\"\nsecond line"].into_iter());

        let said = streamed(&mut mask, &["x first \\\"line\\\"\\nsecond line x\n", "second line"]);

        assert_eq!(said, "x ******** x\n********");
    }

    #[test]
    fn the_longer_of_two_secrets_goes_first_and_short_ones_stay() {
        let mut mask = Mask::new(["pass", "password", "ab"].into_iter());

        assert_eq!(streamed(&mut mask, &["pass", "word ab pas"]), "******** ab pas");
    }

    #[test]
    fn strings_inside_values_are_hidden() {
        let mask = Mask::new(["hunter2"].into_iter());
        let mut value = json!({ "a": ["say hunter2", 1], "b": { "c": "hunter" } });

        mask.value(&mut value);

        assert_eq!(value, json!({ "a": ["say ********", 1], "b": { "c": "hunter" } }));
    }
}
