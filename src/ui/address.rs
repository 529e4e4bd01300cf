//! The state of a page that a colleague might want to share: it stands in the address.

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate, use_query_map},
    params::ParamsMap,
};

type Go = Box<dyn Fn(&str, NavigateOptions) + Send + Sync>;

/// The query of this page's address. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Address {
    path: Memo<String>,
    query: Memo<ParamsMap>,
    go: StoredValue<Go>,
}

/// The address of this page.
pub fn use_address() -> Address {
    let navigate = use_navigate();
    Address { path: use_location().pathname, query: use_query_map(), go: StoredValue::new(Box::new(navigate)) }
}

impl Address {
    /// The value under a key; empty when there is none. Follows the address.
    pub fn get(self, key: &'static str) -> Memo<String> {
        let query = self.query;
        Memo::new(move |_| query.with(|query| query.get_str(key).unwrap_or_default().to_owned()))
    }

    /// The address with these values; an empty value takes its key away.
    pub fn with(self, changes: &[(&'static str, &str)]) -> String {
        let query = self.query.get();
        self.path.with(|path| format!("{path}{}", changed(query, changes)))
    }

    /// Changes these values in the address; an empty value takes its key away. The page stays, and so
    /// does the place in the history.
    pub fn set(self, changes: &[(&'static str, &str)]) {
        let query = self.query.get_untracked();
        let target = self.path.with_untracked(|path| format!("{path}{}", changed(query, changes)));
        self.go.with_value(|go| {
            go(&target, NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() });
        });
    }

    /// Leads to another page.
    pub fn go(self, target: &str) {
        self.go.with_value(|go| go(target, NavigateOptions::default()));
    }
}

fn changed(query: ParamsMap, changes: &[(&'static str, &str)]) -> String {
    let kept = query
        .into_iter()
        .filter(|(key, value)| !value.is_empty() && !changes.iter().any(|(changed, _)| changed == key))
        .map(|(key, value)| (key.into_owned(), value));
    let new = changes
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let pairs: Vec<String> =
        kept.chain(new).map(|(key, value)| format!("{}={}", escaped(&key), escaped(&value))).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// Escapes a value for an address.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changing_the_query_keeps_the_rest_and_drops_what_is_empty() {
        let query: ParamsMap = [("q", "web & db"), ("page", "3")].into_iter().collect();

        assert_eq!(changed(query.clone(), &[("page", ""), ("state", "running")]), "?q=web%20%26%20db&state=running");
        assert_eq!(changed(query, &[("page", ""), ("q", "")]), "");
    }
}
