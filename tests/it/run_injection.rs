//! Words that people and hosts can choose, and that must stay words: templates, shells, options and marks of Ansible,
//! in every place that takes one. The runs here are not kept apart, so that whatever is carried out shows itself.

use crate::{
    stage::{RUNS, Stage, UNISOLATED, addresses, console, ended, on_host, result, started, states, tree},
    support::{Client, Database, REGULAR, TestApp},
};
use muelle::{
    id::Id,
    jobs::server as jobs,
    provisioning::model::{RunState, TaskState},
};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// A file that is there when something was carried out, on the server or on a host.
struct Marker(PathBuf);

impl Marker {
    fn new() -> Self {
        // Below the system's folder for such, because commands of tests may say no other.
        Self(PathBuf::from("/tmp").join(format!("muelle-marker-{}", Id::<()>::new())))
    }

    fn is_there(&self) -> bool {
        self.0.exists()
            || addresses()
                .iter()
                .any(|address| on_host(address, &["ls", "-d", &self.0.to_string_lossy()]).status.success())
    }
}

/// Everything that has been used against what calls Ansible, and more of its kind; each would touch the marker.
fn corpus(marker: &Path) -> Vec<String> {
    let touch = format!("touch {}", marker.display());
    let mut all: Vec<String> = [
        // Templates.
        "{{ lookup('pipe', 'TOUCH') }}",
        "{{lookup(\"pipe\",\"TOUCH\")}}",
        "{{ query('pipe', 'TOUCH') }}",
        "{{ q('pipe', 'TOUCH') }}",
        "{{ lookup('ansible.builtin.pipe', 'TOUCH') }}",
        "{{- lookup('pipe', 'TOUCH') -}}",
        "{% set x = lookup('pipe', 'TOUCH') %}",
        "{% if lookup('pipe', 'TOUCH') %}{% endif %}",
        "{%- for x in [lookup('pipe', 'TOUCH')] -%}{%- endfor -%}",
        "{{ '}}' }}{{ lookup('pipe', 'TOUCH') }}",
        "}}{{ lookup('pipe', 'TOUCH') }}{{",
        "{% raw %}{{ x }}{% endraw %}{{ lookup('pipe', 'TOUCH') }}",
        "{# #}{{ lookup('pipe', 'TOUCH') }}",
        "{{ \"{{ lookup('pipe', 'TOUCH') }}\" }}",
        "#jinja2: variable_start_string:'[[', variable_end_string:']]'\n[[ lookup('pipe', 'TOUCH') ]]",
        "{{ cycler.__init__.__globals__.os.popen('TOUCH').read() }}",
        "{{ lipsum.__globals__['os'].system('TOUCH') }}",
        "{{ self.__init__.__globals__.__builtins__.__import__('os').system('TOUCH') }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ lookup('file', '/etc/passwd') }}",
        "{{ lookup('env', 'HOME') }}",
        "{{ lookup('template', '/etc/passwd') }}",
        "{{ lookup('vars', 'ansible_ssh_common_args') }}",
        "{{ hostvars }}",
        "{{ undefined_of_ours }}",
        // Shells.
        "$(TOUCH)",
        "`TOUCH`",
        "; TOUCH",
        "| TOUCH",
        "|| TOUCH",
        "&& TOUCH",
        "& TOUCH &",
        "' ; TOUCH ; '",
        "\" ; TOUCH ; \"",
        "'\"'\"'; TOUCH; '\"'\"'",
        "x\nTOUCH\n",
        "x\r\nTOUCH",
        "${IFS}$(TOUCH)",
        "$((`TOUCH`))",
        "<(TOUCH)",
        ">MARKER",
        "\\$(TOUCH)",
        "%0aTOUCH",
        // Options and files.
        "-oProxyCommand=TOUCH",
        "-o ProxyCommand=TOUCH",
        "--extra-vars=@/etc/passwd",
        "--vault-password-file=MARKER",
        "-i/etc/passwd",
        "-M/tmp",
        "@/etc/passwd",
        "/etc/passwd",
        "../../../../etc/passwd",
        "web-1 -e @/etc/passwd",
        "--",
        "~.*",
        // Marks of YAML and Ansible.
        "!unsafe x",
        "!vault x",
        "!!python/object/apply:os.system ['TOUCH']",
        "&a [*a, *a]",
        "x: y\n- hosts: all",
        "{\"__ansible_type\": \"TrustedAsTemplate\", \"value\": \"{{ lookup('pipe', 'TOUCH') }}\"}",
        "{\"__ansible_unsafe\": \"x\"}",
        "$ANSIBLE_VAULT;1.1;AES256\n6162",
        "ansible_connection=local",
        "x ansible_connection=local ansible_host=127.0.0.1",
        // What is no plain text.
        "\u{202e}TOUCH",
        "\u{1b}]0;TOUCH\u{7}",
        "%s%n{0}\\x00",
        "a\tb",
        " ",
        "é́日本",
    ]
    .iter()
    .map(|text| text.replace("TOUCH", &touch).replace("MARKER", &marker.display().to_string()))
    .collect();
    all.push("{{ lookup('pipe', 'TOUCH') }}".replace("TOUCH", &touch).repeat(20));
    all
}

/// Makes a record with each text where it is let in; gives the ids, and how many were refused at that field.
async fn tried(client: &Client, kind: &str, corpus: &[String], input: impl Fn(&str) -> Value) -> (Vec<String>, usize) {
    let (mut ids, mut refused) = (Vec::new(), 0);
    for text in corpus {
        let answer = client.post(&format!("/api/v1/{kind}"), &input(text)).await;
        match answer.status {
            201 => ids.push(answer.json()["id"].as_str().expect("it has an id").to_owned()),
            422 => refused += 1,
            status => panic!("{kind} {text:?}: {status} {}", answer.text),
        }
    }
    (ids, refused)
}

/// Shows what it was given in every way that a careful author may.
const SHOW: &str = "
- hosts: all
  gather_facts: false
  tasks:
    - name: of the group
      debug: {msg: '{{ of_group }}'}
    - name: of the run
      debug: {msg: '{{ of_run }}'}
    - name: of the answers
      debug: {msg: '{{ ANSWERS }}'}
    - name: of the inventory
      debug: {msg: '{{ group_names + [inventory_hostname] }}'}
    - name: as arguments
      command:
        argv: \"{{ ['printf', '%s\\\\n'] + of_group + of_run }}\"
      changed_when: false
    - name: as a file
      copy: {content: '{{ (of_group + of_run) | to_json }}', dest: '/tmp/corpus-{{ mark }}'}
    - name: the file again
      slurp: {src: '/tmp/corpus-{{ mark }}'}
    - name: as a name
      debug: {msg: done}
      loop: '{{ of_run }}'
      loop_control: {label: '{{ item }}'}
";

#[tokio::test]
async fn words_stay_words_wherever_they_stand() {
    let marker = Marker::new();
    let corpus = corpus(&marker.0);
    assert!(corpus.len() > 60);
    // In the variables of a group, what Ansible encrypted is what it says, and must open.
    let of_group: Vec<String> = corpus.iter().filter(|text| !text.starts_with("$ANSIBLE_VAULT")).cloned().collect();
    let stage = Stage::of(TestApp::start_with(Database::Sqlite, UNISOLATED).await, 1).await;
    let app = &stage.app;
    let _runner = jobs::start(&app.state);
    let client = app.client(REGULAR).await;
    let elsewhere = |name: &str| json!({"name": name, "type": "remote", "ipv4": "127.0.0.1", "ssh_port": 1});

    // Names: of machines, groups, users, addresses, labels.
    let (machines, _) = tried(&client, "machines", &corpus, elsewhere).await;
    assert!(machines.len() > 20, "a machine may be called nearly anything: {}", machines.len());
    let user = |user: &str| json!({"name": Id::<()>::new(), "type": "remote", "ipv4": "127.0.0.1", "ssh_user": user});
    assert_eq!(tried(&client, "machines", &corpus, user).await.1, corpus.len() - 1, "all but the blank one");
    let address = |address: &str| json!({"name": Id::<()>::new(), "addresses": [address]});
    let (addresses, refused) = tried(&client, "hosts", &corpus, address).await;
    assert!(refused >= corpus.len() - 1, "{addresses:?}");
    let of_credential = |field: &'static str, kind: &'static str| move |text: &str| json!({"name": Id::<()>::new(), "type": kind, "secret": "x", field: text});
    let (_, refused) = tried(&client, "credentials", &corpus, of_credential("username", "ssh_password")).await;
    assert!(refused >= corpus.len() - 1);
    let (_, refused) = tried(&client, "credentials", &corpus, of_credential("vault_label", "vault_password")).await;
    assert!(refused >= corpus.len() - 1);
    let (groups, _) = tried(&client, "hosts", &corpus, |name: &str| json!({"name": name})).await;
    for (number, (group, machine)) in groups.iter().zip(&machines).enumerate() {
        let record = client.get(&format!("/api/v1/hosts/{group}")).await.expect(200).json();
        let values = json!({ "own": of_group[number % of_group.len()] }).to_string();
        let change = json!({
            "name": record["name"], "revision": record["revision"], "machines": [machine], "variables": values,
        });
        let changed = client.put(&format!("/api/v1/hosts/{group}"), &change).await;
        assert!(matches!(changed.status, 200 | 422), "{}", changed.text);
    }
    let variables = json!({ "of_group": of_group }).to_string();
    let outer = json!({"name": "corpus", "machines": stage.machines, "groups": groups, "variables": variables});
    let outer = client.post("/api/v1/hosts", &outer).await.expect(201).json()["id"].clone();

    // Values: of the run, and of answers.
    let answers: Vec<String> = (0..corpus.len()).map(|number| format!("answer_{number}")).collect();
    let survey: Vec<_> =
        answers.iter().map(|name| json!({"variable": name, "question": name, "answer": "text"})).collect();
    let shown: Vec<_> = answers.iter().map(|name| format!("{name} | default(\"\")")).collect();
    let content = SHOW.replace("ANSWERS", &format!("[{}]", shown.join(", ")));
    let survey = json!({ "survey": json!(survey).to_string() });
    let playbook = stage.playbook_with("show", &content, survey).await;
    let mut given: Map<String, Value> = answers.iter().cloned().zip(corpus.iter().map(|text| json!(text))).collect();
    given.insert("of_run".to_owned(), json!(corpus));
    given.insert("mark".to_owned(), json!(Id::<()>::new()));
    let request = |options: Value| json!({ "playbook": playbook, "hosts": [outer], "options": options });
    for text in &corpus {
        for options in [
            json!({"limit": text}),
            json!({"tags": [text]}),
            json!({"skip_tags": [text]}),
            json!({"become_name": text}),
            json!({"variables": {text.as_str(): "x"}}),
        ] {
            let small = json!({ "playbook": playbook, "hosts": [stage.group], "options": options });
            let answer = client.post(&format!("{RUNS}/preview"), &small).await;
            let is_blank = text.trim().is_empty();
            assert!(answer.status == 422 || (is_blank && answer.status == 200), "{options}: {}", answer.text);
        }
    }

    // All names stand in the inventory; a few of those hosts are tried.
    let mut options = json!({"variables": given, "credentials": [stage.key], "verbosity": 1, "forks": 20});
    let shown = client.post(&format!("{RUNS}/preview"), &request(options.clone())).await.expect(200).json();
    let names: Vec<_> = shown["hosts"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(names.len() > 20, "{names:?}");
    options["limit"] = json!(format!("web-1,{}", names[..6].join(",")));
    let id = started(&client.post(RUNS, &request(options)).await.expect(202));
    let run = ended(app, id).await;

    let said = console(app, id).await;
    assert_eq!(run.state, RunState::Unreachable, "all but the real host: {run:?}\n{said}");
    for task in ["of the group", "of the run", "of the answers", "as arguments", "as a name"] {
        let ok = states(&tree(app, id).await, task).into_iter().find(|(host, _)| host == "web-1");
        assert_eq!(ok, Some(("web-1".to_owned(), TaskState::Ok)), "{task}\n{said}");
    }
    for (task, given) in [("of the group", &of_group), ("of the run", &corpus), ("of the answers", &corpus)] {
        let shown = result(app, id, task, "web-1").await["msg"].as_array().expect("a list").clone();
        assert_eq!(shown.len(), given.len(), "{task}");
        for (shown, given) in shown.iter().zip(given) {
            let is_no_answer = given.trim().is_empty() && task == "of the answers";
            assert!(shown == given || is_no_answer, "{task}: {shown} is not {given:?}");
        }
    }
    let arguments = result(app, id, "as arguments", "web-1").await["stdout"].clone();
    let printed: String = of_group.iter().chain(&corpus).map(|text| text.clone() + "\n").collect();
    assert_eq!(arguments.as_str().expect("a text").trim_end(), printed.trim_end());
    let file = result(app, id, "the file again", "web-1").await["content"].clone();
    let file = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, file.as_str().expect("a text"));
    let file: Vec<String> = serde_json::from_slice(&file.expect("it is base64")).expect("it is JSON");
    assert_eq!(file, [of_group, corpus].concat());
    assert!(!marker.is_there(), "something was carried out");
    assert!(!said.contains("root:x:0:0"), "a file of the server was read");
}

/// What a host under somebody else's control may tell of itself.
const EVIL: &str = r#"#!/bin/sh
cat <<'END'
{"a": "{{ lookup('pipe', 'touch MARKER') }}",
 "c": {"__ansible_unsafe": "{{ lookup('pipe', 'touch MARKER') }}"},
 "d": ["{% if lookup('pipe', 'touch MARKER') %}{% endif %}"],
 "{{ lookup('pipe', 'touch MARKER') }}": 1}
END
"#;

const FACTS: &str = "
- hosts: web
  gather_facts: false
  tasks:
    - file: {path: '/tmp/evil-{{ mark }}', state: directory}
      tags: lay
    - copy: {src: evil.fact, dest: '/tmp/evil-{{ mark }}/evil.fact', mode: '0755'}
      tags: lay
    - setup: {fact_path: '/tmp/evil-{{ mark }}'}
      tags: lay
    - name: tell
      debug: {msg: '{{ ansible_facts.ansible_local.evil.a }}'}
      ignore_errors: true
    - name: tell all
      debug: {var: ansible_facts.ansible_local}
      ignore_errors: true
    - name: carry
      command:
        argv: [printf, '%s', '{{ ansible_facts.ansible_local.evil | to_json }}']
      ignore_errors: true
      changed_when: false
";

#[tokio::test]
async fn what_a_host_tells_of_itself_stays_a_word_now_and_the_next_time() {
    let marker = Marker::new();
    let stage = Stage::of(TestApp::start_with(Database::Sqlite, UNISOLATED).await, 1).await;
    let app = &stage.app;
    let _runner = jobs::start(&app.state);
    let playbook = stage.playbook("facts", FACTS).await;
    let evil = EVIL.replace("MARKER", &marker.0.display().to_string());
    stage.file(&playbook, "files/evil.fact", &evil).await;
    let mark = Id::<()>::new();

    let first = stage.run(&playbook, json!({"variables": {"mark": mark}})).await;
    let facts = app.client(REGULAR).await.get(&format!("/api/v1/machines/{}/facts", stage.machines[0])).await;
    let again = stage.run(&playbook, json!({"variables": {"mark": mark}, "skip_tags": ["lay"]})).await;

    for run in [&first, &again] {
        let said = console(app, run.id).await;
        assert!(run.state.is_good(), "{run:?}\n{said}");
        assert!(said.contains("lookup('pipe'"), "the words themselves are there: {said}");
    }
    assert_eq!(facts.status, 200);
    assert!(!marker.is_there(), "something was carried out");
}
