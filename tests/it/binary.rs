//! The binary, as whoever runs it sees it: what it says at its start, and its commands.

use crate::process::{PATIENCE, Server};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

const BINARY: &str = env!("CARGO_BIN_EXE_muelle");

/// A server's process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn serve(server: &Server) -> Running {
    let mut command = server.process();
    Running(command.arg("serve").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the binary starts"))
}

fn run(mut command: Command, arguments: &[&str]) -> Output {
    command.args(arguments).stdin(Stdio::null()).output().expect("the binary can be run")
}

/// Runs a command until it ends as wished.
async fn until(server: &Server, arguments: &[&str], wished: bool) -> Output {
    let began = Instant::now();
    loop {
        let output = run(server.process(), arguments);
        if output.status.success() == wished {
            return output;
        }
        assert!(began.elapsed() < PATIENCE, "{}", String::from_utf8_lossy(&output.stderr));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_check_asks_through_tls_and_tells_a_dead_database() {
    let database = crate::support::PostgresDatabase::create().await;
    let mut server = Server::new(BINARY);
    server.set("MUELLE_DATABASE__URL", database.url());
    server.set("MUELLE_TLS__MODE", "self-signed");
    server.set("MUELLE_LOG__FILTER", "error");

    let nobody = run(server.process(), &["healthcheck"]);
    let running = serve(&server);
    until(&server, &["healthcheck"], true).await;
    database.die().await;
    let dead = until(&server, &["healthcheck"], false).await;

    assert!(!nobody.status.success(), "nobody listens yet");
    assert!(String::from_utf8_lossy(&dead.stderr).contains("answered 503"), "{dead:?}");
    drop(running);
}

/// The server writes a page with several threads, so nothing of it may be bound to the one that began it.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_written_whole_whichever_threads_write_it() {
    const PAGES: [&str; 8] = ["/", "/containers", "/images", "/jobs", "/runs", "/machines", "/schedules", "/account"];
    let mut server = Server::new(BINARY);
    server.set("MUELLE_LOG__FILTER", "error");
    server.create_administrator();
    server.start();
    let client = reqwest::Client::new();
    server.wait_until_ready(&client).await;
    let token = server.sign_in(&client).await;

    let ask = async |page: &'static str| {
        let request = client.get(format!("{}{page}", server.url)).bearer_auth(&token);
        let answer = request.send().await.map_err(|error| format!("{page}: {error}"))?;
        let text = answer.text().await.map_err(|error| format!("{page}: {error}"))?;
        if text.contains("</html>") { Ok(()) } else { Err(format!("{page}: {text}")) }
    };
    let asked = stream::iter(PAGES.into_iter().cycle().take(240)).map(ask).buffer_unordered(8);
    let broken: Vec<String> = asked.filter_map(|answer| async { answer.err() }).collect().await;

    assert!(broken.is_empty(), "{} pages: {broken:?}", broken.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_of_the_configuration_is_told_with_where_it_came_from() {
    let mut server = Server::new(BINARY);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("muelle.toml");
    std::fs::write(&file, "[jobs]\nparallel = \"many\"\n[weather]\nwind = 1\n").expect("written");
    server.set("MUELLE_CONFIG", &file.display().to_string());
    server.set("MUELLE_SERVER__ADDRESS", "nowhere");
    server.set("MUELLE_SERVER__NONSENSE", "1");
    server.set("MUELLE_DATABASE__URL_FILE", "/nowhere/url");

    let refused = run(server.process(), &["migrate"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();

    assert!(!refused.status.success());
    let line = |start: &str| said.lines().map(str::trim).find(|line| line.starts_with(start)).map(str::to_owned);
    for (key, from) in [
        ("server.address: ", "MUELLE_SERVER__ADDRESS"),
        ("server.nonsense: ", "MUELLE_SERVER__NONSENSE"),
        ("jobs.parallel: ", "muelle.toml"),
        ("weather: ", "muelle.toml"),
        ("database.url: ", "MUELLE_DATABASE__URL_FILE"),
    ] {
        assert!(line(key).is_some_and(|line| line.contains(from)), "{key} from {from} in {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_of_the_first_start_can_be_opened_from_elsewhere() {
    let mut server = Server::new(BINARY);
    let port = server.url.rsplit(':').next().expect("the address has a port").to_owned();
    server.set("MUELLE_SERVER__ADDRESS", &format!("0.0.0.0:{port}"));
    server.set("MUELLE_TLS__MODE", "self-signed");
    server.set("MUELLE_LOG__FILTER", "error");

    let mut running = serve(&server);
    let lines = BufReader::new(running.0.stdout.take().expect("its output is ours")).lines().map_while(Result::ok);
    let mut said = Vec::new();
    for line in lines {
        said.push(line);
        if said.last().is_some_and(|line| line.contains("/setup?token=")) {
            break;
        }
    }

    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("the machine has a name");
    let link = said.last().expect("it said something");
    assert!(link.trim().starts_with(&format!("https://{}:{port}/setup?token=", name.trim())), "{said:?}");
    assert!(said.iter().any(|line| line.contains("server.public_url")), "{said:?}");
    assert!(!said.iter().any(|line| line.contains("//0.0.0.0")), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_made_by_command_serves_at_once_and_two_end_what_was_signed_before() {
    let mut server = Server::new(BINARY);
    server.set("MUELLE_LOG__FILTER", "error");
    server.create_administrator();
    let client = reqwest::Client::new();
    server.start();
    server.wait_until_ready(&client).await;
    let status = async |token: &str| {
        let asked = client.get(format!("{}/api/v1/status", server.url)).bearer_auth(token).send().await;
        asked.expect("the server answers").status().as_u16()
    };
    let old = server.sign_in(&client).await;

    assert!(run(server.process(), &["keys", "rotate"]).status.success());
    let kept = status(&old).await;
    assert!(run(server.process(), &["keys", "rotate"]).status.success());
    let began = Instant::now();
    while status(&old).await == 200 {
        assert!(began.elapsed() < Duration::from_secs(10), "the old token still opens");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let new = server.sign_in(&client).await;

    assert_eq!((kept, status(&old).await, status(&new).await), (200, 401, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_ansible() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let slow = folder.path().join("ansible-playbook");
    std::fs::write(&slow, "#!/bin/sh\n/bin/sleep 2\necho 'ansible-playbook [core 9.8.7]'\n").expect("written");
    std::fs::set_permissions(&slow, std::fs::Permissions::from_mode(0o755)).expect("made executable");
    let client = reqwest::Client::new();
    let mut answers = Vec::new();
    let empty = tempfile::tempdir().expect("a temporary folder");
    for path in [folder.path(), empty.path()] {
        let mut server = Server::new(BINARY);
        server.set("MUELLE_LOG__FILTER", "error");
        server.set("PATH", &path.display().to_string());
        server.create_administrator();
        server.start();
        server.wait_until_ready(&client).await;
        let token = server.sign_in(&client).await;
        let ask = async || -> Value {
            let asked = client.get(format!("{}/api/v1/status", server.url)).bearer_auth(&token);
            let answer = asked.header("accept-language", "es").send().await.expect("the server answers");
            answer.json::<Value>().await.expect("JSON")["ansible"].clone()
        };

        let began = Instant::now();
        let first = ask().await;
        assert!(began.elapsed() < Duration::from_secs(1), "it took {:?}", began.elapsed());
        let mut last = first.clone();
        while last["version"].is_null() && last["hint"].is_null() {
            assert!(began.elapsed() < PATIENCE, "nothing became known");
            tokio::time::sleep(Duration::from_millis(100)).await;
            last = ask().await;
        }
        answers.push((first, last));
    }

    assert_eq!(answers[0].0, json!({ "is_up": false, "version": null, "hint": null }));
    assert_eq!(answers[0].1, json!({ "is_up": true, "version": "9.8.7", "hint": null }));
    assert_eq!(answers[1].1["is_up"], false);
    assert!(answers[1].1["hint"].as_str().is_some_and(|hint| hint.starts_with("Instale Ansible")), "{answers:?}");
}
