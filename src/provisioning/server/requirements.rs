//! What a project asks for beside what Ansible brings: the collections and roles of its `requirements.yml`.
//!
//! A file is read here and written anew for `ansible-galaxy`, so that nothing gets there that was not looked at:
//! no option, no path out of the project, no protocol that runs a program.

use super::project;
use crate::{
    authentication::server::Proof,
    error::Result,
    i18n::{Locale, td_string},
    id::Id,
    platform::{
        db::{Sql, sql},
        state::State,
    },
    provisioning::books::{Mark, REQUIREMENTS, Requirement, RequirementKind, Severity},
    storage::{
        Playbook,
        yaml::{self, Fault},
    },
};
use serde::de::{
    Deserialize, Deserializer, MapAccess, SeqAccess, Visitor,
    value::{MapAccessDeserializer, SeqAccessDeserializer},
};
use serde_json::{Map, Value, json};
use serde_saphyr::Spanned;
use std::{collections::BTreeMap, fmt};

/// The greatest number of collections and roles that a project asks for.
const MOST: usize = 100;

/// The longest value in bytes.
const LONGEST: usize = 500;

/// The collections and roles that a project asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// As `ansible-galaxy` is told.
    collections: Vec<Value>,
    /// As `ansible-galaxy` is told.
    roles: Vec<Value>,
    /// As people are told.
    pub items: Vec<Requirement>,
    /// The files of the project that are installed from, by path.
    pub local: BTreeMap<String, Vec<u8>>,
    /// Whether every version is exact, or comes with the project; what they need in turn may be any.
    pub is_pinned: bool,
    /// The file that says so; the first one where there are several.
    pub path: String,
}

impl Requirements {
    /// Whether nothing is asked for.
    pub const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The file that `ansible-galaxy` is given: JSON, which is YAML too.
    pub fn file(&self) -> String {
        json!({ "collections": self.collections, "roles": self.roles }).to_string()
    }

    /// The hash of what is asked for: equal ones are installed once.
    pub fn key(&self) -> String {
        let local: Vec<String> =
            self.local.iter().map(|(path, content)| format!("{} {path}", project::hash_of(content))).collect();
        project::hash_of(format!("{}\n{}", self.file(), local.join("\n")).as_bytes())
    }
}

/// What the project of a playbook asks for, or what is wrong with it.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound), also for another customer's.
pub async fn of(
    state: &State,
    proof: &dyn Proof,
    playbook: Id<Playbook>,
) -> Result<std::result::Result<Requirements, Vec<Mark>>> {
    let asks = sql("select path from playbook_files where playbook = $1 and path in ($2, $3, $4, $5, $6, $7) limit 1")
        .bind(playbook.to_string());
    let asks = REQUIREMENTS.into_iter().fold(asks, Sql::bind);
    if state.db.row(proof, asks).await?.is_none() {
        return Ok(Ok(Requirements::default()));
    }
    let files = project::files(state, proof, playbook).await?;
    Ok(read(&files, proof.locale()))
}

/// What is wrong, as one sentence with its place.
pub fn sentence(marks: &[Mark], locale: Locale) -> String {
    let Some(mark) = marks.first() else { return String::new() };
    let (path, line) = (mark.path.clone(), mark.line.to_string());
    td_string!(locale, playbooks.requirements.at, path = path, line = line, message = mark.message.clone())
}

/// What the files of a project ask for, or what is wrong with them, each at its line.
///
/// # Errors
/// The marks of what is wrong.
pub fn read(files: &[(String, Vec<u8>)], locale: Locale) -> std::result::Result<Requirements, Vec<Mark>> {
    let mut reader = Reader { files, locale, found: Requirements { is_pinned: true, ..Requirements::default() } };
    let mut marks = Vec::new();
    for path in REQUIREMENTS {
        let Some((_, content)) = files.iter().find(|(known, _)| known == path) else { continue };
        if reader.found.path.is_empty() {
            path.clone_into(&mut reader.found.path);
        }
        let faults = reader.file(&String::from_utf8_lossy(content));
        marks.extend(faults.into_iter().map(|fault| Mark {
            path: path.to_owned(),
            line: fault.line,
            column: fault.column,
            severity: Severity::Error,
            message: fault.message,
            rule: None,
        }));
    }
    if marks.is_empty() { Ok(reader.found) } else { Err(marks) }
}

/// What stands in a file: a mapping of both lists, or the list of roles that was all there was before there were
/// collections.
#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Lists {
    #[serde(default)]
    collections: Option<Vec<Spanned<Value>>>,
    #[serde(default)]
    roles: Option<Vec<Spanned<Value>>>,
}

struct Top(Lists);

impl<'de> Deserialize<'de> for Top {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(TopVisitor).map(Self)
    }
}

struct TopVisitor;

impl<'de> Visitor<'de> for TopVisitor {
    type Value = Lists;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping with the lists \"collections\" and \"roles\"")
    }

    fn visit_unit<E>(self) -> std::result::Result<Lists, E> {
        Ok(Lists::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> std::result::Result<Lists, A::Error> {
        let roles = Vec::deserialize(SeqAccessDeserializer::new(list))?;
        Ok(Lists { roles: Some(roles), collections: None })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<Lists, A::Error> {
        Lists::deserialize(MapAccessDeserializer::new(map))
    }
}

/// Where something is installed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// The server that Galaxy is, by name.
    Galaxy,
    /// An archive at an address.
    Web,
    /// A repository of Git.
    Git,
    /// A file or folder of the project.
    Local,
}

struct Reader<'a> {
    files: &'a [(String, Vec<u8>)],
    locale: Locale,
    found: Requirements,
}

impl Reader<'_> {
    /// Takes in one file; gives what is wrong with it.
    fn file(&mut self, text: &str) -> Vec<Fault> {
        let lists = match yaml::value_or_fault::<Top>(text, self.locale) {
            Ok(top) => top.map(|top| top.0).unwrap_or_default(),
            Err(fault) => return vec![fault],
        };
        let mut faults = Vec::new();
        for entry in lists.collections.unwrap_or_default() {
            if let Err(message) = self.collection(&entry.value) {
                faults.push(Fault::at(&entry, &message));
            }
        }
        for entry in lists.roles.unwrap_or_default() {
            if let Err(message) = self.role(&entry.value) {
                faults.push(Fault::at(&entry, &message));
            }
        }
        if self.found.items.len() > MOST {
            let message = td_string!(self.locale, playbooks.requirements.limit, max = MOST.to_string());
            faults.push(Fault { line: 1, column: 1, message });
        }
        faults
    }

    fn collection(&mut self, entry: &Value) -> std::result::Result<(), String> {
        let locale = self.locale;
        let values = self.values(entry, "name")?;
        if values.contains_key("signatures") {
            return Err(td_string!(locale, playbooks.requirements.signatures).to_owned());
        }
        let kind = values.get("type").map(String::as_str);
        let expected = match kind {
            None => None,
            Some("galaxy") => Some(Source::Galaxy),
            Some("url") => Some(Source::Web),
            Some("git") => Some(Source::Git),
            Some("file" | "dir" | "subdirs") => Some(Source::Local),
            Some(_) => return Err(td_string!(locale, playbooks.requirements.kind).to_owned()),
        };
        let source = values.get("source").map(String::as_str);
        // Of what is not on a Galaxy server, either of the two may say where it is.
        let is_elsewhere = expected.is_some_and(|expected| expected != Source::Galaxy);
        let name = values.get("name").map(String::as_str);
        let Some(name) = source.filter(|_| is_elsewhere || name.is_none()).or(name) else {
            return Err(td_string!(locale, playbooks.requirements.entry).to_owned());
        };
        let found = self.source(name, expected == Some(Source::Galaxy), expected == Some(Source::Git))?;
        match expected.unwrap_or(found) {
            Source::Galaxy if !is_collection(name) => {
                return Err(td_string!(locale, playbooks.requirements.name, name = shortened(name)));
            }
            expected if expected == found => {}
            Source::Local => return Err(td_string!(locale, playbooks.requirements.no_file, path = shortened(name))),
            _ => return Err(td_string!(locale, playbooks.requirements.address, address = shortened(name))),
        }
        let name = name.strip_prefix("git+").unwrap_or(name);
        let kind = match found {
            Source::Galaxy => "galaxy",
            Source::Web => "url",
            Source::Git => "git",
            Source::Local if self.files.iter().any(|(path, _)| path == name) => "file",
            Source::Local => kind.filter(|kind| *kind == "subdirs").unwrap_or("dir"),
        };
        let version = values.get("version").map(String::as_str);
        if let Some(version) = version {
            self.version(version, found == Source::Galaxy)?;
        }
        let mut told = Map::from_iter([("name".to_owned(), json!(name)), ("type".to_owned(), json!(kind))]);
        if let Some(version) = version {
            told.insert("version".to_owned(), json!(version));
        }
        if let (Some(source), Source::Galaxy) = (source, found) {
            // Another server than the usual one; a name of one would stand in a configuration that is not taken.
            if self.source(source, false, false)? != Source::Web {
                return Err(td_string!(locale, playbooks.requirements.address, address = source));
            }
            told.insert("source".to_owned(), json!(source));
        }
        self.found.collections.push(Value::Object(told));
        self.add(RequirementKind::Collection, name, name, version, found);
        Ok(())
    }

    fn role(&mut self, entry: &Value) -> std::result::Result<(), String> {
        let locale = self.locale;
        let mut values = self.values(entry, "src")?;
        if values.contains_key("include") {
            return Err(td_string!(locale, playbooks.requirements.include).to_owned());
        }
        if let (Some(line), true) = (values.get("src").cloned(), entry.is_string()) {
            // A line of its own: source, version, name.
            let parts: Vec<&str> = line.split(',').map(str::trim).collect();
            values = ["src", "version", "name"]
                .into_iter()
                .zip(&parts)
                .filter(|(_, part)| !part.is_empty())
                .map(|(key, part)| (key.to_owned(), (*part).to_owned()))
                .collect();
        }
        let own = values.get("name").or_else(|| values.get("role"));
        let Some(given) = values.get("src").or(own) else {
            return Err(td_string!(locale, playbooks.requirements.entry).to_owned());
        };
        let is_git = match values.get("scm").map(String::as_str) {
            None => false,
            Some("git") => true,
            Some(_) => return Err(td_string!(locale, playbooks.requirements.address, address = shortened(given))),
        };
        // Of an address of GitHub that is no archive, Ansible makes a clone by itself.
        let is_git = is_git || (given.contains("://") && given.contains("github.com") && !given.ends_with(".tar.gz"));
        let found = self.source(given, false, is_git)?;
        if found == Source::Local && (given.contains('+') || !self.files.iter().any(|(path, _)| path == given)) {
            return Err(td_string!(locale, playbooks.requirements.no_file, path = shortened(given)));
        }
        let is_git = found == Source::Git;
        let src = given.strip_prefix("git+").unwrap_or(given);
        let name = own.map_or_else(|| role_name(src), String::as_str);
        if !is_plain(name) || (found == Source::Galaxy && !is_plain(src)) {
            return Err(td_string!(locale, playbooks.requirements.role, name = shortened(name)));
        }
        let version = values.get("version").map(String::as_str);
        if let Some(version) = version {
            self.version(version, false)?;
        }
        let mut told = Map::from_iter([("src".to_owned(), json!(src)), ("name".to_owned(), json!(name))]);
        if let Some(version) = version {
            told.insert("version".to_owned(), json!(version));
        }
        if is_git {
            told.insert("scm".to_owned(), json!("git"));
        }
        self.found.roles.push(Value::Object(told));
        self.add(RequirementKind::Role, name, given, version, found);
        Ok(())
    }

    /// The values of an entry as texts; a text alone is the value of `single`.
    fn values(&self, entry: &Value, single: &str) -> std::result::Result<BTreeMap<String, String>, String> {
        let locale = self.locale;
        let wrong = || td_string!(locale, playbooks.requirements.entry).to_owned();
        let mut values = BTreeMap::new();
        match entry {
            Value::String(text) => {
                values.insert(single.to_owned(), text.clone());
            }
            Value::Object(map) => {
                for (key, value) in map {
                    match value {
                        Value::String(text) => drop(values.insert(key.clone(), text.clone())),
                        Value::Number(_) if key == "version" => {
                            return Err(td_string!(locale, playbooks.requirements.version_number).to_owned());
                        }
                        // Named, so that what is not taken is told.
                        _ if matches!(key.as_str(), "signatures" | "include") => {
                            values.insert(key.clone(), String::new());
                        }
                        Value::Null => {}
                        _ if matches!(
                            key.as_str(),
                            "name" | "version" | "source" | "type" | "src" | "scm" | "role"
                        ) =>
                        {
                            return Err(wrong());
                        }
                        _ => {}
                    }
                }
            }
            _ => return Err(wrong()),
        }
        Ok(values)
    }

    /// Where a value leads; refused where that is nowhere, or where a program would take it for something else.
    fn source(&self, text: &str, is_name: bool, is_git: bool) -> std::result::Result<Source, String> {
        let locale = self.locale;
        let odd = || td_string!(locale, playbooks.requirements.address, address = shortened(text));
        let begins_well = text.starts_with(|first: char| first.is_ascii_alphanumeric() || matches!(first, '.' | '_'));
        let is_plain =
            !text.chars().any(|letter| letter.is_control() || letter.is_whitespace() || matches!(letter, '\\' | ','));
        if !begins_well || !is_plain || text.len() > LONGEST {
            return Err(odd());
        }
        if is_name {
            return Ok(Source::Galaxy);
        }
        let folder = format!("{}/", text.trim_end_matches('/'));
        if self.files.iter().any(|(path, _)| path == text || path.starts_with(&folder)) {
            return Ok(Source::Local);
        }
        let (address, is_git) = text.strip_prefix("git+").map_or((text, is_git), |address| (address, true));
        // A part behind it may name a folder of a repository, which must stay in it; and a plus is a protocol to Ansible.
        let has_ways_out = address.split(['/', '#']).any(|part| part == "..") || address.contains('+');
        if let Some((scheme, rest)) = address.split_once("://").filter(|_| !has_ways_out) {
            let host = rest.rsplit_once('@').filter(|(user, _)| !user.contains('/')).map_or(rest, |(_, host)| host);
            let leads = host.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[');
            return match scheme {
                "https" if leads && is_git => Ok(Source::Git),
                "https" | "http" if leads && !is_git => Ok(Source::Web),
                _ => Err(odd()),
            };
        }
        if is_git || text.contains(['@', ':', '+']) {
            return Err(odd());
        }
        if text.contains('/') || text.ends_with(".gz") || text.starts_with('.') {
            return Err(td_string!(locale, playbooks.requirements.no_file, path = shortened(text)));
        }
        Ok(Source::Galaxy)
    }

    /// Refuses what is no version: an option of Git, or of a resolver.
    fn version(&self, version: &str, may_compare: bool) -> std::result::Result<(), String> {
        let is_one = |text: &str| {
            text.starts_with(|first: char| first.is_ascii_alphanumeric())
                && text
                    .chars()
                    .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '+' | '_' | '/'))
        };
        let is_range = |text: &str| {
            text.split(',')
                .map(str::trim)
                .all(|part| part == "*" || is_one(part.trim_start_matches(['<', '>', '=', '!']).trim_start()))
        };
        if version.len() <= LONGEST && (is_one(version) || (may_compare && is_range(version))) {
            return Ok(());
        }
        Err(td_string!(self.locale, playbooks.requirements.version, version = shortened(version)))
    }

    fn add(&mut self, kind: RequirementKind, name: &str, given: &str, version: Option<&str>, source: Source) {
        let pinned = match source {
            Source::Local => true,
            Source::Galaxy => version.is_some_and(is_exact),
            Source::Git => version.is_some_and(is_commit),
            Source::Web => false,
        };
        self.found.is_pinned &= pinned;
        if source == Source::Local {
            let folder = format!("{}/", given.trim_end_matches('/'));
            let own = self.files.iter().filter(|(path, _)| path == given || path.starts_with(&folder));
            self.found.local.extend(own.cloned());
        }
        self.found.items.push(Requirement {
            kind,
            name: name.to_owned(),
            wanted: version.map(str::to_owned),
            installed: None,
        });
    }
}

/// Whether what is asked for is known by its name, and not by where it comes from.
pub fn is_name(item: &Requirement) -> bool {
    match item.kind {
        RequirementKind::Collection => is_collection(&item.name),
        RequirementKind::Role => true,
    }
}

/// Whether a text is written `namespace.name`.
fn is_collection(text: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && word.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    text.split_once('.').is_some_and(|(namespace, name)| is_word(namespace) && is_word(name))
}

/// Whether a text is the name of a role, and of a folder.
fn is_plain(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-'))
}

/// The name that Ansible gives a role by its source: the last part, without its ending.
fn role_name(source: &str) -> &str {
    let last = source.rsplit('/').next().unwrap_or_default();
    let last = last.strip_suffix(".git").unwrap_or(last);
    last.strip_suffix(".tar.gz").unwrap_or(last)
}

/// Whether a version is one and not a range: `9.1.0`, `v2.3`.
fn is_exact(version: &str) -> bool {
    let number = version.strip_prefix('v').unwrap_or(version);
    number.starts_with(|first: char| first.is_ascii_digit())
        && number.contains('.')
        && number.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '+'))
}

/// Whether a version is a commit of Git, which never changes.
fn is_commit(version: &str) -> bool {
    version.len() == 40 && version.chars().all(|letter| letter.is_ascii_hexdigit())
}

fn shortened(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str) -> std::result::Result<Requirements, Vec<Mark>> {
        let files = [
            ("requirements.yml".to_owned(), text.as_bytes().to_vec()),
            ("vendor/acme-tools-1.0.0.tar.gz".to_owned(), b"x".to_vec()),
            ("own/galaxy.yml".to_owned(), b"y".to_vec()),
        ];
        read(&files, Locale::en)
    }

    fn told(text: &str) -> Value {
        serde_json::from_str(&with(text).unwrap_or_else(|marks| panic!("{text}: {marks:?}")).file()).expect("JSON")
    }

    #[test]
    fn collections_and_roles_are_told_as_galaxy_reads_them() {
        let both = "collections:\n  - community.general\n  - name: ansible.posix\n    version: '>=1.5,<2'\n    source: https://hub.example.org/api/\n  - name: vendor/acme-tools-1.0.0.tar.gz\n  - name: own\n    type: dir\n  - name: https://example.org/a-b-1.0.0.tar.gz\n  - source: https://git.example.org/a/b.git\n    type: git\n    version: main\nroles:\n  - geerlingguy.docker,7.4.1\n  - src: https://example.org/web.tar.gz\n  - src: git+https://git.example.org/a/db.git\n    version: v2\n    name: base\n  - name: plain\n";

        let told = told(both);

        assert_eq!(
            told["collections"],
            json!([
                { "name": "community.general", "type": "galaxy" },
                { "name": "ansible.posix", "type": "galaxy", "version": ">=1.5,<2", "source": "https://hub.example.org/api/" },
                { "name": "vendor/acme-tools-1.0.0.tar.gz", "type": "file" },
                { "name": "own", "type": "dir" },
                { "name": "https://example.org/a-b-1.0.0.tar.gz", "type": "url" },
                { "name": "https://git.example.org/a/b.git", "type": "git", "version": "main" },
            ])
        );
        assert_eq!(
            told["roles"],
            json!([
                { "src": "geerlingguy.docker", "name": "geerlingguy.docker", "version": "7.4.1" },
                { "src": "https://example.org/web.tar.gz", "name": "web" },
                { "src": "https://git.example.org/a/db.git", "name": "base", "version": "v2", "scm": "git" },
                { "src": "plain", "name": "plain" },
            ])
        );
        let asked = with(both).expect("it is read");
        assert!(!asked.is_pinned);
        assert_eq!(asked.local.keys().collect::<Vec<_>>(), ["own/galaxy.yml", "vendor/acme-tools-1.0.0.tar.gz"]);
    }

    #[test]
    fn the_list_from_before_there_were_collections_is_of_roles() {
        assert_eq!(told("- geerlingguy.nginx\n")["roles"][0]["name"], "geerlingguy.nginx");
        assert!(with("").expect("nothing is asked for").is_empty());
        assert!(with("---\ncollections:\nroles: []\n").expect("nothing is asked for").is_empty());
    }

    #[test]
    fn only_what_never_changes_is_pinned() {
        for (text, expected) in [
            ("collections: [{name: a.b, version: 1.2.3}]", true),
            ("collections: [{name: vendor/acme-tools-1.0.0.tar.gz}]", true),
            ("roles: [{src: 'git+https://x.org/y', version: 0123456789abcdef0123456789abcdef01234567}]", true),
            ("collections: [a.b]", false),
            ("collections: [{name: a.b, version: '>=1.2.3'}]", false),
            ("collections: [{name: 'https://x.org/a.tar.gz', version: 1.2.3}]", false),
            ("roles: [{src: 'git+https://x.org/y', version: v1.2.3}]", false),
        ] {
            assert_eq!(with(text).expect(text).is_pinned, expected, "{text}");
        }
    }

    #[test]
    fn nothing_becomes_an_option_a_path_or_a_program() {
        for bad in [
            "--upload-pack=x",
            "-x",
            "@/etc/passwd",
            "/etc/passwd",
            "../x",
            "vendor/../../x.tar.gz",
            "file:///etc/passwd",
            "ext::sh -c id",
            "ext::id",
            "git+ext::id",
            "git+file:///etc",
            "git+http://x.org/y",
            "git+https://-x/y",
            "hg+https://x.org/y",
            "ssh://x.org/y",
            "git@x.org:y.git",
            "ftp://x.org/y.tar.gz",
            "https://-oProxyCommand=id/x",
            "https://x.org/a b",
            "https://x.org/y.git#../../z",
            "https://x.org/../y",
            "https://x.org/a+b",
            "http://x+y.org/a",
            "a,--b",
            "no/such.tar.gz",
            "a\\b",
            "a\tb",
        ] {
            let quoted = json!(bad).to_string();
            for text in [
                format!("collections: [{quoted}]"),
                format!("collections: [{{name: {quoted}, type: git}}]"),
                format!("collections: [{{name: {quoted}, type: url}}]"),
                format!("collections: [{{name: {quoted}, type: galaxy}}]"),
                format!("collections: [{{name: a.b, source: {quoted}}}]"),
                format!("roles: [{quoted}]"),
                format!("roles: [{{src: {quoted}}}]"),
                format!("roles: [{{src: {quoted}, scm: git}}]"),
                format!("roles: [{{name: {quoted}}}]"),
            ] {
                assert!(with(&text).is_err(), "{text}");
            }
            if !bad.contains("://") {
                assert!(with(&format!("roles: [{{src: 'https://x.org/a.tar.gz', name: {quoted}}}]")).is_err(), "{bad}");
            }
        }
        for bad in ["--help", "-x", "@x", "/x", "1 --x", "a;b", "$(id)", "1\n2", ""] {
            let quoted = json!(bad).to_string();
            for text in [
                format!("collections: [{{name: a.b, version: {quoted}}}]"),
                format!("roles: [{{src: a.b, version: {quoted}}}]"),
                format!("roles: [{{src: 'git+https://x.org/y', version: {quoted}}}]"),
            ] {
                assert!(with(&text).is_err(), "{text}");
            }
        }
        for bad in [
            "roles: [{src: own}]",
            "roles: [{src: 'http://github.com/a/b'}]",
            "roles: [{src: a, scm: hg}]",
            "roles: [{include: x.yml}]",
            "collections: [{name: a.b, type: x}]",
        ] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_wrong_stands_at_its_line() {
        let marks = with("collections:\n  - community.general\n  - name: general\n  - name: a.b\n    version: 1.10\n")
            .expect_err("two are wrong");

        assert_eq!(marks.iter().map(|mark| mark.line).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(marks[0].message, "\"general\" is no name of a collection: it is written namespace.name");
        assert!(marks[1].message.contains("quotes"), "{marks:?}");
        for odd in ["x", "plays: []", "collections: x", "collections: [[a]]", "roles: [1]", "collections: [", "1"] {
            let marks = with(odd).expect_err(odd);
            assert_eq!((marks[0].path.as_str(), marks[0].line), ("requirements.yml", 1), "{odd}");
        }
    }
}
