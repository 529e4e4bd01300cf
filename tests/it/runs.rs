//! Stories of playbooks run on real hosts: checked, queued, followed, and true after whatever happens to the server.

use crate::{
    stage::{
        PATIENCE, RUNS, SLEEP, Stage, console, ended, expire_leases, is_in_files, job, run, started, stream, tree,
        until_busy,
    },
    support::{ADMIN, Client, Database, REGULAR, ROOT, STRANGER, SYSTEM, TestApp, VIEWER, kind, on_both},
};
use muelle::{
    authentication::server::{Actor, Context, Operating, Reading, context::Parts},
    error::Error,
    i18n::Locale,
    id::Id,
    jobs::{
        model::{Job, JobState},
        server::{self as jobs, NewJob, Worker},
    },
    platform::{db::sql, state::State},
    provisioning::{
        model::{RunQuery, RunRequest, RunState},
        server::{launch, store, sweep},
    },
};
use serde_json::{Value, json};
use tokio::time::Instant;

/// What stands in every test that looks for a secret.
const CANARY: &str = "canary-4f1c-in-the-cabin";

/// The sequences of the events in a stream.
fn sequences(pieces: &[(String, String, Value)]) -> Vec<i64> {
    let batches = pieces.iter().filter(|(name, ..)| name == "events").filter_map(|(_, _, data)| data.as_array());
    batches.flatten().filter_map(|event| event["sequence"].as_i64()).collect()
}

const WRITE: &str = "
- name: Hoist the flag
  hosts: web
  gather_facts: false
  tasks:
    - name: write it
      copy: {content: 'up', dest: '/tmp/flag-{{ mark }}'}
      tags: flag
    - name: look at it
      command: cat /tmp/flag-{{ mark }}
      changed_when: false
      check_mode: false
      failed_when: false
      tags: look
";

#[tokio::test]
async fn a_run_is_told_from_its_start_to_its_end() {
    on_both(async |app| {
        let stage = Stage::set(app).await;
        let app = &stage.app;
        let _runner = jobs::start(&app.state);
        let playbook = stage.playbook("Hoist the flag", WRITE).await;
        let mark = Id::<()>::new().to_string();
        let options = json!({"variables": {"mark": mark}, "check": true, "tags": ["flag"]});
        let regular = app.client(REGULAR).await;

        let shown =
            regular.post(&format!("{RUNS}/preview"), &stage.request(&playbook, options.clone())).await.expect(200);
        let tried = stage.start(&playbook, options).await;
        let heard = stream(app, &regular, tried, 0).await;
        let tried = ended(app, tried).await;
        assert_eq!(shown.json()["hosts"], json!(["web-1", "web-2"]));
        assert_eq!(shown.json()["warnings"], json!([]), "keys are trusted and a credential is chosen");
        assert_eq!(shown.json()["command"], tried.command);
        assert_eq!(tried.state, RunState::Changed, "{}", console(app, tried.id).await);
        let checked = tree(app, tried.id).await;
        assert_eq!(checked.tasks.len(), 1, "only the task with the tag");
        let cell = checked.tasks[0].cells.values().next().expect("a host did it");
        assert!(cell.diff && cell.sequence > 0, "{cell:?}");
        let difference = regular.get(&format!("{RUNS}/{}/results/{}", tried.id, cell.sequence)).await.expect(200);
        assert!(difference.text.contains("diff"), "{}", difference.text);

        // The stream gave everything once and ended; from the middle on it gives the rest.
        let all = sequences(&heard);
        assert_eq!(all, (1..=i64::try_from(all.len()).expect("few")).collect::<Vec<_>>());
        assert_eq!(all.last(), Some(&checked.last));
        assert_eq!((heard[0].0.as_str(), heard.last().map(|it| it.0.as_str())), ("run", Some("end")));
        let rest = stream(app, &regular, tried.id, checked.last - 2).await;
        assert_eq!(sequences(&rest), [checked.last - 1, checked.last]);

        let done = stage.start(&playbook, json!({"variables": {"mark": mark}})).await;
        let done = ended(app, done).await;
        assert_eq!(done.state, RunState::Changed, "nothing was there before: the check changed nothing");
        assert_eq!(done.recap.len(), 2);
        let known: Vec<_> = done.recap.iter().filter_map(|host| host.machine.map(|id| id.to_string())).collect();
        assert!(stage.machines.iter().all(|machine| known.contains(machine)), "{:?}", done.recap);
        assert!(done.recap.iter().all(|host| (host.ok, host.changed, host.failed) == (2, 1, 0)));
        assert!(
            done.ansible.is_some() && done.started_at >= Some(done.created_at) && done.finished_at >= done.started_at
        );
        assert!(console(app, done.id).await.contains("PLAY RECAP"));
        let job = job(app, done.id).await;
        assert_eq!((job.state, &job.outcome.expect("there is one")["state"]), (JobState::Succeeded, &json!("changed")));

        let same = stage.start(&playbook, json!({"variables": {"mark": mark}, "limit": "web-1"})).await;
        let same = ended(app, same).await;
        assert_eq!((same.state, same.recap.len()), (RunState::Succeeded, 1));
        let differs = regular.get(&format!("{RUNS}/{}/compare/{}", done.id, same.id)).await.expect(200).json();
        let changed = json!({"task": "write it", "host": "web-1", "before": "changed", "after": "ok"});
        let items = differs["items"].as_array().expect("a list").clone();
        assert!(
            items.iter().any(|item| changed.as_object().expect("an object").iter().all(|(k, v)| item[k] == *v)),
            "{items:?}"
        );
        let again = regular.post(&format!("{RUNS}/{}/again", same.id), &json!({"failed_only": true})).await;
        assert_eq!(again.status, 409, "no host ended badly: {}", again.text);

        // Who may see it, and how it is found.
        let id = done.id;
        for path in ["", "/events", &format!("/results/{}", cell.sequence), &format!("/compare/{id}")] {
            let path = format!("{RUNS}/{id}{path}");
            assert_eq!(app.client(STRANGER).await.get(&path).await.status, 404, "{path}");
        }
        assert_eq!(app.client(VIEWER).await.get(&format!("{RUNS}/{id}")).await.status, 200);
        let count = async |query: &str| {
            let listed = app.client(ADMIN).await.get(&format!("{RUNS}?{query}")).await.expect(200).json();
            listed["items"].as_array().expect("a list").len()
        };
        assert_eq!(count("").await, 3);
        assert_eq!(count(&format!("machine={}", stage.machines[1])).await, 2);
        assert_eq!(count("host=web-1&state=succeeded").await, 1);
        assert_eq!(count(&format!("playbook={playbook}&before={}", done.id)).await, 1);
        assert_eq!(count(&format!("person={}", app.session(ADMIN).user)).await, 0);
        let permit = app.context(STRANGER).permit::<Reading>("run").expect("they may look");
        let none = store::list(&app.state, &permit, &RunQuery::default()).await.expect("it answers");
        assert!(none.items.is_empty());
        // A workspace goes before its job ends.
        for id in [tried.id, done.id, same.id] {
            self::job(app, id).await;
        }
        let left: Vec<_> = std::fs::read_dir(app.state.config.data.dir.join("runs")).expect("it is there").collect();
        assert!(left.is_empty(), "nothing is left of the workspaces: {left:?}");
    })
    .await;
}

#[tokio::test]
async fn every_end_has_its_state() {
    let stage = Stage::set(TestApp::start().await).await;
    let app = &stage.app;
    let _runner = jobs::start(&app.state);
    let fails = "
- hosts: web
  gather_facts: false
  tasks:
    - name: fail on one
      command: 'false'
      when: inventory_hostname == 'web-2'
    - command: 'true'
      changed_when: false
";
    let nowhere = app.make(
        REGULAR,
        kind("machine"),
        json!({"name": "gone", "type": "remote", "ipv4": "127.0.0.1", "ssh_port": 1}),
    );
    let nowhere = nowhere.await.base.id;
    let all = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ping:\n";
    let regular = app.client(REGULAR).await;

    let failed = stage.start(&stage.playbook("fails", fails).await, json!({})).await;
    let anywhere = stage.playbook("anywhere", all).await;
    let unreachable = json!({"playbook": anywhere, "machines": [nowhere], "options": {"credentials": [stage.key]}});
    let unreachable = started(&regular.post(RUNS, &unreachable).await.expect(202));
    let unread = "- hosts: web\n  tasks:\n    - nonsense_of_ours: {}\n";
    let unread = stage.start(&stage.playbook("unread", unread).await, json!({})).await;
    let nobody = all.replace("all", "submarines");
    let nobody = stage.start(&stage.playbook("nobody", &nobody).await, json!({})).await;
    let sleeps = stage.playbook("sleeps", SLEEP).await;
    let late = stage.start(&sleeps, json!({"variables": {"seconds": 120}, "timeout": 8})).await;
    let cancelled = stage.start(&sleeps, json!({"variables": {"seconds": 121}, "limit": "web-1"})).await;
    until_busy(app, cancelled, "wait for the tide").await;
    jobs::cancel(&app.context(REGULAR), cancelled).await.expect("it can be cancelled");

    for (id, state, said) in [
        (failed, RunState::Failed, "A task failed on web-2."),
        (unreachable, RunState::Unreachable, "These hosts could not be reached: gone."),
        (unread, RunState::SyntaxError, "Ansible could not read the playbook. The console says where."),
        (nobody, RunState::NothingMatched, "No host of the target is one that the playbook is for."),
        (late, RunState::TimedOut, "It took longer than it may."),
        (cancelled, RunState::Cancelled, "A remote command may go on on web-1."),
    ] {
        let run = ended(app, id).await;
        let outcome = job(app, id).await.outcome.expect("there is one");
        assert_eq!(run.state, state, "{run:?}\n{}", console(app, id).await);
        let message = outcome["error"]["message"].as_str().expect("a sentence");
        assert!(message.starts_with(said), "{state}: {message}");
    }
    let states = [(failed, JobState::Failed), (late, JobState::Failed), (cancelled, JobState::Cancelled)];
    for (id, state) in states {
        assert_eq!(job(app, id).await.state, state);
    }

    // Once more, only where it went wrong.
    let again = regular.post(&format!("{RUNS}/{failed}/again"), &json!({"failed_only": true})).await.expect(202);
    let again = ended(app, started(&again)).await;
    assert_eq!((again.parent, again.request.options.limit.as_str()), (Some(failed), "web-2"));
    assert_eq!(again.recap.iter().map(|host| host.host.as_str()).collect::<Vec<_>>(), ["web-2"]);
}

#[tokio::test]
async fn a_run_outlives_the_server_that_began_it() {
    on_both(async |app| {
        let stage = Stage::set(app).await;
        let app = &stage.app;
        let playbook = SLEEP.to_owned() + "    - name: go ashore\n      command: 'true'\n";
        let playbook = stage.playbook("tide", &playbook).await;
        let runner = jobs::start(&app.state);
        let id = stage.start(&playbook, json!({"variables": {"seconds": 6}})).await;
        until_busy(app, id, "wait for the tide").await;

        runner.crash().await;
        expire_leases(app).await;
        let next = State::start(app.state.config.clone()).await.expect("the server starts again");
        let began = Instant::now();
        let runner = jobs::start(&next);
        let run = ended(app, id).await;

        assert_eq!(run.state, RunState::Changed, "{run:?}\n{}", console(app, id).await);
        assert!(began.elapsed() < PATIENCE);
        let tree = tree(app, id).await;
        let names: Vec<_> = tree.tasks.iter().map(|task| task.name.as_str()).collect();
        assert_eq!(names, ["wait for the tide", "go ashore"], "nothing was done twice");
        let console = console(app, id).await;
        for line in ["TASK [wait for the tide]", "TASK [go ashore]", "PLAY RECAP"] {
            assert_eq!(console.matches(line).count(), 1, "{line} in {console}");
        }
        let events = store::events(&app.state, &SYSTEM, id, 0, 1000).await.expect("they can be read");
        let sequences: Vec<_> = events.iter().map(|event| event.sequence).collect();
        assert_eq!(sequences, (1..=tree.last).collect::<Vec<_>>());
        assert_eq!(job(app, id).await.state, JobState::Succeeded);
        next.stopping.cancel();
        runner.stopped().await;
    })
    .await;
}

#[tokio::test]
async fn a_run_whose_supervisor_is_gone_is_lost_and_says_who_was_at_work() {
    let stage = Stage::set(TestApp::start().await).await;
    let app = &stage.app;
    let playbook = stage.playbook("tide", SLEEP).await;
    let runner = jobs::start(&app.state);
    let id = stage.start(&playbook, json!({"variables": {"seconds": 60}, "limit": "web-1"})).await;
    until_busy(app, id, "wait for the tide").await;

    runner.crash().await;
    let holder = app.state.config.data.dir.join(format!("runs/{id}/supervisor.json"));
    let holder = std::fs::read(&holder).expect("the supervisor said who it is");
    let holder: Value = serde_json::from_slice(&holder).expect("it is JSON");
    let killed = std::process::Command::new("kill").args(["-9", &holder["pid"].to_string()]).status();
    assert!(killed.is_ok_and(|status| status.success()));
    expire_leases(app).await;
    let _runner = jobs::start(&app.state);
    let run = ended(app, id).await;

    assert_eq!(run.state, RunState::Lost);
    let reason = run.reason.expect("there is one");
    assert!(reason.ends_with("A remote command may go on on web-1."), "{reason}");
    assert_eq!(job(app, id).await.state, JobState::Lost);
}

#[tokio::test]
async fn what_is_wrong_is_refused_before_anything_is_queued() {
    let app = TestApp::start().await;
    let make =
        async |kind_name: &str, input: Value| app.make(REGULAR, kind(kind_name), input).await.base.id.to_string();
    let machine = make("machine", json!({"name": "web-1", "type": "remote", "ipv4": "10.0.0.1"})).await;
    let group = make("host", json!({"name": "web", "machines": [machine]})).await;
    let empty = make("host", json!({"name": "empty"})).await;
    let playbook = make("playbook", json!({"name": "p", "content": "- hosts: all\n"})).await;
    let foreign = app.make(STRANGER, kind("playbook"), json!({"name": "p", "content": "- hosts: all\n"})).await;
    let of_others =
        app.make(STRANGER, kind("machine"), json!({"name": "x", "type": "remote", "ipv4": "10.0.0.1"})).await;
    let off = make("playbook", json!({"name": "off", "content": "- hosts: all\n", "enabled": false})).await;
    let (regular, root) = (app.client(REGULAR).await, app.client(ROOT).await);
    let marker = std::env::temp_dir().join(format!("muelle-marker-{}", Id::<()>::new()));
    let touch = format!("touch {}", marker.display());

    let refused = async |client: &Client, request: Value, field: &str| {
        for path in ["", "/preview"] {
            let answer = client.post(&format!("{RUNS}{path}"), &request).await;
            assert_eq!(answer.status, 422, "{request}: {}", answer.text);
            assert_eq!(answer.problem_fields(), [field], "{request}: {}", answer.text);
        }
    };
    refused(&regular, json!({"playbook": playbook}), "hosts").await;
    refused(&regular, json!({"playbook": playbook, "hosts": [empty]}), "hosts").await;
    refused(&regular, json!({"playbook": foreign.base.id, "hosts": [group]}), "playbook").await;
    refused(&regular, json!({"playbook": off, "hosts": [group]}), "playbook").await;
    refused(&regular, json!({"playbook": playbook, "machines": [of_others.base.id]}), "machines").await;
    refused(&root, json!({"playbook": foreign.base.id, "hosts": [group]}), "hosts").await;
    refused(&regular, json!({"playbook": playbook, "hosts": [group], "color": 1}), "color").await;

    let corpus = [
        "-i",
        "--extra-vars=@/etc/passwd",
        "@/etc/passwd",
        "/etc/passwd",
        "~.*",
        "web-1; id",
        "web-1\n--become",
        &format!("$({touch})"),
        &format!("`{touch}`"),
        &format!("{{{{ lookup('pipe', '{touch}') }}}}"),
        "web-9",
    ];
    for text in corpus {
        let with = |options: Value| json!({"playbook": playbook, "hosts": [group], "options": options});
        refused(&regular, with(json!({"limit": text})), "options.limit").await;
        if text != "web-9" {
            refused(&regular, with(json!({"tags": [text]})), "options.tags").await;
            refused(&regular, with(json!({"skip_tags": [text]})), "options.skip_tags").await;
            refused(&regular, with(json!({"become_name": text})), "options.become_name").await;
            let field = format!("options.variables.{text}");
            refused(&regular, with(json!({"variables": {text: 1}})), &field).await;
        }
    }
    for name in ["ansible_connection", "ansible_python_interpreter", "ansible_ssh_common_args", "ansible_password"] {
        let request = json!({"playbook": playbook, "hosts": [group], "options": {"variables": {name: touch}}});
        refused(&regular, request, &format!("options.variables.{name}")).await;
    }
    let viewer = app.client(VIEWER).await.post(RUNS, &json!({"playbook": playbook, "hosts": [group]})).await;
    assert_eq!(viewer.status, 403);

    assert!(!marker.exists());
    for table in [sql("select count(*) as n from jobs"), sql("select count(*) as n from runs")] {
        let row = app.state.db.row(&SYSTEM, table).await.expect("it answers").expect("a row");
        assert_eq!(row.int("n").expect("a number"), 0, "nothing was queued");
    }
}

#[tokio::test]
async fn a_run_is_checked_again_when_it_begins() {
    let stage = Stage::set(TestApp::start().await).await;
    let app = &stage.app;
    let playbook = stage.playbook("flag", WRITE).await;
    let late = stage.start(&playbook, json!({"variables": {"mark": "x"}})).await;
    let waiting = stage.start(&playbook, json!({"variables": {"mark": "x"}})).await;

    jobs::cancel(&app.context(REGULAR), waiting).await.expect("it can be cancelled");
    assert_eq!(run(app, waiting).await.state, RunState::Cancelled, "it never began");
    let off = sql("update playbooks set enabled = $1 where id = $2").bind(false).bind(playbook);
    app.state.db.execute(&SYSTEM, off).await.expect("it is written");
    let _runner = jobs::start(&app.state);
    let run = ended(app, late).await;

    assert_eq!(run.state, RunState::Failed);
    assert_eq!(run.reason.as_deref(), Some("The playbook is disabled. Enable it first."));
    assert_eq!(job(app, late).await.state, JobState::Failed);
}

#[tokio::test]
async fn a_secret_answer_stands_nowhere_and_is_asked_again() {
    let stage = Stage::set(TestApp::start().await).await;
    let app = &stage.app;
    let content = "
- hosts: web
  gather_facts: false
  tasks:
    - name: tell it
      command: echo {{ token }}
      changed_when: false
    - name: shout it
      debug: {msg: 'the token is {{ token }}'}
";
    let survey = "- {variable: token, question: The token, answer: secret, required: true}\n";
    let input = json!({"name": "tell", "content": content, "survey": survey});
    let playbook = app.make(REGULAR, kind("playbook"), input).await.base.id.to_string();
    let missing = app.client(REGULAR).await.post(RUNS, &stage.request(&playbook, json!({}))).await;
    assert_eq!(missing.problem_fields(), ["options.variables.token"]);

    let id = stage.start(&playbook, json!({"variables": {"token": CANARY}, "limit": "web-1", "verbosity": 1})).await;
    assert!(!is_in_files(app, CANARY).await, "it is sealed while it waits");
    let runner = jobs::start(&app.state);
    let run = ended(app, id).await;
    assert_eq!(run.state, RunState::Succeeded, "{}", console(app, id).await);
    let told = tree(app, id).await.tasks[1].cells.values().next().expect("a host did it").sequence;
    let result = store::result(&app.state, &SYSTEM, id, told).await.expect("there is one").to_string();
    assert!(result.contains("the token is") && !result.contains(CANARY), "{result}");
    assert!(run.command.contains("token=•••"), "{}", run.command);
    let console = console(app, id).await;
    assert!(console.contains("the token is") && !console.contains(CANARY), "{console}");
    job(app, id).await;
    runner.crash().await;
    assert!(!is_in_files(app, CANARY).await, "it stands in no file");

    let again = app.client(REGULAR).await.post(&format!("{RUNS}/{id}/again"), &json!({})).await;
    assert_eq!(again.problem_fields(), ["options.variables.token"], "{}", again.text);
}

#[tokio::test]
async fn what_was_sealed_for_one_run_does_not_open_for_another() {
    on_both(async |app| {
        let stage = Stage::of(app, 1).await;
        let app = &stage.app;
        let content = "- hosts: web\n  gather_facts: false\n  tasks:\n    - debug: {msg: '{{ token | length }}'}\n";
        let survey = "- {variable: token, question: The token, answer: secret, required: true}\n";
        let playbook = stage.playbook_with("tell", content, json!({ "survey": survey })).await;
        let one = stage.start(&playbook, json!({"variables": {"token": CANARY}})).await;
        let two = stage.start(&playbook, json!({"variables": {"token": "another"}})).await;
        let copy = sql("update jobs set operation = (select operation from jobs where id = $1) where id = $2")
            .bind(one.to_string())
            .bind(two.to_string());
        app.state.db.execute(&SYSTEM, copy).await.expect("it is copied");

        let _runner = jobs::start(&app.state);
        let (own, foreign) = (ended(app, one).await, ended(app, two).await);

        assert_eq!(own.state, RunState::Succeeded, "{}", console(app, one).await);
        assert_eq!(foreign.state, RunState::Failed);
        let reason = foreign.reason.expect("there is one");
        assert_eq!(reason, "The answers to secret questions cannot be opened any more. Run it again and answer them.");
    })
    .await;
}

#[tokio::test]
async fn runs_and_other_jobs_do_not_wait_for_each_other() {
    let more = "jobs.parallel = 1\nprovisioning.parallel = 2";
    let stage = Stage::set(TestApp::start_with(Database::Sqlite, more).await).await;
    let app = &stage.app;
    app.state.jobs.add(Worker::new("test", |_| false, |_| Box::pin(async { Ok(json!("done")) })));
    let _runner = jobs::start(&app.state);
    let playbook = stage.playbook("tide", SLEEP).await;
    let first = stage.start(&playbook, json!({"variables": {"seconds": 60}, "limit": "web-1"})).await;
    let second = stage.start(&playbook, json!({"variables": {"seconds": 60}, "limit": "web-2"})).await;
    let third = stage.start(&playbook, json!({"variables": {"seconds": 0}})).await;
    until_busy(app, first, "wait for the tide").await;
    until_busy(app, second, "wait for the tide").await;

    let permit = app.context(REGULAR).permit::<Operating>("job").expect("a regular user may");
    let customer = Some(app.customer_id("acme"));
    let new = NewJob { kind: "test.quick", title: "Quick".to_owned(), operation: json!({}), key: None, customer };
    let quick = jobs::enqueue(&app.state, &permit, new).await.expect("it is queued");

    assert_eq!(job(app, quick).await.state, JobState::Succeeded);
    assert_eq!(run(app, third).await.state, RunState::Queued, "both places are taken");
    for id in [first, second] {
        jobs::cancel(&app.context(REGULAR), id).await.expect("it can be cancelled");
    }
    assert!(ended(app, third).await.state.is_good());
}

#[tokio::test]
async fn old_runs_are_forgotten_with_their_events_output_and_job() {
    for database in [Database::Sqlite, Database::Postgres] {
        let app = TestApp::start_with(database, "provisioning.keep_count = 2").await;
        let mut ids = Vec::new();
        for (number, customer) in ["acme", "acme", "acme", "globex"].iter().enumerate() {
            let permit = app.context(ROOT).permit::<Operating>("run").expect("an administrator may");
            let customer = Some(app.customer_id(customer));
            let new =
                NewJob { kind: "run.playbook", title: "Old".to_owned(), operation: json!({}), key: None, customer };
            let id = jobs::enqueue(&app.state, &permit, new).await.expect("it is queued");
            let row = sql("insert into runs
                             (id, customer, playbook, playbook_name, revision, request, target, command, state, isolation,
                              person_name, recap, created_at, finished_at, last_event, events_offset)
                           values ($1, $2, $1, 'p', 1, $3, '[]', '', 'changed', '', '', '[]', $4, $4, 1, 0)")
            .bind(id.to_string())
            .bind(customer.map(|id| id.to_string()))
            .bind(json!({ "playbook": id }).to_string())
            .bind(muelle::time::Timestamp::now().millis() + i64::try_from(number).expect("few"));
            app.state.db.execute(&SYSTEM, row).await.expect("it is written");
            for statement in [
                sql(
                    "insert into run_events (run, sequence, at, event) values ($1, 1, 0, '{\"kind\": \"start\", \"ansible\": \"2\"}')",
                ),
                sql("insert into run_hosts (run, host) values ($1, 'web')"),
                sql("insert into job_lines (job, sequence, at, stream, text) values ($1, 1, 0, 'out', 'x')"),
                sql("update jobs set state = 'succeeded', finished_at = 1 where id = $1"),
            ] {
                app.state.db.execute(&SYSTEM, statement.bind(id.to_string())).await.expect("it is written");
            }
            ids.push(id);
        }

        let gone = sweep::sweep(&app.state).await.expect("it is swept");

        assert_eq!(gone, 1, "the oldest of the customer with three");
        let refused = store::run(&app.state, &SYSTEM, ids[0]).await;
        assert!(matches!(refused, Err(Error::NotFound { .. })));
        for table in [
            sql("select count(*) as n from run_events where run = $1"),
            sql("select count(*) as n from run_hosts where run = $1"),
            sql("select count(*) as n from job_lines where job = $1"),
            sql("select count(*) as n from jobs where id = $1"),
        ] {
            let row = app.state.db.row(&SYSTEM, table.bind(ids[0].to_string())).await.expect("it answers");
            assert_eq!(row.expect("a row").int("n").expect("a number"), 0);
        }
        for id in &ids[1..] {
            run(&app, *id).await;
            assert!(jobs::store::job(&app.state, &SYSTEM, *id).await.is_ok());
        }
    }
}

#[tokio::test]
async fn what_nobody_works_on_any_more_is_settled() {
    on_both(async |app| {
        let permit = app.context(REGULAR).permit::<Operating>("run").expect("a regular user may");
        let customer = Some(app.customer_id("acme"));
        let new = NewJob { kind: "run.playbook", title: "Old".to_owned(), operation: json!({}), key: None, customer };
        let id = jobs::enqueue(&app.state, &permit, new).await.expect("it is queued");
        let row = sql("insert into runs
                         (id, playbook, playbook_name, revision, request, target, command, state, isolation,
                          person_name, recap, created_at, last_event, events_offset)
                       values ($1, $1, 'p', 1, $2, '[]', '', 'running', '', '', '[]', 0, 0, 0)")
        .bind(id.to_string())
        .bind(json!({ "playbook": id }).to_string());
        app.state.db.execute(&SYSTEM, row).await.expect("it is written");
        let over = sql("update jobs set state = 'lost', finished_at = 1 where id = $1").bind(id.to_string());
        app.state.db.execute(&SYSTEM, over).await.expect("it is written");
        let stray = app.state.config.data.dir.join("runs").join(Id::<Job>::new().to_string());
        std::fs::create_dir_all(&stray).expect("a folder can be made");

        sweep::sweep(&app.state).await.expect("it is swept");

        let run = run(&app, id).await;
        assert!(run.state == RunState::Lost && run.reason.is_some() && run.finished_at.is_some(), "{run:?}");
        assert!(!stray.exists(), "a workspace of no run goes");
    })
    .await;
}

#[tokio::test]
async fn ansible_that_is_missing_is_told_with_how_to_get_it() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let app = TestApp::start().await;
    let mut config = app.state.config.clone();
    config.provisioning.ansible = folder.path().to_owned();
    let state = State::start(config).await.expect("a server starts");
    let machine = json!({"name": "web-1", "type": "remote", "ipv4": "10.0.0.1"});
    let machine = app.make(REGULAR, kind("machine"), machine).await.base.id;
    let playbook = app.make(REGULAR, kind("playbook"), json!({"name": "p", "content": "- hosts: all\n"})).await.base.id;
    let context = |locale| {
        Context::new(Parts {
            actor: Actor::Person(app.session(REGULAR)),
            locale,
            request: "000000000000".to_owned(),
            address: None,
            agent: "test".to_owned(),
            state: state.clone(),
        })
    };
    let request = RunRequest {
        playbook: playbook.cast(),
        hosts: Vec::new(),
        machines: vec![machine.cast()],
        options: muelle::provisioning::model::RunOptions::default(),
    };

    for (locale, words) in [(Locale::en, "Ansible is not there"), (Locale::es, "Ansible no está")] {
        let context = context(locale);
        let permit = context.permit::<Operating>("run").expect("a regular user may");
        let refused = [
            launch::start(&permit, request.clone(), None).await.map(drop),
            state.ansible.tools(locale).await.map(drop),
        ];
        for refused in refused {
            assert!(
                matches!(refused, Err(Error::Unavailable { ref service, ref message })
                if service == "ansible" && message.starts_with(words) && message.contains("apt-get install")),
                "{refused:?}"
            );
        }
    }
    state.stopping.cancel();
}
