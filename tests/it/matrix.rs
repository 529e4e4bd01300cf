//! Every route and every server function × every role × both customers. A route that is in no row of
//! the tables below fails: whoever adds one says here who may use it.

use crate::{
    contract::sample,
    support::{ADMIN, Answer, Client, PEOPLE, Person, SYSTEM, TestApp, kind},
};
use leptos::server_fn;
use muelle::{authentication::model::Role, platform::db::sql, platform::openapi, storage::entry_by_plural};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Who may write a kind's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writers {
    /// Everybody but viewers.
    Regulars,
    /// Administrators.
    Administrators,
    /// Administrators of the platform.
    Platform,
    /// Everybody their own; administrators all.
    Owners,
}

/// The kinds, and who may write them. Everybody reads what is in their reach.
const KINDS: [(&str, Writers); 7] = [
    ("customers", Writers::Platform),
    ("hosts", Writers::Regulars),
    ("logins", Writers::Owners),
    ("machines", Writers::Regulars),
    ("playbooks", Writers::Regulars),
    ("racks", Writers::Regulars),
    ("users", Writers::Administrators),
];

/// Routes beside the records', as `METHOD path`: strangers are refused, what else holds is told by the
/// stories of their slices.
const SIGNED_IN: [&str; 14] = [
    "DELETE /api/v1/login",
    "GET /api/v1/status",
    "GET /api/v1/jobs",
    "GET /api/v1/jobs/{id}",
    "GET /api/v1/jobs/{id}/output",
    "POST /api/v1/jobs/{id}/cancel",
    "GET /api/v1/engines",
    "GET /api/v1/engines/{engine}",
    "GET /api/v1/engines/{engine}/containers",
    "GET /api/v1/engines/{engine}/containers/{id}",
    "GET /api/v1/engines/{engine}/containers/{id}/logs",
    "GET /api/v1/engines/{engine}/images",
    "GET /api/v1/engines/{engine}/images/{id}",
    "POST /api/v1/engines/{engine}/{objects}/operations",
];

/// Routes that need nobody to be signed in.
const OPEN: [&str; 2] = ["POST /api/v1/login", "GET /api/heartbeat"];

/// Server functions of the other slices: strangers are refused.
const FUNCTIONS: [&str; 20] = [
    "cancel_job",
    "container",
    "engine_status",
    "explain_spec",
    "get_job",
    "image",
    "job_lines",
    "list_containers",
    "list_engines",
    "list_images",
    "list_jobs",
    "operate_containers",
    "operate_images",
    "overview",
    "read_account",
    "refresh_usage",
    "running_jobs",
    "search_images",
    "search_log",
    "change_password",
];

/// Server functions over records: their arguments, and whether they write.
const RECORD_FUNCTIONS: [(&str, bool); 10] = [
    ("find_records", false),
    ("get_record", false),
    ("record_history", false),
    ("reference_choices", false),
    ("save_record", true),
    ("remove_records", true),
    ("restore_record", true),
    ("purge_record", true),
    ("preview_import", true),
    ("import_records", true),
];

fn may_write(person: Person, writers: Writers) -> bool {
    match writers {
        Writers::Regulars => person.role != Role::Viewer,
        Writers::Administrators => person.role == Role::Admin,
        Writers::Platform => person.role == Role::Admin && person.customer.is_none(),
        Writers::Owners => true,
    }
}

/// Whether the record of Acme's administrator that each route is tried on lies in a person's reach.
fn reaches(person: Person, writers: Writers) -> bool {
    let same = person.customer.is_none() || person.customer == Some("acme");
    match writers {
        Writers::Owners => same && person.role == Role::Admin,
        _ => same,
    }
}

/// A record of Acme of each kind.
async fn targets(app: &TestApp) -> HashMap<&'static str, String> {
    let mut targets = HashMap::new();
    for (plural, writers) in KINDS {
        let kind = entry_by_plural(plural).expect("the kind is in the list").kind;
        let id = match plural {
            "customers" => app.customer_id("acme").to_string(),
            "logins" => {
                let statement = sql("select id from logins where \"user\" = $1");
                let user = app.session(ADMIN).user.to_string();
                let row = app.state.db.row(&SYSTEM, statement.bind(user)).await.expect("the database answers");
                row.expect("the administrator is signed in").text("id").expect("a login has an id")
            }
            _ => {
                let input = Value::Object(sample(app, kind, 1).await);
                app.make(ADMIN, kind, input).await.base.id.to_string()
            }
        };
        assert!(reaches(ADMIN, writers));
        targets.insert(plural, id);
    }
    targets
}

async fn tried(client: &Client, method: &str, path: &str) -> Answer {
    // Bodies that are refused for what they say, after the right to say it was asked for.
    let body = match method {
        _ if path.ends_with("/import") => Some(("text/csv", b"nonsense\n".to_vec())),
        "POST" if path.ends_with("/restore") => None,
        "POST" => Some(("application/json", b"{}".to_vec())),
        "PUT" => Some(("application/json", b"{\"revision\": 0}".to_vec())),
        _ => None,
    };
    client.send(method, path, body).await
}

#[tokio::test]
async fn every_route_lets_in_whom_the_table_says_and_nobody_else() {
    let app = TestApp::start().await;
    let mut clients = Vec::new();
    for person in PEOPLE {
        clients.push((person, app.client(person).await));
    }
    let targets = targets(&app).await;
    let (document, nobody) = (openapi::document(), app.anonymous());
    let (mut cells, mut wrong) = (0, Vec::new());

    for (template, methods) in document["paths"].as_object().expect("there are paths") {
        for method in methods.as_object().expect("there are methods").keys().map(|method| method.to_uppercase()) {
            let route = format!("{method} {template}");
            let objects = route.replace("/containers/op", "/{objects}/op").replace("/images/op", "/{objects}/op");
            if OPEN.contains(&route.as_str()) {
                continue;
            }
            let plural = template.strip_prefix("/api/v1/").and_then(|rest| rest.split('/').next()).unwrap_or_default();
            let row = KINDS.iter().find(|(known, _)| *known == plural);
            if row.is_none() && !SIGNED_IN.contains(&objects.as_str()) {
                wrong.push(format!("{route} is in no table"));
                continue;
            }
            let id = targets.get(plural).cloned().unwrap_or_else(|| muelle::id::Id::<()>::new().to_string());
            let path = template.replace("{id}", &id).replace("{engine}", "local");
            // A live record is not purged: whoever gets that far is told so, and it stays for the next.
            let path = if method == "DELETE" { format!("{path}?deleted=true") } else { path };
            let status = tried(&nobody, &method, &path).await.status;
            cells += 1;
            if status != 401 {
                wrong.push(format!("{route} as a stranger: {status}"));
            }
            let Some((_, writers)) = row else { continue };
            for (person, client) in &clients {
                let is_write = method != "GET";
                let has_id = template.contains("{id}");
                let expected = if is_write && !may_write(*person, *writers) {
                    403
                } else if has_id && !reaches(*person, *writers) {
                    404
                } else {
                    match method.as_str() {
                        "GET" => 200,
                        "POST" if !has_id => 422,
                        _ => 409,
                    }
                };
                let answer = tried(client, &method, &path).await;
                cells += 1;
                if answer.status != expected {
                    wrong.push(format!("{route} as {person:?}: {} and not {expected}: {}", answer.status, answer.text));
                }
            }
        }
    }

    eprintln!("{cells} cells");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cells > 300, "{cells}");
}

#[tokio::test]
async fn every_server_function_lets_in_whom_the_table_says_and_nobody_else() {
    let app = TestApp::start().await;
    let nobody = app.anonymous();
    let mut wrong = Vec::new();

    for (path, _) in server_fn::axum::server_fn_paths() {
        let name = path.rsplit('/').next().unwrap_or_default();
        let of_records = RECORD_FUNCTIONS.iter().find(|(known, _)| *known == name);
        if of_records.is_none() && !FUNCTIONS.contains(&name) {
            wrong.push(format!("{path} is in no table"));
            continue;
        }
        let status = nobody.post(path, &json!({})).await.status;
        if status != 401 {
            wrong.push(format!("{path} as a stranger: {status}"));
        }
        let Some((_, is_write)) = of_records else { continue };
        for person in PEOPLE {
            let machine = app
                .make(
                    ADMIN,
                    kind("machine"),
                    json!({ "name": format!("m-{name}-{}", person.username()), "type": "remote" }),
                )
                .await;
            let id = machine.base.id;
            let client = app.client(person).await;
            let arguments = json!({
                "kind": "machine", "id": id, "ids": [id], "revision": 0, "fields": {}, "csv": "nonsense\n",
                "query": { "search": machine.item["name"] }, "search": machine.item["name"], "before": null,
                "customer": machine.base.customer,
            });
            let answer = client.post(path, &arguments).await;
            let in_reach = person.customer != Some("globex");
            let expected = if *is_write && person.role == Role::Viewer {
                403
            } else {
                match name {
                    "find_records" | "reference_choices" | "remove_records" => 200,
                    "preview_import" | "import_records" => 422,
                    _ if !in_reach => 404,
                    "get_record" | "record_history" => 200,
                    // The revision is stale, or the record is live.
                    _ => 409,
                }
            };
            if error_status(&answer) != expected {
                wrong.push(format!("{path} as {person:?}: {} and not {expected}: {}", answer.status, answer.text));
            }
            if expected == 200 && !in_reach {
                let told = match name {
                    "remove_records" => answer.json()[0]["error"].is_null(),
                    _ => answer.text.contains(&id.to_string()),
                };
                if told {
                    wrong.push(format!("{path} as {person:?} reaches another customer's: {}", answer.text));
                }
            }
        }
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The status that an answer's error stands for; server functions answer their own errors with 500.
fn error_status(answer: &Answer) -> u16 {
    if answer.status == 200 {
        return 200;
    }
    match answer.json()["code"].as_str() {
        Some("unauthenticated") => 401,
        Some("forbidden") => 403,
        Some("not_found") => 404,
        Some("conflict") => 409,
        Some("invalid") => 422,
        _ => answer.status,
    }
}
