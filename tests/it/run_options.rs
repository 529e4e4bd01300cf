//! What a person may say about a run, on real hosts: credentials, answers, tags, a limit, a look before a change;
//! and what comes back from it: facts that are adopted, schedules that do not overlap.

use crate::{
    contract::sample,
    stage::{
        HOST_PASSWORD, OwnHost, RUNS, SLEEP, Stage, addresses, console, ended, is_in_files, key, machine, result, run,
        started, states, tree, trust, until_busy,
    },
    support::{Client, Person, REGULAR, STRANGER, SYSTEM, TestApp, fields, kind, on_both},
};
use muelle::{
    authentication::server::{Operating, Permit},
    id::Id,
    jobs::{model::Job, server as jobs},
    platform::db::sql,
    provisioning::{
        model::{RunRequest, RunState, TaskState},
        server::{launch, schedules},
    },
    storage::{Machine, Schedule},
    time::Timestamp,
};
use serde_json::{Value, json};
use std::process::Command;

/// A machine of Acme where nobody is named to sign in as.
async fn unnamed(app: &TestApp, name: &str) -> Id<Machine> {
    let input = json!({ "name": name, "type": "remote", "ipv4": addresses()[0] });
    let id = app.make(REGULAR, kind("machine"), input).await.base.id.cast();
    trust(app, REGULAR, id).await;
    id
}

/// A password that no host takes.
const WRONG_PASSWORD: &str = "canary-not-it";

/// The right and a wrong password of the hosts' `deploy`, as credentials of a kind.
async fn passwords(stage: &Stage, kind: &str) -> [String; 2] {
    let mut made = Vec::new();
    for (name, secret) in [("good", HOST_PASSWORD), ("bad", WRONG_PASSWORD)] {
        let username = (kind == "ssh_password").then_some("deploy");
        made.push(stage.credential(json!({"name": name, "type": kind, "secret": secret, "username": username})).await);
    }
    made.try_into().expect("two were made")
}

async fn assert_no_password_is_kept(app: &TestApp) {
    for word in [HOST_PASSWORD, WRONG_PASSWORD] {
        assert!(!is_in_files(app, word).await, "{word}");
    }
}

/// Runs a playbook on one machine with these credentials.
async fn run_with(stage: &Stage, playbook: &str, machine: Id<Machine>, credentials: &[&String]) -> Id<Job> {
    let client = stage.app.client(REGULAR).await;
    let options = json!({ "credentials": credentials });
    let request = json!({ "playbook": playbook, "machines": [machine], "options": options });
    started(&client.post(RUNS, &request).await.expect(202))
}

#[tokio::test]
async fn a_vault_password_opens_what_ansible_itself_encrypted() {
    let stage = Stage::of(TestApp::start().await, 1).await;
    let app = &stage.app;
    let _runner = jobs::start(&app.state);
    let (password, word) = ("canary-vault-7d31", "canary-in-the-vault-90af");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (file, answer) = (folder.path().join("kept.yml"), folder.path().join("password"));
    std::fs::write(&file, format!("kept: {word}\n")).expect("written");
    std::fs::write(&answer, password).expect("written");
    let ansible = std::env::var("MUELLE_TEST_ANSIBLE").expect("MUELLE_TEST_ANSIBLE must name the folder of Ansible");
    let sealed = Command::new(format!("{ansible}/ansible-vault"))
        .args(["encrypt", "--vault-id", &format!("harbour@{}", answer.display())])
        .arg(&file)
        .output()
        .expect("ansible-vault runs");
    assert!(sealed.status.success(), "{}", String::from_utf8_lossy(&sealed.stderr));
    let sealed = std::fs::read_to_string(&file).expect("it is there");
    assert!(sealed.starts_with("$ANSIBLE_VAULT;1.2;AES256;harbour"), "{sealed}");
    let content = "
- hosts: web
  gather_facts: false
  vars_files: [kept.yml]
  tasks:
    - name: write it
      copy: {content: '{{ kept }}', dest: '/tmp/kept-{{ kept | hash }}', mode: '0600'}
      no_log: true
    - name: measure it
      command: wc -c /tmp/kept-{{ kept | hash }}
      changed_when: false
      no_log: false
";
    let playbook = stage.playbook("opens", content).await;
    stage.file(&playbook, "kept.yml", &sealed).await;
    let vault = async |name: &str, label: &str, secret: &str| {
        let input = json!({"name": name, "type": "vault_password", "secret": secret, "vault_label": label});
        stage.credential(input).await
    };
    let (good, bad) = (vault("good", "harbour", password).await, vault("bad", "harbour", "another").await);

    let opened = stage.run(&playbook, json!({"credentials": [stage.key, good]})).await;
    let refused = stage.run(&playbook, json!({"credentials": [stage.key, bad]})).await;
    let without = stage.run(&playbook, json!({})).await;

    assert!(opened.state.is_good(), "{opened:?}\n{}", console(app, opened.id).await);
    let said = result(app, opened.id, "measure it", "web-1").await["stdout"].to_string();
    assert!(said.contains(&word.len().to_string()), "{said}");
    for run in [refused, without] {
        let said = console(app, run.id).await;
        assert!(!run.state.is_good(), "{run:?}");
        assert!(said.to_lowercase().contains("decrypt"), "{said}");
    }
    assert!(!is_in_files(app, password).await, "the password stands in no file");
    assert!(!is_in_files(app, word).await, "nor what it opens");
}

#[tokio::test]
async fn root_is_become_with_the_password_alone() {
    let stage = Stage::of(TestApp::start().await, 1).await;
    let app = &stage.app;
    let _runner = jobs::start(&app.state);
    let machine = unnamed(app, "deployed").await;
    let secret = std::fs::read_to_string(crate::stage::key_file()).expect("the key can be read");
    let key = json!({"name": "of deploy", "type": "ssh_key", "secret": secret, "username": "deploy"});
    let key = stage.credential(key).await;
    let [good, bad] = passwords(&stage, "become_password").await;
    let content = "
- hosts: all
  gather_facts: false
  tasks:
    - name: who signs in
      command: whoami
      changed_when: false
    - name: who works
      command: whoami
      become: true
      changed_when: false
";
    let playbook = stage.playbook("who", content).await;

    let became = run_with(&stage, &playbook, machine, &[&key, &good]).await;
    let wrong = run_with(&stage, &playbook, machine, &[&key, &bad]).await;
    let without = run_with(&stage, &playbook, machine, &[&key]).await;

    assert_eq!(ended(app, became).await.state, RunState::Succeeded, "{}", console(app, became).await);
    assert_eq!(result(app, became, "who signs in", "deployed").await["stdout"], "deploy");
    assert_eq!(result(app, became, "who works", "deployed").await["stdout"], "root");
    for refused in [wrong, without] {
        assert_eq!(ended(app, refused).await.state, RunState::Failed);
        assert_eq!(states(&tree(app, refused).await, "who works"), [("deployed".to_owned(), TaskState::Failed)]);
        let said = console(app, refused).await;
        assert!(said.to_lowercase().contains("password"), "{said}");
    }
    assert_no_password_is_kept(app).await;
}

#[tokio::test]
async fn a_password_signs_in_for_a_run_for_a_check_and_for_a_test() {
    let stage = Stage::of(TestApp::start().await, 1).await;
    let app = &stage.app;
    let _runner = jobs::start(&app.state);
    let machine = unnamed(app, "by-password").await;
    let [good, bad] = passwords(&stage, "ssh_password").await;
    let becomes = stage.credential(json!({"name": "sudo", "type": "become_password", "secret": HOST_PASSWORD})).await;
    let playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: who\n      command: whoami\n";
    let playbook = stage.playbook("who", playbook).await;
    let client = app.client(REGULAR).await;
    let checked = async |credentials: &[&String]| {
        let body = json!({ "credentials": credentials });
        client.post(&format!("/api/v1/machines/{machine}/check"), &body).await.expect(200).json()
    };
    let step = |report: &Value, name: &str| {
        let steps = report["steps"].as_array().expect("a list");
        steps.iter().find(|step| step["step"] == name).expect("the step is told").clone()
    };

    let whole = checked(&[&good, &becomes]).await;
    let outside = checked(&[&bad]).await;
    let tested = async |id: &String| {
        let body = json!({ "id": id, "machine": machine });
        client.post("/api/fn/test_credential", &body).await.expect(200).json()
    };
    let (inside, refused) = (tested(&good).await, tested(&bad).await);
    let ran = run_with(&stage, &playbook, machine, &[&good]).await;
    let failed = run_with(&stage, &playbook, machine, &[&bad]).await;

    assert_eq!(whole["ok"], true, "{whole}");
    assert_eq!(
        (&step(&whole, "login")["state"], &step(&whole, "become")["state"]),
        (&json!("passed"), &json!("passed"))
    );
    let login = step(&outside, "login");
    assert_eq!(login["state"], "failed", "{outside}");
    assert!(login["detail"].as_str().expect("a text").contains("Permission denied") && login["remedy"].is_string());
    assert_eq!((&inside["is_good"], &refused["is_good"]), (&json!(true), &json!(false)), "{inside} {refused}");
    assert_eq!(ended(app, ran).await.state, RunState::Changed, "{}", console(app, ran).await);
    assert_eq!(result(app, ran, "who", "by-password").await["stdout"], "deploy");
    assert_eq!(ended(app, failed).await.state, RunState::Unreachable, "{}", console(app, failed).await);
    assert_no_password_is_kept(app).await;
}

const SURVEY: &str = "
- {variable: colour, question: Colour, answer: choice, choices: [red, green], required: true}
- {variable: count, question: How many, answer: number, default: 7}
- {variable: words, question: What to say, answer: text}
- {variable: token, question: The token, answer: secret, required: true}
";

#[tokio::test]
async fn answers_reach_the_tasks_as_they_were_given() {
    on_both(async |app| {
        let stage = Stage::of(app, 1).await;
        let app = &stage.app;
        let _runner = jobs::start(&app.state);
        let content = "
- hosts: web
  gather_facts: false
  tasks:
    - name: tell
      debug: {msg: '{{ [colour, count, count | type_debug, words, token | length] }}'}
";
        let playbook = stage.playbook_with("asks", content, json!({ "survey": SURVEY })).await;
        let client = app.client(REGULAR).await;
        let refused = async |variables: Value| {
            let request = stage.request(&playbook, json!({ "variables": variables }));
            client.post(RUNS, &request).await.expect(422).problem_fields()
        };

        let words = "{{ lookup('pipe', 'id') }} 'and' \"so on\"";
        let answers = json!({"colour": "green", "words": words, "token": "canary-3b8e"});
        let ran = stage.run(&playbook, json!({ "variables": answers })).await;

        assert_eq!(refused(json!({})).await, ["options.variables.colour", "options.variables.token"]);
        assert_eq!(refused(json!({"colour": "blue", "token": "x"})).await, ["options.variables.colour"]);
        let many = json!({"colour": "red", "count": "many", "token": "x"});
        assert_eq!(refused(many).await, ["options.variables.count"]);
        assert_eq!(ran.state, RunState::Succeeded, "{}", console(app, ran.id).await);
        let told = result(app, ran.id, "tell", "web-1").await["msg"].clone();
        assert_eq!(told, json!(["green", 7, "int", words, "canary-3b8e".len()]));
        assert!(!is_in_files(app, "canary-3b8e").await);
    })
    .await;
}

const TAGGED: &str = "
- hosts: web
  gather_facts: false
  tasks:
    - {name: plain, debug: {}}
    - {name: bow, debug: {}, tags: [bow, hull]}
    - {name: stern, debug: {}, tags: [stern, hull]}
    - {name: always, debug: {}, tags: always}
";

#[tokio::test]
async fn tags_and_a_limit_leave_what_they_say() {
    let stage = Stage::of(TestApp::start().await, 3).await;
    let app = &stage.app;
    let _runner = jobs::start(&app.state);
    let playbook = stage.playbook("tagged", TAGGED).await;
    let stories = [
        (json!({}), vec!["plain", "bow", "stern", "always"], vec!["web-1", "web-2", "web-3"]),
        (json!({"tags": ["hull"], "limit": "web-1"}), vec!["bow", "stern", "always"], vec!["web-1"]),
        (
            json!({"skip_tags": ["bow"], "limit": "web-*:!web-2"}),
            vec!["plain", "stern", "always"],
            vec!["web-1", "web-3"],
        ),
        (
            json!({"tags": ["hull"], "skip_tags": ["stern", "always"], "limit": "web:&web-3"}),
            vec!["bow"],
            vec!["web-3"],
        ),
    ];

    let mut ids = Vec::new();
    for (options, ..) in &stories {
        ids.push(stage.start(&playbook, options.clone()).await);
    }

    for (id, (options, tasks, hosts)) in ids.into_iter().zip(stories) {
        let ran = ended(app, id).await;
        assert_eq!(ran.state, RunState::Succeeded, "{options}: {}", console(app, id).await);
        let tree = tree(app, id).await;
        let names: Vec<_> = tree.tasks.iter().map(|task| task.name.as_str()).collect();
        assert_eq!(names, tasks, "{options}");
        for task in tasks {
            let on: Vec<_> = states(&tree, task).into_iter().map(|(host, _)| host).collect();
            assert_eq!(on, hosts, "{options}");
        }
    }
}

#[tokio::test]
async fn a_check_shows_each_difference_and_changes_nothing() {
    let stage = Stage::of(TestApp::start().await, 1).await;
    let app = &stage.app;
    let _runner = jobs::start(&app.state);
    let file = format!("/tmp/flag-{}", Id::<()>::new());
    let content = format!(
        "
- hosts: web
  gather_facts: false
  tasks:
    - name: hoist
      copy: {{content: \"{{{{ words }}}}\\n\", dest: '{file}'}}
    - name: look
      command: cat {file}
      changed_when: false
      check_mode: false
"
    );
    let playbook = stage.playbook("flag", &content).await;
    let ran = async |words: &str, check: bool| {
        let ran = stage.run(&playbook, json!({"variables": {"words": words}, "check": check, "diff": true})).await;
        assert_eq!(ran.state, RunState::Changed, "{}", console(app, ran.id).await);
        (ran.command, result(app, ran.id, "hoist", "web-1").await, result(app, ran.id, "look", "web-1").await)
    };

    let (_, _, first) = ran("half mast", false).await;
    let (command, difference, looked) = ran("full mast", true).await;
    let (_, _, done) = ran("full mast", false).await;

    assert_eq!(first["stdout"], "half mast");
    assert!(command.contains("--check --diff"), "{command}");
    let diff = &difference["diff"][0];
    assert_eq!((&diff["before"], &diff["after"]), (&json!("half mast\n"), &json!("full mast\n")), "{difference}");
    assert_eq!(looked["stdout"], "half mast", "nothing was changed");
    assert_eq!(done["stdout"], "full mast");
}

#[tokio::test]
async fn facts_of_a_real_host_are_adopted_and_not_gathered_twice() {
    on_both(async |app| {
        let stage = Stage::of(app, 1).await;
        let app = &stage.app;
        let _runner = jobs::start(&app.state);
        let content = "
- hosts: web
  tasks:
    - name: tell
      debug: {msg: '{{ ansible_facts.distribution }} {{ ansible_facts.default_ipv4.macaddress }}'}
";
        let playbook = stage.playbook("facts", content).await;
        let client = app.client(REGULAR).await;
        let machine = format!("/api/v1/machines/{}", stage.machines[0]);

        let first = stage.run(&playbook, json!({})).await;
        let again = stage.run(&playbook, json!({})).await;

        assert_eq!((first.state, again.state), (RunState::Succeeded, RunState::Succeeded));
        let said = result(app, first.id, "tell", "web-1").await["msg"].as_str().expect("a text").to_owned();
        let mac = said.strip_prefix("Debian ").expect("it is a Debian").to_owned();
        assert_eq!(result(app, again.id, "tell", "web-1").await["msg"], json!(said));
        let gathered = async |id: Id<Job>| !states(&tree(app, id).await, "Gathering Facts").is_empty();
        assert!(gathered(first.id).await && !gathered(again.id).await, "what is known is not gathered again");
        for (name, switch) in [("always", "always_gather"), ("anew", "no_fact_cache")] {
            let playbook = stage.playbook_with(name, content, json!({ switch: true })).await;
            assert!(gathered(stage.run(&playbook, json!({})).await.id).await, "{switch}");
        }
        let facts = client.get(&format!("{machine}/facts")).await.expect(200).json();
        assert_ne!(facts["run"], json!(again.id), "a run that gathered none tells none");
        let differences: Vec<_> = facts["differences"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|it| it["field"].as_str().expect("a name").to_owned())
            .collect();
        assert!(differences.contains(&"mac".to_owned()) && !differences.contains(&"ipv4".to_owned()), "{facts}");

        let adopted = json!({ "fields": differences });
        let adopted = client.post(&format!("{machine}/facts/adopt"), &adopted).await.expect(200).json();

        assert_eq!(adopted["mac"], json!(mac), "{adopted}");
        let record = client.get(&machine).await.expect(200).json();
        assert_eq!(record["mac"], json!(mac));
        let facts = client.get(&format!("{machine}/facts")).await.expect(200).json();
        assert_eq!(facts["differences"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn each_limit_of_a_playbook_ends_what_goes_beyond_it() {
    let stage = Stage::of(TestApp::start().await, 1).await;
    let app = &stage.app;
    let _runner = jobs::start(&app.state);
    // It takes connections and never says a word.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = mute.local_addr().expect("it has an address").port();
    let silent = json!({"name": "mute", "type": "remote", "ipv4": "127.0.0.1", "ssh_port": port, "ssh_user": "root"});
    let silent = app.make(REGULAR, kind("machine"), silent).await.base.id;
    let anywhere = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ping:\n";
    let chatty = "
- hosts: web
  gather_facts: false
  tasks:
    - {debug: {msg: '{{ item }}'}, loop: '{{ range(200) | list }}'}
";
    let limited = async |name: &str, content: &str, limits: Value| stage.playbook_with(name, content, limits).await;
    let connection = limited("connection", anywhere, json!({"connect_timeout": 2})).await;
    let connection = json!({"playbook": connection, "machines": [silent], "options": {"credentials": [stage.key]}});

    let seconds = || json!({"variables": {"seconds": 600}});
    let began = std::time::Instant::now();
    let task = stage.start(&limited("task", SLEEP, json!({"task_timeout": 3})).await, seconds()).await;
    let quiet = stage.start(&limited("quiet", SLEEP, json!({"silence": 8})).await, seconds()).await;
    let output = stage.start(&limited("output", chatty, json!({"output_limit": 2048})).await, json!({})).await;
    let connection = started(&app.client(REGULAR).await.post(RUNS, &connection).await.expect(202));

    let task = ended(app, task).await;
    assert_eq!(task.state, RunState::Failed, "{task:?}");
    assert!(console(app, task.id).await.contains("Timed out after 3 second"), "{}", console(app, task.id).await);
    let quiet = ended(app, quiet).await;
    assert_eq!(quiet.state, RunState::TimedOut, "{quiet:?}");
    assert!(quiet.reason.is_some_and(|reason| reason.contains("web-1")));
    let output = ended(app, output).await;
    assert_eq!(output.state, RunState::Succeeded, "what is left out costs no run: {output:?}");
    let said = console(app, output.id).await;
    assert!(said.len() < 2500 && said.contains("the output reached its limit"), "{said}");
    let connection = ended(app, connection).await;
    assert_eq!(connection.state, RunState::Unreachable, "{connection:?}");
    assert!(began.elapsed() < crate::stage::PATIENCE);
}

/// Starts real runs.
fn starter(
    permit: Permit<Operating>,
    request: RunRequest,
    schedule: Id<Schedule>,
) -> futures::future::BoxFuture<'static, muelle::error::Result<Id<Job>>> {
    Box::pin(async move { launch::start(&permit, request, Some(schedule)).await })
}

#[tokio::test]
async fn a_schedule_that_comes_again_too_early_does_what_it_says() {
    on_both(async |app| {
        let stage = Stage::of(app, 1).await;
        let app = &stage.app;
        let _runner = jobs::start(&app.state);
        let playbook = stage.playbook("sleeps", SLEEP).await;
        let due = async |id: Id<Schedule>| {
            let statement = sql("update schedules set next_at = $1 where id = $2")
                .bind(Timestamp::now().millis())
                .bind(id.to_string());
            app.state.db.execute(&SYSTEM, statement).await.expect("it is written");
            schedules::tick(&app.state, Timestamp::now(), &starter).await.expect("the round is done");
        };
        let last = async |id: Id<Schedule>| {
            let read = sql("select last_run, last_result from schedules where id = $1").bind(id.to_string());
            let row = app.state.db.row(&SYSTEM, read).await.expect("it answers").expect("it is there");
            let run: Id<Job> = row.parsed("last_run").expect("a run was started");
            (run, row.text("last_result").expect("it has a result"))
        };
        let mut first = Vec::new();
        for overlap in ["skip", "queue", "replace"] {
            let mut input = sample(app, kind("schedule"), 0).await;
            input.extend(fields(json!({
                "name": overlap, "overlap": overlap, "cron": "0 3 * * *", "time_zone": "UTC", "catch_up": "once",
                "playbook": playbook, "hosts": [stage.group], "machines": [], "credentials": [stage.key],
                "options": "variables: {seconds: 600}",
            })));
            let id: Id<Schedule> = app.make(REGULAR, kind("schedule"), Value::Object(input)).await.base.id.cast();
            due(id).await;
            first.push((overlap, id, last(id).await.0));
        }
        for (_, id, started) in &first {
            until_busy(app, *started, "wait for the tide").await;
            assert_eq!(run(app, *started).await.schedule, Some(*id));
            due(*id).await;
        }

        for (overlap, id, started) in first {
            match overlap {
                "skip" => assert_eq!(last(id).await, (started, "skipped".to_owned())),
                "queue" => assert_eq!(last(id).await, (started, "waiting".to_owned())),
                _ => {}
            }
            if overlap != "replace" {
                assert_eq!(run(app, started).await.state, RunState::Running, "{overlap}");
                jobs::cancel(&app.context(REGULAR), started).await.expect("it can be cancelled");
            }
            assert_eq!(ended(app, started).await.state, RunState::Cancelled, "{overlap}");
            schedules::tick(&app.state, Timestamp::now(), &starter).await.expect("the round is done");
            let (now, _) = last(id).await;
            if overlap == "skip" {
                assert_eq!(now, started, "what was skipped does not come back");
                continue;
            }
            assert_ne!(now, started, "{overlap}: the time that waited has come");
            until_busy(app, now, "wait for the tide").await;
            jobs::cancel(&app.context(REGULAR), now).await.expect("it can be cancelled");
            ended(app, now).await;
        }
    })
    .await;
}

#[tokio::test]
async fn two_customers_with_one_address_have_each_their_own_host_key() {
    on_both(async |app| {
        let host = OwnHost::start().await;
        let ours = machine(&app, REGULAR, "db-1", &host.address).await;
        let our_key = trust(&app, REGULAR, ours).await;
        // In the network of the other customer another computer has that address.
        let host = host.set_up_anew().await;
        let theirs = machine(&app, STRANGER, "db-1", &host.address).await;
        let their_key = trust(&app, STRANGER, theirs).await;
        let _runner = jobs::start(&app.state);
        let content = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: look\n      command: hostname\n";
        let mut ids = Vec::new();
        for (person, machine) in [(REGULAR, ours), (STRANGER, theirs)] {
            let playbook = app.make(person, kind("playbook"), json!({"name": "p", "content": content})).await.base.id;
            let options = json!({ "credentials": [key(&app, person).await] });
            let request = json!({ "playbook": playbook, "machines": [machine], "options": options });
            ids.push(started(&app.client(person).await.post(RUNS, &request).await.expect(202)));
        }

        let refused = ended(&app, ids[0]).await;
        let reached = ended(&app, ids[1]).await;

        assert_ne!(our_key.fingerprint, their_key.fingerprint);
        assert_eq!(reached.state, RunState::Changed, "{}", console(&app, ids[1]).await);
        assert_eq!(refused.state, RunState::Unreachable, "{}", console(&app, ids[0]).await);
        assert!(console(&app, ids[0]).await.contains("Host key verification failed"));
        let keys = async |client: &Client, machine: Id<Machine>| {
            client.get(&format!("/api/v1/machines/{machine}/host-keys")).await
        };
        let seen = async |person: Person, own: Id<Machine>, other: Id<Machine>| {
            let client = app.client(person).await;
            keys(&client, other).await.expect(404);
            let own = keys(&client, own).await.expect(200);
            own.json()["items"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|key| key["fingerprint"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(seen(REGULAR, ours, theirs).await, [json!(our_key.fingerprint)]);
        assert_eq!(seen(STRANGER, theirs, ours).await, [json!(their_key.fingerprint)]);

        // A free address is kept apart in the same way.
        let mut lines = Vec::new();
        for person in [REGULAR, STRANGER] {
            let group = json!({"name": "free", "addresses": [host.address]});
            let group = app.make(person, kind("host"), group).await.base.id;
            let client = app.client(person).await;
            let inventory = client.get(&format!("/api/v1/hosts/{group}/inventory")).await.expect(200).text;
            let alias = inventory.split("HostKeyAlias=").nth(1).expect("it has an alias");
            lines.push(alias.split(['"', ' ', '\\']).next().unwrap_or_default().to_owned());
        }
        assert_ne!(lines[0], lines[1]);
        assert!(lines.iter().all(|alias| alias.starts_with("address-")), "{lines:?}");
    })
    .await;
}
