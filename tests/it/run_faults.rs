//! What happens to runs: hosts that go away, people who change their mind, servers that are killed, and output
//! without end. Whatever it is, the run says what is true, and nothing of it stays on the server.

use crate::{
    process::Server,
    stage::{
        OwnHost, PATIENCE, RUNS, SLEEP, Stage, addresses, console, ended, ended_within, job, key_file, machine,
        nothing_left, on_host, result, run, started, states, tree, trust, until_busy, until_tree,
    },
    support::{Database, PostgresDatabase, REGULAR, SYSTEM, TestApp, on_both},
};
use muelle::{
    id::Id,
    jobs::{
        model::{Job, JobState},
        server as jobs,
    },
    provisioning::{
        model::{RunState, TaskState, Tree},
        server::processes,
    },
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const VOYAGE: &str = "
- hosts: all
  gather_facts: false
  tasks:
    - name: cast off
      command: 'true'
      changed_when: false
    - name: wait for the tide
      command: sleep {{ 2 if inventory_hostname == 'web-1' else 600 }}
    - name: go ashore
      command: 'true'
      changed_when: false
";

#[tokio::test]
async fn each_host_has_the_end_that_it_really_had() {
    on_both(async |app| {
        let stage = Stage::of(app, 1).await;
        let app = &stage.app;
        let _runner = jobs::start(&app.state);
        let (another, dies, freezes) = tokio::join!(OwnHost::start(), OwnHost::start(), OwnHost::start());
        let mut machines = stage.machines.clone();
        for (name, host) in [("other-key", &another), ("dies", &dies), ("freezes", &freezes)] {
            let machine = machine(app, REGULAR, name, &host.address).await;
            trust(app, REGULAR, machine).await;
            machines.push(machine.to_string());
        }
        let another = another.set_up_anew().await;
        let playbook = stage.playbook_with("voyage", VOYAGE, json!({ "connect_timeout": 4 })).await;
        let regular = app.client(REGULAR).await;
        let request = json!({
            "playbook": playbook, "machines": machines, "options": { "credentials": [stage.key], "forks": 4 },
        });

        let id = started(&regular.post(RUNS, &request).await.expect(202));
        let is_at_work = |tree: &Tree| {
            let waiting = states(tree, "wait for the tide");
            ["dies", "freezes"].iter().all(|host| waiting.contains(&((*host).to_owned(), TaskState::Running)))
        };
        until_tree(app, id, "work on both hosts", is_at_work).await;
        dies.kill();
        freezes.freeze();
        let run = ended(app, id).await;

        let console = console(app, id).await;
        assert_eq!(run.state, RunState::Unreachable, "{run:?}\n{console}");
        let of = |name: &str| {
            let host = run.recap.iter().find(|host| host.host == name).expect("it is in the recap");
            (host.ok, host.unreachable, host.failed)
        };
        assert_eq!(
            (of("web-1"), of("other-key"), of("dies"), of("freezes")),
            ((3, 0, 0), (0, 1, 0), (1, 1, 0), (1, 1, 0)),
            "{console}"
        );
        let tree = tree(app, id).await;
        let lost = |task: &str| {
            let of_task = states(&tree, task).into_iter();
            of_task.filter(|(_, state)| *state == TaskState::Unreachable).map(|(host, _)| host).collect::<Vec<_>>()
        };
        assert_eq!(
            (lost("cast off"), lost("wait for the tide")),
            (vec!["other-key".to_owned()], vec!["dies".into(), "freezes".into()])
        );
        assert_eq!(states(&tree, "go ashore"), [("web-1".to_owned(), TaskState::Ok)]);
        assert!(console.contains("Host key verification failed"), "{console}");
        let outcome = job(app, id).await.outcome.expect("there is one");
        let said = outcome["error"]["message"].as_str().expect("a sentence").to_owned();
        assert!(["other-key", "dies", "freezes"].iter().all(|name| said.contains(name)) && !said.contains("web-1"));

        // Once more on those alone; whose new key was looked at and trusted is reached.
        trust(app, REGULAR, machines[1].parse().expect("an id")).await;
        let again = regular.post(&format!("{RUNS}/{id}/again"), &json!({"failed_only": true})).await.expect(202);
        let again = started(&again);
        until_busy(app, again, "wait for the tide").await;
        let limit = self::run(app, again).await.request.options.limit;
        assert_eq!(limit, "dies,freezes,other-key");
        jobs::cancel(&app.context(REGULAR), again).await.expect("it can be cancelled");
        assert_eq!(ended(app, again).await.state, RunState::Cancelled);
        drop(another);
    })
    .await;
}

/// A filter that lets a play wait before it begins.
const TIDE: &str = "import os, time
def tide(value):
    os.write(1, b'the tide turns\\n')
    time.sleep(600)
    return value
class FilterModule:
    def filters(self):
        return {'tide': tide}
";

const SLOW_FACTS: &str = "
- hosts: web
  gather_facts: false
  tasks:
    - file: {path: '/tmp/facts-{{ mark }}', state: directory}
    - copy: {content: \"#!/bin/sh\\nsleep 600\\n\", dest: '/tmp/facts-{{ mark }}/slow.fact', mode: '0755'}
- hosts: web
  gather_facts: true
  fact_path: /tmp/facts-{{ mark }}
";

const BETWEEN: &str = "
- hosts: web
  gather_facts: false
  tasks:
    - name: cast off
      command: 'true'
      changed_when: false
- hosts: \"{{ 'web' | tide }}\"
  gather_facts: false
  tasks:
    - name: go ashore
      command: 'true'
";

#[tokio::test]
async fn a_run_is_cancelled_in_each_phase_and_leaves_nothing() {
    on_both(async |app| {
        let stage = Stage::set(app).await;
        let app = &stage.app;
        let data = app.state.config.data.dir.clone();
        let sleeps = stage.playbook("sleeps", SLEEP).await;
        let facts = stage.playbook("facts", SLOW_FACTS).await;
        let between = stage.playbook("between", BETWEEN).await;
        stage.file(&between, "filter_plugins/tide.py", TIDE).await;
        let mark = Id::<()>::new().to_string();
        let long = json!({"variables": {"seconds": 600}});
        let cancel = async |id: Id<Job>| jobs::cancel(&app.context(REGULAR), id).await.map(drop);
        let cancelled = async |id: Id<Job>, at_work: &[&str]| {
            let began = Instant::now();
            cancel(id).await.expect("it can be cancelled");
            let run = ended(app, id).await;
            nothing_left(&data, id, began).await;
            assert_eq!(run.state, RunState::Cancelled, "{run:?}\n{}", console(app, id).await);
            assert_eq!(job(app, id).await.state, JobState::Cancelled);
            let reason = run.reason.unwrap_or_default();
            assert!(at_work.iter().all(|host| reason.contains(host)), "{reason}");
            assert_eq!(reason.contains("A remote command may go on"), !at_work.is_empty(), "{reason}");
            cancel(id).await.expect_err("it has ended");
        };

        // Nobody has begun it.
        let waits = stage.start(&sleeps, long.clone()).await;
        cancelled(waits, &[]).await;
        let _runner = jobs::start(&app.state);
        // It is being begun, or is not yet.
        let begins = stage.start(&sleeps, long.clone()).await;
        cancelled(begins, &[]).await;
        // Its processes are there, and Ansible has said nothing.
        let silent = stage.start(&sleeps, long.clone()).await;
        let limit = Instant::now() + PATIENCE;
        while !data.join(format!("runs/{silent}/supervisor.json")).exists() {
            assert!(Instant::now() < limit, "no supervisor");
            sleep(Duration::from_millis(5)).await;
        }
        cancelled(silent, &[]).await;

        let gathers = stage.start(&facts, json!({"variables": {"mark": mark}})).await;
        let turns = stage.start(&between, json!({})).await;
        let works = stage.start(&sleeps, long).await;
        until_busy(app, gathers, "Gathering Facts").await;
        cancelled(gathers, &["web-1", "web-2"]).await;
        until_busy(app, works, "wait for the tide").await;
        cancelled(works, &["web-1", "web-2"]).await;
        let limit = Instant::now() + PATIENCE;
        while !console(app, turns).await.contains("the tide turns") {
            assert!(Instant::now() < limit, "the second play is not near: {}", console(app, turns).await);
            sleep(Duration::from_millis(50)).await;
        }
        cancelled(turns, &[]).await;
        let done = states(&tree(app, turns).await, "cast off");
        assert_eq!(done, ["web-1", "web-2"].map(|host| (host.to_owned(), TaskState::Ok)), "what was done stays true");

        // Everything is done, and Ansible is about to say so.
        let last = stage.start(&sleeps, json!({"variables": {"seconds": 0}})).await;
        let is_done = |tree: &Tree| {
            let done = states(tree, "wait for the tide");
            done.len() == 2 && done.iter().all(|(_, state)| *state == TaskState::Changed)
        };
        let began = Instant::now();
        while !is_done(&tree(app, last).await) {
            assert!(began.elapsed() < PATIENCE, "it is not done");
        }
        let began = Instant::now();
        let asked = cancel(last).await;
        let run = ended(app, last).await;
        nothing_left(&data, last, began).await;
        assert!(run.state == RunState::Changed || (run.state == RunState::Cancelled && asked.is_ok()), "{run:?}");
        assert!(is_done(&tree(app, last).await));
        assert!(run.recap.iter().all(|host| host.changed == 1), "{:?}", run.recap);
    })
    .await;
}

/// A task that leaves a line on the host each time that it is done.
const COUNTED: &str = "
- hosts: all
  gather_facts: false
  tasks:
    - name: count
      shell: echo done >>/tmp/{{ mark }} && sleep {{ seconds }}
";

/// A server of its own process with the hosts as machines, and the administrator at a program.
struct Killable {
    server: Server,
    http: reqwest::Client,
    token: String,
    machine: String,
    key: String,
}

impl Killable {
    async fn start(database: &str) -> Self {
        let mut server = Server::new(env!("CARGO_BIN_EXE_muelle"));
        server.set("MUELLE_DATABASE__URL", database);
        server.set("MUELLE_PROVISIONING__ANSIBLE", &std::env::var("MUELLE_TEST_ANSIBLE").unwrap_or_default());
        server.set("MUELLE_PROVISIONING__PARALLEL", "3");
        server.create_administrator();
        server.start();
        let http = reqwest::Client::new();
        server.wait_until_ready(&http).await;
        let token = server.sign_in(&http).await;
        let mut this = Self { server, http, token, machine: String::new(), key: String::new() };
        let machine = json!({"name": "web-1", "type": "remote", "ipv4": addresses()[0], "ssh_user": "root"});
        this.machine = this.make("machines", machine).await;
        let limit = Instant::now() + PATIENCE;
        let keys = format!("/api/v1/machines/{}/host-keys", this.machine);
        let shown = loop {
            let shown = this.post(&format!("{keys}/scan"), &json!({})).await;
            if let Some(key) = shown["items"][0]["id"].as_str() {
                break key.to_owned();
            }
            assert!(Instant::now() < limit, "the host shows no key: {shown}");
        };
        this.post(&format!("{keys}/{shown}/approve"), &json!({})).await;
        let secret = std::fs::read_to_string(key_file()).expect("the key can be read");
        this.key = this.make("credentials", json!({"name": "key", "type": "ssh_key", "secret": secret})).await;
        this
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.server.url);
        let answer = self.http.post(url).bearer_auth(&self.token).json(body).send().await;
        let text = answer.expect("the server answers").text().await.expect("the answer is text");
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}{path}", self.server.url)).bearer_auth(&self.token).send().await;
        answer.expect("the server answers").json().await.expect("the answer is JSON")
    }

    async fn make(&self, kind: &str, input: Value) -> String {
        let made = self.post(&format!("/api/v1/{kind}"), &input).await;
        made["id"].as_str().unwrap_or_else(|| panic!("it is not made: {made}")).to_owned()
    }

    /// Asks for a run of [`COUNTED`].
    async fn run(&self, playbook: &str, mark: &str, seconds: u32) -> Id<Job> {
        let request = json!({
            "playbook": playbook, "machines": [self.machine],
            "options": {"credentials": [self.key], "variables": {"mark": mark, "seconds": seconds}},
        });
        let answer = self.post(RUNS, &request).await;
        let id = answer["job"]["id"].as_str().unwrap_or_else(|| panic!("it is not started: {answer}"));
        id.parse().expect("an id")
    }

    /// Waits until a run is as wished.
    async fn until(&self, id: Id<Job>, wished: impl Fn(&Value) -> bool) -> Value {
        let limit = Instant::now() + PATIENCE;
        loop {
            let view = self.get(&format!("{RUNS}/{id}")).await;
            if wished(&view) {
                return view;
            }
            assert!(Instant::now() < limit, "the run stays {view}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// How often the task of [`COUNTED`] was done for that mark.
fn times(mark: &str) -> usize {
    let output = on_host(&addresses()[0], &["cat", &format!("/tmp/{mark}")]);
    String::from_utf8_lossy(&output.stdout).lines().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_in_any_phase_of_a_run_tells_the_truth_afterwards() {
    for database in [Database::Sqlite, Database::Postgres] {
        eprintln!("on {database:?}");
        let postgres = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(PostgresDatabase::create().await),
        };
        let mut this = Killable::start(postgres.as_ref().map(PostgresDatabase::url).unwrap_or_default()).await;
        let playbook = this.make("playbooks", json!({"name": "count", "content": COUNTED})).await;
        let marks = [(); 4].map(|()| Id::<()>::new().to_string());
        let is_at_work = |view: &Value| view["tree"]["tasks"][0]["cells"].as_object().is_some_and(|it| !it.is_empty());

        // One is under way for long, one ends while the server is dead, one is just begun, one waits for a place.
        let running = this.run(&playbook, &marks[0], 45).await;
        let ending = this.run(&playbook, &marks[1], 20).await;
        this.until(running, is_at_work).await;
        this.until(ending, is_at_work).await;
        let starting = this.run(&playbook, &marks[2], 0).await;
        let queued = this.run(&playbook, &marks[3], 0).await;
        this.until(starting, |view| view["run"]["state"] == "running").await;
        assert_eq!(this.get(&format!("{RUNS}/{queued}")).await["run"]["state"], "queued");
        this.server.kill();

        let exit = this.server.data().join(format!("runs/{ending}/exit.json"));
        let limit = Instant::now() + PATIENCE;
        while !exit.exists() {
            assert!(Instant::now() < limit, "the run ends without its server");
            sleep(Duration::from_millis(50)).await;
        }
        this.server.start();
        this.server.wait_until_ready(&this.http).await;

        let is_over = |view: &Value| !matches!(view["run"]["state"].as_str(), Some("queued" | "running"));
        for (id, mark, states) in [
            (running, &marks[0], &["changed"][..]),
            (ending, &marks[1], &["changed"]),
            // Nobody knows whether its supervisor had been started, and nobody starts it a second time.
            (starting, &marks[2], &["changed", "lost"]),
            (queued, &marks[3], &["changed"]),
        ] {
            let view = this.until(id, is_over).await;
            let state = view["run"]["state"].as_str().expect("it has a state");
            assert!(states.contains(&state), "{view}");
            let is_done = state == "changed";
            assert!(is_done || view["run"]["reason"].is_string(), "what was lost has a reason: {view}");
            assert_eq!(times(mark), usize::from(is_done), "done once, or not at all: {view}");
            let output = this.http.get(format!("{}/api/v1/jobs/{id}/output", this.server.url));
            let output = output.bearer_auth(&this.token).send().await.expect("it answers").text().await;
            let output = output.expect("the output is text");
            assert_eq!(output.matches("TASK [count]").count(), usize::from(is_done), "{output}");
            let events = this.get(&format!("{RUNS}/{id}/events?limit=1000")).await;
            let numbers: Vec<_> =
                events["items"].as_array().expect("a list").iter().map(|event| event["sequence"].as_i64()).collect();
            assert_eq!(numbers, (1..=i64::try_from(numbers.len()).expect("few")).map(Some).collect::<Vec<_>>());
            nothing_left(&this.server.data(), id, Instant::now()).await;
        }
    }
}

#[tokio::test]
async fn a_run_whose_supervisor_dies_leaves_no_orphan_and_can_be_run_again_where_it_was_cut_off() {
    let stage = Stage::set(TestApp::start().await).await;
    let app = &stage.app;
    let _runner = jobs::start(&app.state);
    let playbook = stage.playbook("tide", SLEEP).await;
    let id = stage.start(&playbook, json!({"variables": {"seconds": 600}})).await;
    until_busy(app, id, "wait for the tide").await;
    let holder = std::fs::read(app.state.config.data.dir.join(format!("runs/{id}/supervisor.json")));
    let holder: Value = serde_json::from_slice(&holder.expect("it said who it is")).expect("JSON");
    let pid = u32::try_from(holder["pid"].as_u64().expect("a number")).expect("a small one");
    assert!(processes::mentioning(&id.to_string()).len() > 2, "the run is under way");

    processes::signal(pid, rustix::process::Signal::KILL);
    let began = Instant::now();
    let lost = ended(app, id).await;
    nothing_left(&app.state.config.data.dir, id, began).await;

    assert_eq!(lost.state, RunState::Lost);
    assert!(lost.reason.is_some_and(|reason| reason.contains("web-1") && reason.contains("web-2")));
    let regular = app.client(REGULAR).await;
    let again = regular.post(&format!("{RUNS}/{id}/again"), &json!({"failed_only": true})).await.expect(202);
    let again = started(&again);
    until_busy(app, again, "wait for the tide").await;
    assert_eq!(run(app, again).await.request.options.limit, "web-1,web-2", "no host was finished");
    jobs::cancel(&app.context(REGULAR), again).await.expect("it can be cancelled");
    ended(app, again).await;
}

/// How long a run with very much output may take on a machine that is busy with others.
const LONG: Duration = Duration::from_secs(300);

/// What a host may say: very many lines, one very long line, and no text at all.
const CHATTER: &str = "
- hosts: web
  gather_facts: false
  tasks:
    - name: many lines
      command: seq 1000000
      changed_when: false
    - name: one line
      shell: head -c 20000000 /dev/zero | tr '\\0' x
      changed_when: false
    - name: no text
      raw: head -c 300000 /dev/urandom; printf '\\000\\033[31m\\377\\n'
      changed_when: false
    - name: still there
      command: echo still there
      changed_when: false
";

/// A play before which [`NOISE`] is heard.
const LOUD: &str = "
- hosts: \"{{ 'web' | noise }}\"
  gather_facts: false
  tasks:
    - name: still there
      command: echo still there
";

/// A filter that writes past Ansible into the console, while the playbook is read.
const NOISE: &str = "import os
def noise(value):
    # Ansible asks more than once who the play is for.
    if os.environ.get('HEARD'):
        return value
    os.environ['HEARD'] = '1'
    for part in range(PARTS):
        os.write(1, b''.join(b'line %d\\n' % number for number in range(part * 1000, part * 1000 + 1000)))
    for part in range(20):
        os.write(1, b'x' * 1000000)
    os.write(1, b'\\n')
    os.write(1, os.urandom(1000000) + b'\\n\\000\\377\\033[31mred\\n')
    return value
class FilterModule:
    def filters(self):
        return {'noise': noise}
";

#[tokio::test]
async fn what_a_host_says_without_end_is_kept_within_bounds() {
    let stage = Stage::of(TestApp::start().await, 1).await;
    let app = &stage.app;
    let _runner = jobs::start(&app.state);
    let playbook = stage.playbook("chatter", CHATTER).await;

    let heard = stage.start(&playbook, json!({"verbosity": 1})).await;
    let heard = ended_within(app, heard, LONG).await;

    assert_eq!(heard.state, RunState::Succeeded, "{heard:?}");
    assert_eq!(heard.recap.iter().map(|host| host.ok).collect::<Vec<_>>(), [4]);
    for task in ["many lines", "one line", "no text"] {
        let kept = result(app, heard.id, task, "web-1").await.to_string();
        assert!(kept.len() <= 256 << 10, "{task}: {} bytes", kept.len());
    }
    assert_eq!(result(app, heard.id, "still there", "web-1").await["stdout"], "still there");
    let page = app.client(REGULAR).await.get(&format!("{RUNS}/{}", heard.id)).await.expect(200);
    assert!(page.text.len() < 100 << 10, "the page of the run does not grow with it: {}", page.text.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_lines_one_of_twenty_megabytes_and_noise_are_kept_in_order() {
    on_both(async |app| {
        // Each batch of lines is a journey to PostgreSQL: fewer of them tell the same.
        let lines_written = if app.database == Database::Sqlite { 1_000_000 } else { 100_000 };
        let stage = Stage::of(app, 1).await;
        let app = &stage.app;
        let _runner = jobs::start(&app.state);
        let loud = stage.playbook("loud", LOUD).await;
        let noise = NOISE.replace("PARTS", &(lines_written / 1000).to_string());
        stage.file(&loud, "filter_plugins/noise.py", &noise).await;

        let loud = stage.start(&loud, json!({})).await;
        let loud = ended_within(app, loud, LONG).await;

        assert_eq!(loud.state, RunState::Changed, "{loud:?}");
        assert_eq!(result(app, loud.id, "still there", "web-1").await["stdout"], "still there");
        // The last lines are written before the job ends.
        job(app, loud.id).await;
        let end = jobs::store::last_sequence(&app.state, &SYSTEM, loud.id).await.expect("it answers");
        assert!(end > lines_written, "every line is there: {end}");
        let lines = async |after: i64| {
            jobs::store::lines(&app.state, &SYSTEM, loud.id, after, 1000).await.expect("they are there")
        };
        let first = lines(0).await;
        let number = |text: &str| text.strip_prefix("line ").and_then(|number| number.parse::<i64>().ok());
        let begin = first.iter().position(|line| number(&line.text) == Some(0)).expect("the first line");
        assert!(first[begin..].iter().zip(0..).all(|(line, place)| number(&line.text) == Some(place)));
        let middle = lines(first[begin].sequence + lines_written - 11).await;
        assert_eq!(middle.iter().map_while(|line| number(&line.text)).last(), Some(lines_written - 1));
        let longest = middle.iter().map(|line| line.text.len()).max();
        assert!(longest <= Some(64 << 10), "a long line is cut into parts: {longest:?}");
        let tail: String = lines(end - 50).await.into_iter().map(|line| line.text + "\n").collect();
        assert!(tail.contains("PLAY RECAP"), "the end is missing: {:?}", tail.lines().next_back());
        let page = app.client(REGULAR).await.get(&format!("{RUNS}/{}", loud.id)).await.expect(200);
        assert!(page.text.len() < 100 << 10, "the page of the run does not grow with it: {}", page.text.len());
    })
    .await;
}
