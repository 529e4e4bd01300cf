//! What stories of runs stand on: real hosts as machines of a customer, their keys trusted, and hosts of a story's
//! own, which may be treated badly.

use crate::support::{Answer, Client, Person, REGULAR, SYSTEM, TestApp, kind};
use muelle::{
    authentication::server::Operating,
    id::Id,
    jobs::{model::Job, server as jobs},
    platform::db::{Db, sql},
    provisioning::{
        machines::{HostKey, KeyOwner},
        model::{Run, TaskNode, TaskState, Tree},
        server::{host_keys, processes, store},
    },
    storage::Machine,
};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How long a run may take on a machine that is busy with others.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// How long a run may take to leave nothing on the server, once somebody wants its end.
pub const END: Duration = Duration::from_secs(20);

/// Where runs are asked for.
pub const RUNS: &str = "/api/v1/provisioning/runs";

/// The password of the user `deploy` on every host.
pub const HOST_PASSWORD: &str = "anchor-chain-42";

/// A whole server that keeps nothing apart.
pub const UNISOLATED: &str = "provisioning.namespaces = false\nprovisioning.allow_unisolated = true\n";

/// A task that takes as many seconds as it is told.
pub const SLEEP: &str = "
- hosts: web
  gather_facts: false
  tasks:
    - name: wait for the tide
      command: sleep {{ seconds }}
";

/// The addresses of the hosts that all stories share.
pub fn addresses() -> Vec<String> {
    let all = std::env::var("MUELLE_TEST_HOSTS")
        .expect("MUELLE_TEST_HOSTS must name hosts with SSH (scripts/services starts some)");
    all.split(',').map(str::to_owned).collect()
}

/// The file of the private key that root has on every host.
pub fn key_file() -> PathBuf {
    std::env::var("MUELLE_TEST_HOST_KEY").expect("MUELLE_TEST_HOST_KEY must name a private key").into()
}

/// Gives a command as root on one of the hosts that all stories share.
pub fn on_host(address: &str, command: &[&str]) -> Output {
    let output = Command::new("ssh")
        .args(["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-i"])
        .arg(key_file())
        .arg(format!("root@{address}"))
        .args(command)
        .output()
        .expect("ssh is installed");
    // OpenSSH ends like this when it cannot sign in: the command was never given.
    assert_ne!(output.status.code(), Some(255), "{address}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A server with the real hosts as machines of Acme, in the group `web`, their keys trusted, and a key to sign in with.
pub struct Stage {
    /// The server.
    pub app: TestApp,
    /// The machines `web-1`, `web-2` and so on.
    pub machines: Vec<String>,
    /// The group `web`.
    pub group: String,
    /// The credential that signs in as root.
    pub key: String,
}

impl Stage {
    /// With two hosts.
    pub async fn set(app: TestApp) -> Self {
        Self::of(app, 2).await
    }

    /// With so many of the hosts that all stories share.
    pub async fn of(app: TestApp, hosts: usize) -> Self {
        let mut machines = Vec::new();
        for (number, address) in addresses().iter().take(hosts).enumerate() {
            let machine = machine(&app, REGULAR, &format!("web-{}", number + 1), address).await;
            trust(&app, REGULAR, machine).await;
            machines.push(machine.to_string());
        }
        let group = app.make(REGULAR, kind("host"), json!({ "name": "web", "machines": machines })).await;
        let key = key(&app, REGULAR).await;
        Self { group: group.base.id.to_string(), app, machines, key }
    }

    /// A new playbook.
    pub async fn playbook(&self, name: &str, content: &str) -> String {
        self.playbook_with(name, content, json!({})).await
    }

    /// A new playbook with further fields.
    pub async fn playbook_with(&self, name: &str, content: &str, mut more: Value) -> String {
        more["name"] = json!(name);
        more["content"] = json!(content);
        self.app.make(REGULAR, kind("playbook"), more).await.base.id.to_string()
    }

    /// Puts a file beside a playbook.
    pub async fn file(&self, playbook: &str, path: &str, content: impl AsRef<[u8]>) {
        let client = self.app.client(REGULAR).await;
        let body = Some(("application/octet-stream", content.as_ref().to_vec()));
        client.send("PUT", &format!("/api/v1/playbooks/{playbook}/files/{path}"), body).await.expect(204);
    }

    /// A new credential.
    pub async fn credential(&self, input: Value) -> String {
        self.app.make(REGULAR, kind("credential"), input).await.base.id.to_string()
    }

    /// A request for all hosts; with the key, unless the options name credentials.
    pub fn request(&self, playbook: &str, mut options: Value) -> Value {
        if options["credentials"].is_null() {
            options["credentials"] = json!([self.key]);
        }
        json!({ "playbook": playbook, "hosts": [self.group], "options": options })
    }

    /// Asks for a run on all hosts.
    pub async fn start(&self, playbook: &str, options: Value) -> Id<Job> {
        let client = self.app.client(REGULAR).await;
        started(&client.post(RUNS, &self.request(playbook, options)).await.expect(202))
    }

    /// Runs it on all hosts and waits for its end.
    pub async fn run(&self, playbook: &str, options: Value) -> Run {
        let id = self.start(playbook, options).await;
        ended(&self.app, id).await
    }
}

/// A machine of somebody's customer at an address, where root signs in.
pub async fn machine(app: &TestApp, person: Person, name: &str, address: &str) -> Id<Machine> {
    let input = json!({ "name": name, "type": "remote", "ipv4": address, "ssh_user": "root" });
    app.make(person, kind("machine"), input).await.base.id.cast()
}

/// The credential that signs in to every host as root.
pub async fn key(app: &TestApp, person: Person) -> String {
    let secret = std::fs::read_to_string(key_file()).expect("the key can be read");
    let input = json!({ "name": "deploy key", "type": "ssh_key", "secret": secret });
    app.make(person, kind("credential"), input).await.base.id.to_string()
}

/// Asks a machine for its key and trusts it.
pub async fn trust(app: &TestApp, person: Person, machine: Id<Machine>) -> HostKey {
    let owner = KeyOwner::Machine(machine);
    let permit = app.context(person).permit::<Operating>("machine").expect("they may");
    let limit = Instant::now() + PATIENCE;
    let shown = loop {
        match host_keys::scan(&permit, owner, None).await {
            Ok(shown) => break shown,
            // A host that is busy with other stories may not answer in time.
            Err(error) => assert!(Instant::now() < limit, "the host shows no key: {error:?}"),
        }
    };
    host_keys::decide(&permit, owner, shown.items[0].id, true).await.expect("it can be trusted")
}

/// The run that an answer names.
pub fn started(answer: &Answer) -> Id<Job> {
    answer.json()["job"]["id"].as_str().expect("the job is named").parse().expect("it is an id")
}

/// A run as it is now.
pub async fn run(app: &TestApp, id: Id<Job>) -> Run {
    store::run(&app.state, &SYSTEM, id).await.expect("the run is there")
}

/// Waits for the end of a run.
pub async fn ended(app: &TestApp, id: Id<Job>) -> Run {
    ended_within(app, id, PATIENCE).await
}

/// Waits so long for the end of a run.
pub async fn ended_within(app: &TestApp, id: Id<Job>, limit: Duration) -> Run {
    let limit = Instant::now() + limit;
    loop {
        let run = run(app, id).await;
        if run.state.is_finished() {
            return run;
        }
        assert!(Instant::now() < limit, "the run stays {run:?}\n{:.20000}", console(app, id).await);
        sleep(Duration::from_millis(50)).await;
    }
}

/// What a run did so far.
pub async fn tree(app: &TestApp, id: Id<Job>) -> Tree {
    store::view(&app.state, &SYSTEM, id).await.expect("the run is there").tree
}

/// Per host, how a task of that name ended.
pub fn states(tree: &Tree, task: &str) -> Vec<(String, TaskState)> {
    let nodes = tree.tasks.iter().filter(|node| node.name == task);
    let mut found: Vec<_> =
        nodes.flat_map(|node| &node.cells).map(|(host, cell)| (tree.hosts[*host].clone(), cell.state)).collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// What a task of that name said on a host.
pub async fn result(app: &TestApp, id: Id<Job>, task: &str, host: &str) -> Value {
    let tree = tree(app, id).await;
    let place = tree.hosts.iter().position(|known| known == host).expect("the host took part");
    let node = tree.tasks.iter().find(|node| node.name == task).expect("the task began");
    let sequence = node.cells.get(&place).expect("the host did it").sequence;
    store::result(&app.state, &SYSTEM, id, sequence).await.expect("there is a result")
}

/// Waits until something in the tree of a run is as wished.
pub async fn until_tree(app: &TestApp, id: Id<Job>, what: &str, wished: impl Fn(&Tree) -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !wished(&tree(app, id).await) {
        let run = run(app, id).await;
        assert!(!run.state.is_finished(), "it ended before {what}: {run:?}\n{}", console(app, id).await);
        assert!(Instant::now() < limit, "there is no {what}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until a task of that name is under way on a host.
pub async fn until_busy(app: &TestApp, id: Id<Job>, task: &str) {
    let is_busy = |node: &TaskNode| node.cells.values().any(|cell| cell.state == TaskState::Running);
    until_tree(app, id, task, |tree| tree.tasks.iter().any(|node| node.name == task && is_busy(node))).await;
}

/// Waits until the job has ended; a run is told to have ended a moment before its job is.
pub async fn job(app: &TestApp, id: Id<Job>) -> Job {
    let limit = Instant::now() + PATIENCE;
    loop {
        let job = jobs::store::job(&app.state, &SYSTEM, id).await.expect("the job is there");
        if job.state.is_finished() {
            return job;
        }
        assert!(Instant::now() < limit, "the job stays {job:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// The first thousand lines of what the console said.
pub async fn console(app: &TestApp, id: Id<Job>) -> String {
    let lines = jobs::store::lines(&app.state, &SYSTEM, id, 0, 1000).await.expect("the lines can be read");
    lines.into_iter().map(|line| line.text + "\n").collect()
}

/// Everything that a stream of a run says from a cursor on, as `(event, id, data)`.
pub async fn stream(app: &TestApp, client: &Client, id: Id<Job>, cursor: i64) -> Vec<(String, String, Value)> {
    let request = reqwest::Client::new()
        .get(app.url(&format!("{RUNS}/{id}/events")))
        .bearer_auth(client.token().expect("they are signed in"))
        .header("accept", "text/event-stream")
        .header("last-event-id", cursor.to_string());
    let answer = tokio::time::timeout(PATIENCE, async { request.send().await?.text().await });
    let text = answer.await.expect("the stream ends").expect("the stream can be read");
    let field = |frame: &str, name: &str| {
        frame.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default().to_owned()
    };
    let frames = text.split("\n\n").filter(|frame| frame.contains("event: "));
    frames
        .map(|frame| {
            let data = serde_json::from_str(&field(frame, "data")).expect("events hold JSON");
            (field(frame, "event"), field(frame, "id"), data)
        })
        .collect()
}

/// Lets the leases of all running jobs run out, as if their time had passed.
pub async fn expire_leases(app: &TestApp) {
    let statement = sql("update jobs set lease_until = 1 where state = 'running'");
    app.state.db.execute(&SYSTEM, statement).await.expect("it is written");
}

/// Waits until nothing of a run is left on the server: no process, no folder, no connection that SSH keeps open.
pub async fn nothing_left(data: &Path, id: Id<Job>, since: Instant) {
    let (name, folder) = (id.to_string(), data.join(format!("runs/{id}")));
    let elsewhere = std::env::temp_dir().join(format!("muelle-{}", &name[name.len() - 12..]));
    loop {
        let left: Vec<_> = processes::mentioning(&name).into_iter().filter_map(processes::read).collect();
        if left.is_empty() && !folder.exists() && !elsewhere.exists() {
            return;
        }
        assert!(since.elapsed() < END, "still there: {left:?}, {}: {}", folder.display(), folder.exists());
        sleep(Duration::from_millis(50)).await;
    }
}

/// Whether a text stands in a file of the server, or in its database.
pub async fn is_in_files(app: &TestApp, text: &str) -> bool {
    fn walk(folder: &Path, text: &str) -> bool {
        let Ok(entries) = std::fs::read_dir(folder) else { return false };
        entries.flatten().any(|entry| {
            let path = entry.path();
            if path.is_dir() {
                return walk(&path, text);
            }
            std::fs::read(&path).is_ok_and(|content| String::from_utf8_lossy(&content).contains(text))
        })
    }
    match &app.state.db {
        // The database is one of the files once everything written has reached it.
        Db::Sqlite { writer, .. } => {
            let checkpoint = sqlx::query_as::<_, (i64, i64, i64)>("pragma wal_checkpoint(full)");
            checkpoint.fetch_one(writer).await.expect("it answers");
        }
        Db::Postgres(pool) => {
            let tables = "select table_name::text from information_schema.tables where table_schema = 'public'";
            let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(pool).await.expect("it answers");
            assert!(tables.iter().any(|table| table == "job_lines"), "{tables:?}");
            for table in tables {
                let holds = format!(
                    "select exists (select 1 from \"{table}\" as held, jsonb_each_text(to_jsonb(held)) as field
                                    where position($1 in field.value) > 0)"
                );
                let holds = sqlx::query_scalar(sqlx::AssertSqlSafe(holds)).bind(text).fetch_one(pool).await;
                if holds.expect("it answers") {
                    return true;
                }
            }
        }
    }
    walk(&app.state.config.data.dir, text)
}

/// A host of a story's own on the engine of the tests. It goes with the value.
pub struct OwnHost {
    name: String,
    /// Where it is.
    pub address: String,
}

impl OwnHost {
    /// Starts one and waits until it lets somebody in.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    async fn start_with(more: &[&str]) -> Self {
        let image = std::env::var("MUELLE_TEST_HOST_IMAGE")
            .expect("MUELLE_TEST_HOST_IMAGE must name an image of hosts (scripts/services makes it)");
        let public = std::fs::read_to_string(key_file().with_extension("pub")).expect("the public key lies beside it");
        let name = format!("muelle-own-{}", Id::<()>::new());
        let key = format!("MUELLE_HOST_KEY={}", public.trim());
        let mut arguments =
            vec!["run", "--detach", "--init", "--label", "muelle.test=true", "--network", "muelle-hosts"];
        arguments.extend(["--name", &name, "--env", &key]);
        arguments.extend(more);
        arguments.push(&image);
        docker(&arguments);
        let format = "{{(index .NetworkSettings.Networks \"muelle-hosts\").IPAddress}}";
        let address = docker(&["inspect", "--format", format, &name]).trim().to_owned();
        let this = Self { name, address };
        let limit = Instant::now() + PATIENCE;
        while tokio::net::TcpStream::connect((this.address.as_str(), 22)).await.is_err() {
            assert!(Instant::now() < limit, "sshd does not listen on {}", this.address);
            sleep(Duration::from_millis(50)).await;
        }
        this
    }

    /// Another computer at the same address, with a key of its own.
    pub async fn set_up_anew(self) -> Self {
        let address = self.address.clone();
        drop(self);
        Self::start_with(&["--ip", &address]).await
    }

    /// Ends it while it works.
    pub fn kill(&self) {
        docker(&["kill", &self.name]);
    }

    /// Stops its clock: it says nothing any more and closes no connection.
    pub fn freeze(&self) {
        docker(&["pause", &self.name]);
    }
}

impl Drop for OwnHost {
    fn drop(&mut self) {
        docker(&["rm", "--force", "--volumes", &self.name]);
    }
}

/// Asks the engine of the tests.
fn docker(arguments: &[&str]) -> String {
    let engine = std::env::var("MUELLE_TEST_ENGINE").expect("MUELLE_TEST_ENGINE must name an engine");
    let output = Command::new("docker")
        .args(arguments)
        .env_remove("DOCKER_CONTEXT")
        .env("DOCKER_HOST", engine)
        .output()
        .expect("docker's client is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || std::thread::panicking(), "docker {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
