//! S8: signed-in requests from 64 connections, beside a handler that does nothing.

use crate::{
    binary,
    figures::{Figures, Verdict},
    process::Server,
};
use serde_json::{Value, json};
use std::process::Command;

/// Measures reading one record.
pub async fn measure(figures: &mut Figures) {
    let mut server = Server::new(binary());
    server.create_administrator();
    server.start();
    let client = reqwest::Client::new();
    server.wait_until_ready(&client).await;
    let token = server.sign_in(&client).await;
    let made = client.post(format!("{}/api/v1/machines", server.url)).bearer_auth(&token);
    let made: Value = made
        .json(&json!({ "name": "db-1", "type": "remote" }))
        .send()
        .await
        .expect("the server answers")
        .json()
        .await
        .expect("the answer is JSON");
    let id = made["id"].as_str().unwrap_or_else(|| panic!("no machine: {made}"));

    let empty = empty_server().await;
    let path = format!("{}/api/v1/machines/{id}", server.url);
    // One after the other and back, so that a machine that becomes slower harms both alike.
    let before = rate(empty.clone(), None).await;
    let ours = rate(path, Some(token)).await;
    let after = rate(empty, None).await;
    let baseline = (before + after) / 2.0;
    figures.add(
        "S8",
        "signed-in request (one machine), 64 connections",
        format!("{ours:.0}/s"),
        format!("{baseline:.0}/s for an empty handler"),
        Verdict::ratio_at_least(ours / baseline, 0.4),
    );
}

/// Serves a handler that does nothing; gives its address.
async fn empty_server() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("a listener has an address");
    let router = axum::Router::new().route("/", axum::routing::get(async || ""));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/")
}

/// Requests a second that `wrk` counts from 64 connections.
async fn rate(url: String, token: Option<String>) -> f64 {
    let told = tokio::task::spawn_blocking(move || {
        let mut command = Command::new("wrk");
        command.args(["--threads", "1", "--connections", "64", "--duration", "8s"]);
        if let Some(token) = token {
            command.args(["--header", &format!("authorization: Bearer {token}")]);
        }
        command.arg(&url).output()
    });
    let output = told.await.expect("the call returns").expect("wrk is installed (scripts/bench does it)");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.contains("Non-2xx"), "every answer is a good one: {text}");
    let line = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
    line.and_then(|rate| rate.trim().parse().ok()).unwrap_or_else(|| panic!("wrk counts: {text}"))
}
