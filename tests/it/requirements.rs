//! Stories of what a project asks for in its `requirements.yml`: installed once, used by checks and runs, and
//! refused where it leads anywhere else.

use crate::{
    stage::{END, RUNS, Stage, UNISOLATED, console, ended, job, nothing_left, result, run},
    support::{Database, REGULAR, TestApp, VIEWER, on_both},
};
use axum::{Router, extract::State, http::StatusCode, routing::get};
use muelle::{
    jobs::model::JobState,
    provisioning::{
        model::RunState,
        server::{galaxy, processes},
    },
    time::Timestamp,
};
use serde_json::{Value, json};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};

/// The collection `acme.tools` 1.0.0 with the module `hello`, and the role `greet`, packed.
struct Goods {
    collection: Vec<u8>,
    role: Vec<u8>,
}

/// Packed by Ansible's own program, once for all stories.
async fn goods() -> &'static Goods {
    static GOODS: OnceCell<Goods> = OnceCell::const_new();
    GOODS
        .get_or_init(async || {
            let folder = tempfile::tempdir().expect("a temporary folder can be made");
            let write = |path: &str, content: &str| {
                let path = folder.path().join(path);
                std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder can be made");
                std::fs::write(path, content).expect("it can be written");
            };
            write("c/galaxy.yml", "namespace: acme\nname: tools\nversion: 1.0.0\nreadme: README.md\nauthors: [Acme]\n");
            write("c/README.md", "Tools\n");
            write(
                "c/plugins/modules/hello.py",
                "from ansible.module_utils.basic import AnsibleModule\n\nAnsibleModule(argument_spec={}).exit_json(msg='hello from acme')\n",
            );
            write("greet/tasks/main.yml", "- name: greet\n  ansible.builtin.debug:\n    msg: ahoy from the role\n");
            write(
                "greet/meta/main.yml",
                "galaxy_info: {author: Acme, description: Greets, license: MIT, min_ansible_version: '2.14'}\ndependencies: []\n",
            );
            let bin = PathBuf::from(std::env::var("MUELLE_TEST_ANSIBLE").expect("MUELLE_TEST_ANSIBLE names a folder"));
            run_in(folder.path(), Command::new(bin.join("ansible-galaxy")).args(["collection", "build", "c"]));
            run_in(folder.path(), Command::new("tar").args(["czf", "greet.tar.gz", "greet"]));
            let read = |name: &str| std::fs::read(folder.path().join(name)).expect("it was packed");
            Goods { collection: read("acme-tools-1.0.0.tar.gz"), role: read("greet.tar.gz") }
        })
        .await
}

fn run_in(folder: &Path, command: &mut Command) {
    let output = command.current_dir(folder).output().expect("it can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A server on the web with the role, which can go away.
#[derive(Clone)]
struct Shop {
    address: String,
    asked: Arc<AtomicUsize>,
    is_closed: Arc<AtomicBool>,
}

impl Shop {
    async fn open() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = format!("http://{}", listener.local_addr().expect("it has an address"));
        let this = Self { address, asked: Arc::default(), is_closed: Arc::default() };
        let give = async |State(shop): State<Self>| {
            shop.asked.fetch_add(1, Ordering::SeqCst);
            match shop.is_closed.load(Ordering::SeqCst) {
                true => Err(StatusCode::NOT_FOUND),
                false => Ok(goods().await.role.clone()),
            }
        };
        let wait = async |State(shop): State<Self>| {
            shop.asked.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_secs(600)).await;
        };
        let routes =
            Router::new().route("/greet.tar.gz", get(give)).route("/slow.tar.gz", get(wait)).with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        this
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

const PLAYS: &str = "
- name: Say hello
  hosts: web
  gather_facts: false
  tasks:
    - name: hello
      acme.tools.hello:
      tags: hello
    - name: role
      ansible.builtin.include_role: {name: greet}
";

/// What the run console says when something is installed.
const INSTALLING: &str = "Installing what requirements.yml asks for";

/// A playbook that needs the collection beside it and the role of the shop.
async fn playbook(stage: &Stage, shop: &Shop) -> String {
    let playbook = stage.playbook("Say hello", PLAYS).await;
    stage.file(&playbook, "vendor/acme-tools-1.0.0.tar.gz", &goods().await.collection).await;
    let asked = format!(
        "collections:\n  - name: vendor/acme-tools-1.0.0.tar.gz\nroles:\n  - src: {}/greet.tar.gz\n    version: 2.1.0\n",
        shop.address
    );
    stage.file(&playbook, "requirements.yml", &asked).await;
    playbook
}

/// Makes what is installed so old that it is asked for again.
fn age(app: &TestApp) {
    for folder in installed(app) {
        let path = folder.join("installed.json");
        let mut told: Value = serde_json::from_slice(&std::fs::read(&path).expect("it is told")).expect("JSON");
        told["at"] = json!(Timestamp::now() - Duration::from_secs(3 * 24 * 3600));
        std::fs::write(path, told.to_string()).expect("it can be written");
    }
}

/// Says that nobody has used what is installed for so long.
fn unused(app: &TestApp, long: Duration) {
    for folder in installed(app) {
        let told = File::options().append(true).open(folder.join("installed.json")).expect("it is told");
        told.set_modified(SystemTime::now() - long).expect("a file has a time");
    }
}

fn installed(app: &TestApp) -> Vec<PathBuf> {
    let read = |folder: &Path| {
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let all = read(&app.state.config.data.dir.join("installed"));
    all.iter().flat_map(|folder| read(folder)).collect()
}

#[tokio::test]
async fn what_a_project_asks_for_is_installed_once_and_used() {
    on_both(async |app| {
        let stage = Stage::of(app, 1).await;
        let (app, shop) = (&stage.app, Shop::open().await);
        let _runner = muelle::jobs::server::start(&app.state);
        let playbook = playbook(&stage, &shop).await;
        let (client, address) = (app.client(REGULAR).await, format!("/api/v1/playbooks/{playbook}"));

        let before = client.get(&format!("{address}/requirements")).await.expect(200).json();
        assert_eq!((&before["path"], &before["installed_at"]), (&json!("requirements.yml"), &Value::Null));
        assert_eq!(before["items"][0]["name"], "vendor/acme-tools-1.0.0.tar.gz");
        assert_eq!(before["items"][1]["wanted"], "2.1.0");

        let first = stage.run(&playbook, json!({})).await;
        let said = console(app, first.id).await;
        assert_eq!(first.state, RunState::Succeeded, "{:?}\n{said}", first.reason);
        assert!(said.starts_with(INSTALLING), "{said}");
        assert!(said.contains("acme.tools:1.0.0 was installed successfully"), "{said}");
        assert!(said.contains("ahoy from the role"), "{said}");
        assert_eq!(result(app, first.id, "hello", "web-1").await["msg"], "hello from acme");

        // The check knows the module too, and nothing is fetched again.
        let marks = client.get(&format!("{address}/marks")).await.expect(200).json();
        assert!(marks["by_ansible"] == true && !marks.to_string().contains("error"), "{marks}");
        let tags = client.post("/api/fn/playbook_tags", &json!({ "id": playbook })).await.expect(200).json();
        assert_eq!(tags, json!(["hello"]));
        let second = stage.run(&playbook, json!({})).await;
        assert_eq!(second.state, RunState::Succeeded, "{:?}", second.reason);
        assert!(!console(app, second.id).await.contains(INSTALLING));
        assert_eq!(shop.asked(), 1);

        let told = client.get(&format!("{address}/requirements")).await.expect(200).json();
        assert_ne!(told["installed_at"], Value::Null);
        assert_eq!(
            told["items"],
            json!([
                { "kind": "collection", "name": "acme.tools", "wanted": null, "installed": "1.0.0" },
                { "kind": "role", "name": "greet", "wanted": "2.1.0", "installed": "2.1.0" },
            ])
        );

        // Somebody wants the newest; what a run may be reading stays.
        let viewer = app.client(VIEWER).await;
        assert_eq!(viewer.post(&format!("{address}/requirements"), &json!({})).await.status, 403);
        client.post(&format!("{address}/requirements"), &json!({})).await.expect(200);
        assert_eq!((shop.asked(), installed(app).len()), (2, 2));

        // What may have changed is asked for again after a day; when that fails, what is there is used.
        age(app);
        shop.is_closed.store(true, Ordering::SeqCst);
        let third = stage.run(&playbook, json!({})).await;
        let said = console(app, third.id).await;
        assert_eq!(third.state, RunState::Succeeded, "{:?}\n{said}", third.reason);
        assert!(said.contains("could not be fetched again") && said.contains("404"), "{said}");
        assert_eq!(shop.asked(), 3);

        // What a newer one has taken the place of goes once no run can be reading it, and the newest when nobody wants it.
        unused(app, Duration::from_secs(3 * 24 * 3600));
        galaxy::sweep(&app.state);
        assert_eq!(installed(app).len(), 1);
        unused(app, Duration::from_secs(31 * 24 * 3600));
        galaxy::sweep(&app.state);
        assert_eq!(installed(app), Vec::<PathBuf>::new());
        for id in [first.id, second.id, third.id] {
            job(app, id).await;
        }
        let left: Vec<_> = std::fs::read_dir(app.state.config.data.dir.join("runs")).expect("it is there").collect();
        assert!(left.is_empty(), "{left:?}");
    })
    .await;
}

#[tokio::test]
async fn where_nothing_is_kept_apart_it_is_used_all_the_same() {
    let stage = Stage::of(TestApp::start_with(Database::Sqlite, UNISOLATED).await, 1).await;
    let (app, shop) = (&stage.app, Shop::open().await);
    let _runner = muelle::jobs::server::start(&app.state);
    let playbook = playbook(&stage, &shop).await;

    let run = stage.run(&playbook, json!({})).await;

    let said = console(app, run.id).await;
    assert_eq!((run.state, run.isolation.as_str()), (RunState::Succeeded, "none"), "{:?}\n{said}", run.reason);
    assert!(said.contains("ahoy from the role"), "{said}");
}

#[tokio::test]
async fn who_asks_for_the_same_at_a_time_waits_for_one_installation() {
    let stage = Stage::of(TestApp::start().await, 1).await;
    let (app, shop) = (&stage.app, Shop::open().await);
    let playbook = playbook(&stage, &shop).await;
    let client = app.client(REGULAR).await;
    let (address, none) = (format!("/api/v1/playbooks/{playbook}/requirements"), json!({}));

    let both = tokio::join!(client.post(&address, &none), client.post(&address, &none));

    assert_eq!((both.0.status, both.1.status), (200, 200), "{} {}", both.0.text, both.1.text);
    assert_eq!((shop.asked(), installed(app).len()), (1, 1));
}

#[tokio::test]
async fn what_cannot_be_had_ends_the_run_before_any_host_is_touched() {
    let stage = Stage::of(TestApp::start().await, 1).await;
    let (app, shop) = (&stage.app, Shop::open().await);
    let _runner = muelle::jobs::server::start(&app.state);
    shop.is_closed.store(true, Ordering::SeqCst);
    let playbook = playbook(&stage, &shop).await;

    let run = stage.run(&playbook, json!({})).await;

    assert_eq!(run.state, RunState::Failed);
    let reason = run.reason.expect("there is one");
    assert!(reason.starts_with("What requirements.yml asks for could not be installed."), "{reason}");
    assert!(reason.contains("greet: failed to download") && !reason.contains("ignore-errors"), "{reason}");
    assert!(run.started_at.is_none() && run.recap.is_empty(), "{:?}", run.recap);
    assert_eq!(job(app, run.id).await.state, JobState::Failed);
    let client = app.client(REGULAR).await;
    let marks = client.get(&format!("/api/v1/playbooks/{playbook}/marks")).await.expect(200).json();
    assert_eq!(
        (&marks["marks"][0]["path"], &marks["marks"][0]["message"]),
        (&json!("requirements.yml"), &json!(reason))
    );
    let again = client.post(&format!("/api/v1/playbooks/{playbook}/requirements"), &json!({})).await;
    assert_eq!(again.status, 503, "{}", again.text);
    assert_eq!(installed(app), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn what_leads_elsewhere_is_refused_before_it_is_queued() {
    let stage = Stage::of(TestApp::start().await, 1).await;
    let app = &stage.app;
    let playbook = stage.playbook("Sail under a false flag", PLAYS).await;
    let client = app.client(REGULAR).await;
    for (asked, line) in [
        ("roles:\n  - src: --upload-pack=touch /tmp/x\n    scm: git\n", 2),
        ("roles:\n  - src: git+ext::sh -c id\n", 2),
        ("collections:\n  - a.b\n  - name: /etc/passwd\n", 3),
        ("collections:\n  - name: git@example.org:a/b.git\n    type: git\n", 2),
        ("collections: [\n", 1),
    ] {
        stage.file(&playbook, "requirements.yml", asked).await;

        let refused = client.post(RUNS, &stage.request(&playbook, json!({}))).await.expect(422);

        assert_eq!(refused.problem_fields(), ["playbook"], "{asked}");
        let marks = client.get(&format!("/api/v1/playbooks/{playbook}/marks")).await.expect(200).json();
        let mark = &marks["marks"][0];
        assert_eq!((&mark["path"], &mark["line"]), (&json!("requirements.yml"), &json!(line)), "{asked}: {marks}");
        let told = client.get(&format!("/api/v1/playbooks/{playbook}/requirements")).await.expect(200).json();
        assert!(told["problem"].as_str().is_some_and(|problem| problem.contains("requirements.yml, line")), "{told}");
    }
    assert_eq!(installed(app), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_run_is_cancelled_while_it_waits_for_an_installation() {
    let stage = Stage::of(TestApp::start().await, 1).await;
    let (app, shop) = (&stage.app, Shop::open().await);
    let _runner = muelle::jobs::server::start(&app.state);
    let playbook = stage.playbook("Wait for the tide", PLAYS).await;
    stage.file(&playbook, "requirements.yml", format!("roles: [{{src: '{}/slow.tar.gz'}}]\n", shop.address)).await;
    let id = stage.start(&playbook, json!({})).await;
    let limit = Instant::now() + Duration::from_secs(60);
    while shop.asked() == 0 {
        assert!(Instant::now() < limit, "nothing is fetched: {:?}", run(app, id).await);
        sleep(Duration::from_millis(50)).await;
    }

    let since = Instant::now();
    app.client(REGULAR).await.post(&format!("/api/v1/jobs/{id}/cancel"), &json!({})).await.expect(200);

    let ended = ended(app, id).await;
    assert_eq!(ended.state, RunState::Cancelled, "{:?}", ended.reason);
    nothing_left(&app.state.config.data.dir, id, since).await;
    let runs = app.state.config.data.dir.join("runs");
    // What keeps it apart was told its folder.
    while std::fs::read_dir(&runs).is_ok_and(|folders| folders.count() > 0)
        || !processes::mentioning(&runs.display().to_string()).is_empty()
    {
        assert!(since.elapsed() < END, "the installation goes on");
        sleep(Duration::from_millis(50)).await;
    }
}
