//! Every route and every server function × every role × both customers. The routes come from the router
//! itself and the functions from their registry: one that is in no row of the tables below fails, and so
//! does a row of which nothing is left.

use crate::{
    contract::sample,
    door::{Ask, Door, Reply, ask},
    support::{ADMIN, Answer, Client, PASSWORD, PEOPLE, Person, REGULAR, SYSTEM, TestApp, kind},
};
use leptos::server_fn;
use muelle::{
    authentication::{
        model::Role,
        server::{Operating, login},
    },
    id::Id,
    jobs::{
        model::Job,
        server::{self as jobs, NewJob},
    },
    platform::{db::sql, openapi, serve},
    storage::{entries, kind_by_plural},
};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

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
const KINDS: &[(&str, Writers)] = &[
    ("credentials", Writers::Regulars),
    ("customers", Writers::Platform),
    ("hosts", Writers::Regulars),
    ("logins", Writers::Owners),
    ("machines", Writers::Regulars),
    ("playbooks", Writers::Regulars),
    ("racks", Writers::Regulars),
    ("registries", Writers::Regulars),
    ("schedules", Writers::Regulars),
    ("users", Writers::Administrators),
];

/// Who gets in, and what they get there; everybody else gets what the case says.
#[derive(Clone, Copy, Debug)]
enum Who {
    /// Everybody, strangers too.
    Anybody(u16),
    /// Everybody who is signed in.
    All(u16),
    /// All but viewers, who are refused.
    Workers(u16),
    /// The platform's people but viewers; all others are refused.
    PlatformWorkers(u16),
    /// The platform's and Acme's people; for the others it does not exist.
    OfAcme(u16),
    /// The same without viewers, who are refused what they may see.
    WorkersOfAcme(u16),
    /// The same, where viewers are refused before it is looked whose it is.
    OperatorsOfAcme(u16),
    /// The administrators among them; others are refused before it is looked whose it is.
    AdministratorsOfAcme(u16),
    /// Acme's administrator alone; for the others it does not exist.
    Own(u16),
}

impl Who {
    fn expected(self, person: Person) -> u16 {
        let (is_viewer, is_near) = (person.role == Role::Viewer, person.customer.is_none_or(|name| name == "acme"));
        match self {
            Self::Workers(_) | Self::OperatorsOfAcme(_) if is_viewer => 403,
            Self::PlatformWorkers(_) if is_viewer || person.customer.is_some() => 403,
            Self::AdministratorsOfAcme(_) if person.role != Role::Admin => 403,
            Self::OfAcme(_) | Self::WorkersOfAcme(_) | Self::OperatorsOfAcme(_) | Self::AdministratorsOfAcme(_)
                if !is_near =>
            {
                404
            }
            Self::WorkersOfAcme(_) if is_viewer => 403,
            Self::Own(_) if person != ADMIN => 404,
            Self::Anybody(status)
            | Self::All(status)
            | Self::Workers(status)
            | Self::PlatformWorkers(status)
            | Self::OfAcme(status)
            | Self::WorkersOfAcme(status)
            | Self::OperatorsOfAcme(status)
            | Self::AdministratorsOfAcme(status)
            | Self::Own(status) => status,
        }
    }
}

/// What is sent to a route.
#[derive(Clone, Copy, Debug)]
enum Sent {
    Nothing,
    Json(&'static str),
    Form(&'static str),
}

const START: Sent = Sent::Json(r#"{"operation": "start", "data": {}, "object": "x"}"#);
const REMOVE: Sent = Sent::Json(r#"{"operation": "remove", "data": {}, "object": "x"}"#);

const RUN: Sent = Sent::Json(r#"{"playbook": "019acb6a-0000-7000-8000-000000000000"}"#);

/// The routes beside the records'. The engine is away, which whoever gets that far is told (503).
const ROUTES: &[(&str, Who, Sent)] = &[
    ("POST /api/v1/login", Who::Anybody(422), Sent::Json("{}")),
    ("DELETE /api/v1/login", Who::All(204), Sent::Nothing),
    ("POST /api/v1/users/{user}/reset-link", Who::AdministratorsOfAcme(201), Sent::Nothing),
    ("GET /api/heartbeat", Who::Anybody(200), Sent::Nothing),
    ("POST /api/csp-report", Who::Anybody(415), Sent::Json("{}")),
    ("GET /api/v1/status", Who::All(200), Sent::Nothing),
    ("GET /api/v1/jobs", Who::All(200), Sent::Nothing),
    ("GET /api/v1/jobs/export", Who::All(200), Sent::Nothing),
    ("GET /api/v1/provisioning/runs", Who::All(200), Sent::Nothing),
    ("POST /api/v1/provisioning/runs", Who::Workers(422), RUN),
    ("POST /api/v1/provisioning/runs/preview", Who::Workers(422), RUN),
    ("GET /api/v1/provisioning/runs/{run}", Who::OfAcme(200), Sent::Nothing),
    ("GET /api/v1/provisioning/runs/{run}/events", Who::OfAcme(200), Sent::Nothing),
    ("GET /api/v1/provisioning/runs/{run}/results/{sequence}", Who::OfAcme(200), Sent::Nothing),
    // It waits still.
    ("POST /api/v1/provisioning/runs/{run}/again", Who::WorkersOfAcme(409), Sent::Nothing),
    ("GET /api/v1/provisioning/runs/{run}/compare/{run}", Who::OfAcme(200), Sent::Nothing),
    ("GET /api/v1/jobs/{job}", Who::OfAcme(200), Sent::Nothing),
    ("GET /api/v1/jobs/{job}/output", Who::OfAcme(200), Sent::Nothing),
    ("POST /api/v1/jobs/{job}/cancel", Who::WorkersOfAcme(200), Sent::Nothing),
    ("POST /api/v1/schedules/preview", Who::All(422), Sent::Json("{}")),
    ("POST /api/v1/schedules/{schedule}/run", Who::WorkersOfAcme(422), Sent::Nothing),
    ("GET /api/v1/playbooks/{playbook}/files", Who::OfAcme(200), Sent::Nothing),
    ("GET /api/v1/playbooks/{playbook}/files/{object}", Who::All(404), Sent::Nothing),
    ("PUT /api/v1/playbooks/{playbook}/files/{object}", Who::OperatorsOfAcme(204), Sent::Nothing),
    ("DELETE /api/v1/playbooks/{playbook}/files/{object}", Who::Workers(404), Sent::Nothing),
    ("GET /api/v1/playbooks/{playbook}/archive", Who::OfAcme(200), Sent::Nothing),
    ("POST /api/v1/playbooks/{playbook}/archive", Who::Workers(415), Sent::Json("{}")),
    ("GET /api/v1/playbooks/{playbook}/questions", Who::OfAcme(200), Sent::Nothing),
    ("GET /api/v1/playbooks/{playbook}/marks", Who::OfAcme(200), Sent::Nothing),
    ("GET /api/v1/playbooks/{playbook}/requirements", Who::OfAcme(200), Sent::Nothing),
    ("POST /api/v1/playbooks/{playbook}/requirements", Who::OperatorsOfAcme(200), Sent::Nothing),
    ("GET /api/v1/playbooks/{playbook}/versions", Who::OfAcme(200), Sent::Nothing),
    ("GET /api/v1/playbooks/{playbook}/versions/{object}", Who::All(404), Sent::Nothing),
    ("POST /api/v1/playbooks/{playbook}/versions/{object}/restore", Who::Workers(404), Sent::Nothing),
    ("GET /api/v1/machines/{machine}/host-keys", Who::OfAcme(200), Sent::Nothing),
    ("POST /api/v1/machines/{machine}/host-keys/scan", Who::OperatorsOfAcme(422), Sent::Nothing),
    ("POST /api/v1/machines/{machine}/host-keys/{key}/approve", Who::Workers(404), Sent::Nothing),
    ("POST /api/v1/machines/{machine}/host-keys/{key}/reject", Who::Workers(404), Sent::Nothing),
    ("POST /api/v1/machines/{machine}/check", Who::OperatorsOfAcme(200), Sent::Json("{}")),
    ("GET /api/v1/machines/{machine}/facts", Who::OfAcme(200), Sent::Nothing),
    ("POST /api/v1/machines/{machine}/facts/adopt", Who::OperatorsOfAcme(422), Sent::Json("{}")),
    ("POST /api/v1/machines/{machine}/wake", Who::OperatorsOfAcme(422), Sent::Nothing),
    ("GET /api/v1/hosts/{host}/host-keys", Who::OfAcme(200), Sent::Nothing),
    ("POST /api/v1/hosts/{host}/host-keys/scan", Who::OperatorsOfAcme(422), Sent::Nothing),
    ("POST /api/v1/hosts/{host}/host-keys/{key}/approve", Who::Workers(404), Sent::Nothing),
    ("POST /api/v1/hosts/{host}/host-keys/{key}/reject", Who::Workers(404), Sent::Nothing),
    ("GET /api/v1/hosts/{host}/inventory", Who::OfAcme(200), Sent::Nothing),
    ("GET /api/v1/engines", Who::All(200), Sent::Nothing),
    ("GET /api/v1/engines/{engine}", Who::All(200), Sent::Nothing),
    ("GET /api/v1/engines/{engine}/containers", Who::All(200), Sent::Nothing),
    ("GET /api/v1/engines/{engine}/containers/{object}", Who::All(404), Sent::Nothing),
    ("GET /api/v1/engines/{engine}/containers/{object}/logs", Who::All(404), Sent::Nothing),
    ("POST /api/v1/engines/{engine}/containers/operations", Who::Workers(404), START),
    ("GET /api/v1/engines/{engine}/images", Who::All(200), Sent::Nothing),
    ("GET /api/v1/engines/{engine}/images/{object}", Who::All(503), Sent::Nothing),
    ("POST /api/v1/engines/{engine}/images/operations", Who::PlatformWorkers(503), REMOVE),
    ("GET /events", Who::All(422), Sent::Nothing),
    ("GET /api/openapi.json", Who::All(200), Sent::Nothing),
    ("GET /api/docs", Who::All(200), Sent::Nothing),
    ("GET /api/docs/style.css", Who::All(200), Sent::Nothing),
    // Those that there are stand in the tables of functions.
    ("ANY /api/fn/{name}", Who::All(404), Sent::Nothing),
    ("POST /sign-in", Who::Anybody(422), Sent::Form("")),
    ("POST /sign-out", Who::Anybody(303), Sent::Form("")),
    ("POST /setup", Who::Anybody(422), Sent::Form("")),
    ("POST /reset", Who::Anybody(422), Sent::Form("")),
    ("POST /account", Who::All(422), Sent::Form("current=a&password=b&password_again=c")),
    ("POST /account/logins/end-others", Who::All(303), Sent::Form("")),
    ("POST /account/logins/{login}/end", Who::Own(303), Sent::Form("")),
    ("GET /sign-in", Who::Anybody(200), Sent::Nothing),
    ("GET /setup", Who::Anybody(200), Sent::Nothing),
    ("GET /reset", Who::Anybody(200), Sent::Nothing),
    ("GET /", Who::All(200), Sent::Nothing),
    ("GET /account", Who::All(200), Sent::Nothing),
    ("GET /containers", Who::All(200), Sent::Nothing),
    ("GET /containers/new", Who::All(200), Sent::Nothing),
    ("GET /containers/{object}", Who::All(404), Sent::Nothing),
    ("GET /images", Who::All(200), Sent::Nothing),
    ("GET /images/{object}", Who::All(503), Sent::Nothing),
    ("GET /jobs", Who::All(200), Sent::Nothing),
    ("GET /jobs/{job}", Who::OfAcme(200), Sent::Nothing),
    ("GET /runs", Who::All(200), Sent::Nothing),
    ("GET /runs/new", Who::All(200), Sent::Nothing),
    ("GET /runs/{run}", Who::OfAcme(200), Sent::Nothing),
    ("GET /runs/{run}/compare/{run}", Who::OfAcme(200), Sent::Nothing),
    ("GET /playbooks/{object}/run", Who::All(404), Sent::Nothing),
];

/// Server functions of the other slices, with their arguments.
const FUNCTIONS: &[(&str, Who, &str)] = &[
    ("ansible_modules", Who::All(200), "{}"),
    ("check_draft", Who::Workers(200), r#"{"id": null, "content": "- hosts: all", "thorough": false}"#),
    ("check_playbook", Who::OfAcme(200), r#"{"id": "{playbook}"}"#),
    ("install_requirements", Who::OperatorsOfAcme(200), r#"{"id": "{playbook}"}"#),
    ("module_options", Who::All(404), r#"{"module": "x"}"#),
    ("playbook_diff", Who::OfAcme(200), r#"{"id": "{playbook}", "before": 0, "after": 1}"#),
    ("playbook_examples", Who::All(200), "{}"),
    ("playbook_file", Who::All(404), r#"{"id": "{playbook}", "path": "x"}"#),
    ("playbook_files", Who::OfAcme(200), r#"{"id": "{playbook}"}"#),
    ("playbook_questions", Who::OfAcme(200), r#"{"id": "{playbook}"}"#),
    ("playbook_requirements", Who::OfAcme(200), r#"{"id": "{playbook}"}"#),
    ("playbook_tags", Who::OfAcme(200), r#"{"id": "{playbook}"}"#),
    ("playbook_versions", Who::OfAcme(200), r#"{"id": "{playbook}"}"#),
    ("read_run_options", Who::All(200), r#"{"options": "check: true"}"#),
    ("read_survey", Who::All(200), r#"{"survey": ""}"#),
    ("remove_playbook_files", Who::Workers(404), r#"{"id": "{playbook}", "paths": ["x"]}"#),
    ("restore_playbook", Who::OperatorsOfAcme(200), r#"{"id": "{playbook}", "number": 1}"#),
    ("save_playbook_file", Who::OperatorsOfAcme(200), r#"{"id": "{playbook}", "path": "x", "text": "y"}"#),
    ("adopt_facts", Who::OperatorsOfAcme(422), r#"{"machine": "{machine}", "fields": []}"#),
    ("cancel_job", Who::WorkersOfAcme(200), r#"{"id": "{job}"}"#),
    ("compare_runs", Who::OfAcme(200), r#"{"before": "{run}", "after": "{run}"}"#),
    ("get_run", Who::OfAcme(200), r#"{"id": "{run}"}"#),
    ("list_runs", Who::All(200), r#"{"query": {}}"#),
    ("preview_run", Who::Workers(422), r#"{"request": {"playbook": "019acb6a-0000-7000-8000-000000000000"}}"#),
    ("run_again", Who::WorkersOfAcme(409), r#"{"id": "{run}", "failed_only": false}"#),
    ("run_result", Who::OfAcme(200), r#"{"id": "{run}", "sequence": 1}"#),
    ("start_run", Who::Workers(422), r#"{"request": {"playbook": "019acb6a-0000-7000-8000-000000000000"}}"#),
    ("check_connection", Who::OperatorsOfAcme(200), r#"{"machine": "{machine}", "credentials": []}"#),
    ("check_login", Who::All(200), ""),
    ("container", Who::All(404), r#"{"engine": "local", "id": "x"}"#),
    ("credential_uses", Who::All(404), r#"{"id": "00000000-0000-7000-8000-000000000000"}"#),
    (
        "decide_host_key",
        Who::Workers(404),
        r#"{"owner": {"kind": "machine", "id": "{machine}"}, "key": "{key}", "approve": true}"#,
    ),
    ("engine_status", Who::All(200), r#"{"engine": "local"}"#),
    ("explain_spec", Who::All(200), r#"{"engine": "local", "spec": {"image": "a"}}"#),
    ("get_facts", Who::OfAcme(200), r#"{"machine": "{machine}"}"#),
    ("get_job", Who::OfAcme(200), r#"{"id": "{job}"}"#),
    ("host_inventory", Who::OfAcme(200), r#"{"host": "{host}"}"#),
    ("image", Who::All(503), r#"{"engine": "local", "id": "x"}"#),
    ("job_lines", Who::OfAcme(200), r#"{"id": "{job}", "after": 0, "limit": 10}"#),
    ("list_containers", Who::All(200), r#"{"engine": "local"}"#),
    ("list_engines", Who::All(200), "{}"),
    ("list_host_keys", Who::OfAcme(200), r#"{"owner": {"kind": "host", "id": "{host}"}}"#),
    ("list_images", Who::All(200), r#"{"engine": "local"}"#),
    ("list_jobs", Who::All(200), r#"{"query": {"per_page": 10}}"#),
    (
        "operate_containers",
        Who::Workers(404),
        r#"{"engine": "local", "operation": {"operation": "start", "data": {}}, "objects": ["x"]}"#,
    ),
    (
        "operate_images",
        Who::PlatformWorkers(503),
        r#"{"engine": "local", "operation": {"operation": "remove", "data": {}}, "objects": ["x"]}"#,
    ),
    ("make_reset_link", Who::AdministratorsOfAcme(200), r#"{"user": "{user}"}"#),
    ("overview", Who::All(200), "{}"),
    ("preview_schedule", Who::All(200), r#"{"cron": "0 3 * * *", "time_zone": "UTC"}"#),
    ("read_account", Who::All(200), ""),
    ("refresh_usage", Who::All(503), r#"{"engine": "local"}"#),
    ("run_schedule", Who::WorkersOfAcme(422), r#"{"id": "{schedule}"}"#),
    ("running_jobs", Who::All(200), "{}"),
    ("schedule_of_run", Who::OperatorsOfAcme(200), r#"{"id": "{run}"}"#),
    ("scan_host_keys", Who::OperatorsOfAcme(422), r#"{"owner": {"kind": "machine", "id": "{machine}"}}"#),
    ("search_images", Who::All(503), r#"{"engine": "local", "term": "a"}"#),
    ("search_job", Who::OfAcme(200), r#"{"id": "{job}", "words": "a"}"#),
    ("search_log", Who::All(404), r#"{"engine": "local", "id": "x", "needle": "a", "query": {}}"#),
    ("test_credential", Who::Workers(404), r#"{"id": "00000000-0000-7000-8000-000000000000", "machine": null}"#),
    ("wake_machine", Who::OperatorsOfAcme(422), r#"{"machine": "{machine}"}"#),
];

/// Server functions over records: their arguments, and whether they write.
const RECORD_FUNCTIONS: &[(&str, bool)] = &[
    ("find_records", false),
    ("get_record", false),
    ("record_history", false),
    ("reference_choices", false),
    ("record_names", false),
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
    for &(plural, writers) in KINDS {
        let kind = kind_by_plural(plural).expect("the kind is in the list");
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

/// Every route of the server, as `METHOD path`, from the router itself.
///
/// axum has no list of routes, but prints all that a router holds: an endpoint with the methods that it
/// allows, and a path, each under the route's number.
fn registered(app: &TestApp) -> BTreeSet<String> {
    fn numbered(text: &str) -> impl Iterator<Item = (&str, &str)> {
        text.split("RouteId(").skip(1).filter_map(|part| part.split_once("): "))
    }
    let printed = format!("{:?}", serve::router(app.state.clone()).expect("the routes can be made"));
    let (own, _) = printed.split_once("fallback_router: ").expect("a router has a fallback");
    let (endpoints, paths) = own.split_once("paths: {").expect("a router has paths");
    let paths: HashMap<&str, &str> =
        numbered(paths).map(|(number, path)| (number, path.split('"').nth(1).expect("a path is quoted"))).collect();
    let mut routes = BTreeSet::new();
    for (number, endpoint) in numbered(endpoints) {
        let (_, allowed) = endpoint.rsplit_once("allow_header: ").expect("an endpoint tells its methods");
        let methods = allowed.strip_prefix("Bytes(b\"").and_then(|rest| rest.split('"').next()).unwrap_or("ANY");
        // HEAD comes with GET.
        for method in methods.split(',').filter(|method| *method != "HEAD") {
            routes.insert(format!("{method} {}", paths[number].replace("{*", "{")));
        }
    }
    assert_eq!(numbered(endpoints).count(), paths.len(), "every path has its endpoint");
    routes
}

/// The routes that follow from the kinds, and what belongs to which: `METHOD path` to the kind's plural.
fn of_records() -> HashMap<String, &'static str> {
    let mut routes = HashMap::new();
    for kind in entries().map(|entry| entry.kind) {
        let (plural, is_written) = (kind.plural, !kind.read_only);
        let mut add = |method: &str, path: &str, wanted: bool| {
            if wanted {
                routes.insert(format!("{method} {}", path.replace("{plural}", plural)), plural);
            }
        };
        add("GET", "/api/v1/{plural}", true);
        add("POST", "/api/v1/{plural}", is_written);
        add("GET", "/api/v1/{plural}/export", true);
        add("POST", "/api/v1/{plural}/import", kind.importable);
        add("GET", "/api/v1/{plural}/{id}", true);
        add("PUT", "/api/v1/{plural}/{id}", is_written);
        add("DELETE", "/api/v1/{plural}/{id}", true);
        add("GET", "/api/v1/{plural}/{id}/history", true);
        add("POST", "/api/v1/{plural}/{id}/restore", is_written);
        for page in ["", "/new", "/import", "/{id}", "/{id}/edit"] {
            add("GET", &format!("/{{plural}}{page}"), true);
        }
    }
    routes
}

/// A route with one name for each of its parameters, as the router writes it.
fn nameless(route: &str) -> String {
    let parts: Vec<_> = route.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect();
    parts.join("/")
}

#[tokio::test]
async fn every_route_stands_in_a_table_and_every_row_is_a_route() {
    let app = TestApp::start().await;
    let registered: BTreeSet<_> = registered(&app).iter().map(|route| nameless(route)).collect();

    let functions = FUNCTIONS.iter().map(|(name, ..)| name).chain(RECORD_FUNCTIONS.iter().map(|(name, _)| name));
    let listed = of_records().into_keys().chain(ROUTES.iter().map(|(route, ..)| (*route).to_owned()));
    let listed = listed.chain(functions.map(|name| format!("POST /api/fn/{name}")));
    let listed: BTreeSet<_> = listed.map(|route| nameless(&route)).collect();
    let document = openapi::document();
    let described = document["paths"].as_object().expect("there are paths").iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().expect("there are methods").keys();
        methods.map(move |method| nameless(&format!("{} {path}", method.to_uppercase())))
    });
    let described: BTreeSet<_> = described.collect();

    assert!(registered.len() > 100, "the router was read: {}", registered.len());
    let missing: Vec<_> = registered.difference(&listed).collect();
    assert!(missing.is_empty(), "in no table: {missing:#?}");
    let stale: Vec<_> = listed.difference(&registered).collect();
    assert!(stale.is_empty(), "no route any more: {stale:#?}");
    let unserved: Vec<_> = described.difference(&registered).collect();
    assert!(unserved.is_empty(), "described and not served: {unserved:#?}");
    let undescribed = |route: &&String| route.contains(" /api/v1/") && !described.contains(*route);
    let undescribed: Vec<_> = registered.iter().filter(undescribed).collect();
    assert!(undescribed.is_empty(), "served and not described: {undescribed:#?}");
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
async fn every_route_of_records_lets_in_whom_the_table_says_and_nobody_else() {
    let app = TestApp::start().await;
    let mut clients = Vec::new();
    for person in PEOPLE {
        clients.push((person, app.client(person).await));
    }
    let targets = targets(&app).await;
    let (routes, nobody) = (of_records(), app.anonymous());
    let (mut cells, mut wrong) = (0, Vec::new());

    for route in registered(&app) {
        let Some(plural) = routes.get(&route).filter(|_| route.contains(" /api/v1/")) else { continue };
        let (method, template) = route.split_once(' ').expect("a route has a method");
        let writers = KINDS.iter().find(|(known, _)| known == plural).expect("the kind is in the table").1;
        let path = template.replace("{id}", &targets[plural]);
        // A live record is not purged: whoever gets that far is told so, and it stays for the next.
        let path = if method == "DELETE" { format!("{path}?deleted=true") } else { path };
        let status = tried(&nobody, method, &path).await.status;
        cells += 1;
        if status != 401 {
            wrong.push(format!("{route} as a stranger: {status}"));
        }
        for (person, client) in &clients {
            let has_id = template.contains("{id}");
            let expected = if method != "GET" && !may_write(*person, writers) {
                403
            } else if has_id && !reaches(*person, writers) {
                404
            } else {
                match method {
                    "GET" => 200,
                    "POST" if !has_id => 422,
                    _ => 409,
                }
            };
            let answer = tried(client, method, &path).await;
            cells += 1;
            if answer.status != expected {
                wrong.push(format!("{route} as {person:?}: {} and not {expected}: {}", answer.status, answer.text));
            }
        }
    }

    eprintln!("{cells} cells");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cells > 300, "{cells}");
}

#[tokio::test]
async fn every_page_of_records_shows_what_is_in_reach_and_nothing_else() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    // Among the targets is a login of the administrator.
    app.client(ADMIN).await;
    let targets = targets(&app).await;
    let mut wrong = Vec::new();

    for (route, plural) in of_records().into_iter().filter(|(route, _)| !route.contains(" /api/")) {
        let kind = kind_by_plural(plural).expect("the kind is in the list");
        let writers = KINDS.iter().find(|(known, _)| *known == plural).expect("the kind is in the table").1;
        let path = route.replace("GET ", "").replace("{id}", &targets[plural]);
        let is_there = match route.rsplit('/').next() {
            Some("new" | "edit") => !kind.read_only,
            Some("import") => kind.importable,
            _ => true,
        };
        let away = door.send(ask("GET", path.as_str())).await;
        if !is_sent_away(&away) {
            wrong.push(format!("{path} as a stranger: {}", away.status));
        }
        for person in PEOPLE {
            let in_reach = !route.contains("{id}") || reaches(person, writers);
            let expected = if is_there && in_reach { 200 } else { 404 };
            let reply = door.send(ask("GET", path.as_str()).bearer(&token(&app, person).await)).await;
            if reply.status != expected {
                wrong.push(format!("{path} as {person:?}: {} and not {expected}", reply.status));
            }
        }
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a stranger was asked to sign in, in the way that fits the place.
fn is_sent_away(reply: &Reply) -> bool {
    reply.status == 401
        || (reply.status == 303 && reply.location().is_some_and(|location| location.starts_with("/sign-in")))
}

/// A token of a login made for one request.
async fn token(app: &TestApp, person: Person) -> String {
    app.client(person).await.token().expect("they are signed in").to_owned()
}

/// What jobs of Acme are called here.
const JOB: &str = "Polish the anchors of Acme";

/// A job of Acme's regular user, which waits for ever.
async fn job(app: &TestApp) -> Id<Job> {
    let permit = app.context(REGULAR).permit::<Operating>("job").expect("a regular user may");
    let customer = Some(app.customer_id("acme"));
    let new = NewJob { kind: "test.wait", title: JOB.to_owned(), operation: json!({}), key: None, customer };
    jobs::enqueue(&app.state, &permit, new).await.expect("it is queued")
}

/// A run of Acme's regular user, which waits for ever.
async fn run(app: &TestApp) -> Id<Job> {
    let id = job(app).await;
    let event = json!({"kind": "start", "ansible": "2.19.14"}).to_string();
    let row = sql("insert into runs
                     (id, customer, playbook, playbook_name, revision, request, target, command, state, isolation,
                      person_name, recap, created_at, last_event, events_offset)
                   values ($1, $2, $1, $3, 1, $4, '[]', '', 'queued', '', '', '[]', 0, 1, 0)")
    .bind(id.to_string())
    .bind(app.customer_id("acme").to_string())
    .bind(JOB)
    .bind(json!({ "playbook": id }).to_string());
    app.state.db.execute(&SYSTEM, row).await.expect("it is written");
    let event = sql("insert into run_events (run, sequence, at, event, result) values ($1, 1, 0, $2, '{}')")
        .bind(id.to_string())
        .bind(event);
    app.state.db.execute(&SYSTEM, event).await.expect("it is written");
    id
}

/// A schedule of Acme whose playbook is out of use, so that nothing is run.
async fn schedule(app: &TestApp) -> String {
    let mut input = sample(app, kind("schedule"), 1).await;
    input.insert("name".to_owned(), json!(Id::<()>::new()));
    let made = app.make(ADMIN, kind("schedule"), Value::Object(input)).await;
    let off = sql("update playbooks set enabled = $1 where id = $2").bind(false);
    let off = off.bind(made.item["playbook"].as_str().expect("it has a playbook"));
    app.state.db.execute(&SYSTEM, off).await.expect("it is written");
    made.base.id.to_string()
}

/// A playbook of Acme.
async fn playbook(app: &TestApp) -> String {
    let input = json!({ "name": Id::<()>::new(), "content": "- hosts: all\n" });
    app.make(ADMIN, kind("playbook"), input).await.base.id.to_string()
}

/// A login of Acme's administrator.
async fn login_of_admin(app: &TestApp) -> String {
    let user = app.session(ADMIN).user;
    login::enter(&app.context(ADMIN), user).await.expect("a login can be made").session.login.to_string()
}

/// The text with a viewer, a machine and a group of Acme, which have no address, and a key that there is not.
async fn with_records(app: &TestApp, text: String) -> String {
    let mut text = text.replace("{key}", "00000000-0000-7000-8000-000000000000");
    for (placeholder, name) in [("{machine}", "machine"), ("{host}", "host"), ("{user}", "user")] {
        if text.contains(placeholder) {
            let title = format!("m-{}", Id::<()>::new());
            let input = match name {
                "machine" => json!({"name": title, "type": "remote"}),
                "user" => json!({"username": title, "role": "viewer", "password": PASSWORD}),
                _ => json!({"name": title}),
            };
            text = text.replace(placeholder, &app.make(ADMIN, kind(name), input).await.base.id.to_string());
        }
    }
    text
}

/// A request to a row's route, as a page of ours or a program would make it.
async fn request(app: &TestApp, route: &str, sent: Sent) -> Ask {
    let (method, template) = route.split_once(' ').expect("a row has a method");
    let mut path = template.replace("{engine}", "local").replace("{object}", "x").replace("{name}", "nothing");
    if path.contains("{job}") {
        path = path.replace("{job}", &job(app).await.to_string());
    }
    if path.contains("{run}") {
        path = path.replace("{run}", &run(app).await.to_string()).replace("{sequence}", "1");
    }
    if path.contains("{schedule}") {
        path = path.replace("{schedule}", &schedule(app).await);
    }
    if path.contains("{playbook}") {
        path = path.replace("{playbook}", &playbook(app).await);
    }
    path = with_records(app, path).await;
    if path.contains("{login}") {
        path = path.replace("{login}", &login_of_admin(app).await);
    }
    let method = match method {
        "GET" => "GET",
        "DELETE" => "DELETE",
        "PUT" => "PUT",
        "POST" | "ANY" => "POST",
        other => panic!("no row has {other}"),
    };
    let ask = ask(method, path).with("sec-fetch-site", "same-origin");
    match sent {
        Sent::Nothing => ask,
        Sent::Json(body) => ask.with("content-type", "application/json").body(body),
        Sent::Form(body) => ask.with("content-type", "application/x-www-form-urlencoded").body(body),
    }
}

#[tokio::test]
async fn every_other_route_lets_in_whom_the_table_says_and_nobody_else() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let (mut cells, mut wrong) = (0, Vec::new());

    for &(route, who, sent) in ROUTES {
        let reply = door.send(request(&app, route, sent).await).await;
        let fits = match who {
            Who::Anybody(status) => reply.status == status,
            _ => is_sent_away(&reply),
        };
        if !fits {
            wrong.push(format!("{route} as a stranger: {}", reply.status));
        }
        for person in PEOPLE {
            let ask = request(&app, route, sent).await.bearer(&token(&app, person).await);
            let (reply, expected) = (door.send(ask).await, who.expected(person));
            cells += 1;
            if person.customer == Some("globex") && reply.text.contains(JOB) {
                wrong.push(format!("{route} tells {person:?} of Acme's job"));
            }
            if reply.status != expected {
                let said: String = reply.text.chars().take(200).collect();
                wrong.push(format!("{route} as {person:?}: {} and not {expected}: {said}", reply.status));
            }
        }
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cells > 300, "{cells}");
}

#[tokio::test]
async fn every_other_server_function_lets_in_whom_the_table_says_and_nobody_else() {
    let app = TestApp::start().await;
    let mut wrong = Vec::new();

    for &(name, who, arguments) in FUNCTIONS {
        for person in PEOPLE {
            let mut arguments = arguments.replace("{job}", &job(&app).await.to_string());
            if arguments.contains("{run}") {
                arguments = arguments.replace("{run}", &run(&app).await.to_string());
            }
            if arguments.contains("{schedule}") {
                arguments = arguments.replace("{schedule}", &schedule(&app).await);
            }
            if arguments.contains("{playbook}") {
                arguments = arguments.replace("{playbook}", &playbook(&app).await);
            }
            let arguments = arguments.replace("{job}", &job(&app).await.to_string());
            let arguments = with_records(&app, arguments).await;
            let content_type =
                if arguments.is_empty() { "application/x-www-form-urlencoded" } else { "application/json" };
            let body = Some((content_type, arguments.into_bytes()));
            let answer = app.client(person).await.send("POST", &format!("/api/fn/{name}"), body).await;
            let expected = who.expected(person);
            if error_status(&answer) != expected {
                wrong.push(format!("{name} as {person:?}: {} and not {expected}: {}", answer.status, answer.text));
            }
        }
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn no_server_function_is_called_from_another_site() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let cookie = door.cookie("acme", "acme-admin", crate::support::PASSWORD).await;
    let mut tried = 0;

    for (path, _) in server_fn::axum::server_fn_paths() {
        for method in ["POST", "GET"] {
            for content_type in ["application/json", "application/x-www-form-urlencoded", "text/plain"] {
                for site in [Some("cross-site"), Some("same-site"), None] {
                    let ask = ask(method, path).cookie(&cookie).with("content-type", content_type).body("{}");
                    let ask = match site {
                        Some(site) => ask.with("sec-fetch-site", site),
                        None => ask.with("origin", "http://evil.example"),
                    };
                    let reply = door.send(ask).await;
                    assert_eq!(reply.status, 403, "{method} {path} {content_type} {site:?}: {}", reply.text);
                    tried += 1;
                }
            }
        }
    }

    assert!(tried >= 18 * (FUNCTIONS.len() + RECORD_FUNCTIONS.len()), "{tried}");
}

#[tokio::test]
async fn every_server_function_lets_in_whom_the_table_says_and_nobody_else() {
    let app = TestApp::start().await;
    let nobody = app.anonymous();
    let (mut wrong, mut known) = (Vec::new(), Vec::new());

    for (path, _) in server_fn::axum::server_fn_paths() {
        let name = path.rsplit('/').next().unwrap_or_default();
        let of_records = RECORD_FUNCTIONS.iter().find(|(known, _)| *known == name);
        known.push(name);
        if of_records.is_none() && !FUNCTIONS.iter().any(|(known, ..)| *known == name) {
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
                    "find_records" | "record_names" | "reference_choices" | "remove_records" => 200,
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

    let rows = FUNCTIONS.iter().map(|(name, ..)| name).chain(RECORD_FUNCTIONS.iter().map(|(name, _)| name));
    wrong.extend(rows.filter(|name| !known.contains(name)).map(|name| format!("{name} is no function any more")));
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
        Some("unavailable") => 503,
        _ => answer.status,
    }
}
