//! The names of images, and the other small grammars of an engine.

use crate::storage::registry::{DOCKER_HUB, registry_address};

/// The name of an image, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Registry and path: `registry.example.com:5000/team/app`.
    pub repository: String,
    /// The tag.
    pub tag: Option<String>,
    /// The digest, `sha256:…`.
    pub digest: Option<String>,
}

impl Reference {
    /// Reads `[registry[:port]/]path[:tag][@digest]`; `None` when it is not of that form.
    ///
    /// Source: the grammar of `distribution/reference`.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        // A colon after the last slash begins a tag; one before it a port.
        let last = name.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match name[last..].split_once(':') {
            Some((end, tag)) => (&name[..last + end.len()], Some(tag)),
            None => (name, None),
        };
        let is_valid = is_repository(repository) && tag.is_none_or(is_tag) && digest.is_none_or(is_digest);
        is_valid.then(|| Self {
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }

    /// The address of its registry, as [`registry_address`] writes it; `None` for one that nobody can keep a login
    /// for.
    pub fn registry(&self) -> Option<String> {
        registry_of(&self.repository).map_or_else(|| Some(DOCKER_HUB.to_owned()), registry_address)
    }
}

/// The registry that a name begins with; `None` for the names of Docker Hub.
pub fn registry_of(name: &str) -> Option<&str> {
    let (first, _) = name.split_once('/')?;
    searched(name).or_else(|| first.bytes().any(|byte| byte.is_ascii_uppercase()).then_some(first))
}

/// The registry that an engine searches for a term; `None` where it searches Docker Hub.
pub fn searched(term: &str) -> Option<&str> {
    let (first, _) = term.split_once('/')?;
    (first.contains(['.', ':']) || first == "localhost").then_some(first)
}

/// Whether it names an image: by name, or by the whole or the beginning of an identifier.
pub fn is_image(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    let is_id = (12..=64).contains(&hex.len()) && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id || Reference::parse(text).is_some()
}

/// Whether it is a repository, with or without a registry.
pub fn is_repository(text: &str) -> bool {
    if text.is_empty() || text.len() > 255 {
        return false;
    }
    let mut parts: Vec<&str> = text.split('/').collect();
    if let Some(registry) = registry_of(text) {
        if !is_registry(registry) {
            return false;
        }
        parts.remove(0);
    }
    parts.iter().all(|part| is_component(part))
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    port.is_none_or(|port| port.parse::<u16>().is_ok()) && is_hostname(host)
}

/// Letters, digits and single separators between them.
fn is_component(text: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    if !alphanumeric(*first) || !alphanumeric(*last) {
        return false;
    }
    text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-'))
}

/// Whether it is a tag.
pub fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=128).contains(&text.len())
        && word(text.as_bytes()[0])
        && text.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-')
}

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        !algorithm.is_empty()
            && algorithm.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+._-".contains(&byte))
            && (32..=128).contains(&hex.len())
            && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Whether it is a name as containers, volumes and networks have them.
pub fn is_name(text: &str) -> bool {
    (2..=128).contains(&text.len())
        && text.as_bytes()[0].is_ascii_alphanumeric()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

/// Whether it is a host name: labels of letters, digits and hyphens, joined by dots.
pub fn is_hostname(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// Whether it is an absolute path that goes nowhere but down.
pub fn is_absolute(path: &str) -> bool {
    path.starts_with('/') && path.len() <= 4096 && !path.contains('\0') && path.split('/').all(|part| part != "..")
}

/// Whether it is a signal: `SIGTERM`, `TERM`, `9`.
pub fn is_signal(text: &str) -> bool {
    if let Ok(number) = text.parse::<u8>() {
        return (1..=64).contains(&number);
    }
    let name = text.strip_prefix("SIG").unwrap_or(text);
    (2..=9).contains(&name.len())
        && name.as_bytes()[0].is_ascii_uppercase()
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'+' || byte == b'-')
}

/// Whether it is a platform: `linux/arm64`, `linux/arm/v7`.
pub fn is_platform(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part.len() <= 32
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    (1..=3).contains(&text.split('/').count()) && text.split('/').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images_are_taken_apart() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let with_digest = format!("localhost:5001/muelle/web@{digest}");
        for (text, repository, tag) in [
            ("nginx", "nginx", None),
            ("nginx:1.27", "nginx", Some("1.27")),
            ("localhost:5001/muelle/web:1", "localhost:5001/muelle/web", Some("1")),
            ("Registry.example.com/a__b/c--d", "Registry.example.com/a__b/c--d", None),
        ] {
            let found = Reference::parse(text).unwrap_or_else(|| panic!("{text} is an image"));
            assert_eq!((found.repository.as_str(), found.tag.as_deref()), (repository, tag));
        }
        assert_eq!(Reference::parse(&with_digest).expect("it is an image").digest, Some(digest));
    }

    #[test]
    fn a_name_tells_its_registry() {
        for (text, registry) in [
            ("nginx", Some(DOCKER_HUB)),
            ("team/app:1", Some(DOCKER_HUB)),
            ("docker.io/library/nginx", Some(DOCKER_HUB)),
            ("localhost/app", Some("localhost")),
            (
                "Registry.example.com:5000/team/app@sha256:0123456789abcdef0123456789abcdef",
                Some("registry.example.com:5000"),
            ),
            // Hosts all of them, and none that a login is kept for: Docker Hub's must not reach them.
            ("Evil/app", None),
            ("2130706433:5000/app", None),
            ("1.2.3:5000/app", None),
            ("10.0.0.300/app", None),
        ] {
            let reference = Reference::parse(text).unwrap_or_else(|| panic!("{text} is an image"));
            assert_eq!(reference.registry().as_deref(), registry, "{text}");
        }
    }

    #[test]
    fn nothing_that_could_be_an_option_or_a_path_is_an_image() {
        for text in [
            "", "-x", "--help", "a/../b", "../x", "a//b", "/a", "a b", "a\n", "A", "a:", "a@b", "a:-x", "x/", "a?b=c",
            "ä",
        ] {
            assert!(!is_image(text), "{text:?}");
        }
    }

    #[test]
    fn small_grammars_refuse_what_begins_with_a_hyphen() {
        assert!(is_name("web-1.a_b") && !is_name("-web") && !is_name("w") && !is_name("a/b"));
        assert!(is_hostname("db-1.example") && !is_hostname("-db") && !is_hostname(""));
        assert!(is_signal("SIGTERM") && is_signal("HUP") && is_signal("SIGRTMIN+3") && is_signal("9"));
        assert!(!is_signal("-9") && !is_signal("sigterm") && !is_signal("65"));
        assert!(is_absolute("/a/b") && !is_absolute("a") && !is_absolute("/a/../b"));
        assert!(is_platform("linux/arm64") && !is_platform("linux/") && !is_platform("-"));
    }
}
