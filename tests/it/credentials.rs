//! Credentials: sealed on their way in, opened for runs alone, and told by nobody.

use crate::{
    contract::sample,
    support::{ADMIN, Database, REGULAR, STRANGER, SYSTEM, TestApp, VIEWER, fields, kind, on_both},
};
use muelle::{
    authentication::server::{Operating, Reading, Removing, Updating},
    deployments::server::registries,
    error::Error,
    id::Id,
    platform::db::sql,
    provisioning::server::{
        agent::Agent,
        credentials::{self, Secret},
        seal::{self, Seals},
    },
    storage::{Credential, CredentialKind, NEW_KEY, item::server::store},
};
use serde_json::{Value, json};
use std::{path::Path, process::Command, time::Duration};

const PASSWORD: &str = "canary-dunlin-4471-password";
const PASSPHRASE: &str = "canary-avocet-8830-passphrase";

/// A private key made by OpenSSH itself.
fn private_key(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("key");
    let made = Command::new("ssh-keygen").args(["-q", "-C", "test"]).args(arguments).arg("-f").arg(&path).status();
    assert!(made.expect("ssh-keygen is installed").success());
    std::fs::read_to_string(path).expect("it is there")
}

async fn make(app: &TestApp, input: Value) -> Id<Credential> {
    app.make(ADMIN, kind("credential"), input).await.base.id.cast()
}

async fn password(app: &TestApp, name: &str) -> Id<Credential> {
    make(app, json!({ "name": name, "type": "become_password", "secret": PASSWORD })).await
}

/// What a credential of a password opens to.
async fn opened(app: &TestApp, id: Id<Credential>) -> Result<String, Error> {
    let permit = app.permit::<Operating>(REGULAR, kind("credential"));
    let opened = credentials::open(&app.state, &permit, &[id]).await?;
    Ok(match &opened[0].secret {
        Secret::SshKey { private, .. } => private.to_string(),
        Secret::SshPassword(text) | Secret::BecomePassword(text) | Secret::VaultPassword { password: text, .. } => {
            text.to_string()
        }
    })
}

async fn sealed(app: &TestApp, id: Id<Credential>) -> String {
    let statement = sql("select secret from credentials where id = $1").bind(id.to_string());
    let row = app.state.db.row(&SYSTEM, statement).await.expect("the database answers");
    row.expect("it is there").text("secret").expect("it has one")
}

/// Everything that is kept: each row of each table on PostgreSQL, each byte of the data folder else.
pub async fn all_that_is_kept(app: &TestApp) -> String {
    let mut all = String::new();
    if app.database == Database::Postgres {
        let tables = sql("select table_name as name from information_schema.tables where table_schema = 'public'");
        for table in app.state.db.rows(&SYSTEM, tables).await.expect("the database answers") {
            let name = table.text("name").expect("a table has a name");
            let statement: &'static str = format!("select t::text as line from {name} t").leak();
            for row in app.state.db.rows(&SYSTEM, sql(statement)).await.expect("the database answers") {
                all.push_str(&row.text("line").expect("a row is text"));
            }
        }
    }
    read_folder(&app.state.config.data.dir, &mut all);
    all
}

fn read_folder(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            read_folder(&path, all);
        } else if path.is_file() {
            all.push_str(&String::from_utf8_lossy(&std::fs::read(&path).expect("it can be read")));
        }
    }
}

#[tokio::test]
async fn a_secret_is_found_nowhere_once_it_is_saved() {
    on_both(async |app: TestApp| {
        let admin = app.client(ADMIN).await;
        let plain = private_key(&["-t", "ed25519", "-N", ""]);
        let mut canaries = vec![PASSWORD.to_owned(), PASSPHRASE.to_owned()];
        // The part of a key that is secret begins behind the public one.
        canaries.extend(plain.lines().rev().skip(1).take(3).map(str::to_owned));
        let mut told = String::new();

        for (name, input) in [
            ("a", json!({ "type": "ssh_key", "secret": plain, "username": "deploy" })),
            (
                "b",
                json!({ "type": "ssh_key", "secret": private_key(&["-t", "ed25519", "-a", "1", "-N", PASSPHRASE]),
                          "passphrase": PASSPHRASE }),
            ),
            ("c", json!({ "type": "ssh_password", "secret": PASSWORD })),
            ("d", json!({ "type": "become_password", "secret": PASSWORD })),
            ("e", json!({ "type": "vault_password", "secret": PASSWORD, "vault_label": "prod" })),
        ] {
            let mut input = input;
            input["name"] = json!(name);
            let made = admin.post("/api/v1/credentials", &input).await.expect(201);
            let id = made.json()["id"].as_str().expect("it has an id").to_owned();
            let mut change = input.clone();
            change["revision"] = json!(1);
            change["name"] = json!(format!("{name} again"));
            told += &made.text;
            told += &admin.put(&format!("/api/v1/credentials/{id}"), &change).await.expect(200).text;
            for path in ["", "/history"] {
                told += &admin.get(&format!("/api/v1/credentials/{id}{path}")).await.expect(200).text;
            }
            told += &admin.get(&format!("/credentials/{id}")).await.expect(200).text;
            told += &admin.get(&format!("/credentials/{id}/edit")).await.expect(200).text;
        }
        for path in
            ["/api/v1/credentials", "/api/v1/credentials/export?format=csv", "/api/v1/credentials/export?format=json"]
        {
            told += &admin.get(path).await.expect(200).text;
        }
        let refused = json!({ "name": "f", "type": "become_password", "secret": PASSWORD, "vault_label": "x" });
        told += &admin.post("/api/v1/credentials", &refused).await.expect(422).text;
        let kept = all_that_is_kept(&app).await;

        assert!(told.contains("ssh-ed25519 ") && told.contains("SHA256:"), "the public part is told");
        assert!(!told.contains("sealed.1."), "what is sealed stays where it is");
        assert!(kept.contains("sealed.1."), "the data were looked at");
        for canary in canaries {
            assert!(!told.contains(&canary), "{canary} was told");
            assert!(!kept.contains(&canary), "{canary} is kept");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_a_secret_is_told_at_its_field() {
    let app = TestApp::start().await;
    let admin = app.client(ADMIN).await;
    let plain = private_key(&["-t", "ed25519", "-N", ""]);
    let encrypted = private_key(&["-t", "ed25519", "-a", "1", "-N", PASSPHRASE]);
    let old = private_key(&["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""]);
    let short = private_key(&["-t", "rsa", "-b", "1024", "-N", ""]);
    let key = |secret: &str| json!({ "name": "x", "type": "ssh_key", "secret": secret });
    let with = |mut input: Value, field: &str, value: &str| {
        input[field] = json!(value);
        input
    };

    for (input, field, words) in [
        (json!({ "name": "x", "type": "ssh_key" }), "secret", "Must have a value"),
        (key("hunter2"), "secret", "no private key"),
        (key(&old), "secret", "ssh-keygen -p -f"),
        (key(&short), "secret", "2048 bits"),
        (key(&plain.replace("\nb3BlbnNza", "\nc3BlbnNza")), "secret", "cannot be read"),
        (key(&encrypted), "passphrase", "enter it here"),
        (with(key(&encrypted), "passphrase", "wrong"), "passphrase", "does not open"),
        (with(key(&plain), "username", "-oProxyCommand=x"), "username", "user name"),
        (with(key(&plain), "vault_label", "prod"), "vault_label", "leave it empty"),
        (with(key(&plain), "public_key", "ssh-ed25519 AAAA"), "public_key", "system"),
        (json!({ "name": "x", "type": "ssh_password", "secret": "two\nlines" }), "secret", "one line"),
        (
            json!({ "name": "x", "type": "vault_password", "secret": "a", "vault_label": "a@b" }),
            "vault_label",
            "letters",
        ),
        (json!({ "name": "x", "type": "become_password", "secret": "a", "passphrase": "b" }), "passphrase", "empty"),
    ] {
        let answer = admin.post("/api/v1/credentials", &input).await.expect(422);

        assert_eq!(answer.problem_fields(), [field], "{}", answer.text);
        assert!(answer.text.contains(words), "{words}: {}", answer.text);
    }
    for arguments in [["-t", "rsa", "-b", "2048"], ["-t", "ecdsa", "-b", "256"], ["-t", "ed25519", "-a", "1"]] {
        let mut input = key(&private_key(&[&arguments[..], &["-N", ""]].concat()));
        input["name"] = json!(arguments[1]);
        admin.post("/api/v1/credentials", &input).await.expect(201);
    }
}

#[tokio::test]
async fn a_key_made_here_signs_with_what_its_public_line_names() {
    on_both(async |app: TestApp| {
        let admin = app.client(ADMIN).await;
        let input = json!({ "name": "web servers", "type": "ssh_key", "secret": NEW_KEY, "username": "deploy" });

        let made = admin.post("/api/v1/credentials", &input).await.expect(201).json();
        let line = made["public_key"].as_str().expect("it is told").to_owned();
        let private = opened(&app, made["id"].as_str().expect("it has an id").parse().expect("an id")).await;
        let socket = app.state.config.data.dir.join("agent");
        let agent = Agent::start(&socket, &[private.expect("it opens").into()]).await.expect("the agent takes it");
        let listed = Command::new("ssh-add").arg("-L").env("SSH_AUTH_SOCK", agent.socket()).output().expect("it runs");

        assert!(line.starts_with("ssh-ed25519 ") && line.ends_with(" muelle-web-servers"), "{line}");
        assert_eq!(String::from_utf8_lossy(&listed.stdout).trim(), line);
        assert!(made["fingerprint"].as_str().is_some_and(|text| text.starts_with("SHA256:")));
    })
    .await;
}

#[tokio::test]
async fn a_secret_stays_until_a_new_one_comes_and_another_type_needs_one() {
    on_both(async |app: TestApp| {
        let (credential, permit) = (kind("credential"), app.permit::<Updating>(ADMIN, kind("credential")));
        let id = make(&app, json!({ "name": "x", "type": "ssh_key", "secret": NEW_KEY })).await;
        let key = opened(&app, id).await.expect("it opens");
        let change =
            async |input: Value| store::update(&app.state, &permit, credential, id.cast(), fields(input)).await;

        let renamed = change(json!({ "name": "y", "type": "ssh_key", "revision": 1 })).await.expect("it is renamed");
        let still = opened(&app, id).await.expect("it opens");
        let without = change(json!({ "name": "y", "type": "become_password", "revision": 2 })).await;
        let lone = change(json!({ "name": "y", "type": "ssh_key", "passphrase": "z", "revision": 2 })).await;
        let changed =
            change(json!({ "name": "y", "type": "become_password", "secret": PASSWORD, "revision": 2 })).await;
        let changed = changed.expect("it has a new secret");

        assert_eq!(still, key);
        assert!(renamed.item["public_key"].is_string());
        assert_eq!(without.expect_err("the key is no password").problems()[0].field, "secret");
        assert_eq!(lone.expect_err("there is no key to open").problems()[0].field, "passphrase");
        assert_eq!((&changed.item["public_key"], &changed.item["fingerprint"]), (&Value::Null, &Value::Null));
        assert_eq!(opened(&app, id).await, Ok(PASSWORD.to_owned()));
    })
    .await;
}

#[tokio::test]
async fn only_who_reaches_a_credential_opens_it() {
    on_both(async |app: TestApp| {
        let credential = kind("credential");
        let (id, off) = (password(&app, "one").await, password(&app, "two").await);
        let disable = json!({ "name": "two", "type": "become_password", "revision": 1, "enabled": false });
        let update = app.permit::<Updating>(ADMIN, credential);
        store::update(&app.state, &update, credential, off.cast(), fields(disable)).await.expect("it is disabled");
        let stranger = app.permit::<Operating>(STRANGER, credential);
        let regular = app.permit::<Operating>(REGULAR, credential);

        let kinds = credentials::kinds(&app.state, &regular, &[id]).await.expect("it is in reach");
        let missing = credentials::open(&app.state, &regular, &[id, Id::new()]).await;
        let foreign = credentials::open(&app.state, &stranger, &[id]).await;
        let disabled = credentials::open(&app.state, &regular, &[off]).await;

        assert_eq!(kinds, [(id, "one".to_owned(), CredentialKind::BecomePassword, None)]);
        for refused in [missing, foreign, disabled] {
            let refused = refused.err().expect("it is refused");
            assert_eq!(refused.problems()[0].field, "options.credentials");
        }
        let viewer = app.context(VIEWER);
        assert!(viewer.permit::<Operating>("credential").is_err() && viewer.permit::<Reading>("credential").is_ok());
    })
    .await;
}

#[tokio::test]
async fn what_was_sealed_for_one_credential_does_not_open_for_another() {
    on_both(async |app: TestApp| {
        let (one, two) = (password(&app, "one").await, password(&app, "two").await);
        let copy =
            sql("update credentials set secret = $1 where id = $2").bind(sealed(&app, one).await).bind(two.to_string());
        app.state.db.execute(&SYSTEM, copy).await.expect("it is copied");

        let refused = opened(&app, two).await.expect_err("it is not its own");

        assert_eq!(refused.problems()[0].field, "options.credentials");
        assert!(refused.problems()[0].message.contains("two cannot be opened"), "{refused:?}");
        assert_eq!(opened(&app, one).await, Ok(PASSWORD.to_owned()));
    })
    .await;
}

#[tokio::test]
async fn a_new_master_key_takes_over_every_secret_while_the_server_runs() {
    on_both(async |app: TestApp| {
        let folder = &app.state.config.data.dir;
        let mut ids = Vec::new();
        for n in 0..5 {
            ids.push(password(&app, &format!("p{n}")).await);
        }
        let permit = app.permit::<Removing>(ADMIN, kind("credential"));
        store::remove(&app.state, &permit, kind("credential"), ids[4].cast()).await.expect("it is removed");
        let registry = json!({ "address": "quay:5000", "username": "ci", "password": PASSWORD });
        app.make(ADMIN, kind("registry"), registry).await;
        let before = sealed(&app, ids[0]).await;
        let key_file = || std::fs::read_to_string(folder.join(seal::FILE)).expect("it is there");
        let old = key_file();

        let count = seal::rotate(folder, &app.state.db, Duration::ZERO).await.expect("it is rotated");
        let after = sealed(&app, ids[0]).await;
        let again = seal::rotate(folder, &app.state.db, Duration::ZERO).await.expect("it is rotated");

        assert_eq!((count, again), (6, 6), "those that can be restored are among them");
        assert_ne!(before, after);
        let content = |sealed: &str| sealed.rsplit_once('.').map(|(_, content)| content.to_owned());
        assert_eq!(content(&before), content(&after), "the content itself is not sealed anew");
        let keys: Value = serde_json::from_str(&key_file()).expect("JSON");
        let old: Value = serde_json::from_str(&old).expect("JSON");
        assert_eq!(keys.as_array().map(Vec::len), Some(1));
        assert_ne!(keys[0]["secret"], old[0]["secret"]);
        for id in &ids[..4] {
            assert_eq!(opened(&app, *id).await, Ok(PASSWORD.to_owned()));
        }
        let login = registries::login(&app.permit(REGULAR, kind("registry")), "quay:5000").await.expect("it opens");
        let login = login.expect("it is there");
        assert_eq!((login.username.as_str(), login.password.as_str()), ("ci", PASSWORD));
        password(&app, "new").await;
        assert!(!std::fs::read_to_string(folder.join(seal::FILE)).expect("it is there").contains(PASSWORD));
    })
    .await;
}

#[tokio::test]
async fn a_lost_master_key_is_told_before_anything_is_sealed_with_another() {
    on_both(async |app: TestApp| {
        let elsewhere = tempfile::tempdir().expect("a temporary folder");
        Seals::start(elsewhere.path(), &app.state.db).await.expect("nothing is sealed yet");
        std::fs::remove_file(elsewhere.path().join(seal::FILE)).expect("it was made");
        password(&app, "one").await;

        let refused = Seals::start(elsewhere.path(), &app.state.db).await.expect_err("it is refused").to_string();

        assert!(refused.contains("master.key is missing") && refused.contains("backup"), "{refused}");
        assert!(!elsewhere.path().join(seal::FILE).exists());
    })
    .await;
}

#[tokio::test]
async fn a_test_opens_a_password_and_stands_in_the_history() {
    on_both(async |app: TestApp| {
        let id = password(&app, "one").await;
        let regular = app.permit::<Operating>(REGULAR, kind("credential"));
        let key = make(&app, json!({ "name": "key", "type": "ssh_key", "secret": NEW_KEY })).await;

        let tested = credentials::test(&regular, id, None).await.expect("it is tried");
        let nowhere = credentials::test(&regular, key, None).await.expect_err("it needs a machine");
        let foreign = credentials::test(&app.permit::<Operating>(STRANGER, kind("credential")), id, None).await;

        assert!(tested.is_good, "{tested:?}");
        assert_eq!(nowhere.problems()[0].field, "machine");
        assert_eq!(foreign, Err(Error::not_found("credential")));
        let read = app.permit::<Reading>(ADMIN, kind("credential"));
        let history = store::history(&app.state, &read, kind("credential"), id.cast(), None, 9).await;
        assert_eq!(history.expect("it has one")[0].action, "test");
    })
    .await;
}

#[tokio::test]
async fn what_uses_a_record_is_known() {
    on_both(async |app: TestApp| {
        let machine = app.make(ADMIN, kind("machine"), json!({ "name": "m", "type": "remote" })).await.base.id;
        let group = app.make(ADMIN, kind("host"), json!({ "name": "group", "machines": [machine] })).await.base.id;
        let permit = app.permit::<Removing>(ADMIN, kind("host"));
        let uses = async || {
            let uses = store::uses(&app.state, &SYSTEM, kind("machine"), machine).await.expect("the database answers");
            uses.into_iter().map(|used| (used.kind.name, used.name)).collect::<Vec<_>>()
        };

        let before = uses().await;
        store::remove(&app.state, &permit, kind("host"), group).await.expect("it is removed");

        assert_eq!(before, [("host", "group".to_owned())]);
        assert_eq!(uses().await, []);
    })
    .await;
}

#[tokio::test]
async fn what_a_schedule_uses_is_not_removed() {
    on_both(async |app: TestApp| {
        let id = password(&app, "one").await;
        let mut input = sample(&app, kind("schedule"), 1).await;
        input.insert("name".to_owned(), json!("nightly"));
        input.insert("credentials".to_owned(), json!([id]));
        let schedule = app.make(ADMIN, kind("schedule"), Value::Object(input)).await.base.id;
        let remove = async |kind_name: &'static str, id: Id<()>| {
            let permit = app.permit::<Removing>(ADMIN, kind(kind_name));
            store::remove(&app.state, &permit, kind(kind_name), id).await
        };
        let reading = app.permit::<Reading>(VIEWER, kind("credential"));
        let strange = app.permit::<Reading>(STRANGER, kind("credential"));

        let used = credentials::used(&reading, id).await.expect("it is in reach");
        let foreign = credentials::used(&strange, id).await;
        let refused = remove("credential", id.cast()).await.expect_err("it is used");
        remove("schedule", schedule).await.expect("it is removed");

        assert_eq!(used.iter().map(|used| (used.kind.as_str(), used.id)).collect::<Vec<_>>(), [("schedule", schedule)]);
        assert_eq!(foreign, Err(Error::not_found("credential")));
        assert!(matches!(&refused, Error::Conflict { message } if message.contains("nightly")), "{refused:?}");
        assert_eq!(credentials::used(&reading, id).await, Ok(Vec::new()));
        remove("credential", id.cast()).await.expect("nothing uses it any more");
    })
    .await;
}
