//! S12: how long a start takes, and what an idle server keeps in memory.

use crate::{
    binary,
    figures::{Figures, Times, Verdict, short},
    process::Server,
};
use std::time::Duration;

const STARTS: usize = 5;

/// Measures an empty server, beside how long the process alone takes.
pub async fn measure(figures: &mut Figures) {
    let mut server = Server::new(binary());
    if let Ok(engine) = std::env::var("MUELLE_TEST_ENGINE") {
        server.set("MUELLE_ENGINE__ADDRESS", &engine);
    }
    server.create_administrator();
    let client = reqwest::Client::new();
    let process = Times::of(STARTS, |_| async {
        let ended = std::process::Command::new(binary()).arg("--version").stdout(std::process::Stdio::null()).status();
        assert!(ended.is_ok_and(|status| status.success()), "the binary tells its version");
    })
    .await;
    let ready = starts(&mut server, &client).await;
    let baseline = format!("{} for `muelle --version`", short(process.median()));
    let verdict = Verdict::within(ready.median(), Duration::from_millis(300));
    figures.add("S12", "start to ready, empty", short(ready.median()), baseline, verdict);

    let token = server.sign_in(&client).await;
    client.get(format!("{}/api/v1/machines", server.url)).bearer_auth(token).send().await.expect("the server answers");
    // What is idle only shows after nobody has asked for a while.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let megabytes = resident_megabytes(&server);
    let verdict = Verdict::megabytes_at_most(megabytes, 50.0);
    figures.add("S12", "idle memory, one engine", format!("{megabytes:.0} MB"), "–", verdict);
}

/// Times of several starts; the server runs after the last.
pub async fn starts(server: &mut Server, client: &reqwest::Client) -> Times {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        server.kill();
        server.start();
        times.push(server.wait_until_ready(client).await);
    }
    Times::from(times)
}

/// What the process keeps in memory.
pub fn resident_megabytes(server: &Server) -> f64 {
    resident_megabytes_of(server.pid().expect("the server runs"))
}

/// What the process of that number keeps in memory.
pub fn resident_megabytes_of(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process tells its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells what is resident");
    // What Linux calls kB are 1024 bytes.
    let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number of kilobytes");
    kibibytes * 1.024 / 1000.0
}
