//! YAML that people hand in, read under a budget: nothing is built from it but its outline.

use crate::i18n::{Locale, td_string};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::{
    Options, Spanned,
    options::{DuplicateKeyPolicy, NonFiniteFloatPolicy},
};
use std::fmt;

/// The greatest text that is read, in bytes.
const MAX: usize = 1 << 20;

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
    /// What is the matter, as a sentence.
    pub message: String,
}

impl Fault {
    /// What is the matter with what stands there.
    pub fn at<T>(node: &Spanned<T>, message: &str) -> Self {
        Self::new(node.referenced.line(), node.referenced.column(), message.to_owned())
    }

    fn new(line: u64, column: u64, message: String) -> Self {
        let small = |number: u64| u32::try_from(number.max(1)).unwrap_or(u32::MAX);
        Self { line: small(line), column: small(column), message }
    }

    fn text(self, locale: Locale) -> String {
        let (line, column) = (self.line.to_string(), self.column.to_string());
        td_string!(locale, errors.field.yaml, line = line, column = column, message = self.message)
    }
}

/// Checks that the text is a playbook: a list of plays, each a mapping with `hosts` or `import_playbook`.
///
/// # Errors
/// What is wrong, with line and column.
pub fn playbook(text: &str, locale: Locale) -> Result<(), String> {
    match read_playbook(text, locale) {
        Err(Wrong::Empty) => Err(td_string!(locale, errors.field.plays).to_owned()),
        other => other.map_err(|wrong| wrong.text(locale)),
    }
}

/// What is wrong with a playbook; `None` when it is one.
pub fn playbook_fault(text: &str, locale: Locale) -> Option<Fault> {
    match read_playbook(text, locale).err()? {
        Wrong::Empty => Some(Fault::new(1, 1, td_string!(locale, errors.field.plays).to_owned())),
        wrong => Some(wrong.fault(locale)),
    }
}

fn read_playbook(text: &str, locale: Locale) -> Result<(), Wrong> {
    let Some(outline) = read(text)? else { return Err(Wrong::Empty) };
    let Outline::List(plays) = outline.value else {
        return Err(Fault::at(&outline, td_string!(locale, errors.field.plays)).into());
    };
    for play in plays {
        match &play.value {
            Entry::Mapping(keys) if keys.iter().any(|key| is_play_key(key)) => {}
            Entry::Mapping(_) => return Err(Fault::at(&play, td_string!(locale, errors.field.play_hosts)).into()),
            Entry::Other => return Err(Fault::at(&play, td_string!(locale, errors.field.play)).into()),
        }
    }
    Ok(())
}

/// Checks that the text is a mapping; one with comments alone counts as empty.
///
/// # Errors
/// What is wrong, with line and column.
pub fn mapping(text: &str, locale: Locale) -> Result<(), String> {
    match read(text).map_err(|wrong| wrong.text(locale))? {
        None => Ok(()),
        Some(Spanned { value: Outline::Mapping | Outline::Nothing, .. }) => Ok(()),
        Some(other) => Err(at(&other, td_string!(locale, errors.field.mapping), locale)),
    }
}

/// The names and values of a mapping, as Ansible would read them; one with comments alone is empty.
///
/// Ansible reads YAML 1.1, so `yes` is true and `0644` is octal; a lone `y` or `n` is a boolean here alone. A tag does nothing: what stands behind
/// `!unsafe` or `!vault` is a text.
///
/// # Errors
/// What is wrong, with line and column.
pub fn variables(text: &str, locale: Locale) -> Result<Map<String, Value>, String> {
    mapping(text, locale)?;
    let mut options = options();
    options.legacy_octal_numbers = true;
    let variables: Option<Map<String, Value>> = parsed_with(text, options).map_err(|wrong| wrong.text(locale))?;
    Ok(variables.unwrap_or_default())
}

/// Reads the text as a list, each entry with the place where it stands; `expected` says what the list is of.
///
/// # Errors
/// What is wrong, with line and column.
pub fn list<T: DeserializeOwned>(text: &str, expected: &str, locale: Locale) -> Result<Vec<Spanned<T>>, String> {
    match read(text).map_err(|wrong| wrong.text(locale))? {
        None | Some(Spanned { value: Outline::Nothing, .. }) => Ok(Vec::new()),
        Some(Spanned { value: Outline::List(_), .. }) => {
            let list: Option<Vec<Spanned<T>>> = parsed(text).map_err(|wrong| wrong.text(locale))?;
            Ok(list.unwrap_or_default())
        }
        Some(other) => Err(at(&other, expected, locale)),
    }
}

/// A sentence with the place that it is about in front.
pub fn at<T>(node: &Spanned<T>, message: &str, locale: Locale) -> String {
    Fault::at(node, message).text(locale)
}

/// Why a text was not read.
enum Wrong {
    /// Nothing stands in it.
    Empty,
    /// It is too long.
    Size,
    /// At a place.
    At(Fault),
}

impl Wrong {
    fn fault(self, locale: Locale) -> Fault {
        match self {
            Self::Empty => Fault::new(1, 1, td_string!(locale, errors.field.required).to_owned()),
            Self::Size => Fault::new(1, 1, too_large(locale)),
            Self::At(fault) => fault,
        }
    }

    fn text(self, locale: Locale) -> String {
        match self {
            Self::Empty => td_string!(locale, errors.field.required).to_owned(),
            Self::Size => too_large(locale),
            Self::At(fault) => fault.text(locale),
        }
    }
}

impl From<Fault> for Wrong {
    fn from(fault: Fault) -> Self {
        Self::At(fault)
    }
}

fn too_large(locale: Locale) -> String {
    td_string!(locale, errors.field.yaml_size, max = MAX.to_string())
}

fn is_play_key(key: &str) -> bool {
    matches!(key, "hosts" | "import_playbook" | "ansible.builtin.import_playbook")
}

fn read(text: &str) -> Result<Option<Spanned<Outline>>, Wrong> {
    parsed(text)
}

/// Reads a value whose shape is known; `None` where there is nothing, or comments alone.
///
/// # Errors
/// What is wrong, with line and column.
pub fn value<T: DeserializeOwned>(text: &str, locale: Locale) -> Result<Option<T>, String> {
    parsed(text).map_err(|wrong| wrong.text(locale))
}

/// The same, with the place beside the sentence.
///
/// # Errors
/// What is wrong.
pub fn value_or_fault<T: DeserializeOwned>(text: &str, locale: Locale) -> Result<Option<T>, Fault> {
    parsed(text).map_err(|wrong| wrong.fault(locale))
}

fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, Wrong> {
    parsed_with(text, options())
}

fn parsed_with<T: DeserializeOwned>(text: &str, options: Options) -> Result<T, Wrong> {
    if text.len() > MAX {
        return Err(Wrong::Size);
    }
    serde_saphyr::from_str_with_options::<T>(text, options).map_err(|error| {
        let error = error.without_snippet();
        let (line, column) = error.location().map_or((1, 1), |location| (location.line(), location.column()));
        // The position stands in front; what the parser adds behind would say it twice.
        let message = error.to_string();
        let message = message.lines().next().unwrap_or_default();
        let message = message.split(" at line ").next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Wrong::At(Fault::new(line, column, message))
    })
}

/// Limits that real playbooks of a mebibyte keep and bombs do not.
fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 200_000,
            max_nodes: 100_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_recorded_anchor_events: 20_000,
            max_recorded_anchor_bytes: 4 << 20,
            max_depth: 64,
            flow_nesting_limit: 64,
            max_documents: 2,
            max_total_scalar_bytes: 2 << 20,
            max_inclusion_depth: 0,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 20_000,
            max_replay_stack_depth: 16,
            max_alias_expansions_per_anchor: 1_000,
        },
        // Ansible takes the last of two equal keys, with a warning.
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

/// What stands at the top.
enum Outline {
    Nothing,
    Scalar,
    Mapping,
    List(Vec<Spanned<Entry>>),
}

/// What stands in the list at the top.
enum Entry {
    Mapping(Vec<String>),
    Other,
}

struct OutlineVisitor;

impl<'de> Visitor<'de> for OutlineVisitor {
    type Value = Outline;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Outline, E> {
        Ok(Outline::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Outline, E> {
        Ok(Outline::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Outline, E> {
        Ok(Outline::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Outline, E> {
        Ok(Outline::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Outline, E> {
        Ok(Outline::Scalar)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Outline, E> {
        Ok(Outline::Scalar)
    }

    fn visit_unit<E>(self) -> Result<Outline, E> {
        Ok(Outline::Nothing)
    }

    fn visit_none<E>(self) -> Result<Outline, E> {
        Ok(Outline::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Outline, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element::<Spanned<Entry>>()? {
            entries.push(entry);
        }
        Ok(Outline::List(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outline, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Outline::Mapping)
    }
}

impl<'de> Deserialize<'de> for Outline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OutlineVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a play")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Entry, E> {
        Ok(Entry::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Entry, E> {
        Ok(Entry::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Entry, E> {
        Ok(Entry::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Entry, E> {
        Ok(Entry::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Entry, E> {
        Ok(Entry::Other)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Entry, E> {
        Ok(Entry::Other)
    }

    fn visit_unit<E>(self) -> Result<Entry, E> {
        Ok(Entry::Other)
    }

    fn visit_none<E>(self) -> Result<Entry, E> {
        Ok(Entry::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Entry, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Entry::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let mut keys = Vec::new();
        while let Some((key, _)) = map.next_entry::<String, IgnoredAny>()? {
            keys.push(key);
        }
        Ok(Entry::Mapping(keys))
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::{mapping, playbook, variables};
    use crate::i18n::Locale;
    use std::{fmt::Write as _, time::Instant};

    #[test]
    fn a_playbook_is_a_list_of_plays() {
        let good = "---\n# what it does\n- name: Web\n  hosts: web\n  vars: {a: !unsafe x}\n  tasks:\n    - ansible.builtin.ping:\n- import_playbook: other.yml\n";
        let vault = "- hosts: all\n  vars:\n    secret: !vault |\n      $ANSIBLE_VAULT;1.1;AES256\n      6162\n";
        let merged = "- hosts: all\n  vars: &v\n    a: 1\n- hosts: web\n  vars:\n    <<: *v\n";

        for text in ["- hosts: all\n", good, vault, merged] {
            assert_eq!(playbook(text, Locale::en), Ok(()), "{text}");
        }
        for (text, position) in [
            ("hosts: all\n", "Line 1, column 1"),
            ("- hosts: all\n- just words\n", "Line 2, column 3"),
            ("- hosts: all\n-  name: x\n   tasks: []\n", "Line 2, column 4"),
            ("- hosts: all\n  tasks: [\n", "Line 2, column 10"),
            ("- hosts: all\n\tx: y\n", "Line 1, column 10"),
            ("42\n", "Line 1"),
        ] {
            let refused = playbook(text, Locale::en).expect_err("it is no playbook");
            assert!(refused.starts_with(position), "{text:?}: {refused}");
        }
        assert!(playbook("", Locale::en).is_err());
        assert!(playbook("# nothing\n", Locale::en).is_err());
    }

    #[test]
    fn variables_are_a_mapping() {
        assert_eq!(mapping("a: 1\nb: [1, 2]\n", Locale::en), Ok(()));
        assert_eq!(mapping("# later\n", Locale::en), Ok(()));
        assert!(mapping("- a\n", Locale::en).is_err());
        assert!(mapping("words", Locale::en).is_err());
    }

    #[test]
    fn variables_are_read_as_ansible_reads_them() {
        let text = "a: yes\nb: 0644\nc: [1, 2.5, off]\nd: {e: ~}\nf: !unsafe '{{ x }}'\n1: one\nh: 'no'\n";

        let read = serde_json::to_value(variables(text, Locale::en).expect("they can be read")).expect("it is JSON");

        let expected = serde_json::json!({
            "a": true, "b": 420, "c": [1, 2.5, false], "d": {"e": null}, "f": "{{ x }}", "1": "one", "h": "no",
        });
        assert_eq!(read, expected);
        assert_eq!(variables("# later\n", Locale::en), Ok(serde_json::Map::new()));
        assert!(variables("- a\n", Locale::en).is_err());
    }

    #[test]
    fn bombs_are_refused_at_once() {
        let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..30 {
            let below = format!("*a{}", level - 1);
            writeln!(laughs, "a{level}: &a{level} [{}]", [below.as_str(); 10].join(", ")).expect("a text takes it");
        }
        let deep = "[".repeat(10_000);
        let deep_blocks: String = (0..10_000).map(|_| "- ").collect();
        let documents = "---\n".repeat(250_000);
        let wide = format!("a: [{}]", "1,".repeat(500_000));
        let long = "x".repeat(2 << 20);

        for bomb in [laughs, deep, deep_blocks, documents, wide, long] {
            let began = Instant::now();
            assert!(mapping(&bomb, Locale::en).is_err(), "{}", &bomb[..40]);
            assert!(playbook(&bomb, Locale::en).is_err(), "{}", &bomb[..40]);
            assert!(variables(&bomb, Locale::en).is_err(), "{}", &bomb[..40]);
            eprintln!("{:?} for {} bytes of {:?}", began.elapsed(), bomb.len(), &bomb[..20]);
        }
    }
}
