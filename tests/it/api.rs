//! Records over the REST API, as a program with a token uses it.

use crate::{
    contract::{free_field, sample, writable},
    support::{ADMIN, Client, REGULAR, ROOT, STRANGER, TestApp, VIEWER, kind, on_both},
};
use muelle::{
    id::Id,
    storage::{
        entries,
        item::{Kind, Shape, Tenancy},
    },
};
use serde_json::{Value, json};

/// An answer without the number of its request, which no two share.
fn but_for_the_request(text: &str) -> Value {
    let mut answer: Value = serde_json::from_str(text).expect("an error is JSON");
    answer["error"]["request"] = Value::Null;
    answer
}

async fn made(client: &Client, kind: &Kind, input: &Value) -> Value {
    client.post(&format!("/api/v1/{}", kind.plural), input).await.expect(201).json()
}

#[tokio::test]
async fn a_record_lives_over_the_api() {
    on_both(async |app: TestApp| {
        for (kind, writer) in writable() {
            let admin = app.client(writer).await;
            let path = format!("/api/v1/{}", kind.plural);
            let input = Value::Object(sample(&app, kind, 1).await);

            let answer = admin.post(&path, &input).await.expect(201);
            let record = answer.json();
            let own = format!("{path}/{}", record["id"].as_str().expect("it has an id"));
            assert_eq!(answer.headers["location"].to_str().ok(), Some(own.as_str()));
            for base in [
                "id",
                "customer",
                "revision",
                "enabled",
                "created_at",
                "created_by",
                "updated_at",
                "updated_by",
                "deleted_at",
            ] {
                assert!(record.get(base).is_some(), "{}: {base} stands beside the fields", kind.name);
            }
            assert_eq!(admin.get(&own).await.expect(200).json(), record);

            let mut change = record.clone();
            change[free_field(kind)] = json!("renamed");
            let changed = admin.put(&own, &change).await.expect(200).json();
            assert_eq!((&changed["revision"], &changed[free_field(kind)]), (&json!(2), &json!("renamed")));
            admin.put(&own, &change).await.expect(409);
            change["revision"] = json!(2);
            change["created_at"] = json!("2020-01-01T00:00:00Z");
            change["updated_at"] = changed["updated_at"].clone();
            change["updated_by"] = changed["updated_by"].clone();
            assert_eq!(admin.put(&own, &change).await.expect(422).problem_fields(), ["created_at"], "{}", kind.name);

            assert_eq!(admin.delete(&own).await.expect(204).text, "");
            admin.get(&own).await.expect(404);
            assert!(admin.get(&format!("{own}?deleted=true")).await.expect(200).json()["deleted_at"].is_string());
            assert_eq!(admin.get(&format!("{path}?deleted=true")).await.expect(200).json()["total"], 1);
            admin.send("POST", &format!("{own}/restore"), None).await.expect(200);
            let history = admin.get(&format!("{own}/history")).await.expect(200).json();
            assert_eq!(history["items"][3]["action"], "create", "{history}");
            let part = admin.get(&format!("{own}/history?per_page=2")).await.expect(200).json();
            let rest = admin.get(&format!("{own}/history?before={}", part["next"].as_str().expect("more"))).await;
            assert_eq!(rest.json()["items"][1], history["items"][3]);
            admin.delete(&format!("{own}?deleted=true")).await.expect(409);
            admin.delete(&own).await.expect(204);
            admin.delete(&format!("{own}?deleted=true")).await.expect(204);
            admin.get(&format!("{own}?deleted=true")).await.expect(404);
        }
    })
    .await;
}

#[tokio::test]
async fn lists_take_their_query_from_the_address() {
    on_both(async |app: TestApp| {
        for (kind, writer) in writable() {
            let admin = app.client(writer).await;
            for n in 1..=5 {
                let mut input = Value::Object(sample(&app, kind, n).await);
                input[free_field(kind)] = json!(format!("walk-{n}"));
                made(&admin, kind, &input).await;
            }
            let (path, title) = (format!("/api/v1/{}", kind.plural), free_field(kind));

            let page = admin.get(&format!("{path}?search=WALK&sort=-{title}&fields={title}&page=2&per_page=2")).await;
            let page = page.expect(200).json();
            let items = page["items"].as_array().expect("a page has items");
            assert_eq!(items.iter().map(|item| item[title].clone()).collect::<Vec<_>>(), ["walk-3", "walk-2"]);
            assert_eq!((&page["total"], &page["page"], &page["per_page"]), (&json!(5), &json!(2), &json!(2)));
            assert_eq!(
                items[0].as_object().map(|item| item.keys().cloned().collect::<Vec<_>>()),
                Some(vec!["id".to_owned(), title.to_owned()])
            );
            assert_eq!(page.as_object().map(serde_json::Map::len), Some(4));

            let found = admin.get(&format!("{path}?filter[{title}]=walk-1&filter[{title}]=walk-2")).await.expect(200);
            assert_eq!(found.json()["total"], 2);
            for (query, field) in [
                ("nonsense=1", "nonsense"),
                ("filter[nonsense]=1", "nonsense"),
                ("sort=nonsense", "nonsense"),
                ("fields=nonsense", "nonsense"),
                ("page=0", "page"),
                ("page=x", "page"),
                ("per_page=501", "per_page"),
                ("deleted=perhaps", "deleted"),
                ("filter[enabled]=perhaps", "enabled"),
            ] {
                let refused = admin.get(&format!("{path}?{query}")).await.expect(422);
                assert_eq!(refused.problem_fields(), [field], "{}", refused.text);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn another_customer_gets_the_answer_of_a_missing_record() {
    let app = TestApp::start().await;
    let (stranger, viewer) = (app.client(STRANGER).await, app.client(VIEWER).await);
    for (kind, writer) in writable() {
        let admin = app.client(writer).await;
        let record = made(&admin, kind, &Value::Object(sample(&app, kind, 1).await)).await;
        let path = format!("/api/v1/{}", kind.plural);
        let foreign = format!("{path}/{}", record["id"].as_str().expect("it has an id"));
        let missing = format!("{path}/{}", Id::<()>::new());

        for (method, end, body) in [
            ("GET", "", None),
            ("GET", "?deleted=true", None),
            ("GET", "/history", None),
            ("PUT", "", Some(&record)),
            ("DELETE", "", None),
            ("DELETE", "?deleted=true", None),
            ("POST", "/restore", None),
        ] {
            let body = || body.map(|body| ("application/json", body.to_string().into_bytes()));
            // Whoever may not write a kind at all is told so, whatever there is.
            let status = if method != "GET" && kind.tenancy == Tenancy::Platform { 403 } else { 404 };
            let of_foreign = stranger.send(method, &format!("{foreign}{end}"), body()).await.expect(status);
            let of_missing = stranger.send(method, &format!("{missing}{end}"), body()).await.expect(status);
            assert_eq!(but_for_the_request(&of_foreign.text), but_for_the_request(&of_missing.text), "{method} {end}");
            if method != "GET" {
                viewer.send(method, &format!("{foreign}{end}"), body()).await.expect(403);
            }
        }
        viewer.post(&path, &record).await.expect(403);
        app.anonymous().get(&path).await.expect(401);
        let ids = stranger.get(&format!("{path}?per_page=500")).await.expect(200).text;
        assert!(!ids.contains(record["id"].as_str().expect("it has an id")), "{}", kind.name);
    }
}

#[tokio::test]
async fn logins_are_listed_shown_and_revoked_over_the_api() {
    on_both(async |app: TestApp| {
        let (admin, regular) = (app.client(ADMIN).await, app.sign_in(REGULAR).await);
        let (other, stranger) = (app.client(REGULAR).await, app.client(STRANGER).await);

        let own = regular.get("/api/v1/logins?sort=-login_time&fields=user,address").await.expect(200).json();
        let all = admin.get("/api/v1/logins").await.expect(200).json();
        let user = json!(app.session(REGULAR).user);
        let of_user = admin.get(&format!("/api/v1/logins?filter[user]={}", app.session(REGULAR).user)).await.json();
        assert_eq!((&own["total"], &all["total"], &of_user["total"]), (&json!(2), &json!(3), &json!(2)));
        assert!(own["items"].as_array().expect("a list").iter().all(|login| login["user"] == user));
        let id = own["items"][0]["id"].as_str().expect("it has an id");
        let path = format!("/api/v1/logins/{id}");
        let shown = admin.get(&path).await.expect(200).json();
        assert!(shown["token_hash"].is_null() && shown["exp"].is_string(), "{shown}");
        for (method, path, status) in [
            ("POST", "/api/v1/logins".to_owned(), 405),
            ("PUT", path.clone(), 405),
            ("POST", format!("{path}/restore"), 404),
        ] {
            let answer = admin.send(method, &path, Some(("application/json", b"{}".to_vec()))).await.expect(status);
            assert!(answer.json()["error"]["message"].is_string(), "{}", answer.text);
        }
        stranger.get(&path).await.expect(404);
        stranger.delete(&path).await.expect(404);

        regular.delete(&path).await.expect(204);
        admin.get(&path).await.expect(404);
        let left = [regular.get("/api/v1/status").await.status, other.get("/api/v1/status").await.status];
        assert!(left == [401, 200] || left == [200, 401], "one of the two is signed out: {left:?}");
        let history = admin.get(&format!("{path}/history")).await.expect(200).json();
        assert_eq!(history["items"][0]["action"], "remove");
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_in_our_shape() {
    let app = TestApp::start().await;
    let admin = app.client(ADMIN).await;
    let post = async |content_type, body: &str| {
        admin.send("POST", "/api/v1/machines", Some((content_type, body.as_bytes().to_vec()))).await
    };

    for (content_type, body, status) in [
        ("application/json", "{", 422),
        ("application/json", "[]", 422),
        ("application/json", "", 422),
        ("application/json", "{\"name\": \"\\ud800\"}", 422),
        ("text/plain", "{}", 415),
        ("application/x-www-form-urlencoded", "name=x", 415),
    ] {
        let refused = post(content_type, body).await.expect(status);
        assert!(refused.json()["error"]["message"].is_string(), "{}", refused.text);
        assert!(refused.json()["error"]["request"].is_string(), "{}", refused.text);
    }
    let refused = post("application/json", "{\"name\": \"a\\u0000b\", \"type\": \"moon\", \"nonsense\": 1}").await;
    let mut fields = refused.expect(422).problem_fields();
    fields.sort();
    assert_eq!(fields, ["name", "nonsense", "type"]);
    let refused = admin.send("PATCH", "/api/v1/machines", None).await.expect(405);
    assert!(refused.headers.contains_key("allow"));
    assert_eq!(refused.json()["error"]["code"], "method_not_allowed");
    admin.get("/api/v1/machines/no-id").await.expect(404);
    admin.get("/api/v1/machines?search=%00").await.expect(422);
    admin.get("/api/v1/machines?filter[tags]=%00").await.expect(200);
    admin.get("/api/v1/machines?filter[name]=%00").await.expect(422);
    assert_eq!(admin.get("/api/v1/nonsense").await.expect(404).json()["error"]["code"], "not_found");
}

#[tokio::test]
async fn machines_go_out_and_come_in_as_csv() {
    on_both(async |app: TestApp| {
        let regular = app.client(REGULAR).await;
        let machines = kind("machine");
        for n in 1..=3 {
            let input = json!({
                "name": format!("db-{n}"), "type": "remote", "ipv4": format!("10.0.0.{n}"), "tags": ["a", "b"],
                "description": if n == 1 { "=cmd|' /C calc'!A0" } else { "plain" },
            });
            made(&regular, machines, &input).await;
        }

        let file = regular.get("/api/v1/machines/export?format=csv&sort=name").await.expect(200);
        assert_eq!(file.headers["content-type"], "text/csv; charset=utf-8");
        assert_eq!(file.headers["content-disposition"], "attachment; filename=\"machines.csv\"");
        let lines: Vec<_> = file.text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[1].contains("db-1") && lines[1].contains("'=cmd"), "{}", lines[1]);
        let json = regular.get("/api/v1/machines/export?format=json&filter[name]=db-2").await.expect(200).json();
        assert_eq!(json.as_array().map(Vec::len), Some(1));
        assert_eq!(regular.get("/api/v1/machines/export?fields=name&sort=name").await.text.lines().next(), Some("id,name"));

        let import = async |end: &str, csv: &str| {
            regular.send("POST", &format!("/api/v1/machines/import{end}"), Some(("text/csv", csv.as_bytes().to_vec()))).await
        };
        let again = import("", &file.text).await.expect(200).json();
        assert_eq!((&again["unchanged"], &again["changed"]), (&json!(3), &json!(0)), "{again}");

        let csv = "name,type,ipv4,netmask\nDB-1,local,10.0.0.1,\nweb-1,remote,10.0.0.9,255.255.255.0\nweb-2,remote,10.0.0.300,\nweb-1,remote,,\n";
        let preview = import("?preview=true", csv).await.expect(200).json();
        assert_eq!((&preview["changed"], &preview["created"], &preview["refused"]), (&json!(1), &json!(1), &json!(2)), "{preview}");
        assert_eq!(preview["lines"][2]["problems"][0]["field"], "ipv4");
        assert_eq!((&preview["lines"][3]["line"], &preview["lines"][3]["action"]), (&json!(5), &json!("refuse")));
        let refused = import("", csv).await.expect(422);
        assert!(refused.text.contains("ipv4"), "{}", refused.text);
        assert_eq!(regular.get("/api/v1/machines").await.json()["total"], 3, "all or nothing");

        let good: String = csv.lines().take(3).map(|line| format!("{line}\n")).collect();
        import("", &good).await.expect(200);
        let web = regular.get("/api/v1/machines?filter[name]=web-1").await.json();
        assert_eq!(web["items"][0]["broadcast"], "10.0.0.255");
        let db = regular.get("/api/v1/machines?search=db-1").await.json();
        assert_eq!((&db["items"][0]["type"], &db["items"][0]["tags"]), (&json!("local"), &json!(["a", "b"])), "other columns stay");
        assert_eq!(import("", "nonsense\nx\n").await.expect(422).problem_fields(), ["nonsense", "name"]);
        app.client(VIEWER).await.send("POST", "/api/v1/machines/import", Some(("text/csv", b"name\n".to_vec()))).await.expect(403);
        regular.send("POST", "/api/v1/hosts/import", Some(("text/csv", b"name\n".to_vec()))).await.expect(405);
    })
    .await;
}

#[tokio::test]
async fn an_export_holds_everything_once() {
    let app = TestApp::start().await;
    let regular = app.client(REGULAR).await;
    let csv: String =
        std::iter::once("name,type\n".to_owned()).chain((0..1201).map(|n| format!("m-{n:04},remote\n"))).collect();
    regular.send("POST", "/api/v1/machines/import", Some(("text/csv", csv.into_bytes()))).await.expect(200);

    for query in ["", "&sort=name", "&sort=-name"] {
        let file = regular.get(&format!("/api/v1/machines/export?fields=name{query}")).await.expect(200).text;
        let mut names: Vec<_> = file.lines().skip(1).filter_map(|line| line.split(',').nth(1)).collect();
        assert_eq!(names.len(), 1201);
        if query == "&sort=name" {
            assert!(names.is_sorted());
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 1201);
    }
}

#[tokio::test]
async fn the_description_tells_of_every_kind_and_its_page_needs_no_script() {
    let app = TestApp::start().await;
    let root = app.client(ROOT).await;

    let document = root.get("/api/openapi.json").await.expect(200).json();
    let page = root.get("/api/docs").await.expect(200);

    for kind in entries().map(|entry| entry.kind) {
        let path = &document["paths"][format!("/api/v1/{}", kind.plural)];
        assert!(path["get"].is_object(), "{}", kind.name);
        assert_eq!(path["post"].is_object(), !kind.read_only, "{}", kind.name);
        for field in kind.fields.iter().filter(|field| matches!(field.shape, Shape::Secret)) {
            let mut name = kind.name.to_owned();
            name[..1].make_ascii_uppercase();
            assert!(document["components"]["schemas"][&name]["properties"][field.name].is_null());
        }
    }
    assert!(page.text.contains("/api/v1/racks") && !page.text.contains("<script"));
    root.get("/api/docs/style.css").await.expect(200);
}
