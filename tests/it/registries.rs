//! Registries: searched, and signed in to with what is kept, on Debian's registry with and without a password.

use crate::{
    credentials::all_that_is_kept,
    deployments::{Story, docker, ended, refusal, service},
    support::{ADMIN, Answer, Client, REGULAR, ROOT, STRANGER, SYSTEM, TestApp, VIEWER},
};
use axum::{Json, Router, extract::Query, routing::get};
use muelle::{
    deployments::server::registries, id::Id, platform::db::sql, provisioning::server::seal, storage::Registry,
};
use serde_json::{Value, json};
use std::collections::HashMap;
use tokio::sync::Mutex;

const IMAGES: &str = "/api/v1/engines/local/images";
const REGISTRIES: &str = "/api/v1/registries";
const PASSWORD: &str = "muelle-~~~-secret";

/// Whoever pulls the image behind the password has it for itself.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// The registry that lets one user in, and what is kept of it.
fn private() -> (String, Value) {
    let address = service("MUELLE_TEST_PRIVATE_REGISTRY");
    let login = json!({"address": address, "username": "muelle", "password": PASSWORD});
    (address, login)
}

async fn pull(client: &Client, image: &str) -> Value {
    let asked = json!({"operation": "pull", "data": {"image": image}});
    ended(client, client.post(&format!("{IMAGES}/operations"), &asked).await).await
}

fn words(job: &Value) -> &str {
    job["outcome"]["error"]["message"].as_str().unwrap_or_default()
}

/// What stands at the only field that an answer complains of.
fn problem(answer: Answer, field: &str) -> String {
    let answer = answer.expect(422);
    assert_eq!(answer.problem_fields(), [field], "{}", answer.text);
    answer.json()["error"]["problems"][0]["message"].as_str().unwrap_or_default().to_owned()
}

/// An image's name gone from the engine, whoever had it.
fn forget(image: &str) {
    if !docker(&["images", "--quiet", image]).is_empty() {
        docker(&["rmi", "--force", image]);
    }
}

#[tokio::test]
async fn an_image_behind_a_password_is_refused_and_leaves_nothing() {
    let _one = ONE_AT_A_TIME.lock().await;
    let story = Story::start().await.up().await;
    let root = story.app.client(ROOT).await;
    let (registry, _) = private();
    let image = format!("{registry}/muelle/busybox:1");
    let http = reqwest::Client::builder().no_proxy().build().expect("a client can be made");
    let tags = http.get(format!("http://{registry}/v2/muelle/busybox/tags/list"));
    let tags = tags.basic_auth("muelle", Some(PASSWORD)).send().await.expect("the registry answers");
    let tags: Value = serde_json::from_str(&tags.text().await.expect("it is text")).expect("the registry writes JSON");
    forget(&image);

    let refused = pull(&root, &image).await;

    assert_eq!(tags["tags"], json!(["1"]), "who knows the password finds it");
    assert_eq!(refused["state"], "failed", "{refused}");
    let (theirs, advice) = words(&refused).split_once(". ").expect("there are their words and ours");
    assert!(theirs.contains("no basic auth credentials"), "{refused}");
    let docker_says = refusal(&["pull", &image]);
    assert!(docker_says.contains(theirs), "docker says {docker_says} and we {theirs}");
    assert_eq!(
        advice,
        format!("If the name is right, {registry} wants a login. Keep its user and password under Registries.")
    );
    assert_eq!(docker(&["images", "-q", &image]), "");
    assert!(!root.get(IMAGES).await.expect(200).text.contains(&image), "it is in no list");
}

#[tokio::test]
async fn a_registry_is_tried_when_it_is_kept() {
    let story = Story::start().await.up().await;
    let admin = story.app.client(ADMIN).await;
    let (registry, login) = private();
    let with = |field: &str, value: &str| {
        let mut login = login.clone();
        login[field] = json!(value);
        login
    };

    let wrong = problem(admin.post(REGISTRIES, &with("password", "guessed")).await, "password");
    let away = problem(admin.post(REGISTRIES, &with("address", "localhost:9")).await, "address");
    let made = admin.post(REGISTRIES, &with("address", &format!("http://{}/", registry.to_uppercase()))).await;
    let made = made.expect(201).json();
    let own = format!("{REGISTRIES}/{}", made["id"].as_str().expect("it has an id"));
    let mut moved = Vec::new();
    for (field, value) in [("address", "elsewhere.example.org"), ("username", "somebody")] {
        let mut change = made.clone();
        change[field] = json!(value);
        moved.push(problem(admin.put(&own, &change).await, "password"));
    }
    let mut noted = made.clone();
    noted["description"] = json!("of the shipyard");
    admin.put(&own, &noted).await.expect(200);

    assert!(wrong.starts_with(&format!("{registry} does not let muelle in: ")), "{wrong}");
    assert!(wrong.ends_with("401 Unauthorized"), "the engine's words: {wrong}");
    assert!(away.contains("connection refused"), "the engine's words: {away}");
    assert_eq!(made["address"], registry);
    assert_eq!(moved, ["Enter the password again: another address or user needs it"; 2]);
    assert_eq!(made.get("password"), None, "{made}");
    let told = [&own, &format!("{own}/history"), REGISTRIES, &format!("{REGISTRIES}/export?format=json")];
    for path in told {
        let told = admin.get(path).await.expect(200).text;
        assert!(told.contains(&registry) && !told.contains(PASSWORD) && !told.contains("sealed.1."), "{path}: {told}");
    }
}

#[tokio::test]
async fn without_an_engine_a_registry_is_kept_untried() {
    let app = TestApp::start().await;
    let admin = app.client(ADMIN).await;
    let (_, mut login) = private();
    login["password"] = json!("guessed");

    admin.post(REGISTRIES, &login).await.expect(201);
}

#[tokio::test]
async fn a_pull_and_a_run_sign_in_with_what_their_customer_keeps() {
    let _one = ONE_AT_A_TIME.lock().await;
    let story = Story::start().await.up().await;
    let (root, regular) = (story.app.client(ROOT).await, story.app.client(REGULAR).await);
    let (viewer, stranger) = (story.app.client(VIEWER).await, story.app.client(STRANGER).await);
    let (registry, login) = private();
    let image = format!("{registry}/muelle/busybox:1");

    let made = regular.post(REGISTRIES, &login).await.expect(201).json();
    let own = format!("{REGISTRIES}/{}", made["id"].as_str().expect("it has an id"));
    forget(&image);
    let pulled = pull(&regular, &image).await;
    let is_there = docker(&["images", "--quiet", &image]);
    let output = regular.get(&format!("/api/v1/jobs/{}/output", pulled["id"].as_str().unwrap_or_default())).await;
    forget(&image);
    let spec = story.spec("private", json!({"image": image}));
    let run = ended(&regular, story.operate(REGULAR, json!({"operation": "run", "data": spec})).await).await;
    let runs = docker(&["ps", "--quiet", "--filter", &format!("name={}", story.name("private"))]);
    docker(&["rm", "--force", &story.name("private")]);
    forget(&image);

    assert_eq!((&pulled["state"], is_there.is_empty()), (&json!("succeeded"), false), "{pulled}");
    assert!(output.text.contains(&format!("Signing in to {registry} as muelle")), "{}", output.text);
    assert!(!all_that_is_kept(&story.app).await.contains(PASSWORD), "the password is sealed");
    assert!(!output.text.contains(PASSWORD) && !pulled.to_string().contains(PASSWORD));
    assert_eq!((&run["state"], runs.is_empty()), (&json!("succeeded"), false), "{run}");
    assert_eq!(viewer.get(&own).await.expect(200).json()["username"], "muelle");
    stranger.get(&own).await.expect(404);
    for outsider in [&stranger, &root] {
        let refused = pull(outsider, &image).await;
        assert!(words(&refused).contains("wants a login"), "a customer's login is its own: {refused}");
    }

    let mut off = regular.get(&own).await.json();
    off["enabled"] = json!(false);
    regular.put(&own, &off).await.expect(200);
    let refused = pull(&regular, &image).await;
    assert!(words(&refused).contains("wants a login"), "it is disabled: {refused}");
    assert_eq!(docker(&["images", "--quiet", &image]), "");
}

#[tokio::test]
async fn a_login_that_does_not_help_is_named() {
    let _one = ONE_AT_A_TIME.lock().await;
    let story = Story::start().await.up().await;
    let root = story.app.client(ROOT).await;
    let (registry, login) = private();
    let image = format!("{registry}/muelle/busybox:1");
    let made = root.post(REGISTRIES, &login).await.expect(201).json();
    let id: Id<Registry> = made["id"].as_str().and_then(|id| id.parse().ok()).expect("it has an id");
    let keep = async |sealed: &str| {
        let statement = sql("update registries set password = $1 where id = $2").bind(sealed.to_owned());
        story.app.state.db.execute(&SYSTEM, statement.bind(id.to_string())).await.expect("it is written");
    };
    forget(&image);

    // As if the password had been changed at the registry since.
    keep(&seal::seal(&story.app.state, &registries::purpose(id), b"of last year").expect("it is sealed")).await;
    let stale = pull(&root, &image).await;
    keep(&seal::seal(&story.app.state, "registry/another/password", b"x").expect("it is sealed")).await;
    let foreign = pull(&root, &image).await;

    assert!(words(&stale).contains("unauthorized"), "the engine's words: {stale}");
    let advice = format!("{registry} was asked as muelle; that login stands under Registries.");
    assert!(words(&stale).ends_with(&advice), "{stale}");
    assert!(words(&foreign).contains("cannot be opened"), "{foreign}");
    assert_eq!(docker(&["images", "--quiet", &image]), "");
}

/// A registry that answers searches, which Debian's does not: the protocol that engines ask in.
async fn searchable() -> String {
    let search = async |Query(asked): Query<HashMap<String, String>>| {
        let found: Vec<Value> = (1..=3)
            .map(|n| {
                json!({
                    "name": format!("{}/web-{n}", asked["q"]), "description": format!("The {n}. of all"),
                    "star_count": n, "is_official": n == 1, "is_automated": false,
                })
            })
            .take(asked.get("n").and_then(|most| most.parse().ok()).unwrap_or(25))
            .collect();
        Json(json!({"query": asked["q"], "num_results": found.len(), "results": found}))
    };
    let routes = Router::new().route("/v1/_ping", get(async || Json(true))).route("/v1/search", get(search));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it has an address").to_string();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_finds_what_the_registry_tells_the_engine() {
    let story = Story::start().await.up().await;
    let root = story.app.client(ROOT).await;
    let registry = searchable().await;
    let search = async |data: Value| {
        let asked = json!({"operation": "search", "data": data});
        root.post(&format!("{IMAGES}/operations"), &asked).await
    };

    let found = search(json!({"term": format!("{registry}/quay")})).await.expect(200).json()["result"].clone();
    let two = search(json!({"term": format!("{registry}/quay"), "limit": 2})).await.expect(200).json();
    let away = search(json!({"term": "localhost:9/quay"})).await.expect(503);
    let format = "{{.Name}}|{{.Description}}|{{.StarCount}}|{{.IsOfficial}}";
    let told = docker(&["search", "--format", format, &format!("{registry}/quay")]);

    let found = found.as_array().expect("it is a list");
    let ours: Vec<String> = found
        .iter()
        .map(|image| {
            let name = image["name"].as_str().unwrap_or_default();
            let name = name.strip_prefix(&format!("{registry}/")).expect("a pull of it asks the same registry");
            let official = if image["official"] == true { "[OK]" } else { "" };
            format!("{name}|{}|{}|{official}", image["description"].as_str().unwrap_or_default(), image["stars"])
        })
        .collect();
    let mut theirs: Vec<&str> = told.lines().collect();
    theirs.sort_unstable();
    assert_eq!(ours.len(), 3);
    let mut sorted = ours.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, theirs);
    assert_eq!(two["result"].as_array().map(Vec::len), Some(2));
    assert!(away.text.contains("connection refused"), "the engine's words: {}", away.text);
}
