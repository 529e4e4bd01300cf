//! A server with real hosts, and its API as a program uses it.

use crate::{
    binary,
    hosts::{self, Hosts},
    process::Server,
};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// How long a run may take on a machine that is busy with others.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// Where runs are.
const RUNS: &str = "provisioning/runs";

/// A server that knows hosts as machines, with their keys trusted, and a key to sign in with.
pub struct Stage {
    /// The server.
    pub server: Server,
    /// The machines, in the order of the hosts.
    pub machines: Vec<String>,
    client: Client,
    token: String,
    credential: String,
}

impl Stage {
    /// Starts a server with real Ansible; `configure` has the last word on its configuration.
    pub async fn set(hosts: &Hosts, configure: impl FnOnce(&mut Server)) -> Self {
        let mut server = Server::new(binary());
        server.set("MUELLE_LOG__FILTER", "error");
        let ansible =
            std::env::var("MUELLE_TEST_ANSIBLE").expect("MUELLE_TEST_ANSIBLE names a folder (scripts/bench does)");
        server.set("MUELLE_PROVISIONING__ANSIBLE", &ansible);
        configure(&mut server);
        server.create_administrator();
        server.start();
        let client = Client::new();
        server.wait_until_ready(&client).await;
        let token = server.sign_in(&client).await;
        let mut stage = Self { server, machines: Vec::new(), client, token, credential: String::new() };
        let secret = std::fs::read_to_string(hosts::key()).expect("the key can be read");
        stage.credential =
            stage.make("credentials", json!({ "name": "key", "type": "ssh_key", "secret": secret })).await;
        for (number, address) in hosts.addresses.iter().enumerate() {
            let machine = json!({ "name": Hosts::name(number), "type": "remote", "ipv4": address, "ssh_user": "root" });
            let machine = stage.make("machines", machine).await;
            let shown = stage.post(&format!("machines/{machine}/host-keys/scan"), json!({})).await;
            let key = text(&shown["items"][0], "id");
            stage.post(&format!("machines/{machine}/host-keys/{key}/approve"), Value::Null).await;
            stage.machines.push(machine);
        }
        stage
    }

    /// Starts the server anew after [`Server::kill`], and signs in.
    pub async fn resume(&mut self) {
        self.client = Client::new();
        self.server.start();
        self.server.wait_until_ready(&self.client).await;
        self.token = self.server.sign_in(&self.client).await;
    }

    /// Reads something.
    pub async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, None).await
    }

    /// Asks for something to be done.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Makes a record and gives its identifier.
    pub async fn make(&self, plural: &str, fields: Value) -> String {
        text(&self.post(plural, fields).await, "id")
    }

    /// Makes a playbook with one further file, where there is one.
    pub async fn playbook(&self, name: &str, content: &str, mut fields: Value, file: Option<(&str, String)>) -> String {
        fields["name"] = json!(name);
        fields["content"] = json!(content);
        let id = self.make("playbooks", fields).await;
        if let Some((path, content)) = file {
            let url = format!("{}/api/v1/playbooks/{id}/files/{path}", self.server.url);
            let answer = self.client.put(url).bearer_auth(&self.token).body(content).send().await;
            let answer = answer.expect("the server answers");
            assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap_or_default());
        }
        id
    }

    /// Asks for a run on some machines, signed in with the key; gives its identifier.
    pub async fn start(&self, playbook: &str, machines: &[String], variables: Value) -> String {
        let options = json!({ "credentials": [self.credential], "variables": variables });
        let request = json!({ "playbook": playbook, "machines": machines, "options": options });
        text(&self.post(RUNS, request).await["job"], "id")
    }

    /// A run as it is now.
    pub async fn run(&self, id: &str) -> Value {
        self.get(&format!("{RUNS}/{id}")).await["run"].clone()
    }

    /// Waits until a run has ended.
    pub async fn ended(&self, id: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let run = self.run(id).await;
            if !matches!(run["state"].as_str(), Some("queued" | "running")) {
                return run;
            }
            assert!(Instant::now() < until, "it has not ended: {run}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The folder of a run that is under way.
    pub fn workspace(&self, id: &str) -> PathBuf {
        self.server.data().join("runs").join(id)
    }

    /// The events of a run from the first on.
    pub async fn events(&self, id: &str) -> Stream {
        self.stream(&format!("/api/v1/{RUNS}/{id}/events"), "").await
    }

    /// A stream, from after a cursor where it is not empty.
    pub async fn stream(&self, path: &str, cursor: &str) -> Stream {
        let mut request = self.client.get(format!("{}{path}", self.server.url)).bearer_auth(&self.token);
        request = request.header("accept", "text/event-stream");
        if !cursor.is_empty() {
            request = request.header("last-event-id", cursor);
        }
        let answer = request.send().await.expect("the server answers");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        Stream { answer, held: Vec::new(), begin: 0 }
    }

    /// A body that is read piece by piece.
    pub async fn body(&self, path: &str) -> Response {
        let answer =
            self.client.get(format!("{}/api/v1/{path}", self.server.url)).bearer_auth(&self.token).send().await;
        let answer = answer.expect("the server answers");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut request = self.client.request(method, format!("{}/api/v1/{path}", self.server.url));
        if let Some(body) = body.filter(|body| !body.is_null()) {
            request = request.json(&body);
        }
        let answer = request.bearer_auth(&self.token).send().await.expect("the server answers");
        let (status, said) = (answer.status(), answer.text().await.unwrap_or_default());
        assert!(status.is_success(), "{path}: {status} {said}");
        serde_json::from_str(&said).unwrap_or_default()
    }
}

/// A text field that must be there.
pub fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}")).to_owned()
}

/// Server-sent events as they come.
pub struct Stream {
    answer: Response,
    held: Vec<u8>,
    begin: usize,
}

/// One server-sent event.
pub struct Piece {
    /// What kind it is.
    pub event: String,
    data: String,
}

impl Stream {
    /// The next event; `None` once the stream has ended or was cut off.
    pub async fn next(&mut self) -> Option<Piece> {
        let mut searched = self.begin;
        loop {
            if let Some(found) = self.held[searched..].windows(2).position(|pair| pair == b"\n\n") {
                let end = searched + found;
                let piece = Piece::read(&self.held[self.begin..end]);
                self.begin = end + 2;
                searched = self.begin;
                match piece {
                    Some(piece) => return Some(piece),
                    None => continue,
                }
            }
            self.held.drain(..std::mem::take(&mut self.begin));
            searched = self.held.len().saturating_sub(1);
            self.held.extend_from_slice(&self.answer.chunk().await.ok().flatten()?);
        }
    }
}

impl Piece {
    /// Reads one event; `None` for a comment.
    fn read(frame: &[u8]) -> Option<Self> {
        let mut piece = Self { event: String::new(), data: String::new() };
        for line in String::from_utf8_lossy(frame).lines() {
            match line.split_once(": ") {
                Some(("event", value)) => value.clone_into(&mut piece.event),
                Some(("data", value)) => value.clone_into(&mut piece.data),
                _ => {}
            }
        }
        (!piece.event.is_empty()).then_some(piece)
    }

    /// Its data.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {}", self.data))
    }
}
