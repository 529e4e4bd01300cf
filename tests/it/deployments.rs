//! Containers and images on a real engine, compared with what `docker` says of it.

use crate::support::{ADMIN, Answer, Client, Database, Person, REGULAR, ROOT, STRANGER, SYSTEM, TestApp, VIEWER};
use muelle::{
    id::Id,
    platform::db::{Row, sql},
};
use serde_json::{Value, json};
use std::{
    future::Future,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{UnixListener, UnixStream},
    sync::watch,
};

const CONTAINERS: &str = "/api/v1/engines/local/containers";
const IMAGES: &str = "/api/v1/engines/local/images";

/// The value of a variable that the test services set.
pub fn service(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} must be set; scripts/services starts what the tests need"))
}

/// An image that its registry does not have.
fn nowhere() -> String {
    format!("{}/muelle/none:0", service("MUELLE_TEST_REGISTRY"))
}

/// What `docker` prints, asked about the engine of the tests.
pub fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").arg("-H").arg(service("MUELLE_TEST_ENGINE")).args(arguments).output();
    let output = output.expect("docker is installed");
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    said
}

/// One story: a server on the engine, a mark for everything it makes, and a runner of jobs.
pub struct Story {
    /// The server.
    pub app: TestApp,
    mark: String,
    _proxy: Option<Arc<Proxy>>,
}

impl Story {
    /// A story on the engine of the tests.
    pub async fn start() -> Self {
        Self::at(&service("MUELLE_TEST_ENGINE"), None).await
    }

    /// A story whose engine can be frozen and taken away.
    async fn behind(proxy: &Arc<Proxy>) -> Self {
        Self::at(&format!("unix://{}", proxy.socket.display()), Some(Arc::clone(proxy))).await
    }

    /// A story on the engine at an address.
    pub async fn at(address: &str, proxy: Option<Arc<Proxy>>) -> Self {
        let app = TestApp::start_with(Database::Sqlite, &format!("engine.address = {address:?}\n")).await;
        drop(muelle::jobs::server::start(&app.state));
        let id = Id::<()>::new().to_string();
        Self { app, mark: format!("story-{}", &id[id.len() - 12..]), _proxy: proxy }
    }

    /// The story once its engine is up.
    pub async fn up(self) -> Self {
        let root = self.app.client(ROOT).await;
        until("the engine is up", Duration::from_secs(5), || async {
            root.get("/api/v1/engines/local").await.json()["is_up"] == true
        })
        .await;
        self
    }

    /// A specification of something that stays, with this story's mark.
    pub fn spec(&self, name: &str, more: Value) -> Value {
        let mut spec = json!({
            "image": service("MUELLE_TEST_IMAGE"),
            "name": self.name(name),
            "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1; done"],
            "labels": { "story": self.mark },
        });
        let more = more.as_object().cloned().unwrap_or_default();
        spec.as_object_mut().expect("it is an object").extend(more);
        spec
    }

    /// A name with this story's mark.
    pub fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.mark)
    }

    /// Somebody's operation on containers.
    pub async fn operate(&self, person: Person, body: Value) -> Answer {
        self.app.client(person).await.post(&format!("{CONTAINERS}/operations"), &body).await
    }

    /// A container that was made with the specification, started when wished.
    pub async fn container(&self, person: Person, name: &str, more: Value, start: bool) -> String {
        let created = self.operate(person, json!({"operation": "create", "data": self.spec(name, more)})).await;
        let id = created.expect(200).json()["result"]["id"].as_str().expect("it has an id").to_owned();
        if start {
            self.operate(person, json!({"operation": "start", "object": id})).await.expect(200);
        }
        id
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        let ids = docker(&["ps", "--all", "--quiet", "--filter", &format!("label=story={}", self.mark)]);
        for id in ids.split_whitespace() {
            drop(Command::new("docker").args(["-H", &service("MUELLE_TEST_ENGINE"), "rm", "-fv", id]).output());
        }
        let networks = docker(&["network", "ls", "--quiet", "--filter", &format!("label=story={}", self.mark)]);
        for id in networks.split_whitespace() {
            drop(Command::new("docker").args(["-H", &service("MUELLE_TEST_ENGINE"), "network", "rm", id]).output());
        }
    }
}

/// Waits until it holds, and tells how long that took.
pub async fn until<F: Future<Output = bool>>(what: &str, limit: Duration, holds: impl Fn() -> F) -> Duration {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < limit, "{what}: not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    begun.elapsed()
}

/// The job of an answer, once it has ended.
pub async fn ended(client: &Client, answer: Answer) -> Value {
    let id = answer.expect(202).json()["job"]["id"].as_str().expect("it names a job").to_owned();
    let begun = Instant::now();
    loop {
        let job = client.get(&format!("/api/v1/jobs/{id}")).await.expect(200).json();
        if ["succeeded", "failed", "cancelled", "lost"].contains(&job["state"].as_str().unwrap_or_default()) {
            return job;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "the job does not end: {job}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn every_operation_on_a_container_is_what_docker_says() {
    let story = Story::start().await.up().await;
    let spec = json!({
        "env": {"GREETING": "hola = adiós"},
        "ports": [{"container_port": 8080}],
        "mounts": [{"type": "tmpfs", "target": "/scratch"}, {"type": "volume", "target": "/data"}],
        "restart": "on-failure:3", "memory": 33_554_432, "cpus": 0.5, "pids_limit": 64, "user": "0:0", "workdir": "/tmp",
        "hostname": "grande", "read_only": true, "init": true, "cap_drop": ["NET_RAW"], "dns": ["192.0.2.1"],
        "extra_hosts": ["db:192.0.2.2"], "ulimits": ["nofile=512:1024"], "log_driver": "json-file",
        "log_options": {"max-size": "1m"}, "health": {"test": ["CMD", "true"], "interval": 1.5, "retries": 2},
    });
    let id = story.container(ROOT, "web", spec, false).await;
    let name = story.name("web");
    let ask = |format: &str| docker(&["inspect", "--format", format, &id]);
    let status = || ask("{{.State.Status}}");
    let act = async |operation: Value| story.operate(ROOT, operation).await.expect(200).json()["result"].clone();

    assert_eq!(status(), "created");
    for (format, expected) in [
        ("{{.Name}}", format!("/{name}").as_str()),
        ("{{index .Config.Env 0}}", "GREETING=hola = adiós"),
        ("{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}", "33554432 500000000 64"),
        ("{{.HostConfig.RestartPolicy.Name}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}}", "on-failure:3"),
        ("{{.Config.User}} {{.Config.WorkingDir}} {{.Config.Hostname}}", "0:0 /tmp grande"),
        ("{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.Init}} {{.HostConfig.Privileged}}", "true true false"),
        (
            "{{.HostConfig.CapDrop}} {{.HostConfig.Dns}} {{.HostConfig.ExtraHosts}}",
            "[NET_RAW] [192.0.2.1] [db:192.0.2.2]",
        ),
        ("{{.HostConfig.LogConfig.Type}} {{index .HostConfig.LogConfig.Config \"max-size\"}}", "json-file 1m"),
        ("{{.Config.Healthcheck.Test}} {{.Config.Healthcheck.Interval}}", "[CMD true] 1.5s"),
    ] {
        assert_eq!(ask(format), expected, "{format}");
    }

    let row = act(json!({"operation": "start", "object": name})).await;
    assert_eq!((row["state"].as_str(), status().as_str()), (Some("running"), "running"));
    let ports = row["ports"].as_array().expect("it has ports");
    let port = ports.iter().find(|port| port["host_ip"] == "0.0.0.0").expect("one is open on IPv4");
    let published = docker(&["port", &id, "8080"]);
    assert_eq!(published.lines().next(), Some(format!("0.0.0.0:{}", port["host_port"]).as_str()), "{published}");

    act(json!({"operation": "pause", "object": &id[..12]})).await;
    assert_eq!(status(), "paused");
    act(json!({"operation": "unpause", "object": id})).await;
    assert_eq!(status(), "running");

    let before = ask("{{.State.StartedAt}}");
    act(json!({"operation": "restart", "data": {"timeout": 2}, "object": id})).await;
    assert_ne!(ask("{{.State.StartedAt}}"), before);

    let other = story.name("renamed");
    assert_eq!(
        act(json!({"operation": "rename", "data": {"name": other}, "object": id})).await["name"],
        other.as_str()
    );
    assert_eq!(ask("{{.Name}}"), format!("/{other}"));

    act(json!({"operation": "stop", "data": {"timeout": 3}, "object": other})).await;
    assert_eq!(ask("{{.State.Status}} {{.State.ExitCode}}"), "exited 0");
    act(json!({"operation": "start", "object": other})).await;
    act(json!({"operation": "kill", "data": {"signal": "SIGKILL"}, "object": other})).await;
    until("it is dead", Duration::from_secs(5), || async { status() == "exited" }).await;
    assert_eq!(ask("{{.State.ExitCode}}"), "137");

    let inspected = act(json!({"operation": "inspect", "object": id})).await;
    assert_eq!(inspected["Id"], id.as_str());
    assert_eq!(act(json!({"operation": "reload", "object": id})).await["exit_code"], 137);

    let volumes = ask("{{range .Mounts}}{{.Name}}{{end}}");
    assert_eq!(
        act(json!({"operation": "remove", "data": {"volumes": true}, "object": id})).await["removed"],
        id.as_str()
    );
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("id={id}")]), "");
    assert_eq!(docker(&["volume", "ls", "-q", "--filter", &format!("name={volumes}")]), "");
}

#[tokio::test]
async fn refusals_are_the_engines_own_words() {
    let story = Story::start().await.up().await;
    let id = story.container(ROOT, "web", json!({}), true).await;
    let refused = async |body: Value, status: u16| {
        story.operate(ROOT, body).await.expect(status).json()["error"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };

    let taken = refused(json!({"operation": "create", "data": story.spec("web", json!({}))}), 409).await;
    assert!(taken.contains("already in use") && taken.contains(&id), "{taken}");
    let running = refused(json!({"operation": "remove", "object": id}), 409).await;
    assert!(!running.is_empty() && refusal(&["rm", &id]).contains(&running), "{running}");
    let unpaused = refused(json!({"operation": "unpause", "object": id}), 409).await;
    assert!(unpaused.contains("not paused"), "{unpaused}");
    refused(json!({"operation": "start", "object": "nobody"}), 404).await;

    let spec = story.spec("none", json!({"image": nowhere()}));
    let missing = story.operate(ROOT, json!({"operation": "create", "data": spec})).await.expect(422);
    assert_eq!(missing.problem_fields(), ["image"]);
    assert!(missing.text.contains("No such image"), "{}", missing.text);
    let spec = story.spec("wrong", json!({"memory": 1, "name": "-x", "ports": [{"container_port": 0}]}));
    let wrong = story.operate(ROOT, json!({"operation": "create", "data": spec})).await.expect(422);
    assert_eq!(wrong.problem_fields(), ["name", "ports[0].container_port", "memory"]);
    assert_eq!(
        story.operate(ROOT, json!({"operation": "tag", "object": id})).await.expect(422).problem_fields(),
        ["operation"]
    );
}

#[tokio::test]
async fn several_containers_have_a_result_each() {
    let story = Story::start().await.up().await;
    let first = story.container(ROOT, "one", json!({}), false).await;
    story.container(ROOT, "two", json!({}), false).await;

    let objects = json!([first, story.name("two"), "nobody"]);
    let started = story.operate(ROOT, json!({"operation": "start", "objects": objects})).await.expect(200).json();

    let results = started["results"].as_array().expect("there are results");
    assert_eq!(results.iter().map(|result| result["ok"] == true).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(results[1]["object"], story.name("two").as_str());
    assert_eq!(results[2]["error"]["code"], "not_found");
    let running = docker(&["ps", "-q", "--filter", &format!("label=story={}", story.mark)]);
    assert_eq!(running.split_whitespace().count(), 2);
}

#[tokio::test]
async fn what_happens_outside_is_seen_within_a_second() {
    let story = Story::start().await.up().await;
    let root = story.app.client(ROOT).await;
    let name = story.name("outside");
    let label = format!("story={}", story.mark);
    let seen = async |state: &str| {
        let listed = root.get(&format!("{CONTAINERS}?search={name}")).await.expect(200).json();
        listed["items"][0]["state"].as_str().unwrap_or("absent") == state
    };

    docker(&["run", "-d", "--name", &name, "--label", &label, &service("MUELLE_TEST_IMAGE"), "sleep", "300"]);
    let appeared = until("it appears", Duration::from_secs(1), || seen("running")).await;
    docker(&["pause", &name]);
    until("it is paused", Duration::from_secs(1), || seen("paused")).await;
    docker(&["rm", "-f", &name]);
    let went = until("it is gone", Duration::from_secs(1), || seen("absent")).await;

    eprintln!("appeared after {appeared:?}, went after {went:?}");
}

#[tokio::test]
async fn what_ends_at_once_is_not_shown_as_running() {
    let story = Story::start().await.up().await;
    let root = story.app.client(ROOT).await;
    let (image, label) = (service("MUELLE_TEST_IMAGE"), format!("story={}", story.mark));

    // An engine tells of an end before its list shows it, now and then much before.
    for n in 1..=12 {
        let name = story.name(&format!("brief-{n}"));
        docker(&["run", "--detach", "--label", &label, "--name", &name, &image, "sh", "-c", "exit 3"]);
        docker(&["wait", &name]);
        let list = format!("{CONTAINERS}?search={name}");
        until("it has ended", Duration::from_secs(10), || async {
            let listed = root.get(&list).await.json();
            (&listed["items"][0]["state"], &listed["items"][0]["exit_code"]) == (&json!("exited"), &json!(3))
        })
        .await;
    }
}

#[tokio::test]
async fn a_run_is_a_job_that_pulls_what_is_missing() {
    let story = Story::start().await.up().await;
    let root = story.app.client(ROOT).await;
    let image = format!("{}/muelle/busybox:2", service("MUELLE_TEST_REGISTRY"));
    drop(Command::new("docker").args(["-H", &service("MUELLE_TEST_ENGINE"), "rmi", "-f", &image]).output());

    let spec = story.spec("run", json!({"image": image, "env": {"TOKEN": "canary-in-the-mine"}}));
    let job = ended(&root, story.operate(ROOT, json!({"operation": "run", "data": spec})).await).await;

    assert_eq!(job["state"], "succeeded", "{job}");
    assert!(!job.to_string().contains("canary-in-the-mine"), "{job}");
    let made = docker(&[
        "inspect",
        "--format",
        "{{.Id}} {{.State.Status}} {{index .Config.Labels \"muelle.job\"}}",
        &story.name("run"),
    ]);
    let id = job["outcome"]["id"].as_str().unwrap_or_default();
    assert_eq!(made, format!("{id} running {}", job["id"].as_str().unwrap_or_default()));
    let output = root.get(&format!("/api/v1/jobs/{}/output", job["id"].as_str().unwrap_or_default())).await;
    assert!(output.text.contains("Downloaded newer image"), "{}", output.text);
}

#[tokio::test]
async fn a_run_that_cannot_start_leaves_nothing_behind() {
    let story = Story::start().await.up().await;
    let root = story.app.client(ROOT).await;
    let spec = story.spec("bad", json!({"command": ["/no/such/program"]}));

    let job = ended(&root, story.operate(ROOT, json!({"operation": "run", "data": spec})).await).await;

    assert_eq!(job["state"], "failed", "{job}");
    assert!(job["outcome"].to_string().contains("no such file"), "{job}");
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("name={}", story.name("bad"))]), "");
}

#[tokio::test]
async fn a_pull_tells_of_its_layers_and_of_refusals() {
    let story = Story::start().await.up().await;
    let root = story.app.client(ROOT).await;
    let pull = async |data: Value| {
        root.post(&format!("{IMAGES}/operations"), &json!({"operation": "pull", "data": data})).await
    };
    let image = service("MUELLE_TEST_WEB_IMAGE");
    drop(Command::new("docker").args(["-H", &service("MUELLE_TEST_ENGINE"), "rmi", "-f", &image]).output());

    let pulled = ended(&root, pull(json!({"image": image})).await).await;
    assert_eq!(pulled["state"], "succeeded", "{pulled}");
    assert!(docker(&["images", "-q", &image]).len() >= 12);

    let missing = ended(&root, pull(json!({"image": nowhere()})).await).await;
    assert_eq!(missing["state"], "failed", "{missing}");
    assert!(missing["outcome"].to_string().contains("not found"), "{missing}");

    let private = format!("{}/muelle/private:1", service("MUELLE_TEST_PRIVATE_REGISTRY"));
    let refused = ended(&root, pull(json!({"image": private})).await).await;
    assert_eq!(refused["state"], "failed", "{refused}");
    assert!(refused["outcome"].to_string().contains("no basic auth credentials"), "{refused}");

    assert_eq!(pull(json!({"image": "--help"})).await.expect(422).problem_fields(), ["image"]);
    assert_eq!(pull(json!({"image": "a:b", "all_tags": true})).await.expect(422).problem_fields(), ["image"]);
}

#[tokio::test]
async fn a_pull_can_be_cancelled() {
    let story = Story::start().await.up().await;
    let root = story.app.client(ROOT).await;
    // Nobody answers there, so the pull hangs until it is cancelled.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let nowhere = format!("{}/muelle/slow:1", silent.local_addr().expect("it has an address"));

    let body = json!({"operation": "pull", "data": {"image": nowhere}});
    let queued = root.post(&format!("{IMAGES}/operations"), &body).await;
    let id = queued.json()["job"]["id"].as_str().expect("it names a job").to_owned();
    until("it runs", Duration::from_secs(5), || async {
        root.get(&format!("/api/v1/jobs/{id}")).await.json()["state"] == "running"
    })
    .await;
    root.post(&format!("/api/v1/jobs/{id}/cancel"), &json!({})).await;
    let job = ended(&root, queued).await;

    assert_eq!(job["state"], "cancelled", "{job}");
}

#[tokio::test]
async fn images_are_listed_named_and_removed_as_docker_does() {
    let story = Story::start().await.up().await;
    let root = story.app.client(ROOT).await;
    let image = service("MUELLE_TEST_IMAGE");
    let operate = async |body: Value| root.post(&format!("{IMAGES}/operations"), &body).await;
    let tag = format!("1-{}", story.mark);

    let tagged =
        operate(json!({"operation": "tag", "data": {"repository": "muelle/copy", "tag": tag}, "object": image})).await;
    assert_eq!(tagged.expect(200).json()["result"]["tagged"], format!("muelle/copy:{tag}"));
    let id = docker(&["images", "--no-trunc", "-q", &format!("muelle/copy:{tag}")]);
    assert_eq!(id, docker(&["images", "--no-trunc", "-q", &image]));

    let listed = root.get(IMAGES).await.expect(200).json();
    let row = listed["items"].as_array().and_then(|items| items.iter().find(|item| item["id"] == id.as_str())).cloned();
    let row = row.expect("the image is in the list");
    assert_eq!(row["size"].to_string(), docker(&["image", "inspect", "--format", "{{.Size}}", &image]));
    let detail = root.get(&format!("{IMAGES}/muelle/copy:{tag}")).await.expect(200).json();
    assert_eq!(detail["inspect"]["Id"], id.as_str());
    let layers = docker(&["history", "-q", "--no-trunc", &image]);
    assert_eq!(detail["history"].as_array().map(Vec::len), Some(layers.lines().count()));

    let removed =
        operate(json!({"operation": "remove", "object": format!("muelle/copy:{tag}")})).await.expect(200).json();
    assert_eq!(removed["result"]["untagged"], json!([format!("muelle/copy:{tag}")]));
    assert_eq!(docker(&["images", "-q", &format!("muelle/copy:{tag}")]), "");
    operate(json!({"operation": "remove", "object": format!("muelle/copy:{tag}")})).await.expect(404);

    story.container(ROOT, "user", json!({}), true).await;
    let used = operate(json!({"operation": "remove", "object": id})).await.expect(409);
    assert!(used.text.contains("conflict: unable to"), "{}", used.text);
}

#[tokio::test]
async fn another_customer_sees_nothing_of_a_container() {
    let story = Story::start().await.up().await;
    let id = story.container(REGULAR, "secret", json!({}), true).await;
    let label = docker(&["inspect", "--format", "{{index .Config.Labels \"muelle.customer\"}}", &id]);
    assert_eq!(label, story.app.customer_id("acme").to_string());
    let (stranger, own, root) =
        (story.app.client(STRANGER).await, story.app.client(ADMIN).await, story.app.client(ROOT).await);
    let name = story.name("secret");
    let sees = async |client: &Client| client.get(&format!("{CONTAINERS}?search={name}")).await.json()["total"] == 1;
    let without_number = |answer: Answer| {
        let mut body = answer.json();
        body["error"]["request"] = Value::Null;
        (answer.status, body)
    };

    assert!(sees(&own).await && sees(&root).await && !sees(&stranger).await);
    for path in [format!("{CONTAINERS}/{{}}"), format!("{CONTAINERS}/{{}}/logs")] {
        let theirs = without_number(stranger.get(&path.replace("{}", &id)).await);
        let nothing = without_number(stranger.get(&path.replace("{}", &"0".repeat(64))).await);
        assert_eq!((theirs.0, &theirs), (404, &nothing), "{path}");
    }
    for operation in ["start", "stop", "restart", "pause", "unpause", "kill", "remove", "logs", "inspect", "reload"] {
        for object in [&id, &name] {
            let theirs =
                without_number(story.operate(STRANGER, json!({"operation": operation, "object": object})).await);
            let nothing =
                without_number(story.operate(STRANGER, json!({"operation": operation, "object": "nobody"})).await);
            assert_eq!((theirs.0, &theirs), (404, &nothing), "{operation}");
        }
    }
    assert_eq!(docker(&["inspect", "--format", "{{.State.Status}}", &id]), "running");

    let taken = story.operate(STRANGER, json!({"operation": "create", "data": story.spec("secret", json!({}))})).await;
    assert!(!taken.expect(409).text.contains(&id), "the other container's id is not told");
    let spec = story.spec("forged", json!({"labels": {"muelle.customer": story.app.customer_id("acme")}}));
    let forged = story.operate(STRANGER, json!({"operation": "create", "data": spec})).await.expect(422);
    assert_eq!(forged.problem_fields(), ["labels.muelle.customer"]);
    let viewer = story.app.client(VIEWER).await;
    viewer.post(&format!("{CONTAINERS}/operations"), &json!({"operation": "stop", "object": id})).await.expect(403);
    assert_eq!(viewer.get(&format!("{CONTAINERS}/{id}")).await.status, 200);
}

#[tokio::test]
async fn a_customers_prune_leaves_the_others_alone() {
    let story = Story::start().await.up().await;
    let once = json!({"command": ["true"]});
    let own = story.container(REGULAR, "own", once.clone(), true).await;
    let other = story.container(STRANGER, "other", once.clone(), true).await;
    let platforms = story.container(ROOT, "platforms", once, true).await;
    let client = story.app.client(REGULAR).await;
    let is_there = |id: &str| !docker(&["ps", "-aq", "--filter", &format!("id={id}")]).is_empty();
    until("all have ended", Duration::from_secs(10), || async {
        docker(&["ps", "-q", "--filter", &format!("label=story={}", story.mark)]).is_empty()
    })
    .await;

    let filters = json!({"label": [format!("story={}", story.mark)]});
    let pruned = story.operate(REGULAR, json!({"operation": "prune", "data": {"filters": filters}})).await;
    let job = ended(&client, pruned).await;

    assert_eq!(job["outcome"]["removed"], json!([own]), "{job}");
    assert!(!is_there(&own) && is_there(&other) && is_there(&platforms));
    let images = client.post(&format!("{IMAGES}/operations"), &json!({"operation": "prune"})).await;
    images.expect(403);
}

#[tokio::test]
async fn rights_over_the_machine_are_for_the_platforms_administrators() {
    let story = Story::start().await.up().await;
    let others = story.container(STRANGER, "others", json!({}), true).await;
    let volume = story.name("volume");
    docker(&["volume", "create", "--label", &format!("muelle.customer={}", story.app.customer_id("globex")), &volume]);
    let bind = story.name("bind");
    docker(&["volume", "create", "-o", "type=none", "-o", "o=bind", "-o", "device=/etc", &bind]);
    let bound = |source: &str| json!({"mounts": [{"type": "bind", "source": source, "target": "/x"}]});
    let mounted = |source: &str| json!({"mounts": [{"type": "volume", "source": source, "target": "/x"}]});
    let host = docker(&["network", "inspect", "--format", "{{.Id}}", "host"]);
    let platform = Person { role: muelle::authentication::model::Role::Regular, customer: None };

    for spec in [
        json!({"privileged": true}),
        json!({"network": "host"}),
        json!({"networks": [{"name": "host"}]}),
        json!({"pid_mode": "host"}),
        json!({"ipc_mode": "host"}),
        json!({"cap_add": ["SYS_ADMIN"]}),
        json!({"cap_add": ["all"]}),
        json!({"devices": ["/dev/null"]}),
        json!({"log_driver": "syslog"}),
        json!({"ulimits": ["nofile=9999999"]}),
        bound("/srv"),
        bound("/var/run/docker.sock"),
    ] {
        for person in [REGULAR, ADMIN, platform] {
            for operation in ["create", "run"] {
                let refused =
                    story.operate(person, json!({"operation": operation, "data": story.spec("x", spec.clone())})).await;
                assert_eq!(refused.status, 403, "{person:?} {operation} {spec}: {}", refused.text);
            }
        }
    }
    for (person, spec, status) in [
        (REGULAR, json!({"network": format!("container:{others}")}), 404),
        (REGULAR, json!({"pid_mode": format!("container:{}", story.name("others"))}), 404),
        (REGULAR, mounted(&volume), 422),
        (REGULAR, mounted(&bind), 422),
        (platform, mounted(&bind), 403),
        (REGULAR, json!({"network": &host[..12]}), 403),
        (platform, json!({"network": &host[..12]}), 403),
    ] {
        let refused =
            story.operate(person, json!({"operation": "create", "data": story.spec("x", spec.clone())})).await;
        assert_eq!(refused.status, status, "{person:?} {spec}: {}", refused.text);
    }
    let id = story.container(ROOT, "root", json!({"privileged": true, "cap_add": ["SYS_ADMIN"]}), false).await;
    assert_eq!(docker(&["inspect", "--format", "{{.HostConfig.Privileged}}", &id]), "true");
    for volume in [volume, bind] {
        docker(&["volume", "rm", &volume]);
    }
}

#[tokio::test]
async fn secrets_of_the_environment_are_hidden_from_those_who_only_look() {
    let story = Story::start().await.up().await;
    let id = story.container(REGULAR, "env", json!({"env": {"PASSWORD": "canary-value"}}), false).await;
    let (viewer, regular) = (story.app.client(VIEWER).await, story.app.client(REGULAR).await);

    let operation = json!({"operation": "inspect", "object": id});
    let seen = [
        viewer.get(&format!("{CONTAINERS}/{id}")).await,
        viewer.post(&format!("{CONTAINERS}/operations"), &operation).await,
    ];

    for answer in seen {
        assert!(answer.status == 200 && answer.text.contains("PASSWORD") && !answer.text.contains("canary-value"));
    }
    assert!(regular.get(&format!("{CONTAINERS}/{id}")).await.text.contains("canary-value"));
    let lines = trail(&story, "env").await;
    assert_eq!(lines.iter().map(|(action, _)| action.as_str()).collect::<Vec<_>>(), ["asked", "create"]);
    assert_eq!((&lines[0].1["operation"], &lines[1].1["operation"]), (&json!("create"), &Value::Null));
    assert!(lines.iter().all(|(_, after)| !after.to_string().contains("canary-value")));
}

/// The lines of the audit trail about a container of this story, oldest first: the action, and what it tells.
async fn trail(story: &Story, name: &str) -> Vec<(String, Value)> {
    let statement = sql("select action, after from audit where kind = 'container' and record = $1 order by id");
    let lines = story.app.state.db.rows(&SYSTEM, statement.bind(story.name(name))).await;
    let line = |line: &Row| {
        let after = line.text("after").expect("it has values");
        (line.text("action").expect("it has an action"), serde_json::from_str(&after).expect("they are JSON"))
    };
    lines.expect("the trail can be read").iter().map(line).collect()
}

#[tokio::test]
async fn nothing_is_done_that_the_trail_cannot_tell() {
    let story = Story::start().await.up().await;
    let id = story.container(ROOT, "web", json!({}), false).await;
    let (root, db) = (story.app.client(ROOT).await, &story.app.state.db);
    let operate = async |body: Value| root.post(&format!("{CONTAINERS}/operations"), &body).await;
    let full = "create trigger full before insert on audit begin select raise(abort, 'the disk is full'); end";
    db.execute(&SYSTEM, sql(full)).await.expect("it is made");

    let refused = operate(json!({"operation": "start", "object": id})).await;
    let queued = operate(json!({"operation": "prune"})).await;
    db.execute(&SYSTEM, sql("drop trigger full")).await.expect("it is removed");

    assert_eq!((refused.status, queued.status), (500, 500), "{} {}", refused.text, queued.text);
    assert_eq!(docker(&["inspect", "--format", "{{.State.Status}}", &id]), "created");
    let jobs = root.get("/api/v1/jobs").await.expect(200).json();
    assert_eq!(jobs["items"], json!([]), "a job that cannot be recorded is not queued");
}

#[tokio::test]
async fn logs_are_read_searched_and_followed() {
    let story = Story::start().await.up().await;
    // The engine writes the two streams down one beside the other, so the one line of errors comes well before.
    let script = "echo trouble >&2; sleep 1; for i in $(seq 1 2000); do echo line $i; done; while :; do sleep 1; done";
    let id = story.container(REGULAR, "log", json!({"command": ["sh", "-c", script]}), true).await;
    let client = story.app.client(REGULAR).await;
    let logs = |query: &str| {
        let path = format!("{CONTAINERS}/{id}/logs?{query}");
        let client = &client;
        async move { client.get(&path).await.expect(200).text }
    };
    until("it has written", Duration::from_secs(10), || async {
        logs("tail=1&stdout=true").await.contains("line 2000")
    })
    .await;

    assert_eq!(logs("tail=3&stdout=true").await, "line 1998\nline 1999\nline 2000\n");
    assert_eq!(logs("stderr=true").await, "trouble\n");
    assert_eq!(logs("stdout=true").await.lines().count(), 2000);
    assert!(logs("timestamps=true&stderr=true").await.starts_with("20"));
    assert_eq!(logs("since=2999-01-01T00:00:00Z").await, "");
    let answer = client.get(&format!("{CONTAINERS}/{id}/logs?download=true&tail=1")).await;
    let named = answer.headers["content-disposition"].to_str().unwrap_or_default().to_owned();
    assert_eq!(named, format!("attachment; filename=\"{}.log\"", story.name("log")));
    client.get(&format!("{CONTAINERS}/{id}/logs?tail=many&since=1")).await.expect(422);

    let permit = story.app.context(REGULAR).permit("container").expect("they may look");
    let whole = muelle::deployments::model::LogQuery::default();
    let found = muelle::deployments::server::logs::search(&permit, "local", &id, "LINE 77", &whole).await;
    let found = found.expect("the log can be searched");
    assert_eq!((found.total, found.lines), (11, 2001));
    assert_eq!(found.matches[0].1.text, "line 77");

    let (first, cursor) = follow(&story, &client, &id, None, 1500).await;
    let (second, _) = follow(&story, &client, &id, Some(cursor), 1).await;
    let joined: Vec<String> = first.into_iter().chain(second).filter(|line| line.starts_with("line ")).collect();
    let expected: Vec<String> = (1..=joined.len()).map(|number| format!("line {number}")).collect();
    assert_eq!(joined, expected, "nothing is lost and nothing comes twice");
}

/// Follows a log until at least so many lines came; gives them and where to go on.
async fn follow(
    story: &Story,
    client: &Client,
    id: &str,
    cursor: Option<String>,
    least: usize,
) -> (Vec<String>, String) {
    let mut response = follower(story, client, id, cursor.as_deref()).await;
    assert_eq!(response.status(), 200);
    let (mut text, mut lines, mut cursor) = (String::new(), Vec::new(), cursor.unwrap_or_default());
    while lines.len() < least {
        let piece = tokio::time::timeout(Duration::from_secs(5), response.chunk()).await.expect("there is more");
        text.push_str(&String::from_utf8_lossy(&piece.expect("the stream goes on").expect("the stream goes on")));
        while let Some(end) = text.find("\n\n") {
            let event: String = text.drain(..end + 2).collect();
            for field in event.lines() {
                if let Some(id) = field.strip_prefix("id: ") {
                    id.clone_into(&mut cursor);
                } else if let Some(data) = field.strip_prefix("data: ") {
                    let data: Value = serde_json::from_str(data).expect("it is JSON");
                    let texts = data.as_array().into_iter().flatten();
                    lines.extend(texts.map(|line| line["text"].as_str().unwrap_or_default().to_owned()));
                }
            }
        }
    }
    (lines, cursor)
}

/// Opens a log to be followed.
async fn follower(story: &Story, client: &Client, id: &str, cursor: Option<&str>) -> reqwest::Response {
    let mut request = reqwest::Client::new()
        .get(story.app.url(&format!("{CONTAINERS}/{id}/logs?follow=true&stdout=true")))
        .bearer_auth(client.token().expect("they are signed in"))
        .header("accept", "text/event-stream");
    if let Some(cursor) = cursor {
        request = request.header("last-event-id", cursor);
    }
    request.send().await.expect("the server answers")
}

/// A way to the real engine that can be frozen and taken away.
pub struct Proxy {
    socket: PathBuf,
    mood: watch::Sender<Mood>,
    _folder: TempDir,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    /// Everything passes.
    Open,
    /// Connections are accepted, and nothing moves.
    Frozen,
    /// There is nobody.
    Gone,
}

impl Proxy {
    fn start() -> Arc<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let socket = folder.path().join("docker.sock");
        let (mood, moods) = watch::channel(Mood::Open);
        let engine = PathBuf::from(service("MUELLE_TEST_ENGINE").trim_start_matches("unix://"));
        tokio::spawn(serve(socket.clone(), engine, moods));
        Arc::new(Self { socket, mood, _folder: folder })
    }

    fn set(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }
}

async fn serve(socket: PathBuf, engine: PathBuf, mut moods: watch::Receiver<Mood>) {
    loop {
        if *moods.borrow_and_update() == Mood::Gone {
            drop(std::fs::remove_file(&socket));
            if moods.wait_for(|mood| *mood != Mood::Gone).await.is_err() {
                return;
            }
        }
        let Ok(listener) = UnixListener::bind(&socket) else { return };
        let followed = moods.clone();
        loop {
            tokio::select! {
                gone = moods.wait_for(|mood| *mood == Mood::Gone) => {
                    if gone.is_err() {
                        return;
                    }
                    break;
                }
                accepted = listener.accept() => {
                    let Ok((client, _)) = accepted else { return };
                    tokio::spawn(carry(client, engine.clone(), followed.clone()));
                }
            }
        }
    }
}

async fn carry(mut client: UnixStream, engine: PathBuf, mut moods: watch::Receiver<Mood>) {
    let Ok(mut engine) = UnixStream::connect(&engine).await else { return };
    loop {
        let mood = *moods.borrow_and_update();
        match mood {
            Mood::Gone => return,
            Mood::Frozen => {
                if moods.changed().await.is_err() {
                    return;
                }
            }
            Mood::Open => tokio::select! {
                changed = moods.changed() => if changed.is_err() { return },
                _ = copy_bidirectional(&mut client, &mut engine) => return,
            },
        }
    }
}

#[tokio::test]
async fn a_frozen_engine_is_told_within_five_seconds_and_stops_no_page() {
    let proxy = Proxy::start();
    let story = Story::behind(&proxy).await.up().await;
    let id = story.container(ROOT, "web", json!({}), true).await;
    let root = story.app.client(ROOT).await;
    let status = async || root.get("/api/v1/engines/local").await.expect(200).json();

    proxy.set(Mood::Frozen);
    let begun = Instant::now();
    let refused = story.operate(ROOT, json!({"operation": "stop", "object": id})).await;
    assert!(
        refused.status == 503 && begun.elapsed() < Duration::from_secs(6),
        "{} after {:?}",
        refused.text,
        begun.elapsed()
    );
    until(
        "it is stale",
        Duration::from_secs(5).saturating_sub(begun.elapsed()) + Duration::from_millis(200),
        || async { status().await["state"] == "stale" },
    )
    .await;
    let begun = Instant::now();
    let listed = root.get(CONTAINERS).await.expect(200).json();
    let status_now = status().await;
    assert!(begun.elapsed() < Duration::from_millis(600), "{:?}", begun.elapsed());
    assert_eq!(listed["engine"]["is_up"], false);
    assert!(listed["items"].as_array().is_some_and(|items| items.iter().any(|item| item["id"] == id.as_str())));
    assert!(status_now["problem"].as_str().is_some_and(|problem| problem.contains("does not answer")), "{status_now}");
    story.operate(ROOT, json!({"operation": "start", "object": id})).await.expect(503);
    root.get(&format!("{CONTAINERS}/{id}")).await.expect(503);

    proxy.set(Mood::Open);
    let back = until("it is up", Duration::from_secs(5), || async { status().await["is_up"] == true }).await;
    eprintln!("up again after {back:?}");
    root.get(&format!("{CONTAINERS}/{id}")).await.expect(200);
}

#[tokio::test]
async fn a_followed_log_ends_with_the_reason_when_the_engine_freezes_or_goes() {
    let proxy = Proxy::start();
    let story = Story::behind(&proxy).await.up().await;
    let quiet = story.container(ROOT, "quiet", json!({}), true).await;
    let root = story.app.client(ROOT).await;
    let is_up = async || root.get("/api/v1/engines/local").await.json()["is_up"] == true;

    for (mood, reason) in [(Mood::Frozen, "does not answer"), (Mood::Gone, "away")] {
        let mut following = follower(&story, &root, &quiet, None).await;
        assert_eq!(following.status(), 200, "the head comes before the first line");
        proxy.set(mood);
        let begun = Instant::now();
        let mut text = String::new();
        while let Some(piece) = following.chunk().await.expect("the stream is whole") {
            text.push_str(&String::from_utf8_lossy(&piece));
        }
        let ended = begun.elapsed();
        eprintln!("{mood:?}: told after {ended:?}");
        assert!(ended < Duration::from_secs(5), "{ended:?}");
        let data = text.split("event: end\ndata: ").nth(1).unwrap_or_else(|| panic!("no end: {text}"));
        let end: Value = serde_json::from_str(data.trim()).expect("it is JSON");
        assert_eq!(end["reason"], "trouble", "a browser comes back after this");
        assert!(end["message"].as_str().is_some_and(|message| message.contains(reason)), "{end}");

        assert_eq!(follower(&story, &root, &quiet, None).await.status(), 503, "who comes back too early is told");
        proxy.set(Mood::Open);
        until("it is up", Duration::from_secs(5), is_up).await;
    }
    assert_eq!(follower(&story, &root, &quiet, None).await.status(), 200);
}

#[tokio::test]
async fn what_takes_long_fails_at_once_on_a_frozen_engine() {
    let proxy = Proxy::start();
    let story = Story::behind(&proxy).await.up().await;
    let root = story.app.client(ROOT).await;
    let stubborn = json!({"command": ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]});
    let id = story.container(ROOT, "stubborn", stubborn, true).await;
    // Nobody answers there, so the pull would hang.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let nowhere = format!("{}/muelle/slow:1", silent.local_addr().expect("it has an address"));
    let pull = json!({"operation": "pull", "data": {"image": nowhere}});
    let queued = root.post(&format!("{IMAGES}/operations"), &pull).await;
    let job = queued.json()["job"]["id"].as_str().expect("it names a job").to_owned();
    let frozen = tokio::sync::OnceCell::new();
    let signals = ["events", "--since", "1m", "--until", "0s", "--filter", "event=kill", "--filter"];
    let of_it = format!("container={id}");

    let stop = story.operate(ROOT, json!({"operation": "stop", "data": {"timeout": 600}, "object": id}));
    let freeze = async {
        until("both are under way", Duration::from_secs(10), || async {
            let pulls = root.get(&format!("/api/v1/jobs/{job}/output")).await.text.contains("Pulling");
            pulls && !docker(&[&signals[..], &[of_it.as_str()]].concat()).is_empty()
        })
        .await;
        let told: Vec<_> = trail(&story, "stubborn").await.into_iter().map(|(action, _)| action).collect();
        assert_eq!(told[told.len() - 1], "asked", "whoever looks after a crash sees what was under way");
        frozen.set(Instant::now()).expect("it is frozen once");
        proxy.set(Mood::Frozen);
    };
    let (stopped, ()) = tokio::join!(stop, freeze);
    let after = frozen.get().map(Instant::elapsed).unwrap_or_default();
    let pulled = ended(&root, queued).await;
    let pulled_after = frozen.get().map(Instant::elapsed).unwrap_or_default();

    eprintln!("the stop failed after {after:?}, the pull after {pulled_after:?}");
    assert!(stopped.status == 503 && after < Duration::from_secs(5), "{after:?}: {}", stopped.text);
    assert!(stopped.text.contains("does not answer"), "{}", stopped.text);
    let (action, outcome) = trail(&story, "stubborn").await.pop().expect("there are lines");
    assert!(action == "stop" && outcome["error"].is_string(), "{action}: {outcome}");
    assert!(pulled["state"] == "failed" && pulled_after < Duration::from_secs(6), "{pulled_after:?}: {pulled}");
    assert!(pulled["outcome"].to_string().contains("does not answer"), "{pulled}");
}

#[tokio::test]
async fn a_copy_of_a_container_is_connected_and_mounted_as_its_original() {
    let story = Story::start().await.up().await;
    let root = story.app.client(ROOT).await;
    let (main, further) = (story.name("main"), story.name("further"));
    let label = format!("story={}", story.mark);
    // Only a network with a subnet of its own gives addresses that are asked for.
    let part = u16::from_str_radix(&story.mark[story.mark.len() - 4..], 16).expect("the mark ends with hexadecimal");
    let subnet = format!("10.{}.{}", 128 + part / 256 % 64, part % 256);
    docker(&["network", "create", "--label", &label, "--subnet", &format!("{subnet}.0/24"), &main]);
    docker(&["network", "create", "--label", &label, &further]);
    let more = json!({
        "networks": [{"name": main, "ipv4": format!("{subnet}.9"), "aliases": ["db"]}, {"name": further, "aliases": ["store"]}],
        "mounts": [{"type": "volume", "target": "/data"}],
    });
    let id = story.container(ROOT, "original", more, true).await;

    let mut spec = root.get(&format!("{CONTAINERS}/{id}")).await.expect(200).json()["spec"].clone();
    spec["name"] = json!(story.name("copy"));
    // The form leaves out what the system puts there.
    spec["labels"].as_object_mut().expect("it has labels").retain(|name, _| !name.starts_with("muelle."));
    let read = spec.clone();
    let created = story.operate(ROOT, json!({"operation": "create", "data": spec})).await;
    let copy = created.expect(200).json()["result"]["id"].as_str().expect("it has an id").to_owned();
    story.operate(ROOT, json!({"operation": "stop", "data": {"timeout": 1}, "object": id})).await.expect(200);
    story.operate(ROOT, json!({"operation": "start", "object": copy})).await.expect(200);
    let ask = |format: &str, id: &str| docker(&["inspect", "--format", format, id]);
    let volume = |id: &str| ask("{{range .Mounts}}{{.Name}}{{end}}", id);
    let address = ask(&format!("{{{{(index .NetworkSettings.Networks {main:?}).IPAddress}}}}"), &copy);
    let aliases = ask(&format!("{{{{(index .NetworkSettings.Networks {further:?}).Aliases}}}}"), &copy);
    let volumes = (volume(&id), volume(&copy));

    assert_eq!(read["network"], Value::Null);
    assert_eq!(read["networks"][0]["name"], main.as_str());
    assert_eq!(read["networks"][0]["aliases"], json!(["db"]));
    assert_eq!(read["networks"][1]["name"], further.as_str());
    assert_eq!(address, format!("{subnet}.9"));
    assert!(aliases.contains("store"), "{aliases}");
    assert!(volumes.0 != volumes.1 && !volumes.1.is_empty(), "{volumes:?}");
}

#[tokio::test]
async fn after_a_restart_of_the_engine_the_list_is_right() {
    let proxy = Proxy::start();
    let story = Story::behind(&proxy).await.up().await;
    let id = story.container(ROOT, "before", json!({}), true).await;
    let root = story.app.client(ROOT).await;
    let listed = async || root.get(&format!("{CONTAINERS}?search={}", story.mark)).await.expect(200).json();
    let names = |listed: &Value| -> Vec<String> {
        let items = listed["items"].as_array().cloned().unwrap_or_default();
        items
            .iter()
            .map(|item| {
                format!("{} {}", item["name"].as_str().unwrap_or_default(), item["state"].as_str().unwrap_or_default())
            })
            .collect()
    };

    proxy.set(Mood::Gone);
    until("it is down", Duration::from_secs(5), || async { listed().await["engine"]["state"] == "down" }).await;
    docker(&["stop", "-t", "2", &id]);
    let (label, after) = (format!("story={}", story.mark), story.name("after"));
    docker(&["run", "-d", "--name", &after, "--label", &label, &service("MUELLE_TEST_IMAGE"), "sleep", "300"]);
    assert_eq!(names(&listed().await), [format!("{} running", story.name("before"))], "what was known stays visible");

    proxy.set(Mood::Open);
    let expected = [format!("{after} running"), format!("{} exited", story.name("before"))];
    let right =
        until("the list is right", Duration::from_secs(5), || async { names(&listed().await) == expected }).await;
    eprintln!("right after {right:?}");
}

#[tokio::test]
async fn an_engine_that_never_answers_and_one_that_is_not_there_are_told_apart() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let state_of = async |address: &Path| {
        let story = Story::at(&format!("unix://{}", address.display()), None).await;
        let root = story.app.client(ROOT).await;
        let known = until("the state is known", Duration::from_secs(5), || async {
            root.get("/api/v1/engines/local").await.json()["state"] != "connecting"
        })
        .await;
        let begun = Instant::now();
        let engine = root.get("/api/v1/engines/local").await.expect(200).json();
        root.get(CONTAINERS).await.expect(200);
        root.get("/api/v1/status").await.expect(200);
        assert!(begun.elapsed() < Duration::from_secs(1), "pages answer");
        (
            engine["state"].as_str().unwrap_or_default().to_owned(),
            engine["problem"].as_str().unwrap_or_default().to_owned(),
            known,
        )
    };
    let silent = folder.path().join("silent.sock");
    let _listener = UnixListener::bind(&silent).expect("a socket can be made");
    let refused = folder.path().join("refused.sock");
    drop(UnixListener::bind(&refused).expect("a socket can be made"));

    let (state, problem, known) = state_of(&silent).await;
    assert_eq!(state, "stale", "{problem}");
    assert!(known < Duration::from_secs(5) && problem.contains("does not answer"), "{problem}");
    let (state, problem, _) = state_of(&refused).await;
    assert!(state == "down" && problem.contains("Start it"), "{problem}");
    let (state, problem, _) = state_of(&folder.path().join("nothing.sock")).await;
    assert!(state == "down" && (problem.contains("docker.io") || problem.contains("Start it")), "{problem}");
}

#[tokio::test]
async fn an_address_without_tls_is_refused_with_a_sentence() {
    let story = Story::at("tcp://127.0.0.1:2375", None).await;
    let engine = story.app.client(ROOT).await.get("/api/v1/engines/local").await.expect(200).json();

    assert_eq!(engine["state"], "down");
    assert!(engine["problem"].as_str().is_some_and(|problem| problem.contains("without TLS")), "{engine}");
}

#[tokio::test]
async fn an_engine_tells_of_itself_what_docker_tells() {
    let story = Story::start().await.up().await;
    let root = story.app.client(ROOT).await;
    let told = async || root.get("/api/v1/engines/local").await.expect(200).json()["info"].clone();
    let ask = |arguments: &[&str]| -> Value { serde_json::from_str(&docker(arguments)).expect("docker writes JSON") };

    let ours = told().await;
    let version = ask(&["version", "--format", "{{json .Server}}"]);
    let info = ask(&["info", "--format", "{{json .}}"]);

    for (field, theirs) in [
        ("version", &version["Version"]),
        ("api_version", &version["ApiVersion"]),
        ("host", &info["Name"]),
        ("operating_system", &info["OperatingSystem"]),
        ("kernel", &info["KernelVersion"]),
        ("architecture", &info["Architecture"]),
        ("cpus", &info["NCPU"]),
        ("memory", &info["MemTotal"]),
        ("storage_driver", &info["Driver"]),
        ("root_dir", &info["DockerRootDir"]),
    ] {
        assert!(!theirs.is_null(), "docker tells no {field}");
        assert_eq!(&ours[field], theirs, "{field}");
    }
    // Containers of other stories come and go, so it takes a moment in which none does.
    until("both count the same containers", Duration::from_secs(30), || async {
        let (ours, theirs) = (told().await, ask(&["info", "--format", "{{json .}}"]));
        ours["containers_running"] == theirs["ContainersRunning"]
            && ours["containers_paused"] == theirs["ContainersPaused"]
            && ours["containers_stopped"] == theirs["ContainersStopped"]
    })
    .await;
}

#[tokio::test]
async fn a_customers_figures_of_an_engine_count_its_own_containers() {
    let story = Story::start().await.up().await;
    story.container(REGULAR, "running", json!({}), true).await;
    let paused = story.container(REGULAR, "paused", json!({}), true).await;
    story.operate(REGULAR, json!({"operation": "pause", "object": paused})).await.expect(200);
    story.container(REGULAR, "created", json!({}), false).await;
    story.container(STRANGER, "others", json!({}), true).await;
    let viewer = story.app.client(VIEWER).await;

    let engine = viewer.get("/api/v1/engines/local").await.expect(200).json();

    let of_customer = format!("label=muelle.customer={}", story.app.customer_id("acme"));
    for (field, state) in
        [("containers_running", "running"), ("containers_paused", "paused"), ("containers_stopped", "created")]
    {
        let state = format!("status={state}");
        let ids = docker(&["ps", "--all", "--quiet", "--filter", &of_customer, "--filter", &state]);
        assert_eq!((&engine["info"][field], ids.lines().count()), (&json!(1), 1), "{field}");
    }
    assert_eq!(engine["info"]["root_dir"], "");
    assert_eq!(engine["data_usage"], Value::Null, "what others store is not told");
}

#[tokio::test]
async fn the_disk_usage_of_an_engine_is_what_docker_counts() {
    let story = Story::start().await;
    let (volume, name) = (story.name("volume"), story.name("writer"));
    let (label, mount) = (format!("story={}", story.mark), format!("{volume}:/data"));
    let image = service("MUELLE_TEST_IMAGE");
    let script = "head -c 3000000 /dev/zero >/data/three; head -c 2000000 /dev/zero >/two";
    docker(&["volume", "create", "--label", &label, &volume]);
    docker(&["run", "--name", &name, "--label", &label, "--volume", &mount, &image, "sh", "-c", script]);
    let mut differing =
        vec![("Images", "images", 1e6), ("Containers", "containers", 2e6), ("Local Volumes", "volumes", 3e6)];
    let begun = Instant::now();

    while !differing.is_empty() {
        // Other stories come and go, and a server computes it once a minute: a new one looks again.
        let looking = Story::start().await.up().await;
        let root = looking.app.client(ROOT).await;
        let told = async || root.get("/api/v1/engines/local").await.expect(200).json()["data_usage"].clone();
        until("it is computed", Duration::from_secs(30), || async { !told().await.is_null() }).await;
        let usage = told().await;
        let lines = docker(&["system", "df", "--format", "{{json .}}"]);

        differing.retain(|&(kind, part, least)| {
            let mut lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("docker writes JSON"));
            let line = lines.find(|line| line["Type"] == kind).expect("docker counts each kind");
            let size = usage[part]["size"].as_f64().unwrap_or_default();
            let theirs = bytes(line["Size"].as_str().unwrap_or_default());
            let is_same = usage[part]["count"].as_u64() == line["TotalCount"].as_str().and_then(|count| count.parse().ok())
                // It is rounded to four digits there.
                && (size - theirs).abs() <= theirs * 0.001;
            !is_same || size < least
        });

        let is_late = begun.elapsed() > Duration::from_secs(60);
        assert!(differing.is_empty() || !is_late, "{differing:?} differ: {usage}\n{lines}");
    }
    docker(&["rm", &name]);
    docker(&["volume", "rm", &volume]);
}

/// The bytes of a size as `docker` writes it: `4.212MB`.
fn bytes(text: &str) -> f64 {
    let (number, unit) = text.split_at(text.find(char::is_alphabetic).expect("a size has a unit"));
    let factor = match unit {
        "B" => 1.0,
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        other => panic!("{other} is no unit of docker"),
    };
    number.parse::<f64>().expect("a size begins with a number") * factor
}

#[tokio::test]
async fn a_log_is_given_by_an_operation_too() {
    let story = Story::start().await.up().await;
    // The engine writes the two streams down one beside the other, so the line of errors comes well before.
    let script = "echo trouble >&2; sleep 1; for i in 1 2 3; do echo line $i; done";
    let id = story.container(REGULAR, "log", json!({"command": ["sh", "-c", script]}), true).await;
    docker(&["wait", &id]);
    let operate = async |body: Value| story.operate(VIEWER, body).await;
    let logs = async |data: Value| {
        let answer = operate(json!({"operation": "logs", "data": data, "object": id})).await.expect(200).json();
        answer["result"].as_str().expect("the log is a text").to_owned()
    };

    assert_eq!(logs(json!({})).await, "trouble\nline 1\nline 2\nline 3\n");
    assert_eq!(logs(json!({"tail": 2})).await, "line 2\nline 3\n");
    assert_eq!(logs(json!({"stdout": true})).await, "line 1\nline 2\nline 3\n");
    assert_eq!(logs(json!({"stderr": true})).await, "trouble\n");
    assert_eq!(logs(json!({"stdout": false})).await, "trouble\n");
    assert_eq!(logs(json!({"since": "2999-01-01T00:00:00Z"})).await, "");
    let timed = logs(json!({"stdout": true, "timestamps": true})).await;
    assert_eq!(timed.trim(), docker(&["logs", "--timestamps", &id]));

    let several = json!({"operation": "logs", "data": {"tail": 1}, "objects": [story.name("log"), "nobody"]});
    let results = operate(several).await.expect(200).json()["results"].clone();
    assert_eq!((&results[0]["result"], &results[1]["ok"]), (&json!("line 3\n"), &json!(false)));
    let wrong = operate(json!({"operation": "logs", "data": {"tail": "many"}, "object": id})).await;
    assert_eq!(wrong.expect(422).problem_fields(), ["tail"]);
}

#[tokio::test]
async fn a_prune_tells_which_containers_went_and_how_many_bytes_that_freed() {
    let story = Story::start().await.up().await;
    let client = story.app.client(REGULAR).await;
    let script = "trap 'exit 0' TERM; dd if=/dev/zero of=/three bs=1M count=3 2>/dev/null; echo written; \
                  while :; do sleep 1; done";
    let id = story.container(REGULAR, "writer", json!({"command": ["sh", "-c", script]}), true).await;
    until("it has written", Duration::from_secs(10), || async { docker(&["logs", &id]) == "written" }).await;
    story.operate(REGULAR, json!({"operation": "stop", "data": {"timeout": 5}, "object": id})).await.expect(200);
    let size = docker(&["inspect", "--size", "--format", "{{.SizeRw}}", &id]);

    let filters = json!({"label": [format!("story={}", story.mark)]});
    let pruned = story.operate(REGULAR, json!({"operation": "prune", "data": {"filters": filters}})).await;
    let job = ended(&client, pruned).await;
    let output = client.get(&format!("/api/v1/jobs/{}/output", job["id"].as_str().unwrap_or_default())).await;

    assert_eq!(job["outcome"]["removed"], json!([id]), "{job}");
    assert_eq!(job["outcome"]["space_reclaimed"].to_string(), size);
    assert!(job["outcome"]["space_reclaimed"].as_u64() >= Some(3 << 20), "{job}");
    let name = story.name("writer");
    assert!(output.text.lines().any(|line| line == name), "{}", output.text);
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("id={id}")]), "");
}

#[tokio::test]
async fn a_pull_without_a_tag_asks_for_latest_and_all_tags_brings_every_one() {
    let story = Story::start().await.up().await;
    let root = story.app.client(ROOT).await;
    let repository = format!("{}/{}/many", service("MUELLE_TEST_REGISTRY"), story.mark);
    let (one, two, latest) = (format!("{repository}:1"), format!("{repository}:2"), format!("{repository}:latest"));
    for name in [&one, &two] {
        commit(&story, &service("MUELLE_TEST_IMAGE"), name);
        docker(&["push", "--quiet", name]);
    }
    docker(&["rmi", &one, &two]);
    let pull = async |all_tags: bool| {
        let body = json!({"operation": "pull", "data": {"image": repository, "all_tags": all_tags}});
        ended(&root, root.post(&format!("{IMAGES}/operations"), &body).await).await
    };
    let tags = || {
        let told = docker(&["images", "--format", "{{.Tag}}", &repository]);
        let mut tags: Vec<String> = told.lines().map(str::to_owned).collect();
        tags.sort();
        tags
    };

    let missing = pull(false).await;
    let theirs = refusal(&["pull", &repository]);
    let after_missing = tags();
    let all = pull(true).await;
    let after_all = tags();
    docker(&["tag", &one, &latest]);
    docker(&["push", "--quiet", &latest]);
    docker(&["rmi", &one, &two, &latest]);
    let last = pull(false).await;
    let after_last = tags();
    docker(&["rmi", "--force", &latest]);

    assert_eq!((&missing["state"], after_missing.len()), (&json!("failed"), 0), "{missing}");
    let words = missing["outcome"]["error"]["message"].as_str().unwrap_or_default();
    assert!(words.contains(&latest) && words.contains("not found"), "{missing}");
    assert!(theirs.contains(words), "docker says {theirs} and we {words}");
    assert_eq!(all["state"], "succeeded", "{all}");
    assert_eq!(after_all, ["1", "2"]);
    assert_eq!(last["state"], "succeeded", "{last}");
    assert_eq!(after_last, ["latest"]);
}

/// Makes an image of the story's own out of another one, and gives its identifier.
fn commit(story: &Story, from: &str, name: &str) -> String {
    let (label, change) = (format!("story={}", story.mark), format!("LABEL image={name}"));
    let container = docker(&["create", "--label", &label, "--network", "none", from, "true"]);
    let id = docker(&["commit", "--change", &change, &container, name]);
    docker(&["rm", &container]);
    id
}

/// What `docker` says when the engine refuses.
pub fn refusal(arguments: &[&str]) -> String {
    let output = Command::new("docker").arg("-H").arg(service("MUELLE_TEST_ENGINE")).args(arguments).output();
    let output = output.expect("docker is installed");
    assert!(!output.status.success(), "docker {arguments:?} is not refused");
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

#[tokio::test]
async fn operations_read_and_name_an_image_as_docker_does() {
    let story = Story::start().await.up().await;
    let root = story.app.client(ROOT).await;
    let act = async |body: Value| {
        root.post(&format!("{IMAGES}/operations"), &body).await.expect(200).json()["result"].clone()
    };
    let (repository, copy) = (format!("{}/app", story.mark), format!("{}/copy", story.mark));
    let (name, outside) = (format!("{repository}:1"), format!("{repository}:outside"));
    let id = commit(&story, &service("MUELLE_TEST_IMAGE"), &name);
    story.container(ROOT, "user", json!({"image": name}), false).await;

    let tagged = act(json!({"operation": "tag", "data": {"repository": copy, "tag": "2"}, "object": id})).await;
    docker(&["tag", &name, &outside]);
    let reloaded = act(json!({"operation": "reload", "object": name})).await;
    let listed = act(json!({"operation": "list"})).await;
    let inspected = act(json!({"operation": "inspect", "object": name})).await;
    let history = act(json!({"operation": "history", "object": id})).await;
    let told: Value = serde_json::from_str(&docker(&["image", "inspect", &id])).expect("docker writes JSON");
    let layers = docker(&["history", "--no-trunc", "--human=false", "--format", "{{json .}}", &id]);
    docker(&["rmi", "--force", &id]);

    let told = &told[0];
    assert_eq!(tagged["tagged"], format!("{copy}:2"));
    assert_eq!(told["RepoTags"], json!([name, outside, format!("{copy}:2")]));
    for field in ["Id", "RepoTags", "Created", "Size", "Architecture", "Os", "RootFS"] {
        assert!(!told[field].is_null(), "docker tells no {field}");
        assert_eq!(inspected[field], told[field], "{field}");
    }
    assert_eq!((&reloaded["id"], &reloaded["tags"]), (&told["Id"], &told["RepoTags"]));
    assert_eq!((&reloaded["size"], &reloaded["containers"]), (&told["Size"], &json!(1)));
    assert!(listed.as_array().is_some_and(|rows| rows.contains(&reloaded)), "{listed}");
    let theirs: Vec<Value> = layers
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("docker writes JSON");
            json!([line["ID"], line["CreatedBy"], line["Size"], line["Comment"]])
        })
        .collect();
    let ours: Vec<Value> = history
        .as_array()
        .expect("the layers are a list")
        .iter()
        .map(|layer| json!([layer["id"], layer["created_by"], layer["size"].to_string(), layer["comment"]]))
        .collect();
    assert!(ours.len() >= 2, "{history}");
    assert_eq!(ours, theirs);
}

#[tokio::test]
async fn an_image_that_a_stopped_container_uses_is_removed_by_force_only() {
    let story = Story::start().await.up().await;
    let root = story.app.client(ROOT).await;
    let operate = async |body: Value| root.post(&format!("{IMAGES}/operations"), &body).await;
    let name = format!("{}/used:1", story.mark);
    let id = commit(&story, &service("MUELLE_TEST_IMAGE"), &name);
    let user = story.container(ROOT, "user", json!({"image": name, "command": ["true"]}), true).await;
    docker(&["wait", &user]);

    let refused = operate(json!({"operation": "remove", "object": name})).await.expect(409).json();
    let theirs = refusal(&["rmi", &name]);
    let is_left = docker(&["images", "--no-trunc", "-q", &name]) == id;
    let removed = operate(json!({"operation": "remove", "data": {"force": true}, "object": name})).await;

    let words = refused["error"]["message"].as_str().unwrap_or_default();
    assert!(words.contains("is using its referenced image") && is_left, "{refused}");
    assert!(theirs.contains(words), "docker says {theirs} and we {words}");
    let removed = removed.expect(200).json()["result"].clone();
    assert_eq!(removed["untagged"], json!([name]));
    assert!(removed["removed"].as_array().is_some_and(|ids| ids.contains(&json!(id))), "{removed}");
    assert!(refusal(&["image", "inspect", &id]).to_lowercase().contains("no such image"));
    assert_eq!(docker(&["inspect", "--format", "{{.State.Status}}", &user]), "exited");
}

#[tokio::test]
async fn an_image_takes_its_nameless_parents_along_unless_they_are_to_be_kept() {
    let story = Story::start().await.up().await;
    let root = story.app.client(ROOT).await;
    let (base, first, second) =
        (format!("{}/base:1", story.mark), format!("{}/first:1", story.mark), format!("{}/second:1", story.mark));
    let remove = async |name: &str, noprune: bool| {
        let body = json!({"operation": "remove", "data": {"noprune": noprune}, "object": name});
        root.post(&format!("{IMAGES}/operations"), &body).await.expect(200).json()["result"]["removed"].clone()
    };
    let has = |removed: &Value, id: &str| removed.as_array().is_some_and(|ids| ids.iter().any(|one| one == id));

    let parent = commit(&story, &service("MUELLE_TEST_IMAGE"), &base);
    let child = commit(&story, &base, &first);
    docker(&["rmi", &base]);
    let kept = remove(&first, true).await;
    let is_there = docker(&["image", "inspect", "--format", "{{.Id}}", &parent]) == parent;
    let other = commit(&story, &parent, &second);
    let both = remove(&second, false).await;

    assert!(has(&kept, &child) && !has(&kept, &parent) && is_there, "{kept}");
    assert!(has(&both, &other) && has(&both, &parent), "{both}");
    assert!(refusal(&["image", "inspect", &parent]).to_lowercase().contains("no such image"));
}

#[tokio::test]
async fn the_probes_of_a_health_check_are_shown_with_what_they_printed() {
    let story = Story::start().await.up().await;
    let root = story.app.client(ROOT).await;

    for (name, line, code, output, health) in
        [("well", "echo fine", 0, "fine\n", "healthy"), ("ill", "echo poorly; exit 3", 3, "poorly\n", "unhealthy")]
    {
        let check = json!({"health": {"test": ["CMD-SHELL", line], "interval": 1.0, "retries": 1}});
        let id = story.container(ROOT, name, check, true).await;
        let shown = async || root.get(&format!("{CONTAINERS}/{id}")).await.expect(200).json();
        until("it is probed", Duration::from_secs(15), || async { shown().await["probes"] != json!([]) }).await;

        let detail = shown().await;
        let told: Value = serde_json::from_str(&docker(&["inspect", "--format", "{{json .State.Health}}", &id]))
            .expect("docker writes JSON");

        let probe = &detail["probes"][0];
        assert_eq!((&probe["exit_code"], &probe["output"]), (&json!(code), &json!(output)));
        assert!(probe["started_at"].is_string(), "{probe}");
        assert_eq!(detail["container"]["health"], health);
        assert_eq!((&told["Status"], &told["Log"][0]["ExitCode"]), (&json!(health), &json!(code)));
        assert_eq!(told["Log"][0]["Output"], output);
    }
}
