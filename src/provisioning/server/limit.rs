//! The pattern that narrows a run to some of its hosts, read as Ansible reads `--limit`.
//!
//! Only names that the inventory holds are let through, with `*` for any letters, `!` to leave out and `&` to keep
//! only what is in both. What is handed on is written anew from what was understood.

use crate::i18n::{Locale, td_string};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The longest pattern in bytes.
const LONGEST: usize = 16 * 1024;

/// The names of an inventory: its hosts, and the hosts of each group.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    hosts: Vec<String>,
    groups: BTreeMap<String, BTreeSet<String>>,
}

impl Names {
    /// The names of an inventory as Ansible reads it, whose hosts in order are `hosts`.
    pub fn of(hosts: Vec<String>, document: &Value) -> Self {
        let mut below: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
        for (name, group) in document.as_object().into_iter().flatten() {
            gather(name, group, &mut below);
        }
        let groups = below.keys().map(|name| (name.clone(), members(name, &below, &mut BTreeSet::new()))).collect();
        Self { hosts, groups }
    }

    fn is_known(&self, name: &str) -> bool {
        name == "all" || self.groups.contains_key(name) || self.hosts.iter().any(|host| host == name)
    }

    /// The hosts that one name stands for; a group counts before a host of that name, as with Ansible.
    fn hosts_of(&self, name: &str) -> BTreeSet<&str> {
        let all = || self.hosts.iter().map(String::as_str);
        if name == "all" {
            return all().collect();
        }
        if !name.contains('*') {
            return match self.groups.get(name) {
                Some(members) => members.iter().map(String::as_str).collect(),
                None => all().filter(|host| *host == name).collect(),
            };
        }
        let groups = self.groups.iter().filter(|(group, _)| fits(name, group));
        let members = groups.flat_map(|(_, members)| members).map(String::as_str);
        members.chain(all().filter(|host| fits(name, host))).collect()
    }
}

/// The hosts and the groups that stand directly in each group.
fn gather(name: &str, group: &Value, below: &mut BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)>) {
    let names = |part: &str| group[part].as_object().map(Map::keys).into_iter().flatten().cloned();
    let (hosts, children) = below.entry(name.to_owned()).or_default();
    hosts.extend(names("hosts"));
    children.extend(names("children"));
    for (child, inner) in group["children"].as_object().into_iter().flatten() {
        gather(child, inner, below);
    }
}

fn members(
    name: &str,
    below: &BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)>,
    seen: &mut BTreeSet<String>,
) -> BTreeSet<String> {
    let Some((hosts, children)) = below.get(name).filter(|_| seen.insert(name.to_owned())) else {
        return BTreeSet::new();
    };
    let mut all = hosts.clone();
    for child in children {
        all.extend(members(child, below, seen));
    }
    all
}

/// Whether a name fits a pattern in which `*` stands for any letters.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

/// A pattern that was understood, with the hosts it leaves.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Limit {
    /// The pattern as it is handed to Ansible; empty for all hosts.
    pub pattern: String,
    /// The hosts it leaves, in the order of the inventory.
    pub hosts: Vec<String>,
}

/// Reads a pattern.
///
/// # Errors
/// A sentence: it cannot be read, names something that is not there, or leaves no host.
pub(super) fn read(text: &str, names: &Names, locale: Locale) -> Result<Limit, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Limit { pattern: String::new(), hosts: names.hosts.clone() });
    }
    let form = || td_string!(locale, runs.problem.limit).to_owned();
    if text.len() > LONGEST || text.starts_with(['-', '@', '/', '~']) {
        return Err(form());
    }
    let mut parts = Vec::new();
    for piece in text.split(',').map(str::trim) {
        // An IPv6 address has colons of its own.
        if names.is_known(piece.trim_start_matches(['!', '&'])) {
            parts.push(piece);
        } else {
            parts.extend(piece.split(':').map(str::trim));
        }
    }
    let mut wanted: Option<BTreeSet<&str>> = None;
    let (mut kept, mut left_out) = (Vec::new(), BTreeSet::new());
    for part in &parts {
        let name = part.strip_prefix(['!', '&']).unwrap_or(part);
        let is_letter = |letter: char| letter.is_alphanumeric() || "_.-:*".contains(letter);
        let begins_well = name.starts_with(|letter: char| letter.is_alphanumeric() || "_*:".contains(letter));
        if !begins_well || !name.chars().all(is_letter) {
            return Err(form());
        }
        if !name.contains('*') && !names.is_known(name) {
            return Err(td_string!(locale, runs.problem.limit_unknown, name = name.to_owned()));
        }
        let hosts = names.hosts_of(name);
        match part.chars().next() {
            Some('!') => left_out.extend(hosts),
            Some('&') => kept.push(hosts),
            _ => wanted.get_or_insert_default().extend(hosts),
        }
    }
    let stays = |host: &&String| {
        let host = host.as_str();
        wanted.as_ref().is_none_or(|wanted| wanted.contains(host))
            && kept.iter().all(|kept| kept.contains(host))
            && !left_out.contains(host)
    };
    let hosts: Vec<String> = names.hosts.iter().filter(stays).cloned().collect();
    if hosts.is_empty() {
        return Err(td_string!(locale, runs.problem.limit_nobody).to_owned());
    }
    Ok(Limit { pattern: parts.join(","), hosts })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names() -> Names {
        let document = json!({
            "all": {"children": {
                "web": {"hosts": {"web-1": {}, "web-2": {"ansible_port": 22}}},
                "db": {"hosts": {"db-1": {}}, "children": {"replicas": {"hosts": {"2001:db8::7": {}}}}},
            }},
        });
        let hosts = ["web-1", "web-2", "db-1", "2001:db8::7"].map(str::to_owned).to_vec();
        Names::of(hosts, &document)
    }

    fn left(text: &str) -> Vec<String> {
        read(text, &names(), Locale::en).unwrap_or_else(|refused| panic!("{text}: {refused}")).hosts
    }

    #[test]
    fn a_pattern_leaves_the_hosts_that_ansible_would_leave() {
        assert_eq!(left("").len(), 4);
        assert_eq!(left("all:!web"), ["db-1", "2001:db8::7"]);
        assert_eq!(left("web,db-1"), ["web-1", "web-2", "db-1"]);
        assert_eq!(left("web:&*-1"), ["web-1"]);
        assert_eq!(left("!web-1"), ["web-2", "db-1", "2001:db8::7"]);
        assert_eq!(left("db"), ["db-1", "2001:db8::7"], "a group's groups belong to it");
        assert_eq!(left("2001:db8::7"), ["2001:db8::7"]);
        assert_eq!(left("*eb-*, !web-2"), ["web-1"]);
    }

    #[test]
    fn what_is_handed_on_is_written_anew() {
        let limit = read(" web-1 : db-1 ", &names(), Locale::en).expect("it is a pattern");

        assert_eq!(limit.pattern, "web-1,db-1");
    }

    #[test]
    fn nothing_but_known_names_and_their_signs_gets_through() {
        let long = "a,".repeat(LONGEST);
        for text in [
            "-i",
            "--limit",
            "@/etc/passwd",
            "/etc/passwd",
            "~web.*",
            "web-1;id",
            "$(id)",
            "`id`",
            "{{ 1 }}",
            "web-1\n-v",
            "web[0]",
            "web-9",
            "unknown",
            "web,,db",
            "web:",
            "!!web",
            "&-x",
            "web,@/etc/passwd",
            "web:~x",
            "!web:!db",
            "none*",
            "web-1 db-1",
            "\0",
            long.as_str(),
        ] {
            assert!(read(text, &names(), Locale::en).is_err(), "{text:?}");
        }
    }
}
