//! What a program was told is kept is kept, even when the server is killed in the middle of writing.
//!
//! The real binary runs under eight writers and is killed twenty times without a word. Afterwards every
//! record that was acknowledged is there, with its values, and none is there twice.

use crate::process::{PATIENCE, Server};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::sync::Notify;

const ROUNDS: usize = 20;
const WRITERS: usize = 8;

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
    let mut server = Server::new(env!("CARGO_BIN_EXE_muelle"));
    server.set("MUELLE_DATABASE__URL", url);
    server.set("MUELLE_LOG__FILTER", "warn");
    server.create_administrator();
    let client = reqwest::Client::new();
    let acknowledged: Arc<Mutex<HashMap<String, Machine>>> = Arc::default();
    let mut ready_after = Vec::new();

    server.start();
    server.wait_until_ready(&client).await;
    let token = server.sign_in(&client).await;
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
