//! The checks that follow from a description, the same in the browser and on the server.

use super::{Field, Fields, Item, Kind, Shape};
use crate::{
    error::{Error, Problem, Result},
    i18n::{Locale, td_string},
};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Collects what is wrong with an item, in the reader's language.
pub struct Check {
    /// The reader's language.
    pub locale: Locale,
    /// True while a record is being made; secrets may stay empty on a change.
    pub is_new: bool,
    problems: Vec<Problem>,
}

impl Check {
    /// A check with nothing wrong yet.
    pub fn new(locale: Locale, is_new: bool) -> Self {
        Self { locale, is_new, problems: Vec::new() }
    }

    /// Notes a problem at `field`.
    pub fn problem(&mut self, field: &str, message: impl Into<String>) {
        self.problems.push(Problem::at(field, message));
    }

    /// Whether `field` has a problem already.
    pub fn has_problem(&self, field: &str) -> bool {
        self.problems.iter().any(|problem| problem.field == field)
    }

    /// Nothing wrong, or all problems together.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a problem was noted.
    pub fn finish(self) -> Result<()> {
        if self.problems.is_empty() { Ok(()) } else { Err(Error::Invalid { problems: self.problems }) }
    }
}

/// Checks `input` against the description and brings every value into its one spelling.
///
/// The result has exactly the kind's own fields; one that was not given is `null` (or an empty
/// list), and one that does not apply must not be given. A secret that was not given on a change is absent. Base fields are not looked at here.
pub fn fields(kind: &Kind, mut input: Fields, check: &mut Check) -> Fields {
    let mut output = Fields::new();
    for field in kind.fields {
        let given = input.shift_remove(field.name).unwrap_or(Value::Null);
        if field.read_only {
            if !given.is_null() {
                check.problem(field.name, td_string!(check.locale, errors.field.read_only));
            }
            continue;
        }
        let keeps_secret = matches!(field.shape, Shape::Secret) && !check.is_new;
        let applies = field.applies(|other| output.get(other).and_then(Value::as_str));
        if is_empty(&given) {
            if field.required && applies && !keeps_secret {
                check.problem(field.name, td_string!(check.locale, errors.field.required));
            }
            if !keeps_secret {
                output.insert(field.name.to_owned(), none_of(&field.shape));
            }
            continue;
        }
        if !applies {
            check.problem(field.name, td_string!(check.locale, errors.field.not_for));
            continue;
        }
        match value(field, given, check.locale) {
            Ok(value) => {
                output.insert(field.name.to_owned(), value);
            }
            Err(message) => check.problem(field.name, message),
        }
    }
    for unknown in input.keys() {
        check.problem(unknown, td_string!(check.locale, errors.field.unknown));
    }
    output
}

/// Runs the item's own rules over checked fields; see [`super::Entry::rules`].
///
/// Fields of read-only or secret shapes that are absent must have a serde default in the item.
pub fn rules<T: Item>(fields: &mut Fields, check: &mut Check) {
    let secrets_left_out: Vec<_> =
        T::KIND.fields.iter().map(|f| f.name).filter(|name| !fields.contains_key(*name)).collect();
    match serde_json::from_value::<T>(Value::Object(fields.clone())) {
        Ok(mut item) => {
            item.check(check);
            if let Ok(Value::Object(mut checked)) = serde_json::to_value(&item) {
                for name in secrets_left_out {
                    checked.shift_remove(name);
                }
                *fields = checked;
            }
        }
        // A value that passed its shape and still does not fit the type is named as a whole.
        Err(error) if check.problems.is_empty() => check.problem("", error.to_string()),
        Err(_) => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

fn none_of(shape: &Shape) -> Value {
    match shape {
        Shape::Words | Shape::Addresses | Shape::References { .. } => Value::Array(Vec::new()),
        Shape::Switch => Value::Bool(false),
        _ => Value::Null,
    }
}

/// One value brought into its one spelling.
///
/// # Errors
/// How it must be, as a sentence.
pub fn value(field: &Field, given: Value, locale: Locale) -> Result<Value, String> {
    match field.shape {
        Shape::Line { max } => line(text(given, locale)?.trim(), max, locale).map(Value::from),
        Shape::Lines { max, .. } => {
            let text = text(given, locale)?;
            if text.len() > max {
                return Err(td_string!(locale, errors.field.too_long, max = max.to_string()));
            }
            if text.contains('\0') {
                return Err(td_string!(locale, errors.field.control).to_owned());
            }
            Ok(text.into())
        }
        Shape::Secret => text(given, locale).map(Value::from),
        Shape::Choice(choices) => {
            let text = text(given, locale)?;
            if choices.iter().any(|choice| choice.value == text) {
                return Ok(text.into());
            }
            let known = choices.iter().map(|c| c.value).collect::<Vec<_>>().join(", ");
            Err(td_string!(locale, errors.field.choice, choices = known))
        }
        Shape::Integer { min, max } => {
            let number = match &given {
                Value::Number(number) => number.as_i64(),
                Value::String(text) => text.trim().parse().ok(),
                _ => None,
            };
            number
                .filter(|n| (min..=max).contains(n))
                .map(Value::from)
                .ok_or_else(|| td_string!(locale, errors.field.integer, min = min.to_string(), max = max.to_string()))
        }
        Shape::Switch => match &given {
            Value::Bool(_) => Ok(given),
            Value::String(text) if text == "true" || text == "on" => Ok(true.into()),
            Value::String(text) if text == "false" => Ok(false.into()),
            _ => Err(td_string!(locale, errors.field.switch).to_owned()),
        },
        Shape::Ipv4 => {
            let text = text(given, locale)?;
            let address: Ipv4Addr =
                text.trim().parse().map_err(|_| td_string!(locale, errors.field.ipv4).to_owned())?;
            Ok(address.to_string().into())
        }
        Shape::Ipv6 => {
            let text = text(given, locale)?;
            let address: Ipv6Addr =
                text.trim().parse().map_err(|_| td_string!(locale, errors.field.ipv6).to_owned())?;
            Ok(address.to_string().into())
        }
        Shape::Mac => mac(text(given, locale)?.trim())
            .map(Value::from)
            .ok_or_else(|| td_string!(locale, errors.field.mac).to_owned()),
        Shape::Words => list(given, locale)?
            .iter()
            .map(|word| line(word, 100, locale).map(Value::from))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array),
        Shape::Addresses => list(given, locale)?
            .iter()
            .map(|address| {
                host_address(address)
                    .map(Value::from)
                    .ok_or_else(|| td_string!(locale, errors.field.address, address = address.clone()))
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array),
        Shape::Time => text(given, locale)?
            .parse::<crate::time::Timestamp>()
            .map(|at| at.to_string().into())
            .map_err(|_| td_string!(locale, errors.field.time).to_owned()),
        Shape::Reference(_) => id(&text(given, locale)?, locale),
        Shape::References { .. } => {
            list(given, locale)?.iter().map(|text| id(text, locale)).collect::<Result<Vec<_>, _>>().map(Value::Array)
        }
    }
}

fn text(given: Value, locale: Locale) -> Result<String, String> {
    match given {
        Value::String(text) => Ok(text),
        _ => Err(td_string!(locale, errors.field.text).to_owned()),
    }
}

fn line(text: &str, max: usize, locale: Locale) -> Result<String, String> {
    if text.chars().count() > max {
        return Err(td_string!(locale, errors.field.too_long, max = max.to_string()));
    }
    if text.chars().any(char::is_control) {
        return Err(td_string!(locale, errors.field.control).to_owned());
    }
    Ok(text.to_owned())
}

/// A list as JSON array, or as a form sends it: one text, split at commas and line ends.
fn list(given: Value, locale: Locale) -> Result<Vec<String>, String> {
    let words = match given {
        Value::Array(values) => values.into_iter().map(|value| text(value, locale)).collect::<Result<Vec<_>, _>>()?,
        Value::String(text) => text.split([',', '\n']).map(str::to_owned).collect(),
        _ => return Err(td_string!(locale, errors.field.list).to_owned()),
    };
    let mut unique = Vec::new();
    for word in words.iter().map(|word| word.trim()).filter(|word| !word.is_empty()) {
        if !unique.iter().any(|known| known == word) {
            unique.push(word.to_owned());
        }
    }
    Ok(unique)
}

fn id(text: &str, locale: Locale) -> Result<Value, String> {
    text.trim()
        .parse::<crate::id::Id<()>>()
        .map(|id| id.to_string().into())
        .map_err(|_| td_string!(locale, errors.field.reference).to_owned())
}

/// The one spelling of a MAC address: six pairs of lower-case hexadecimal digits with colons.
///
/// Takes colons, hyphens, Cisco's dots and no separator at all; `None` for anything else.
pub fn mac(text: &str) -> Option<String> {
    let separators = text.chars().filter(|c| !c.is_ascii_hexdigit()).collect::<Vec<_>>();
    let uniform = separators.windows(2).all(|pair| pair[0] == pair[1]);
    let known = matches!((separators.first(), separators.len()), (None, 0) | (Some(':' | '-'), 5) | (Some('.'), 2));
    let digits: Vec<char> = text.chars().filter(char::is_ascii_hexdigit).collect();
    if !uniform || !known || digits.len() != 12 {
        return None;
    }
    let group = match separators.len() {
        5 => 2,
        2 => 4,
        _ => 12,
    };
    if text.split([':', '-', '.']).any(|part| part.len() != group) {
        return None;
    }
    let pairs: Vec<String> = digits.chunks(2).map(|pair| pair.iter().collect::<String>().to_lowercase()).collect();
    Some(pairs.join(":"))
}

/// Whether a text can be the name of a user on the command line of ssh: letters, digits and `. _ - + \`, a
/// letter, digit or underscore first.
pub fn is_user_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphanumeric() || first == '_')
        && text.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '.' | '_' | '-' | '+' | '\\'))
}

/// An IP address in its shortest form, or a DNS name in lower case; `None` for anything else.
///
/// A name has labels of letters, digits, hyphens and underscores, none starting or ending with a
/// hyphen, so that no name can be read as an option by a program (RFC 1123, with `_` as in practice).
pub fn host_address(text: &str) -> Option<String> {
    let text = text.trim();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_string());
    }
    let label_is_good = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    // What looks like a mistyped IPv4 address is not taken for a name.
    let numeric = name.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    (name.len() <= 253 && !numeric && name.split('.').all(label_is_good)).then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::{host_address, mac};

    #[test]
    fn a_mac_address_is_read_in_any_common_spelling() {
        for spelling in ["AA:BB:CC:00:11:22", "aa-bb-cc-00-11-22", "aabb.cc00.1122", "aabbcc001122"] {
            assert_eq!(mac(spelling).as_deref(), Some("aa:bb:cc:00:11:22"), "{spelling}");
        }
        for wrong in ["", "aa:bb:cc:00:11", "aa:bb-cc:00:11:22", "gg:bb:cc:00:11:22", "a:abb:cc:00:11:22"] {
            assert_eq!(mac(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_host_address_is_an_ip_address_or_a_name_and_never_an_option() {
        assert_eq!(host_address("DB-1.example.com."), Some("db-1.example.com".to_owned()));
        assert_eq!(host_address("2001:DB8::0001"), Some("2001:db8::1".to_owned()));
        for wrong in ["-oProxyCommand=x", "a b", "10.0.0.300", "web-.example", "{{ x }}", "@file", "/etc", ""] {
            assert_eq!(host_address(wrong), None, "{wrong}");
        }
    }
}
