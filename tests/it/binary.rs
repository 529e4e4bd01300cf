//! The binary, as whoever runs it sees it: what it says at its start, and its commands.

use crate::{
    process::{PATIENCE, Server},
    support::SYSTEM,
};
use futures::{StreamExt as _, stream};
use muelle::platform::db::{Db, sql};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
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

/// Runs a command that reads a password from its standard input.
fn run_with(server: &Server, arguments: &[&str], password: &str) -> Output {
    let mut command = server.process();
    command.args(arguments).arg("--password-stdin");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().expect("the binary starts");
    let mut input = running.stdin.take().expect("its standard input is ours");
    writeln!(input, "{password}").expect("it reads the password");
    drop(input);
    running.wait_with_output().expect("it ends")
}

/// The tables in the file of a server on SQLite.
async fn tables(server: &Server) -> Vec<String> {
    let url = format!("sqlite:{}", server.data().join("muelle.db").display());
    let db = Db::open(&url, 2).await.expect("the file can be opened");
    let statement = sql("select name from sqlite_master where type = 'table' order by name");
    let rows = db.rows(&SYSTEM, statement).await.expect("it answers");
    db.close().await;
    rows.iter().map(|row| row.text("name").expect("a table has a name")).collect()
}

/// Makes a certificate that vouches for itself and for `localhost`; gives its path and that of its key.
fn make_certificate(folder: &Path, name: &str) -> (String, String) {
    let path = |ending: &str| folder.join(format!("{name}.{ending}")).display().to_string();
    let (certificate, key) = (path("pem"), path("key"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost", "-keyout", &key, "-out", &certificate])
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (certificate, key)
}

/// Asks as somebody who trusts one certificate, whatever this machine's own settings are.
fn ask_trusting(certificate: &str, url: &str) -> Output {
    Command::new("curl")
        .args(["--disable", "--silent", "--show-error", "--ipv4", "--noproxy", "*", "--max-time", "10"])
        .args(["--cacert", certificate, url])
        .output()
        .expect("curl is installed")
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

#[tokio::test(flavor = "multi_thread")]
async fn migrate_makes_the_tables_in_an_empty_folder_and_does_no_harm_again() {
    let mut server = Server::new(BINARY);
    server.set("MUELLE_LOG__FILTER", "error");
    std::fs::create_dir(server.data()).expect("an empty folder can be made");

    let first = run(server.process(), &["migrate"]);
    let made = tables(&server).await;
    server.create_administrator();
    let again = run(server.process(), &["migrate"]);
    let kept = tables(&server).await;
    let listed = run(server.process(), &["admin", "list"]);

    for output in [&first, &again] {
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    for table in ["audit", "customers", "hosts", "jobs", "logins", "machines", "playbooks", "runs", "users"] {
        assert!(made.iter().any(|name| name == table), "{table} in {made:?}");
    }
    assert_eq!(kept, made);
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "keeper\tadmin\t(platform)\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_reset_by_command_takes_the_place_of_the_old_one_at_a_running_server() {
    const OLD: &str = "a bollard on the ninth pier";
    const NEW: &str = "another rope for the bollard";
    let mut server = Server::new(BINARY);
    server.set("MUELLE_LOG__FILTER", "error");

    let regular = run_with(&server, &["admin", "create-user", "--username", "ana", "--role", "regular"], OLD);
    let viewer = run_with(&server, &["admin", "create-user", "--username", "bea", "--role", "viewer"], OLD);
    let listed = run(server.process(), &["admin", "list"]);
    server.start();
    let client = reqwest::Client::new();
    server.wait_until_ready(&client).await;
    let sign_in = async |password: &str| {
        let body = json!({ "username": "ana", "password": password });
        let asked = client.post(format!("{}/api/v1/login", server.url)).json(&body).send().await;
        let answer = asked.expect("the server answers");
        (answer.status().as_u16(), answer.json::<Value>().await.expect("the answer is JSON"))
    };
    let (entered, login) = sign_in(OLD).await;
    let reset = run_with(&server, &["admin", "reset-password", "--username", "ana"], NEW);
    let token = login["token"].as_str().expect("the answer has a token");
    let inside = client.get(format!("{}/api/v1/status", server.url)).bearer_auth(token).send().await;
    let (with_old, _) = sign_in(OLD).await;
    let (with_new, _) = sign_in(NEW).await;

    for output in [&regular, &viewer, &reset] {
        assert!(output.status.success(), "{output:?}");
        let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!said.contains(OLD) && !said.contains(NEW), "{said}");
    }
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "ana\tregular\t(platform)\nbea\tviewer\t(platform)\n");
    assert_eq!((entered, with_old, with_new), (200, 401, 200));
    assert_eq!(inside.expect("the server answers").status().as_u16(), 401, "the logins of before have ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_takes_a_password_as_an_argument() {
    const SECRET: &str = "a-bollard-on-the-ninth-pier";
    let server = Server::new(BINARY);
    let (equals, to_the_switch) = (format!("--password={SECRET}"), format!("--password-stdin={SECRET}"));
    let given: [&[&str]; 5] =
        [&[SECRET], &["--password", SECRET], &[equals.as_str()], &[to_the_switch.as_str()], &["-p", SECRET]];
    let commands: [&[&str]; 2] = [
        &["admin", "create-user", "--username", "eva", "--role", "viewer"],
        &["admin", "reset-password", "--username", "eva"],
    ];

    for command in commands {
        for password in given {
            let refused = run(server.process(), &[command, password].concat());
            assert_eq!(refused.status.code(), Some(2), "{command:?} {password:?}: {refused:?}");
        }
        let without = run(server.process(), command);
        let said = String::from_utf8_lossy(&without.stderr).into_owned();
        assert!(!without.status.success() && said.contains("--password-stdin"), "{command:?}: {said}");
    }
    assert!(!server.data().exists(), "nothing was done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_from_files_is_good_for_whoever_trusts_it_and_nobody_else() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (certificate, key) = make_certificate(folder.path(), "ours");
    let (other, _) = make_certificate(folder.path(), "other");
    let mut server = Server::new(BINARY);
    let port = server.url.rsplit(':').next().expect("the address has a port").to_owned();
    let heartbeat = format!("https://localhost:{port}/api/heartbeat");
    server.set("MUELLE_TLS__MODE", "files");
    server.set("MUELLE_TLS__CERTIFICATE", &certificate);
    server.set("MUELLE_TLS__KEY", &key);
    server.set("MUELLE_LOG__FILTER", "error");

    let running = serve(&server);
    until(&server, &["healthcheck"], true).await;
    let trusting = ask_trusting(&certificate, &heartbeat);
    let doubting = ask_trusting(&other, &heartbeat);

    assert!(trusting.status.success(), "{trusting:?}");
    assert_eq!(String::from_utf8_lossy(&trusting.stdout), "{\"ok\":true}");
    // 60 is curl's number for a certificate that nobody it trusts vouches for.
    assert_eq!(doubting.status.code(), Some(60), "{doubting:?}");
    drop(running);
}
