//! The real binary, as an administrator runs it: on a data folder of its own, started, killed and
//! started again.

#![allow(dead_code, reason = "the tests use one part of it and the measurements another")]

use serde_json::{Value, json};
use std::{
    io::Write as _,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long anything may take before a story gives up.
pub const PATIENCE: Duration = Duration::from_secs(30);

const USERNAME: &str = "keeper";
const PASSWORD: &str = "quay-wall-gull-42";

/// A server's process, its address and its folder. Killed when dropped, and the folder removed.
pub struct Server {
    /// Where it listens, without a slash at the end.
    pub url: String,
    binary: &'static str,
    environment: Vec<(&'static str, String)>,
    folder: tempfile::TempDir,
    child: Option<Child>,
    started: Instant,
}

impl Server {
    /// One that was never started: SQLite in an empty folder, a free port, no engine.
    pub fn new(binary: &'static str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = free.local_addr().expect("a listener has an address");
        let mut server = Self {
            url: format!("http://{address}"),
            binary,
            environment: Vec::new(),
            folder,
            child: None,
            started: Instant::now(),
        };
        let nowhere = format!("unix://{}", server.folder.path().join("no-engine.sock").display());
        server.set("MUELLE_SERVER__ADDRESS", &address.to_string());
        server.set("MUELLE_DATA__DIR", &server.data().display().to_string());
        server.set("MUELLE_DATABASE__URL", "");
        server.set("MUELLE_SERVER__CALLS_PER_MINUTE", "0");
        server.set("MUELLE_ENGINE__ADDRESS", &nowhere);
        server
    }

    /// Configures it, from its next start on.
    pub fn set(&mut self, name: &'static str, value: &str) {
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.to_owned()));
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        Path::join(self.folder.path(), "data")
    }

    /// The number of its process while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The binary with this server's configuration, to be given a command.
    pub fn process(&self) -> Command {
        let mut command = Command::new(self.binary);
        command.envs(self.environment.iter().map(|(name, value)| (*name, value)));
        command
    }

    /// Makes the person that [`Server::sign_in`] signs in, by command line.
    pub fn create_administrator(&self) {
        let mut running = self
            .process()
            .args(["admin", "create-user", "--username", USERNAME, "--role", "admin", "--password-stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary can be started");
        let mut input = running.stdin.take().expect("its standard input is ours");
        input.write_all(format!("{PASSWORD}\n").as_bytes()).expect("it reads the password");
        drop(input);
        assert!(running.wait().expect("it ends").success(), "an administrator can be made");
    }

    /// Starts it and returns at once.
    pub fn start(&mut self) {
        self.started = Instant::now();
        let child = self.process().arg("serve").stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        self.child = Some(child.expect("the binary can be started"));
    }

    /// Waits for the heartbeat; gives how long it took since the start.
    pub async fn wait_until_ready(&mut self, client: &reqwest::Client) -> Duration {
        while self.started.elapsed() < PATIENCE {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(ended.is_none(), "the server ended: {ended:?}");
            if let Ok(answer) = client.get(format!("{}/api/heartbeat", self.url)).send().await
                && answer.status().is_success()
            {
                return self.started.elapsed();
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("the server was not ready after {PATIENCE:?}");
    }

    /// A token of the administrator.
    pub async fn sign_in(&self, client: &reqwest::Client) -> String {
        let body = json!({ "username": USERNAME, "password": PASSWORD });
        let answer = client.post(format!("{}/api/v1/login", self.url)).json(&body).send().await;
        let answer: Value = answer.expect("the server answers").json().await.expect("the answer is JSON");
        answer["token"].as_str().unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
    }

    /// The browser's cookie of the administrator, `name=value`.
    pub async fn sign_in_as_browser(&self) -> String {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        let form = format!("username={USERNAME}&password={PASSWORD}");
        let answer = client
            .expect("a client can be made")
            .post(format!("{}/sign-in", self.url))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await
            .expect("the server answers");
        let cookie = answer.headers().get("set-cookie").and_then(|value| value.to_str().ok());
        let cookie = cookie.unwrap_or_else(|| panic!("no cookie: {}", answer.status()));
        cookie.split(';').next().unwrap_or_default().to_owned()
    }

    /// Ends it with SIGKILL, as a crash would.
    pub fn kill(&mut self) {
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
