//! Stories of playbooks as they are written: versions, files, archives, and what Ansible says of them.

use crate::support::{ADMIN, Answer, Client, REGULAR, STRANGER, SYSTEM, TestApp, VIEWER, kind, on_both};
use muelle::{
    authentication::server::Updating,
    i18n::Locale,
    id::Id,
    platform::db::sql,
    provisioning::server::{examples, project, survey, syntax, versions},
    storage::Playbook,
};
use serde_json::{Value, json};
use std::io::Write as _;

const ONE: &str = "- hosts: all\n  tasks:\n    - name: Ping\n      ansible.builtin.ping:\n";
const TWO: &str = "- hosts: all\n  tasks:\n    - name: Ping twice\n      ansible.builtin.ping:\n";

async fn make(app: &TestApp, name: &str, content: &str) -> Id<Playbook> {
    app.make(REGULAR, kind("playbook"), json!({ "name": name, "content": content })).await.base.id.cast()
}

/// Saves other plays through the ordinary address, as the form does.
async fn save(client: &Client, id: Id<Playbook>, content: &str) -> Answer {
    let address = format!("/api/v1/playbooks/{id}");
    let mut record = client.get(&address).await.expect(200).json();
    record["content"] = content.into();
    client.put(&address, &record).await
}

async fn numbers(client: &Client, id: Id<Playbook>) -> Vec<i64> {
    let listed = client.get(&format!("/api/v1/playbooks/{id}/versions")).await.expect(200).json();
    let items = listed["items"].as_array().cloned().unwrap_or_default();
    items.iter().filter_map(|version| version["number"].as_i64()).collect()
}

async fn paths(client: &Client, id: Id<Playbook>) -> Vec<String> {
    let listed = client.get(&format!("/api/v1/playbooks/{id}/files")).await.expect(200).json();
    let items = listed["items"].as_array().cloned().unwrap_or_default();
    items.iter().filter_map(|file| file["path"].as_str().map(str::to_owned)).collect()
}

async fn put(client: &Client, id: Id<Playbook>, path: &str, content: &[u8]) -> Answer {
    let body = Some(("application/octet-stream", content.to_vec()));
    client.send("PUT", &format!("/api/v1/playbooks/{id}/files/{path}"), body).await
}

async fn unpack(client: &Client, id: Id<Playbook>, archive: Vec<u8>, replace: bool) -> Answer {
    let address = format!("/api/v1/playbooks/{id}/archive?replace={replace}");
    client.send("POST", &address, Some(("application/zip", archive))).await
}

fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, content) in entries {
        writer.start_file(*path, zip::write::SimpleFileOptions::default()).expect("an entry begins");
        writer.write_all(content).expect("an entry is written");
    }
    writer.finish().expect("the archive is closed").into_inner()
}

#[tokio::test]
async fn each_save_of_content_or_files_is_a_version_that_can_be_restored() {
    on_both(async |app| {
        let (id, client) = (make(&app, "site", ONE).await, app.client(REGULAR).await);
        assert_eq!(numbers(&client, id).await, [1]);

        save(&client, id, TWO).await.expect(200);
        // A save that changes nothing of what is run makes none.
        save(&client, id, TWO).await.expect(200);
        put(&client, id, "templates/a.j2", b"{{ x }}\n").await.expect(204);
        put(&client, id, "templates/a.j2", b"{{ x }}\n").await.expect(204);
        assert_eq!(numbers(&client, id).await, [3, 2, 1]);

        client.post(&format!("/api/v1/playbooks/{id}/versions/1/restore"), &json!({})).await.expect(204);

        let record = client.get(&format!("/api/v1/playbooks/{id}")).await.expect(200).json();
        assert_eq!(record["content"], ONE);
        assert_eq!(paths(&client, id).await, Vec::<String>::new());
        let listed = client.get(&format!("/api/v1/playbooks/{id}/versions")).await.expect(200).json();
        assert_eq!(listed["items"][0]["number"], 4);
        assert_eq!(listed["items"][0]["message"], "Restored from version 1");
        assert_eq!(listed["items"][0]["author_name"], REGULAR.username());
        // Equal contents have an equal hash.
        assert_eq!(listed["items"][0]["hash"], listed["items"][3]["hash"]);
        let third = client.get(&format!("/api/v1/playbooks/{id}/versions/3")).await.expect(200).json();
        assert_eq!(third["files"][1]["text"], "{{ x }}\n");
    })
    .await;
}

#[tokio::test]
async fn the_difference_of_two_versions_shows_files_and_lines() {
    on_both(async |app| {
        let (id, client) = (make(&app, "site", ONE).await, app.client(REGULAR).await);
        save(&client, id, TWO).await.expect(200);
        put(&client, id, "files/logo.png", b"\x89PNG\0").await.expect(204);

        let answer =
            client.post("/api/fn/playbook_diff", &json!({ "id": id, "before": 1, "after": 3 })).await.expect(200);

        let files = answer.json();
        assert_eq!(files[0]["path"], "playbook.yml");
        assert_eq!((files[0]["added"].as_u64(), files[0]["removed"].as_u64()), (Some(1), Some(1)));
        assert_eq!((&files[1]["path"], &files[1]["opaque"]), (&json!("files/logo.png"), &json!(true)));
        let missing = client.post("/api/fn/playbook_diff", &json!({ "id": id, "before": 1, "after": 9 })).await;
        assert_eq!(missing.status, 404);
    })
    .await;
}

#[tokio::test]
async fn a_playbook_from_before_there_were_versions_loses_nothing() {
    on_both(async |app| {
        let (id, client) = (make(&app, "old", ONE).await, app.client(REGULAR).await);
        let forget = sql("delete from playbook_versions where playbook = $1").bind(id.to_string());
        app.state.db.execute(&SYSTEM, forget).await.expect("the versions go");

        save(&client, id, TWO).await.expect(200);

        assert_eq!(numbers(&client, id).await, [2, 1]);
        let first = client.get(&format!("/api/v1/playbooks/{id}/versions/1")).await.expect(200).json();
        assert_eq!(first["files"][0]["text"], ONE);
    })
    .await;
}

#[tokio::test]
async fn a_project_comes_back_out_as_it_went_in() {
    on_both(async |app| {
        let (id, client) = (make(&app, "site", ONE).await, app.client(REGULAR).await);
        put(&client, id, "old.txt", b"old").await.expect(204);
        let survey = "- variable: port\n  answer: number\n";
        let archive = zip_of(&[
            ("site/playbook.yml", TWO.as_bytes()),
            ("site/survey.yml", survey.as_bytes()),
            ("site/roles/web/tasks/main.yml", b"- ansible.builtin.ping:\n"),
            ("site/filter_plugins/mine.py", b"x = 1\n"),
            ("site/.git/config", b"secret"),
        ]);

        let taken = unpack(&client, id, archive, true).await.expect(200).json();

        assert_eq!(taken["playbook"], true);
        assert_eq!(taken["left_out"], json!(["site/.git/config"]));
        assert_eq!(taken["code"], json!(["filter_plugins/mine.py"]));
        assert_eq!(paths(&client, id).await, ["filter_plugins/mine.py", "roles/web/tasks/main.yml"]);
        let record = client.get(&format!("/api/v1/playbooks/{id}")).await.expect(200).json();
        assert_eq!((&record["content"], &record["survey"]), (&json!(TWO), &json!(survey)));
        assert_eq!(numbers(&client, id).await[0], 3, "it is one version");
        let permit = app.permit::<Updating>(REGULAR, kind("playbook"));
        let out = project::packed(&app.state, &permit, id).await.expect("it is packed");
        let taken = unpack(&client, id, out, true).await.expect(200).json();
        assert_eq!(taken["files"], 2);
        assert_eq!(numbers(&client, id).await[0], 3, "nothing has changed");
    })
    .await;
}

#[tokio::test]
async fn what_must_not_be_in_an_archive_is_refused_and_changes_nothing() {
    let app = TestApp::start().await;
    let (id, client) = (make(&app, "site", ONE).await, app.client(REGULAR).await);
    put(&client, id, "keep.txt", b"x").await.expect(204);

    for archive in [
        b"no archive".to_vec(),
        zip_of(&[("good.txt", b"x"), ("ansible.cfg", b"[defaults]\n")]),
        zip_of(&[("a", b"x"), ("a/b", b"y")]),
        zip_of(&[("playbook.yml", b"no: playbook\n")]),
        zip_of(&[("survey.yml", b"- variable: ansible_connection\n")]),
        zip_of(&[("bomb", &vec![0; 8 << 20])]),
    ] {
        let refused = unpack(&client, id, archive, true).await;
        assert_eq!(refused.status, 422, "{}", refused.text);
    }
    let body = Some(("text/plain", b"x".to_vec()));
    client.send("POST", &format!("/api/v1/playbooks/{id}/archive"), body).await.expect(415);

    assert_eq!(paths(&client, id).await, ["keep.txt"]);
    assert_eq!(numbers(&client, id).await, [2, 1]);
}

#[tokio::test]
async fn a_path_never_leads_out_of_the_project() {
    let app = TestApp::start().await;
    let (id, client) = (make(&app, "site", ONE).await, app.client(REGULAR).await);

    for path in
        ["%2e%2e/x", "a/%2E%2E/%2e%2e/x", "%2Fetc/passwd", "a%5Cb", "a%00b", "ansible.cfg", "playbook.yml", "a//b"]
    {
        let refused = put(&client, id, path, b"x").await;
        assert!(matches!(refused.status, 400 | 404 | 422), "{path}: {} {}", refused.status, refused.text);
    }

    assert_eq!(paths(&client, id).await, Vec::<String>::new());
}

#[tokio::test]
async fn uploads_have_a_limit_of_their_own() {
    let app = TestApp::start().await;
    let (id, client) = (make(&app, "site", ONE).await, app.client(REGULAR).await);

    // Larger than every other body may be, and smaller than a project.
    put(&client, id, "files/big.bin", &vec![7; 5 << 20]).await.expect(204);
    put(&client, id, "files/too-big.bin", &vec![7; 21 << 20]).await.expect(422);
    put(&client, id, "files/far-too-big.bin", &vec![7; 25 << 20]).await.expect(413);
    let big = json!({ "name": "x", "content": "x".repeat(3 << 20) });
    client.post("/api/v1/playbooks", &big).await.expect(413);

    assert_eq!(paths(&client, id).await, ["files/big.bin"]);
}

#[tokio::test]
async fn files_and_versions_stay_with_their_customer_and_viewers_change_nothing() {
    on_both(async |app| {
        let id = make(&app, "site", ONE).await;
        let owner = app.client(REGULAR).await;
        put(&owner, id, "secret.txt", b"canary").await.expect(204);
        let (stranger, viewer) = (app.client(STRANGER).await, app.client(VIEWER).await);

        for address in ["files", "files/secret.txt", "archive", "versions", "versions/1", "questions", "marks"] {
            let refused = stranger.get(&format!("/api/v1/playbooks/{id}/{address}")).await;
            assert_eq!(refused.status, 404, "{address}: {}", refused.text);
        }
        put(&stranger, id, "x", b"x").await.expect(404);
        unpack(&stranger, id, zip_of(&[("x", b"x")]), true).await.expect(404);
        stranger.post(&format!("/api/v1/playbooks/{id}/versions/1/restore"), &json!({})).await.expect(404);
        stranger.delete(&format!("/api/v1/playbooks/{id}/files/secret.txt")).await.expect(404);

        viewer.get(&format!("/api/v1/playbooks/{id}/files/secret.txt")).await.expect(200);
        put(&viewer, id, "x", b"x").await.expect(403);
        unpack(&viewer, id, zip_of(&[("x", b"x")]), true).await.expect(403);
        viewer.delete(&format!("/api/v1/playbooks/{id}/files/secret.txt")).await.expect(403);
        viewer.post(&format!("/api/v1/playbooks/{id}/versions/1/restore"), &json!({})).await.expect(403);

        assert_eq!(paths(&owner, id).await, ["secret.txt"]);
        owner.delete(&format!("/api/v1/playbooks/{id}/files/secret.txt")).await.expect(204);
        owner.delete(&format!("/api/v1/playbooks/{id}/files/secret.txt")).await.expect(404);
    })
    .await;
}

#[tokio::test]
async fn a_change_of_files_stands_in_the_history_and_makes_an_open_form_stale() {
    on_both(async |app| {
        let (id, client) = (make(&app, "site", ONE).await, app.client(REGULAR).await);
        let mut open = client.get(&format!("/api/v1/playbooks/{id}")).await.expect(200).json();

        put(&client, id, "templates/a.j2", b"x").await.expect(204);

        let history = client.get(&format!("/api/v1/playbooks/{id}/history")).await.expect(200).json();
        assert_eq!(history["items"][0]["after"]["files"], "templates/a.j2");
        open["content"] = TWO.into();
        client.put(&format!("/api/v1/playbooks/{id}"), &open).await.expect(409);
    })
    .await;
}

#[tokio::test]
async fn contents_that_nothing_holds_are_forgotten_and_no_others() {
    on_both(async |app| {
        let (kept, gone) = (make(&app, "kept", ONE).await, make(&app, "gone", TWO).await);
        let client = app.client(ADMIN).await;
        put(&client, kept, "a.txt", b"kept").await.expect(204);
        put(&client, gone, "b.txt", b"gone").await.expect(204);
        client.delete(&format!("/api/v1/playbooks/{gone}")).await.expect(204);
        client.delete(&format!("/api/v1/playbooks/{gone}?deleted=true")).await.expect(204);
        app.state.db.execute(&SYSTEM, sql("update blobs set at = 1")).await.expect("all contents are old");
        let count = async || {
            let row = app.state.db.row(&SYSTEM, sql("select count(*) as total from blobs")).await.expect("it answers");
            row.expect("a count").int("total").expect("a number")
        };
        let before = count().await;

        versions::sweep(&app.state).await.expect("it is swept");

        assert!(count().await < before);
        let first = client.get(&format!("/api/v1/playbooks/{kept}/versions/1")).await.expect(200).json();
        assert_eq!(first["files"][0]["text"], ONE);
        assert_eq!(client.get(&format!("/api/v1/playbooks/{kept}/files/a.txt")).await.expect(200).text, "kept");
    })
    .await;
}

#[tokio::test]
async fn a_bad_survey_is_refused_at_its_field() {
    let app = TestApp::start().await;
    let client = app.client(REGULAR).await;
    let input = json!({ "name": "x", "content": "no", "survey": "- variable: 1\n" });

    let refused = client.post("/api/v1/playbooks", &input).await.expect(422);

    assert_eq!(refused.problem_fields(), ["content", "survey"]);
}

/// Waits until the server has found its Ansible; false where there is none to be found.
async fn has_ansible(app: &TestApp) -> bool {
    for _ in 0..600 {
        let known = app.state.ansible.look();
        if known.is_up || known.is_missing {
            return known.is_up;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    false
}

#[tokio::test]
async fn what_ansible_says_stands_at_its_line_and_is_asked_once() {
    let app = TestApp::start().await;
    assert!(has_ansible(&app).await, "these stories need ansible-playbook");
    let client = app.client(REGULAR).await;
    let bad = "- hosts: all\n  tasks:\n    - name: Odd\n      ansible.builtin.debug:\n        msg: x\n      ansible.builtin.command: ls\n";
    // A playbook that Ansible cannot read is kept, with its marks; one that is no YAML is not.
    let id = make(&app, "bad", bad).await;

    let checked = client.get(&format!("/api/v1/playbooks/{id}/marks")).await.expect(200).json();

    assert_eq!(checked["by_ansible"], true, "{checked}");
    assert_eq!((checked["marks"][0]["line"].as_u64(), &checked["marks"][0]["severity"]), (Some(3), &json!("error")));
    let began = std::time::Instant::now();
    let again = client.get(&format!("/api/v1/playbooks/{id}/marks")).await.expect(200).json();
    assert_eq!(again, checked);
    assert!(began.elapsed() < std::time::Duration::from_millis(500), "it is kept");

    let draft = json!({ "id": null, "content": "- hosts: all\n  tasks: [\n", "thorough": false });
    let marks = client.post("/api/fn/check_draft", &draft).await.expect(200).json();
    assert_eq!(marks["marks"][0]["line"], 2);
}

#[tokio::test]
async fn a_role_beside_the_playbook_is_checked_with_it_and_its_tags_are_found() {
    let app = TestApp::start().await;
    assert!(has_ansible(&app).await, "these stories need ansible-playbook");
    let client = app.client(REGULAR).await;
    let id = make(&app, "site", "- name: Web\n  hosts: all\n  tags: web\n  roles:\n    - site\n").await;
    let permit = app.permit::<Updating>(REGULAR, kind("playbook"));
    put(&client, id, "roles/site/tasks/main.yml", b"- name: Ping\n  nosuchmodule:\n").await.expect(204);

    let bad = syntax::check(&app.state, &permit, id).await.expect("it is checked");
    put(&client, id, "roles/site/tasks/main.yml", b"- name: Ping\n  ansible.builtin.ping:\n  tags: [fast]\n")
        .await
        .expect(204);
    let good = syntax::check(&app.state, &permit, id).await.expect("it is checked");
    let tags = syntax::tags(&app.state, &permit, id).await.expect("it has tags");

    assert_eq!((bad.marks[0].path.as_str(), bad.marks[0].line), ("roles/site/tasks/main.yml", 1));
    assert!(good.by_ansible && good.marks.iter().all(|mark| mark.rule.is_some()), "{good:?}");
    assert_eq!(tags, ["fast", "web"]);
}

#[tokio::test]
async fn every_example_can_be_saved_and_read_by_ansible() {
    let app = TestApp::start().await;
    assert!(has_ansible(&app).await, "these stories need ansible-playbook");
    let permit = app.permit::<Updating>(REGULAR, kind("playbook"));

    for example in examples::all(Locale::en) {
        let input = json!({ "name": example.name, "content": example.content, "survey": example.survey });
        let id = app.make(REGULAR, kind("playbook"), input).await.base.id.cast();
        let checked = syntax::check(&app.state, &permit, id).await.expect("it is checked");
        assert!(checked.by_ansible, "{}", example.key);
        assert_eq!(checked.marks, [], "{}", example.key);
        let asked = survey::of(&app.state, &permit, id).await.expect("its questions are read");
        assert_eq!(asked.is_empty(), example.survey.is_none(), "{}", example.key);
    }
}

#[tokio::test]
async fn modules_and_their_options_are_told() {
    let app = TestApp::start().await;
    assert!(has_ansible(&app).await, "these stories need ansible-playbook");
    let client = app.client(VIEWER).await;

    let modules = client.post("/api/fn/ansible_modules", &json!({})).await.expect(200).json();
    let options = client.post("/api/fn/module_options", &json!({ "module": "ansible.builtin.copy" })).await.expect(200);

    let names: Vec<&str> = modules.as_array().expect("a list").iter().filter_map(|one| one["name"].as_str()).collect();
    assert!(names.contains(&"ansible.builtin.apt"), "{names:?}");
    let options: Value = options.json();
    assert_eq!((&options[0]["name"], &options[0]["required"]), (&json!("dest"), &json!(true)));
    client.post("/api/fn/module_options", &json!({ "module": "--version" })).await.expect(404);
}
