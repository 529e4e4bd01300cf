//! What a program was told is kept is kept, even when the server is killed in the middle of writing.
//!
//! The real binary runs under eight writers and is killed twenty times without a word. Afterwards every
//! record that was acknowledged is there, with its values, and none is there twice.

use serde_json::{Value, json};
use std::{
    collections::{HashMap, HashSet},
    io::Write as _,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::Notify;

const ROUNDS: usize = 20;
const WRITERS: usize = 8;
const USERNAME: &str = "keeper";
const PASSWORD: &str = "quay-wall-gull-42";

/// How long a server may take to become ready before the test gives up; how long it took is printed.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_on_sqlite() {
    survive("").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_on_postgresql() {
    let database = crate::support::PostgresDatabase::create().await;
    survive(database.url()).await;
}

/// The whole story, on the database at `url` (empty: SQLite in the data folder).
async fn survive(url: &str) {
    let mut server = Server::new(url);
    server.command(&["admin", "create-user", "--username", USERNAME, "--role", "admin", "--password-stdin"]);
    let client = reqwest::Client::new();
    let acknowledged: Arc<Mutex<HashMap<String, Machine>>> = Arc::default();
    let mut ready_after = Vec::new();

    server.start();
    server.wait_until_ready(&client).await;
    let token = sign_in(&client, &server.url).await;
    for round in 0..ROUNDS {
        // Another number of writes each time, so that the end falls into other moments of the writers.
        write_until_killed(&mut server, &client, &token, &acknowledged, round, 24 + round * 7 % 17).await;
        server.start();
        ready_after.push(server.wait_until_ready(&client).await);
    }
    let found = every_machine(&client, &server.url, &token).await;
    let histories = history_lengths(&client, &server.url, &token, &acknowledged).await;
    server.kill();

    let acknowledged = acknowledged.lock().expect("no writer has panicked");
    let longest = ready_after.iter().max().copied().unwrap_or_default();
    eprintln!(
        "{} acknowledged, {} found after {ROUNDS} kills; ready after {longest:?} at most",
        acknowledged.len(),
        found.len(),
    );
    assert!(acknowledged.len() >= ROUNDS * 24, "the writers wrote");
    let mut names = HashSet::new();
    for machine in &found {
        assert!(names.insert(&machine.name), "{} is there twice", machine.name);
    }
    for (id, machine) in &*acknowledged {
        let kept = found.iter().find(|kept| kept.id == *id);
        assert_eq!(kept, Some(machine), "{} was acknowledged", machine.name);
    }
    for (name, length) in histories {
        assert_eq!(length, 1, "{name} was made once, and its history says so");
    }
}

/// What a writer was told.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Machine {
    id: String,
    name: String,
    description: String,
}

impl Machine {
    fn read(value: &Value) -> Self {
        let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
        Self { id: text("id"), name: text("name"), description: text("description") }
    }
}

/// Lets all writers write at once until so many of their writes are acknowledged, and kills the server
/// while the others are still at it.
async fn write_until_killed(
    server: &mut Server,
    client: &reqwest::Client,
    token: &str,
    acknowledged: &Arc<Mutex<HashMap<String, Machine>>>,
    round: usize,
    enough: usize,
) {
    let count = Arc::new(AtomicUsize::new(0));
    let reached = Arc::new(Notify::new());
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (client, url, token) = (client.clone(), server.url.clone(), token.to_owned());
            let (acknowledged, count, reached) = (acknowledged.clone(), count.clone(), reached.clone());
            tokio::spawn(async move {
                for number in 0.. {
                    let name = format!("m-{round}-{writer}-{number}");
                    let body = json!({ "name": name, "type": "remote", "description": format!("{name} is kept") });
                    let sent = client.post(format!("{url}/api/v1/machines")).bearer_auth(&token).json(&body).send();
                    // No answer, or half of one: the server is gone, and nothing was promised.
                    let Ok(answer) = sent.await else { return };
                    let status = answer.status();
                    let Ok(text) = answer.text().await else { return };
                    assert_eq!(status, 201, "{text}");
                    let made = Machine::read(&serde_json::from_str(&text).expect("the answer is JSON"));
                    acknowledged.lock().expect("no writer has panicked").insert(made.id.clone(), made);
                    if count.fetch_add(1, Ordering::SeqCst) + 1 == enough {
                        reached.notify_one();
                    }
                }
            })
        })
        .collect();
    tokio::time::timeout(PATIENCE, reached.notified()).await.expect("the writers get on");
    server.kill();
    for writer in writers {
        writer.await.expect("every answer that came was a good one");
    }
}

async fn sign_in(client: &reqwest::Client, url: &str) -> String {
    let body = json!({ "username": USERNAME, "password": PASSWORD });
    let answer = client.post(format!("{url}/api/v1/login")).json(&body).send().await.expect("the server answers");
    let answer: Value = answer.json().await.expect("the answer is JSON");
    answer["token"].as_str().unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
}

async fn get(client: &reqwest::Client, url: &str, token: &str) -> Value {
    let answer = client.get(url).bearer_auth(token).send().await.expect("the server answers");
    assert_eq!(answer.status(), 200, "{url}");
    answer.json().await.expect("the answer is JSON")
}

async fn every_machine(client: &reqwest::Client, url: &str, token: &str) -> Vec<Machine> {
    let mut all = Vec::new();
    for page in 1.. {
        let answer = get(client, &format!("{url}/api/v1/machines?sort=name&per_page=100&page={page}"), token).await;
        let items = answer["items"].as_array().expect("a list has items");
        all.extend(items.iter().map(Machine::read));
        if items.is_empty() || answer["total"].as_u64() == u64::try_from(all.len()).ok() {
            break;
        }
    }
    all
}

/// How many changes the history of one acknowledged machine of each round has.
async fn history_lengths(
    client: &reqwest::Client,
    url: &str,
    token: &str,
    acknowledged: &Mutex<HashMap<String, Machine>>,
) -> Vec<(String, usize)> {
    let some: Vec<Machine> = {
        let all = acknowledged.lock().expect("no writer has panicked");
        all.values().filter(|machine| machine.name.ends_with("-0-0")).cloned().collect()
    };
    let mut lengths = Vec::new();
    for machine in some {
        let history = get(client, &format!("{url}/api/v1/machines/{}/history", machine.id), token).await;
        let entries = history.as_array().or_else(|| history["items"].as_array()).map_or(0, Vec::len);
        lengths.push((machine.name, entries));
    }
    lengths
}

/// The real binary on a data folder of its own; killed when dropped.
struct Server {
    url: String,
    address: String,
    database: String,
    folder: tempfile::TempDir,
    child: Option<Child>,
    started: Instant,
}

impl Server {
    fn new(database: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = free.local_addr().expect("a listener has an address").to_string();
        let (url, database) = (format!("http://{address}"), database.to_owned());
        Self { url, address, database, folder, child: None, started: Instant::now() }
    }

    fn process(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muelle"));
        let nowhere = self.folder.path().join("no-engine.sock");
        command
            .current_dir(self.folder.path())
            .env("MUELLE_SERVER__ADDRESS", &self.address)
            .env("MUELLE_DATA__DIR", self.data())
            .env("MUELLE_DATABASE__URL", &self.database)
            .env("MUELLE_ENGINE__ADDRESS", format!("unix://{}", nowhere.display()))
            .env("MUELLE_LOG__FILTER", "warn");
        command
    }

    fn data(&self) -> PathBuf {
        Path::join(self.folder.path(), "data")
    }

    /// Runs a command of the binary with the password as its standard input.
    fn command(&self, arguments: &[&str]) {
        let mut running = self
            .process()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary can be started");
        let mut input = running.stdin.take().expect("its standard input is ours");
        input.write_all(format!("{PASSWORD}\n").as_bytes()).expect("it reads the password");
        drop(input);
        assert!(running.wait().expect("it ends").success(), "{arguments:?}");
    }

    fn start(&mut self) {
        let child = self.process().arg("serve").stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        self.child = Some(child.expect("the binary can be started"));
        self.started = Instant::now();
    }

    /// Waits for the heartbeat; gives how long it took since the start.
    async fn wait_until_ready(&mut self, client: &reqwest::Client) -> Duration {
        while self.started.elapsed() < PATIENCE {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(ended.is_none(), "the server ended: {ended:?}");
            if let Ok(answer) = client.get(format!("{}/api/heartbeat", self.url)).send().await
                && answer.status().is_success()
            {
                return self.started.elapsed();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the server was not ready after {PATIENCE:?}");
    }

    /// Ends the process with SIGKILL, as a crash would.
    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("the server can be killed");
            child.wait().expect("the server has ended");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.kill());
            drop(child.wait());
        }
    }
}
