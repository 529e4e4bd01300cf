//! What a run does to disk and processes: real `ansible-playbook`, real hosts, one private folder each.

use crate::{
    stage::{END, HOST_PASSWORD, UNISOLATED, addresses, key_file},
    support::{Database, TestApp},
};
use muelle::{
    error::Error,
    i18n::Locale,
    id::Id,
    jobs::model::Job,
    provisioning::{
        model::{RunEvent, TaskState, Tree},
        server::{
            processes,
            sandbox::{self, Place, Question},
            supervisor::{Errand, files},
            vault,
            workspace::{Ended, Exit, Limits, Order, Workspace, Written},
        },
    },
};
use serde_json::{Map, Value, json};
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use zeroize::Zeroizing;

/// How long anything may take before a story gives up.
const PATIENCE: Duration = Duration::from_secs(240);

/// The machine that the first host claims to be.
const MACHINE: &str = "01900000-0000-7000-8000-000000000001";

/// An order that runs a playbook on this machine.
fn local(playbook: &str) -> Order {
    let host = json!({ "ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3" });
    Order {
        files: vec![("site.yml".to_owned(), playbook.as_bytes().to_vec())],
        playbook: "site.yml".to_owned(),
        inventory: json!({ "all": { "hosts": { "here": host } } }),
        variables: Map::new(),
        secrets: vec![],
        keys: vec![],
        vaults: vec![],
        known_hosts: String::new(),
        arguments: vec![],
        forks: 5,
        pipelining: true,
        gathering: "explicit",
        facts: None,
        limits: Limits {
            whole: PATIENCE,
            silence: PATIENCE,
            connection: Duration::from_secs(30),
            task: None,
            output: 1 << 20,
        },
        installed: None,
    }
}

/// An order that runs a playbook on the test hosts, named `a`, `b` and `c`, as root with the key.
fn remote(playbook: &str) -> Order {
    let mut order = local(playbook);
    let mut all = Map::new();
    for (number, (name, address)) in ["a", "b", "c"].iter().zip(addresses()).enumerate() {
        let alias = format!("host-{number}");
        order.known_hosts.push_str(&format!("{alias} {}\n", host_key(&address)));
        all.insert(
            (*name).to_owned(),
            json!({
                "ansible_host": { "__ansible_unsafe": address },
                "ansible_user": "root",
                "ansible_python_interpreter": "/usr/bin/python3",
                "ansible_ssh_extra_args": format!("-o HostKeyAlias={alias}"),
            }),
        );
    }
    all["a"]["muelle_machine"] = json!(MACHINE);
    order.inventory = json!({ "all": { "hosts": all } });
    order.keys = vec![Zeroizing::new(std::fs::read_to_string(key_file()).expect("the key can be read"))];
    order
}

/// The type and key that a host shows.
fn host_key(address: &str) -> String {
    let output = Command::new("ssh-keyscan").args(["-t", "ed25519", address]).output().expect("ssh-keyscan runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = said.lines().find(|line| !line.starts_with('#')).expect("the host shows its key");
    line.split_once(' ').expect("a name and a key").1.to_owned()
}

/// A process of the server's user that holds a secret in its environment. It ends with the value.
struct Neighbour(Child);

impl Neighbour {
    fn start(secret: &str) -> Self {
        Self(Command::new("sleep").arg("600").env("CANARY", secret).spawn().expect("a neighbour starts"))
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A run, watched to its end.
struct Watched {
    workspace: Workspace,
    id: Id<Job>,
    events: Vec<Written>,
    offset: u64,
}

impl Watched {
    async fn start(app: &TestApp, order: Order) -> Self {
        let id = Id::new();
        let workspace = Workspace::start(&app.state, Locale::en, id, order).await.expect("the run starts");
        Self { workspace, id, events: Vec::new(), offset: 0 }
    }

    async fn read(&mut self) {
        let (more, offset) = self.workspace.events(self.offset).await.expect("events can be read");
        self.events.extend(more);
        self.offset = offset;
    }

    /// Waits for an event, at most [`PATIENCE`].
    async fn until(&mut self, wished: impl Fn(&RunEvent) -> bool) {
        let began = Instant::now();
        while !self.events.iter().any(|written| wished(&written.numbered.event)) {
            assert!(self.workspace.exit().is_none(), "it ended: {}", self.console().await);
            assert!(began.elapsed() < PATIENCE, "{}", self.console().await);
            self.workspace.changed(Duration::from_millis(200)).await;
            self.read().await;
        }
    }

    /// Waits for the end and gives it with how long that took.
    async fn end(&mut self) -> (Exit, Duration) {
        let began = Instant::now();
        loop {
            if let Some(exit) = self.workspace.exit() {
                self.read().await;
                return (exit, began.elapsed());
            }
            assert!(began.elapsed() < PATIENCE, "it has not ended: {}", self.console().await);
            self.workspace.changed(Duration::from_millis(200)).await;
            drop(self.workspace.console(u64::MAX).await);
            self.read().await;
        }
    }

    async fn console(&self) -> String {
        let (mut all, mut offset) = (Vec::new(), 0);
        loop {
            let part = self.workspace.console(offset).await.expect("the console can be read");
            if part.is_empty() {
                return String::from_utf8_lossy(&all).into_owned();
            }
            offset += part.len() as u64;
            all.extend(part);
        }
    }

    fn tree(&self) -> Tree {
        Tree::of(&self.events.iter().map(|written| written.numbered.clone()).collect::<Vec<_>>())
    }

    /// Per host, how a task of that name ended; items are left out.
    fn states(&self, task: &str) -> Vec<(String, TaskState)> {
        let tree = self.tree();
        let mut found = Vec::new();
        for node in tree.tasks.iter().filter(|node| node.name == task) {
            for (host, cell) in &node.cells {
                found.push((tree.hosts[*host].clone(), cell.state));
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }

    /// The whole folder, as the server finds it.
    fn folder(&self, app: &TestApp) -> PathBuf {
        app.state.config.data.dir.join("runs").join(self.id.to_string())
    }

    /// Processes of this run, its supervisor included.
    fn processes(&self) -> Vec<u32> {
        processes::mentioning(&self.id.to_string())
    }
}

/// Waits until nothing of a run is left.
async fn nothing_left(run: &Watched, since: Instant) {
    while !run.processes().is_empty() || run.workspace.is_alive() {
        let left: Vec<_> = run.processes().into_iter().filter_map(processes::read).collect();
        assert!(since.elapsed() < END, "still there: {left:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_reaches_its_hosts_and_tells_each_step() {
    let app = TestApp::start().await;
    let mark = format!("/var/tmp/{}", Id::<Job>::new());
    let mut order = remote(&format!(
        "- name: Everything
  hosts: all
  gather_facts: true
  tasks:
    - name: write
      ansible.builtin.copy:
        content: \"{{{{ words }}}}\\n\"
        dest: {mark}
    - name: loop
      ansible.builtin.command: echo {{{{ item }}}}
      loop: [one, two]
      changed_when: false
    - name: hidden
      ansible.builtin.command: echo lantern-on-the-pier
      no_log: true
      changed_when: false
    - name: ignored
      ansible.builtin.command: sh -c 'echo no good >&2; exit 3'
      ignore_errors: true
    - name: skipped
      ansible.builtin.debug:
      when: false
    - name: fails on b
      ansible.builtin.fail:
        msg: the keel is dry
      when: inventory_hostname == 'b'
"
    ));
    order.variables = json!({ "words": "{{ lookup('pipe', 'id') }}" }).as_object().expect("a map").clone();
    order.arguments = vec!["--diff".to_owned()];
    order.gathering = "smart";
    order.facts = Some(Map::new());
    order.inventory["all"]["hosts"]["gone"] = json!({ "ansible_host": "127.0.0.9", "ansible_port": 9 });

    let mut run = Watched::start(&app, order).await;
    let (exit, _) = run.end().await;

    let console = run.console().await;
    assert_eq!((exit.code, exit.ended, exit.trouble.as_deref()), (Some(4), None, None), "{console}");
    assert_eq!(exit.isolation, "namespaces");
    let numbers: Vec<_> = run.events.iter().map(|written| written.numbered.sequence).collect();
    assert_eq!(numbers, (1..=i64::try_from(numbers.len()).expect("few")).collect::<Vec<_>>());
    let all_in = |state: TaskState| ["a", "b", "c"].map(|host| (host.to_owned(), state)).to_vec();
    assert_eq!(run.states("write"), all_in(TaskState::Changed), "{console}");
    assert_eq!(run.states("loop"), all_in(TaskState::Ok));
    assert_eq!(run.states("ignored"), all_in(TaskState::Ignored));
    assert_eq!(run.states("skipped"), all_in(TaskState::Skipped));
    let on_b = run.states("fails on b");
    assert_eq!(on_b[1], ("b".to_owned(), TaskState::Failed));
    let recap = run.tree().recap;
    let of = |name: &str| recap.iter().find(|host| host.host == name).expect("it is in the recap").clone();
    assert_eq!((of("gone").unreachable, of("b").failed, of("a").failed), (1, 1, 0));
    assert_eq!(of("a").machine, Some(MACHINE.parse().expect("an identifier")));
    assert_eq!(of("b").machine, None);

    let facts: Vec<_> = run.events.iter().filter_map(|written| written.facts.clone()).collect();
    assert_eq!(facts.len(), 3);
    assert!(facts[0].contains_key("ansible_distribution"), "{:?}", facts[0].keys());
    let kept: Vec<_> = run.events.iter().filter_map(|written| written.result.clone()).collect();
    assert!(kept.iter().any(|result| result.to_string().contains("no good")));
    for secret in ["lantern-on-the-pier", "uid=0"] {
        assert!(
            !console.contains(secret) && !kept.iter().any(|result| result.to_string().contains(secret)),
            "{secret}"
        );
    }
    assert!(console.contains("PLAY RECAP") && console.contains("+{{ lookup('pipe', 'id') }}"), "{console}");
    let items = run.events.iter().filter(
        |written| matches!(&written.numbered.event, RunEvent::Result { item: Some(item), .. } if item == "two"),
    );
    assert_eq!(items.count(), 3);

    // What was gathered once is not gathered again.
    let mut again = remote(
        "- hosts: a\n  tasks:\n    - name: known\n      ansible.builtin.debug:\n        msg: \"<{{ ansible_facts.distribution }}>\"\n",
    );
    let of_a = run.events.iter().find_map(|written| match &written.numbered.event {
        RunEvent::Facts { host, .. } if host == "a" => written.facts.clone(),
        _ => None,
    });
    again.facts = Some(Map::from_iter([("a".to_owned(), Value::Object(of_a.expect("facts of a")))]));
    again.gathering = "smart";
    let mut run = Watched::start(&app, again).await;
    let (exit, _) = run.end().await;

    assert_eq!(exit.code, Some(0), "{}", run.console().await);
    assert!(run.console().await.contains("<Debian>"));
    assert!(!run.events.iter().any(|written| matches!(written.numbered.event, RunEvent::Facts { .. })));
    assert!(!run.folder(&app).join("inside").exists(), "what a run worked with goes with it");
    run.workspace.clone().remove().await;
    assert!(!run.folder(&app).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_reach_ansible_and_stand_nowhere() {
    let app = TestApp::start().await;
    let words = [Id::<Job>::new(), Id::new(), Id::new()].map(|id| id.to_string().replace('-', ""));
    let [own, user_vault, kept] = &words;
    let mut order = remote(
        "- hosts: a
  become: true
  vars_files: [kept.yml]
  tasks:
    - name: who
      ansible.builtin.command: whoami
      changed_when: false
    - name: lengths
      ansible.builtin.debug:
        msg: \"{{ own | length }} {{ kept | length }}\"
    - name: said aloud
      ansible.builtin.debug:
        msg: \"{{ own }}\"
    - name: stays
      ansible.builtin.command: sleep 600
",
    );
    order.inventory["all"]["hosts"]["a"]["ansible_user"] = json!("deploy");
    order.keys = vec![];
    let password = || Zeroizing::new(HOST_PASSWORD.to_owned());
    order.secrets = vec![
        ("own".to_owned(), Zeroizing::new(own.clone())),
        ("ansible_password".to_owned(), password()),
        ("ansible_become_password".to_owned(), password()),
    ];
    order.vaults = vec![("harbour".to_owned(), Zeroizing::new(user_vault.clone()))];
    let sealed = vault::encrypt(format!("kept: {kept}\n").as_bytes(), user_vault);
    order.files.push(("kept.yml".to_owned(), sealed.into_bytes()));

    let mut run = Watched::start(&app, order).await;
    run.until(|event| matches!(event, RunEvent::HostStart { task: 3, .. })).await;

    let processes = run.processes();
    for word in words.iter().map(String::as_str).chain([HOST_PASSWORD]) {
        let holders: Vec<_> = processes::mentioning(word).into_iter().filter(|pid| processes.contains(pid)).collect();
        assert_eq!(holders, [0; 0], "in the arguments or environment of a process");
        assert!(!found_below(&run.folder(&app), word), "in a file");
    }
    assert!(processes.len() > 2, "the run is under way: {processes:?}");
    run.workspace.cancel().await.expect("asked");
    let (exit, _) = run.end().await;

    let console = run.console().await;
    assert_eq!(exit.ended, Some(Ended::Cancelled));
    assert_eq!(run.states("who"), [("a".to_owned(), TaskState::Ok)], "{console}");
    let result = |task: &str| {
        let number = run.tree().tasks.iter().position(|node| node.name == task).expect("the task began");
        let found = run
            .events
            .iter()
            .find(|written| matches!(written.numbered.event, RunEvent::Result { task, .. } if task as usize == number));
        found.and_then(|written| written.result.clone()).expect("it has a result")
    };
    assert_eq!(result("who")["stdout"], "root");
    assert_eq!(result("lengths")["msg"], "32 32");
    assert_eq!(result("said aloud")["msg"], "********");
    assert!(console.contains("********"));
    for word in &words {
        assert!(!console.contains(word.as_str()), "{console}");
        assert!(!found_below(&run.folder(&app), word), "in a file that stays");
    }
}

/// Whether a file below a folder holds a text.
fn found_below(folder: &Path, text: &str) -> bool {
    let output = Command::new("grep").args(["-rlaF", "--devices=skip", text]).arg(folder).output().expect("grep runs");
    output.status.success()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_leaves_nothing_behind() {
    for (more, isolation) in [("", "namespaces"), (UNISOLATED, "none")] {
        let app = TestApp::start_with(Database::Sqlite, more).await;
        let mark = Id::<Job>::new().to_string();
        let mut order = remote(&format!(
            "- hosts: a
  tasks:
    - name: stays here
      ansible.builtin.shell: \"(trap '' TERM HUP INT; setsid sh -c \\\"trap '' TERM; sleep 601; sleep 602\\\") >/dev/null 2>&1 &\"
      delegate_to: localhost
      changed_when: false
    - name: stays there
      ansible.builtin.shell: sleep 600 # {mark}
"
        ));
        order.pipelining = false;
        order.inventory["all"]["hosts"]["localhost"] =
            json!({ "ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3" });

        let mut run = Watched::start(&app, order).await;
        run.until(|event| matches!(event, RunEvent::HostStart { task: 1, .. })).await;
        let began = Instant::now();
        run.workspace.cancel().await.expect("asked");
        let (exit, took) = run.end().await;
        nothing_left(&run, began).await;

        assert!(took < END, "{took:?}");
        assert_eq!((exit.ended, exit.isolation.as_str()), (Some(Ended::Cancelled), isolation));
        assert_eq!(run.tree().under_way(), ["a"]);
        assert!(!run.workspace.is_alive());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_before_its_start_ends_it_before_it_begins() {
    let app = TestApp::start().await;
    let (folder, errand) = prepared(&app, &local("- hosts: all\n  tasks: []\n")).await;
    std::fs::write(folder.join(files::CANCEL), "").expect("asked");

    let mut child = supervisor(&folder).stdin(Stdio::piped()).spawn().expect("the supervisor starts");
    child.stdin.take().expect("a pipe").write_all(&errand).expect("told");
    assert!(child.wait().expect("it ends").success());

    let exit: Exit = serde_json::from_slice(&std::fs::read(folder.join(files::EXIT)).expect("its end")).expect("JSON");
    assert_eq!((exit.ended, exit.code, exit.trouble), (Some(Ended::Cancelled), None, None));
    assert_eq!(std::fs::read(folder.join(files::CONSOLE)).expect("a console"), b"");
}

/// A folder and what a supervisor is told there, for those who start one themselves.
async fn prepared(app: &TestApp, order: &Order) -> (PathBuf, Zeroizing<Vec<u8>>) {
    let id = Id::<Job>::new().to_string();
    let folder = app.state.config.data.dir.join(format!("supervised-{id}"));
    std::fs::create_dir(&folder).expect("made");
    let tools = app.state.ansible.tools(Locale::en).await.expect("Ansible is there (MUELLE_TEST_ANSIBLE)");
    let isolation = app.state.ansible.isolation(Locale::en).await.expect("namespaces are there");
    let place = Place::of(isolation, &folder, &id, tools.folders.clone());
    let errand = Errand::of(&id, order, &place, &tools).to_bytes().expect("it can be written");
    (folder, errand)
}

fn supervisor(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muelle"));
    command.arg("run-supervisor").arg(folder);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_when_the_server_dies() {
    let app = TestApp::start().await;
    let order = local("- hosts: all\n  tasks:\n    - ansible.builtin.command: sleep 2\n");
    let (folder, errand) = prepared(&app, &order).await;
    let told = folder.join("errand");
    std::fs::write(&told, errand.as_slice()).expect("written");

    let mut parent = Command::new("setsid")
        .args(["sh", "-c", "\"$0\" run-supervisor \"$1\" <\"$2\" & echo; wait"])
        .arg(env!("CARGO_BIN_EXE_muelle"))
        .arg(&folder)
        .arg(&told)
        .stdout(Stdio::null())
        .spawn()
        .expect("a parent starts");
    let began = Instant::now();
    while std::fs::metadata(folder.join(files::EVENTS)).map_or(0, |file| file.len()) == 0 {
        assert!(began.elapsed() < PATIENCE, "it has not begun");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let group = rustix::process::Pid::from_child(&parent);
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).expect("the parent dies");
    parent.wait().expect("it is gone");

    while !folder.join(files::EXIT).exists() {
        assert!(began.elapsed() < PATIENCE, "it has not ended");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let exit: Exit = serde_json::from_slice(&std::fs::read(folder.join(files::EXIT)).expect("its end")).expect("JSON");
    assert_eq!((exit.code, exit.ended), (Some(0), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_dies_with_its_supervisor_and_can_be_cleared_away() {
    let app = TestApp::start().await;
    let mut run =
        Watched::start(&app, remote("- hosts: a\n  tasks:\n    - ansible.builtin.command: sleep 600\n")).await;
    run.until(|event| matches!(event, RunEvent::HostStart { .. })).await;
    let told = std::fs::read(run.folder(&app).join(files::SUPERVISOR)).expect("it said who it is");
    let told: Value = serde_json::from_slice(&told).expect("JSON");
    let pid = i32::try_from(told["pid"].as_i64().expect("a number")).expect("a small one");

    let pid = rustix::process::Pid::from_raw(pid).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it dies");
    let began = Instant::now();
    while run.workspace.is_alive() {
        assert!(began.elapsed() < END, "it lives");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    assert_eq!(run.workspace.exit(), None);
    run.workspace.clone().remove().await;
    nothing_left(&run, began).await;
    assert!(!run.folder(&app).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_takes_too_long_or_says_nothing_is_ended() {
    let app = TestApp::start().await;
    let slow = "- hosts: all\n  tasks:\n    - ansible.builtin.command: sleep 600\n";
    let (mut whole, mut silence) = (local(slow), local(slow));
    whole.limits.whole = Duration::from_secs(6);
    silence.limits.silence = Duration::from_secs(6);

    let (mut whole, mut silence) = (Watched::start(&app, whole).await, Watched::start(&app, silence).await);
    let ((whole, _), (silence, _)) = tokio::join!(whole.end(), silence.end());

    assert_eq!((whole.ended, silence.ended), (Some(Ended::TooLong), Some(Ended::Silent)));
}

/// A filter that says a lot while Ansible reads the playbook.
const NOISE: &str = "import os
def noise(value):
    os.write(1, b'first of many\\n')
    for part in range(1000):
        os.write(1, b''.join(b'line %d of many, as a chatty module would say it\\n' % number for number in range(1000)))
    for part in range(20):
        os.write(1, b'x' * (1 << 20))
    for part in range(5):
        os.write(1, os.urandom(1 << 20))
    try:
        with open(os.environ['MUELLE_EVENTS'], 'wb') as events:
            events.write(b'nonsense\\n' + b'y' * (20 << 20) + b'\\n{\"sequence\": 9}\\n')
    except OSError:
        pass
    return value
class FilterModule:
    def filters(self):
        return {'noise': noise}
";

#[tokio::test(flavor = "multi_thread")]
async fn output_without_end_costs_neither_memory_nor_the_run() {
    let app = TestApp::start().await;
    let mut order =
        local("- hosts: \"{{ 'all' | noise }}\"\n  tasks:\n    - name: goes on\n      ansible.builtin.debug:\n");
    order.files.push(("filter_plugins/noise.py".to_owned(), NOISE.as_bytes().to_vec()));

    let mut run = Watched::start(&app, order).await;
    let holder: Value =
        serde_json::from_slice(&std::fs::read(run.folder(&app).join(files::SUPERVISOR)).expect("it said who it is"))
            .expect("JSON");
    let status = PathBuf::from(format!("/proc/{}/status", holder["pid"]));
    let mut most = 0;
    while run.workspace.exit().is_none() {
        let read = std::fs::read_to_string(&status).unwrap_or_default();
        let of_its_own =
            read.lines().find_map(|line| line.strip_prefix("RssAnon:")?.split_whitespace().next()?.parse().ok());
        most = most.max(of_its_own.unwrap_or(0));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (exit, _) = run.end().await;

    let console = run.console().await;
    assert_eq!((exit.code, exit.ended), (Some(0), None), "{}", &console[..2000.min(console.len())]);
    assert!(most < 100 << 10, "{most} KiB of memory");
    assert!(console.starts_with("first of many\n"));
    let tail = &console[console.len() - 200..];
    assert!(console.len() < (1 << 20) + 200 && tail.contains("reached its limit"), "{tail}");
    assert_eq!(run.states("goes on"), [("here".to_owned(), TaskState::Ok)]);
    assert_eq!(run.events[0].numbered.sequence, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_playbook_finds_nothing_of_the_server() {
    let app = TestApp::start().await;
    let canary = Id::<Job>::new().to_string();
    let (head, tail) = canary.split_at(8);
    let data = app.state.config.data.dir.clone();
    std::fs::write(data.join("canary"), &canary).expect("written");
    let neighbour = Neighbour::start(&canary);
    let engine = std::env::var("MUELLE_TEST_ENGINE").unwrap_or_default();
    let socket = engine.trim_start_matches("unix://");

    let order = local(&format!(
        "- hosts: all
  tasks:
    - name: look around
      ansible.builtin.shell: |
        word={head}; word=\"$word{tail}\"
        cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' >/tmp/said
        grep -c \"$word\" /tmp/said
        grep -rlas --devices=skip --exclude-dir=proc --exclude-dir=sys --exclude-dir=usr \"$word\" / | head
        ls -d {data} /var/lib {home}/.ssh /var/run/docker.sock {socket} 2>/dev/null
        find {home} /home/* -maxdepth 1 -type f 2>/dev/null
        find / -path /proc -prune -o -path /usr -prune -o -type s -print 2>/dev/null
        ls /proc | grep -c '^{pid}$'
        for folder in /usr /bin /usr/lib; do [ -w $folder ] && echo \"$folder can be written\"; done
        find /proc -path '/proc/[0-9]*' -prune -o -path '/proc/*self' -prune -o -type f -writable -print 2>/dev/null
        find /proc/[0-9]* -maxdepth 1 -name root -exec cat {{}}{data}/canary ';' 2>/dev/null
        echo looked
      changed_when: false
    - name: environment
      ansible.builtin.command: env
      changed_when: false
",
        data = data.display(),
        home = std::env::home_dir().expect("whoever runs this has a home").display(),
        pid = neighbour.0.id(),
    ));
    let mut run = Watched::start(&app, order).await;
    let (exit, _) = run.end().await;
    drop(neighbour);

    let console = run.console().await;
    assert_eq!(exit.code, Some(0), "{console}");
    let said = |number: usize| {
        let results: Vec<_> = run.events.iter().filter_map(|written| written.result.as_ref()).collect();
        results[number]["stdout"].as_str().expect("it said something").to_owned()
    };
    assert_eq!(said(0), "0\n0\nlooked");
    let own = [
        "ANSIBLE_",
        "MUELLE_EVENTS=",
        "MUELLE_RUN=",
        "MUELLE_PROJECT=",
        "PATH=",
        "HOME=",
        "LANG=",
        "LC_ALL=",
        "LC_",
        "PWD=",
        "TMPDIR=",
        "PYTHON",
        "SHLVL=",
        "_=",
    ];
    for line in said(1).lines() {
        assert!(own.iter().any(|name| line.starts_with(name)), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ansible_cannot_read_is_told_by_its_console_alone() {
    let app = TestApp::start().await;

    let mut run = Watched::start(&app, local("- hosts: all\n  tasks: nonsense\n")).await;
    let (exit, _) = run.end().await;

    assert!(run.console().await.contains("nonsense") || run.console().await.contains("ERROR"));
    assert_eq!((exit.code, exit.ended, exit.trouble), (Some(4), None, None));
    assert!(!run.events.iter().any(|written| matches!(written.numbered.event, RunEvent::Play { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_before_ansible_begins_is_a_sentence() {
    let app = TestApp::start().await;
    let mut order = local("- hosts: all\n");
    order.files.push(("../outside.yml".to_owned(), vec![]));

    let mut run = Watched::start(&app, order).await;
    let (exit, _) = run.end().await;

    assert_eq!(exit.trouble.as_deref(), Some("the path \"../outside.yml\" leaves the project"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_apart_from_the_server() {
    let app = TestApp::start().await;
    let check = |playbook: &str| Question {
        program: "ansible-playbook",
        arguments: ["--syntax-check", "-i", "localhost,", "site.yml"].map(str::to_owned).to_vec(),
        files: vec![("site.yml".to_owned(), playbook.as_bytes().to_vec())],
        limit: Duration::from_secs(30),
        ..Question::default()
    };

    let good =
        sandbox::ask(&app.state, Locale::en, check("- hosts: all\n  tasks:\n    - ansible.builtin.ping:\n")).await;
    let bad = sandbox::ask(&app.state, Locale::en, check("- hosts: all\n  tasks:\n    - no.such.module:\n")).await;
    let mut slow = check("- hosts: \"{{ lookup('pipe', 'sleep 600') }}\"\n");
    (slow.arguments, slow.limit) = (vec!["site.yml".to_owned()], Duration::from_secs(4));
    let began = Instant::now();
    let slow = sandbox::ask(&app.state, Locale::en, slow).await.expect("it is asked");

    assert_eq!(good.expect("it is asked").code, Some(0));
    let bad = bad.expect("it is asked");
    assert!(bad.code != Some(0) && bad.stderr.contains("no.such.module"), "{bad:?}");
    assert_eq!(slow.code, None);
    assert!(began.elapsed() < END);
    let left = std::fs::read_dir(app.state.config.data.dir.join("runs")).expect("it is there").count();
    assert_eq!(left, 0, "a question leaves no folder");
}

/// The user that runs Ansible where namespaces cannot be had: there is one of that name on every machine.
const USER: &str = "nobody";

/// A whole server whose runs work as [`USER`], with Ansible in this folder.
fn with_user(ansible: &Path) -> String {
    format!(
        "provisioning.namespaces = false\nprovisioning.user = {USER:?}\nprovisioning.ansible = {:?}\n",
        ansible.join("bin")
    )
}

/// Ansible as the distribution installs it: where every user can run it, with a Python of the system.
fn ansible_for_everybody() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;

    let bin = PathBuf::from(std::env::var("MUELLE_TEST_ANSIBLE").expect("MUELLE_TEST_ANSIBLE names Ansible's folder"));
    let ask = |python: &Path, what: &str| {
        let asked = Command::new(python).args(["-c", what]).output().expect("Python runs");
        String::from_utf8_lossy(&asked.stdout).trim().to_owned()
    };
    let version = "import sys; print(sys.version_info[:2])";
    let (own, system) = (bin.join("python3"), Path::new("/usr/bin/python3"));
    assert_eq!(ask(&own, version), ask(system, version), "Ansible must be that of the system's Python");
    let packages = ask(&own, "import ansible, os; print(os.path.dirname(os.path.dirname(ansible.__file__)))");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let all = |path: &Path| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("opened");
    all(folder.path());
    let copied = Command::new("cp").arg("-r").arg(packages).arg(folder.path().join("packages")).status();
    assert!(copied.expect("cp runs").success());
    let program = folder.path().join("bin/ansible-playbook");
    std::fs::create_dir(folder.path().join("bin")).expect("made");
    let text = format!(
        "#!/usr/bin/python3\nimport sys\nsys.path.insert(0, {:?})\nfrom ansible.cli.playbook import main\n\
         sys.exit(main())\n",
        folder.path().join("packages")
    );
    std::fs::write(&program, text).expect("written");
    all(&program);
    folder
}

/// What `ssh-add -l` says to a user of this number about the agent at a socket.
fn listed(socket: &Path, user: u32) -> (bool, String) {
    use std::os::unix::process::CommandExt as _;

    let output = Command::new("ssh-add")
        .arg("-l")
        .uid(user)
        .gid(user)
        .current_dir("/")
        .env("SSH_AUTH_SOCK", socket)
        .output()
        .expect("ssh-add is installed");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_as_a_user_of_its_own_signs_in_and_finds_nothing_of_the_server() {
    let ansible = ansible_for_everybody();
    let app = TestApp::start_with(Database::Sqlite, &with_user(ansible.path())).await;
    if !rustix::process::geteuid().is_root() {
        // Only root can run a program as somebody else; whoever is not root is told what to do.
        let refused = app.state.ansible.isolation(Locale::en).await;
        assert!(matches!(&refused, Err(Error::Unavailable { message, .. }) if message.contains("bubblewrap")));
        return;
    }
    let (user, group) = sandbox::user_named(USER).expect("the user is there");
    let canary = Id::<Job>::new().to_string();
    let (head, tail) = canary.split_at(8);
    let data = app.state.config.data.dir.clone();
    std::fs::write(data.join("canary"), &canary).expect("written");
    let neighbour = Neighbour::start(&canary);
    let mut order = remote(&format!(
        "- hosts: a
  become: true
  tasks:
    - name: who
      ansible.builtin.command: whoami
      changed_when: false
    - name: look around
      ansible.builtin.shell: |
        word={head}; word=\"$word{tail}\"
        id -u; id -g; id -G
        cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -c \"$word\"
        cat {data}/* {data}/runs/*/* 2>/dev/null | wc -c
        find {data} -mindepth 1 2>/dev/null | wc -l
        echo looked
      delegate_to: localhost
      become: false
      changed_when: false
    - name: length
      ansible.builtin.debug: {{msg: \"{{{{ own | length }}}}\"}}
    - name: stays
      ansible.builtin.command: sleep 600
",
        data = data.display(),
    ));
    order.inventory["all"]["hosts"]["localhost"] =
        json!({ "ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3" });
    order.inventory["all"]["hosts"]["a"]["ansible_user"] = json!("deploy");
    order.secrets = vec![
        ("own".to_owned(), Zeroizing::new("a-word-of-its-own".to_owned())),
        ("ansible_become_password".to_owned(), Zeroizing::new(HOST_PASSWORD.to_owned())),
    ];

    let mut run = Watched::start(&app, order).await;
    run.until(|event| matches!(event, RunEvent::HostStart { task: 3, .. })).await;
    let id = run.id.to_string();
    let inside = std::env::temp_dir().join(format!("muelle-{}", &id[id.len() - 12..]));
    let socket = inside.join("agent");
    let (by_user, by_root, by_another) = (listed(&socket, user), listed(&socket, 0), listed(&socket, user - 1));
    let owners: Vec<_> = [&inside, &socket]
        .map(|path| {
            use std::os::unix::fs::MetadataExt as _;
            let found = std::fs::symlink_metadata(path).expect("it is there");
            (found.uid(), found.gid(), found.mode() & 0o777)
        })
        .to_vec();
    let began = Instant::now();
    run.workspace.cancel().await.expect("asked");
    let (exit, _) = run.end().await;
    nothing_left(&run, began).await;
    drop(neighbour);

    let console = run.console().await;
    assert_eq!((exit.ended, exit.isolation.as_str()), (Some(Ended::Cancelled), "user"), "{console}");
    assert!(by_user.0 && by_user.1.contains("ED25519"), "{by_user:?}");
    assert!(by_root.0, "the supervisor loads the keys");
    assert!(!by_another.0 && by_another.1.is_empty(), "nobody else reaches the agent: {by_another:?}");
    assert_eq!(owners, [(user, group, 0o700), (user, group, 0o600)]);
    let said = |task: &str| {
        let number = run.tree().tasks.iter().position(|node| node.name == task).expect("the task began");
        let of_task = |written: &&Written| matches!(written.numbered.event, RunEvent::Result { task, .. } if task as usize == number);
        run.events.iter().find(of_task).and_then(|written| written.result.clone()).expect("it has a result")
    };
    assert_eq!(said("who")["stdout"], "root");
    assert_eq!(said("look around")["stdout"], format!("{user}\n{group}\n{group}\n0\n0\n0\nlooked"));
    assert_eq!(said("length")["msg"], 17);
    assert!(!inside.exists());

    // What that user may not enter, it is said.
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(ansible.path(), std::fs::Permissions::from_mode(0o700)).expect("closed");
    }
    let app = TestApp::start_with(Database::Sqlite, &with_user(ansible.path())).await;
    let refused = Workspace::start(&app.state, Locale::es, Id::new(), remote("- hosts: a\n")).await;
    assert!(
        matches!(&refused, Err(Error::Unavailable { message, .. })
            if message.contains("El usuario nobody") && message.contains("ansible-playbook")),
        "{:?}",
        refused.err()
    );
}

#[tokio::test]
async fn what_cannot_be_kept_apart_is_refused_unless_that_is_allowed() {
    for (more, allowed) in [("provisioning.namespaces = false", false), (UNISOLATED, true)] {
        let app = TestApp::start_with(Database::Sqlite, more).await;

        let isolation = app.state.ansible.isolation(Locale::en).await;

        match isolation {
            Ok(isolation) => assert!(allowed && isolation == sandbox::Isolation::None),
            Err(Error::Unavailable { message, .. }) => {
                assert!(!allowed && message.contains("bubblewrap") && message.contains("provisioning.user"));
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}
