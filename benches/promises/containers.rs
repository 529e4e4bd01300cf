//! S3 and S4: a thousand containers, over the API and as a page, beside the engine's own list.

use crate::{
    binary, engine,
    figures::{Figures, Times, Verdict, ratio, short},
    process::Server,
};
use hyper::Method;
use serde_json::{Value, json};
use std::{process::Command, time::Duration};

/// What the containers of this measurement are known by.
const LABEL: &str = "muelle.bench";

/// Creates stopped containers on the private engine, measures, and removes them.
pub async fn measure(figures: &mut Figures) {
    let address = engine::address();
    let image = std::env::var("MUELLE_TEST_IMAGE").expect("MUELLE_TEST_IMAGE names an image (scripts/bench does)");
    let counts: &[usize] = if crate::is_full() { &[1_000, 10_000] } else { &[1_000] };
    let socket = engine::socket();
    let mut made = 0;
    engine::remove(&socket, LABEL).await;
    for &count in counts {
        create(&socket, &image, made, count).await;
        made = count;
        list(figures, &socket, &address, count).await;
    }
    engine::remove(&socket, LABEL).await;
}

async fn list(figures: &mut Figures, socket: &str, address: &str, count: usize) {
    let mut server = Server::new(binary());
    server.set("MUELLE_ENGINE__ADDRESS", address);
    server.create_administrator();
    server.start();
    let client = reqwest::Client::new();
    server.wait_until_ready(&client).await;
    let token = server.sign_in(&client).await;
    let url = format!("{}/api/v1/engines/local/containers", server.url);
    let ours = async || {
        let answer = client.get(&url).bearer_auth(&token).send().await.expect("the server answers");
        assert_eq!(answer.status(), 200);
        answer.bytes().await.expect("the body comes")
    };
    let began = std::time::Instant::now();
    let mut first = ours().await;
    // Right after the start the list may still be on its way; what counts is when all of it is there.
    while rows(&first) < count && began.elapsed() < Duration::from_secs(30) {
        first = ours().await;
    }
    let first_after = began.elapsed();
    assert!(rows(&first) >= count, "every container is listed: {} of {count}", rows(&first));

    let mut engine = engine::connect(socket).await;
    let mut own = Vec::new();
    for _ in 0..20 {
        let began = std::time::Instant::now();
        engine::ask(&mut engine, Method::GET, "/containers/json?all=1", None).await;
        own.push(began.elapsed());
    }
    let own = Times::from(own);
    let cached = Times::of(200, async |_| drop(ours().await)).await;
    let baseline = format!("{} for the engine's own list", short(own.median()));
    let verdict = Verdict::ratio_at_most(ratio(first_after, own.median()), 1.2);
    figures.add(
        "S3",
        format!("first list of {count} containers after the start"),
        short(first_after),
        &baseline,
        verdict,
    );
    let p95 = cached.percentile(95);
    let verdict = Verdict::within(p95, Duration::from_millis(20));
    figures.add("S3", format!("list of {count} from the live cache, p95"), short(p95), &baseline, verdict);

    let cookie = server.sign_in_as_browser().await;
    let page = first_bytes(&client, &format!("{}/containers", server.url), &cookie).await;
    let still = first_bytes(&client, &format!("{}/favicon.svg", server.url), &cookie).await;
    let p95 = page.percentile(95);
    figures.add(
        "S4",
        format!("containers page with {count}, first byte, p95"),
        short(p95),
        format!("{} for a file of the same server", short(still.percentile(95))),
        Verdict::within(p95, Duration::from_millis(60)),
    );
    if let Some(usable) = usable(&server.url, &cookie) {
        let verdict = Verdict::within(usable, Duration::from_millis(500));
        figures.add("S4", format!("its rows can be used, {count}"), short(usable), "–", verdict);
    }
}

fn rows(body: &[u8]) -> usize {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    value.as_array().or_else(|| value["items"].as_array()).map_or(0, Vec::len)
}

/// Times until the first piece of the body is there.
async fn first_bytes(client: &reqwest::Client, url: &str, cookie: &str) -> Times {
    let once = async |_| {
        let asked = client.get(url).header("cookie", cookie).header("accept", "text/html").send().await;
        let mut answer = asked.expect("the server answers");
        assert_eq!(answer.status(), 200, "{url}");
        answer.chunk().await.expect("the body begins");
        // The rest is read outside the figure, so that the connection can be used again.
    };
    once(0).await;
    Times::of(60, once).await
}

/// How long a browser takes until rows are shown and the page listens; `None` where there is no browser.
fn usable(url: &str, cookie: &str) -> Option<Duration> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/end2end/usable.mjs");
    let output = Command::new("node").args([script, &format!("{url}/containers"), cookie]).output().ok()?;
    if !output.status.success() {
        eprintln!("no figure from the browser: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    let millis: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().ok()?;
    Some(Duration::from_secs_f64(millis / 1000.0))
}

async fn create(socket: &str, image: &str, from: usize, to: usize) {
    eprintln!("creating {} containers", to - from);
    let body = json!({ "Image": image, "Cmd": ["true"], "Labels": { LABEL: "true", "com.example.role": "bench" } });
    engine::each(
        socket,
        (from..to).map(|number| format!("/containers/create?name=muelle-bench-{number}")),
        move |path| (Method::POST, path, Some(body.to_string())),
    )
    .await;
}
