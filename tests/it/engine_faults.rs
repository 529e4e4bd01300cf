//! Engines that misbehave: slow, broken off, endless, garbled, silent. Each costs its own answer, and
//! neither a page nor memory.

use crate::{
    deployments::{Story, docker, service, until},
    process::Server,
    support::ROOT,
};
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{UnixListener, UnixStream},
    sync::watch,
};

const CONTAINERS: &str = "/api/v1/engines/local/containers";

/// What an answer of an engine may cost, and the server itself beside it.
const MOST_GROWTH: u64 = 256 * 1024 * 1024;

/// An engine of our own between the server and the real one.
struct Faulty {
    socket: PathBuf,
    mood: watch::Sender<Mood>,
    _folder: TempDir,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    /// Everything passes to the real engine.
    Good,
    /// As good, and whoever asks for a list is refused.
    NoLists,
    /// One byte a second.
    Dripping,
    /// The connection ends in the middle of a piece.
    Breaking,
    /// A head that does not end.
    EndlessHead,
    /// It says who it is, and its lists do not end.
    EndlessLists,
    /// Its words are no text.
    Garbled,
    /// Nothing comes.
    Silent,
    /// An engine of that minor API version, which understands that and what is older.
    Speaks(u32),
}

impl Faulty {
    fn start() -> Arc<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let socket = folder.path().join("docker.sock");
        let (mood, moods) = watch::channel(Mood::Good);
        let listener = UnixListener::bind(&socket).expect("a socket can be made");
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, moods.clone()));
            }
        });
        Arc::new(Self { socket, mood, _folder: folder })
    }

    fn address(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    fn set(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }
}

/// Serves one request; another mood ends it, except that lists may go while the rest stays.
async fn serve(mut client: UnixStream, mut moods: watch::Receiver<Mood>) {
    let mood = *moods.borrow_and_update();
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        if client.read_buf(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
    }
    tokio::select! {
        _ = moods.wait_for(|now| *now != mood && *now != Mood::NoLists) => {}
        _ = speak(client, &head, mood) => {}
    }
}

async fn speak(mut client: UnixStream, head: &[u8], mood: Mood) -> std::io::Result<()> {
    let line = String::from_utf8_lossy(head);
    let path = line.split(' ').nth(1).unwrap_or_default();
    let is_list = path.contains("/containers/json") || path.contains("/images/json");
    match mood {
        Mood::NoLists if is_list => {
            client.write_all(&answer("500 Internal Server Error", br#"{"message": "the list is lost"}"#)).await
        }
        Mood::Good | Mood::NoLists => {
            let mut engine = UnixStream::connect(service("MUELLE_TEST_ENGINE").trim_start_matches("unix://")).await?;
            engine.write_all(head).await?;
            copy_bidirectional(&mut client, &mut engine).await.map(drop)
        }
        Mood::Dripping => {
            for byte in answer("200 OK", b"OK") {
                client.write_all(&[byte]).await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Ok(())
        }
        Mood::Breaking => {
            client.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n[{\"Id\": \"").await
        }
        Mood::EndlessHead => {
            client.write_all(b"HTTP/1.1 200 OK\r\nX-More: ").await?;
            loop {
                client.write_all(&[b'a'; 8192]).await?;
            }
        }
        Mood::EndlessLists if !is_list => describe(client, path).await,
        Mood::EndlessLists => {
            client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n[").await?;
            let entry = format!(r#"{{"Id": "{}", "Names": ["/one"]}},"#, "ab".repeat(32));
            loop {
                client.write_all(entry.repeat(500).as_bytes()).await?;
            }
        }
        Mood::Garbled if !is_list => describe(client, path).await,
        Mood::Garbled => {
            let id = "ab".repeat(32);
            let mut body = format!(r#"[{{"Id": "{id}", "Created": 1, "Names": ["/odd"#).into_bytes();
            body.extend([0xff, 0xc3, b'(']);
            body.extend(br#""], "RepoTags": ["odd:1"]}]"#);
            client.write_all(&answer("200 OK", &body)).await
        }
        Mood::Silent => std::future::pending().await,
        Mood::Speaks(own) => {
            let asked = path.strip_prefix("/v1.").and_then(|rest| rest.split('/').next()?.parse::<u32>().ok());
            match asked {
                Some(asked) if asked > own => {
                    let body = format!(r#"{{"message": "client version 1.{asked} is too new"}}"#);
                    client.write_all(&answer("400 Bad Request", body.as_bytes())).await
                }
                _ if is_list => client.write_all(&answer("200 OK", b"[]")).await,
                _ if path.ends_with("/version") => {
                    let body = format!(r#"{{"Version": "of 1.{own}", "ApiVersion": "1.{own}"}}"#);
                    client.write_all(&answer("200 OK", body.as_bytes())).await
                }
                _ => describe(client, path).await,
            }
        }
    }
}

/// What an engine says of itself, in words that are hardly text.
async fn describe(mut client: UnixStream, path: &str) -> std::io::Result<()> {
    let body: &[u8] = match path.rsplit('/').next().unwrap_or_default() {
        "version" => br#"{"Version": "99.0", "ApiVersion": "1.44"}"#,
        "info" => b"{\"Name\": \"odd\xff\"}",
        events if events.starts_with("events") => {
            client.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
            return std::future::pending().await;
        }
        _ => b"{}",
    };
    client.write_all(&answer("200 OK", body)).await
}

fn answer(status: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend(body);
    answer
}

/// The most memory that a process has had, in bytes.
fn greatest_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the system counts it");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("it is a number");
    kib * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_misbehaves_costs_neither_a_page_nor_memory() {
    let engine = Faulty::start();
    let mut server = Server::new(env!("CARGO_BIN_EXE_muelle"));
    server.set("MUELLE_ENGINE__ADDRESS", &engine.address());
    server.set("MUELLE_LOG__FILTER", "warn");
    server.create_administrator();
    server.start();
    let client = reqwest::Client::new();
    server.wait_until_ready(&client).await;
    let token = server.sign_in(&client).await;
    let ask = async |request: reqwest::RequestBuilder| {
        let begun = Instant::now();
        let answer = request.bearer_auth(&token).timeout(Duration::from_secs(20)).send().await.expect("it answers");
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.unwrap_or_default(), begun.elapsed())
    };
    let get = async |path: &str| ask(client.get(format!("{}{path}", server.url))).await;
    let status = async || get("/api/v1/engines/local").await.1;
    let is_up = async || status().await["is_up"] == true;
    until("it is up", Duration::from_secs(10), is_up).await;
    let pid = server.pid().expect("it runs");
    let before = greatest_memory(pid);

    for (mood, words, limit) in [
        (Mood::Dripping, "does not answer", 5),
        (Mood::Breaking, "breaks off", 5),
        (Mood::EndlessHead, "cannot be read", 5),
        (Mood::EndlessLists, "greater than", 10),
        (Mood::Silent, "does not answer", 5),
    ] {
        engine.set(mood);
        let told = until(&format!("{mood:?} is told"), Duration::from_secs(limit), || async {
            let status = status().await;
            status["is_up"] == false && status["problem"].as_str().is_some_and(|problem| problem.contains(words))
        })
        .await;
        let (listed, list, took) = get(CONTAINERS).await;
        assert!(listed == 200 && list["engine"]["is_up"] == false && took < Duration::from_secs(1), "{took:?}: {list}");
        let start = json!({"operation": "start", "object": "nobody"});
        for request in [
            client.get(format!("{}{CONTAINERS}/nobody", server.url)),
            client.get(format!("{}{CONTAINERS}/nobody/logs?follow=true", server.url)),
            client.post(format!("{}{CONTAINERS}/operations", server.url)).json(&start),
        ] {
            let (status, body, took) = ask(request).await;
            assert!(status == 503 && took < Duration::from_secs(5), "{mood:?} after {took:?}: {status} {body}");
            assert!(body["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
        }
        engine.set(Mood::Good);
        let back = until("it is up again", Duration::from_secs(5), is_up).await;
        eprintln!("{mood:?}: told after {told:?}, up again after {back:?}");
    }

    let grown = greatest_memory(pid).saturating_sub(before);
    eprintln!("it has grown by {} MiB", grown / (1024 * 1024));
    assert!(grown < MOST_GROWTH, "{grown} bytes");
}

#[tokio::test]
async fn words_that_are_no_text_cost_themselves_only() {
    let engine = Faulty::start();
    engine.set(Mood::Garbled);
    let story = Story::at(&engine.address(), None).await.up().await;
    let root = story.app.client(ROOT).await;

    let listed = root.get(CONTAINERS).await.expect(200).json();
    let status = root.get("/api/v1/engines/local").await.expect(200).json();

    assert_eq!(listed["items"][0]["name"], "odd\u{fffd}\u{fffd}(");
    assert_eq!(status["info"]["host"], "odd\u{fffd}");
}

#[tokio::test]
async fn versions_are_agreed_on_again_whenever_the_engine_comes_back_as_another() {
    let engine = Faulty::start();
    engine.set(Mood::Speaks(40));
    let story = Story::at(&engine.address(), None).await;
    let root = story.app.client(ROOT).await;
    let status = async || root.get("/api/v1/engines/local").await.expect(200).json();

    until("it is told to be too old", Duration::from_secs(10), || async {
        status().await["problem"].as_str().is_some_and(|problem| problem.contains("1.40"))
    })
    .await;
    assert_eq!(status().await["is_up"], false);

    for version in [41, 99, 44] {
        engine.set(Mood::Speaks(version));
        until("the other engine is up", Duration::from_secs(20), || async {
            let status = status().await;
            status["is_up"] == true && status["info"]["api_version"] == format!("1.{version}")
        })
        .await;
        assert_eq!(root.get(CONTAINERS).await.expect(200).json()["items"], json!([]), "1.{version}");
    }
}

#[tokio::test]
async fn what_was_done_is_told_as_done_when_the_list_cannot_be_read_afterwards() {
    let engine = Faulty::start();
    let story = Story::at(&engine.address(), None).await.up().await;
    let root = story.app.client(ROOT).await;
    let id = story.container(ROOT, "web", json!({}), true).await;
    let ask = |format: &str| docker(&["inspect", "--format", format, &id]);
    // A container of another test may ask for a list just then, and the engine counts as away before ours is asked.
    // To ask again hides nothing: what was done would be refused the second time.
    let without_lists = async |path: &str, body: Value| {
        for _ in 0..10 {
            until("it is up", Duration::from_secs(5), || async {
                root.get("/api/v1/engines/local").await.json()["is_up"] == true
            })
            .await;
            engine.set(Mood::NoLists);
            let answer = root.post(path, &body).await;
            engine.set(Mood::Good);
            if answer.status != 503 {
                return answer.expect(200).json()["result"].clone();
            }
        }
        panic!("the engine is never up for long enough");
    };
    let containers = format!("{CONTAINERS}/operations");

    let renamed = json!({"operation": "rename", "data": {"name": story.name("other")}, "object": id});
    assert_eq!(without_lists(&containers, renamed).await["id"], id.as_str());
    assert_eq!(ask("{{.Name}}"), format!("/{}", story.name("other")));
    without_lists(&containers, json!({"operation": "pause", "object": id})).await;
    assert_eq!(ask("{{.State.Status}}"), "paused");
    without_lists(&containers, json!({"operation": "unpause", "object": id})).await;

    let tag = json!({"operation": "tag", "data": {"repository": "muelle/seen", "tag": story.name("x")},
        "object": service("MUELLE_TEST_IMAGE")});
    let tagged = without_lists("/api/v1/engines/local/images/operations", tag).await;
    assert_eq!(tagged["tagged"], format!("muelle/seen:{}", story.name("x")));
    docker(&["rmi", &format!("muelle/seen:{}", story.name("x"))]);

    let removed = json!({"operation": "remove", "data": {"force": true}, "object": id});
    assert_eq!(without_lists(&containers, removed).await["removed"], id.as_str());
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("id={id}")]), "");
}
