//! Variables that people write: what they may not set, and the mark that keeps them from being templates.

use crate::{
    i18n::{Locale, td_string},
    storage::{is_user_name, yaml},
};
use serde_json::{Map, Value, json};

/// The key of a text that Ansible must not take as a template.
const UNSAFE: &str = "__ansible_unsafe";

/// The key of a text that Ansible decrypts.
const VAULT: &str = "__ansible_vault";

/// Reads a mapping of variables and refuses names that Muelle decides itself.
///
/// # Errors
/// What is wrong, as a sentence; with line and column where it is no YAML.
pub fn read(text: &str, locale: Locale) -> Result<Map<String, Value>, String> {
    let variables = yaml::variables(text, locale)?;
    check(&variables, locale)?;
    Ok(variables)
}

/// Refuses variables that would change how Ansible connects or what runs on the server.
///
/// # Errors
/// The first that may not be set, as a sentence.
pub fn check(variables: &Map<String, Value>, locale: Locale) -> Result<(), String> {
    for (name, value) in variables {
        if let Some(refusal) = refusal(name, value, locale) {
            return Err(refusal);
        }
        if let Some(name) = reserved(value) {
            return Err(td_string!(locale, machines.variables.reserved, name = name.to_owned()));
        }
    }
    Ok(())
}

/// Why this variable may not be set; `None` when it may.
fn refusal(name: &str, value: &Value, locale: Locale) -> Option<String> {
    let lower = name.trim().to_ascii_lowercase();
    let shown = name.to_owned();
    if lower.starts_with("__ansible") {
        return Some(td_string!(locale, machines.variables.reserved, name = shown));
    }
    let own = lower.strip_prefix("ansible_")?;
    if matches!(own, "user" | "ssh_user") && !value.as_str().is_some_and(is_user_name) {
        return Some(td_string!(locale, machines.variables.user, name = shown));
    }
    let ends = |ends: &[&str]| ends.iter().any(|end| own.ends_with(end));
    let holds = |parts: &[&str]| parts.iter().any(|part| own.contains(part));
    if own == "python_interpreter" {
        return (!is_python(value)).then(|| td_string!(locale, machines.variables.interpreter, name = shown));
    }
    if ends(&["password", "passphrase", "_pass", "private_key", "private_key_file"]) || own == "pass" {
        return Some(td_string!(locale, machines.variables.secret, name = shown));
    }
    let decides = own == "connection"
        || own.starts_with("shell_")
        || ends(&["_args", "_executable", "_exe", "_interpreter", "_cmd", "_command"])
        // The other names by which the SSH plugin knows address, key checking, sockets and libraries.
        || holds(&["plugin", "host_key_checking", "control_path", "pkcs11", "proxy_command", "ssh_host"]);
    decides.then(|| td_string!(locale, machines.variables.refused, name = shown))
}

/// Whether it is the absolute path of a Python, or one of Ansible's words for finding one.
fn is_python(value: &Value) -> bool {
    let Some(path) = value.as_str() else { return false };
    if matches!(path, "auto" | "auto_silent" | "auto_legacy" | "auto_legacy_silent") {
        return true;
    }
    let Some((folder, program)) = path.rsplit_once('/') else { return false };
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte));
    let version = program.strip_prefix("python");
    path.starts_with('/')
        && is_plain(folder)
        && !folder.split('/').any(|part| part == "..")
        && version.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
}

/// The first key at any depth that means something to Ansible's own reading of JSON.
fn reserved(value: &Value) -> Option<&str> {
    match value {
        Value::Object(map) => map.iter().find_map(|(name, value)| {
            if name.trim().to_ascii_lowercase().starts_with("__ansible") {
                Some(name.as_str())
            } else {
                reserved(value)
            }
        }),
        Value::Array(list) => list.iter().find_map(reserved),
        _ => None,
    }
}

/// The value with every text in it marked, so that Ansible never takes it as a template.
pub fn mark(value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with("$ANSIBLE_VAULT;") => json!({ VAULT: text }),
        Value::String(text) => json!({ UNSAFE: text }),
        Value::Array(list) => list.iter().map(mark).collect(),
        Value::Object(map) => Value::Object(map.iter().map(|(name, value)| (name.clone(), mark(value))).collect()),
        other => other.clone(),
    }
}

/// The value as a person reads it: without marks, and without what is encrypted.
pub fn unmark(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(unmark).collect(),
        Value::Object(map) => match (map.len(), map.get(UNSAFE), map.get(VAULT)) {
            (1, Some(text), _) => text.clone(),
            (1, _, Some(_)) => json!("••••••"),
            _ => Value::Object(map.iter().map(|(name, value)| (name.clone(), unmark(value))).collect()),
        },
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::{mark, read, unmark};
    use crate::i18n::Locale;
    use serde_json::{Value, json};

    #[test]
    fn how_ansible_connects_is_not_for_variables() {
        for dangerous in [
            "ansible_connection: local",
            "ANSIBLE_CONNECTION: local",
            "ansible_ssh_common_args: -o ProxyCommand=id",
            "ansible_ssh_extra_args: -o ProxyCommand=id",
            "ansible_ssh_args: -F /tmp/x",
            "ansible_scp_extra_args: x",
            "ansible_sftp_executable: /tmp/x",
            "ansible_ssh_executable: /tmp/x",
            "ansible_shell_executable: /tmp/x",
            "ansible_shell_type: csh",
            "ansible_become_exe: /tmp/x",
            "ansible_perl_interpreter: /tmp/x",
            "ansible_python_interpreter: /tmp/evil",
            "ansible_python_interpreter: python3",
            "ansible_python_interpreter: /usr/bin/python3 -c id",
            "ansible_python_interpreter: /usr/bin/../../tmp/python",
            "ansible_python_interpreter: \"{{ lookup('pipe', 'id') }}\"",
            "ansible_python_interpreter: [/usr/bin/python3]",
            "ansible_aws_ssm_plugin: /tmp/x",
            "ansible_connection_plugin: x",
            "ansible_host_key_checking: false",
            "ansible_ssh_host_key_checking: false",
            "ansible_ssh_host: 10.0.0.1",
            "ansible_control_path: /tmp/x",
            "ansible_ssh_pkcs11_provider: /tmp/x.so",
            "ansible_paramiko_proxy_command: id",
            "ansible_user: '-oProxyCommand=id'",
            "ansible_ssh_user: a b",
            "ansible_password: x",
            "ansible_ssh_pass: x",
            "ansible_ssh_password: x",
            "ansible_become_pass: x",
            "ansible_become_password: x",
            "ansible_sudo_pass: x",
            "ansible_private_key_file: /etc/x",
            "ansible_ssh_private_key_file: /etc/x",
            "ansible_ssh_private_key: x",
            "__ansible_unsafe: x",
            "a: {__ansible_vault: x}",
            "a: [{b: {__ansible_type: x}}]",
        ] {
            let refused = read(dangerous, Locale::en).expect_err(dangerous);
            assert!(!refused.is_empty());
        }
    }

    #[test]
    fn everything_else_may_be_set() {
        for fine in [
            "ansible_port: 2222",
            "ansible_user: deploy",
            "ansible_become: true",
            "ansible_become_method: sudo",
            "ansible_python_interpreter: /usr/bin/python3.11",
            "ansible_python_interpreter: /opt/py-3/bin/python",
            "ansible_python_interpreter: auto_silent",
            "ansible_facts_gathered: 1",
            "password: a word of the application",
            "passenger: ansible_connection",
            "a: '{{ lookup(\"pipe\", \"id\") }}'",
        ] {
            assert!(read(fine, Locale::en).is_ok(), "{fine}: {:?}", read(fine, Locale::en));
        }
    }

    #[test]
    fn a_text_that_looks_like_a_template_stays_a_text() {
        let corpus = [
            "{{ lookup('pipe', 'touch /tmp/x') }}",
            "{% for x in [] %}{% endfor %}",
            "{{ '}}' }}{{ lookup('file', '/etc/passwd') }}",
            "#!unsafe",
            "@/etc/passwd",
            "-oProxyCommand=id",
        ];
        for text in corpus {
            let written = json!({"a": text, "b": [text, {"c": text, "d": 1, "e": true, "f": null}]});

            let marked = mark(&written);

            assert_eq!(texts(&marked), 0, "{marked}");
            assert_eq!(unmark(&marked), written);
        }
    }

    /// Texts that Ansible would take as a template.
    fn texts(value: &Value) -> usize {
        match value {
            Value::String(_) => 1,
            Value::Array(list) => list.iter().map(texts).sum(),
            Value::Object(map) if map.len() == 1 && map.contains_key("__ansible_unsafe") => 0,
            Value::Object(map) => map.values().map(texts).sum(),
            _ => 0,
        }
    }
}
