//! What single entities do beside being kept.

use crate::support::{ADMIN, REGULAR, ROOT, SYSTEM, TestApp, fields, kind, on_both};
use muelle::{
    authentication::server::{Creating, Reading, Removing, Updating},
    error::Error,
    id::Id,
    platform::db::sql,
    storage::item::{Query, server::store},
    time::Timestamp,
};
use serde_json::json;

/// A login in the table, as signing in makes one.
async fn login_of(app: &TestApp, user: &str, customer: Option<String>) -> Id<()> {
    let id = Id::<()>::new();
    let statement = sql("insert into logins
           (id, customer, revision, enabled, created_at, updated_at, \"user\", login_time, exp, last_seen, token_hash)
         values ($1, $2, 1, true, $3, $4, $5, $6, $7, $8, $9)")
    .bind(id.to_string())
    .bind(customer)
    .bind(Timestamp::now().millis())
    .bind(Timestamp::now().millis())
    .bind(user)
    .bind(Timestamp::now().millis())
    .bind(Timestamp::now().millis() + 3_600_000)
    .bind(Timestamp::now().millis())
    .bind(Id::<()>::new().to_string());
    app.state.db.execute(&SYSTEM, statement).await.expect("a login can be written");
    id
}

#[tokio::test]
async fn a_customer_with_records_is_not_removed() {
    on_both(async |app: TestApp| {
        let (customers, machines) = (kind("customer"), kind("machine"));
        let acme = app.customer_id("acme");
        let remove = app.permit::<Removing>(ROOT, customers);
        app.make(ADMIN, machines, json!({ "name": "db-1", "type": "remote" })).await;

        let refused = store::remove(&app.state, &remove, customers, acme.cast()).await;

        let Err(Error::Conflict { message }) = refused else { panic!("it must be refused: {refused:?}") };
        assert!(message.contains("Machines 1") && message.contains("Users 3"), "{message}");
    })
    .await;
}

#[tokio::test]
async fn an_empty_customer_is_removed_and_purged() {
    on_both(async |app: TestApp| {
        let customers = kind("customer");
        let remove = app.permit::<Removing>(ROOT, customers);
        let made = app.make(ROOT, customers, json!({ "name": "Initech", "domain": "INITECH" })).await;

        store::remove(&app.state, &remove, customers, made.base.id).await.expect("it owns nothing");
        store::purge(&app.state, &remove, customers, made.base.id).await.expect("it owns nothing");

        assert_eq!(made.item["domain"], "initech");
    })
    .await;
}

#[tokio::test]
async fn a_customers_domain_is_a_dns_label() {
    let app = TestApp::start().await;
    let root = app.client(ROOT).await;
    let (longest, too_long) = ("a".repeat(63), "a".repeat(64));
    let make =
        async |domain: &str| root.post("/api/v1/customers", &json!({ "name": "Initech", "domain": domain })).await;

    for domain in ["-a", "a-", "a.b", "a_b", "Ä", too_long.as_str(), ""] {
        let refused = make(domain).await;
        assert_eq!(refused.status, 422, "{domain:?}: {}", refused.text);
        assert_eq!(refused.problem_fields(), ["domain"], "{domain:?}: {}", refused.text);
    }
    for domain in ["a", "a-1", longest.as_str()] {
        assert_eq!(make(domain).await.expect(201).json()["domain"], domain);
    }
}

#[tokio::test]
async fn disabling_a_customer_ends_the_logins_of_its_people() {
    on_both(async |app: TestApp| {
        let customers = kind("customer");
        let acme = app.customer(ADMIN.customer.expect("it has one")).clone();
        let login = login_of(&app, &app.session(REGULAR).user.to_string(), Some(acme.id.to_string())).await;
        let input = json!({ "name": acme.name, "domain": acme.domain, "enabled": false, "revision": 1 });

        let permit = app.permit::<Updating>(ROOT, customers);
        store::update(&app.state, &permit, customers, acme.id.cast(), fields(input)).await.expect("it can be disabled");

        let logins = kind("login");
        let read = app.permit::<Reading>(ROOT, logins);
        assert_eq!(store::get(&app.state, &read, logins, login, false).await, Err(Error::not_found("login")));
        let refused = app.permit::<Creating>(ROOT, kind("machine"));
        let input = fields(json!({ "name": "x", "type": "remote", "customer": acme.id }));
        let refused = store::create(&app.state, &refused, kind("machine"), input).await.expect_err("it is disabled");
        assert_eq!(refused.problems()[0].field, "customer");
    })
    .await;
}

#[tokio::test]
async fn a_customers_people_see_their_own_customer_alone() {
    on_both(async |app: TestApp| {
        let customers = kind("customer");
        let read = app.permit::<Reading>(ADMIN, customers);

        let page = store::find(&app.state, &read, customers, &Query::default()).await.expect("a list works");
        let other = store::get(&app.state, &read, customers, app.customer_id("globex").cast(), false).await;

        assert_eq!(page.total, 1);
        assert_eq!(page.items[0].base.id, app.customer_id("acme").cast());
        assert_eq!(other, Err(Error::not_found("customer")));
        assert!(matches!(app.context(ADMIN).permit::<Updating>("customer"), Err(Error::Forbidden { .. })));
    })
    .await;
}

#[tokio::test]
async fn people_see_their_own_logins_and_administrators_all_of_their_customer() {
    on_both(async |app: TestApp| {
        let logins = kind("login");
        let acme = Some(app.customer_id("acme").to_string());
        let own = login_of(&app, &app.session(REGULAR).user.to_string(), acme.clone()).await;
        let others = login_of(&app, &app.session(ADMIN).user.to_string(), acme).await;
        let seen = async |person| {
            let read = app.permit::<Reading>(person, logins);
            let page = store::find(&app.state, &read, logins, &Query::default()).await.expect("a list works");
            page.items.iter().map(|record| record.base.id).collect::<Vec<_>>()
        };

        assert_eq!(seen(REGULAR).await, [own]);
        assert_eq!(seen(ADMIN).await, [others, own]);
        let remove = app.permit::<Removing>(REGULAR, logins);
        assert_eq!(store::remove(&app.state, &remove, logins, others).await, Err(Error::not_found("login")));
        store::remove(&app.state, &remove, logins, own).await.expect("one's own can be ended");
        let restored = store::restore(&app.state, &remove, logins, own).await;
        assert!(matches!(restored, Err(Error::Forbidden { .. })), "{restored:?}");
    })
    .await;
}

#[tokio::test]
async fn a_hosts_machines_come_in_their_order_and_without_removed_ones() {
    on_both(async |app: TestApp| {
        let (hosts, machines) = (kind("host"), kind("machine"));
        let mut ids = Vec::new();
        for name in ["c", "a", "b"] {
            ids.push(app.make(REGULAR, machines, json!({ "name": name, "type": "remote" })).await.base.id);
        }
        let host = app.make(REGULAR, hosts, json!({ "name": "all", "machines": ids })).await;
        let read = app.permit::<Reading>(REGULAR, hosts);
        let members = async || {
            let read = store::get(&app.state, &read, hosts, host.base.id, false).await.expect("it is there");
            read.item["machines"].clone()
        };

        assert_eq!(members().await, json!(ids));
        let remove = app.permit::<Removing>(REGULAR, machines);
        store::remove(&app.state, &remove, machines, ids[1]).await.expect("a member can be removed");
        assert_eq!(members().await, json!([ids[0], ids[2]]));
        store::restore(&app.state, &remove, machines, ids[1]).await.expect("it can come back");
        assert_eq!(members().await, json!(ids));
        store::remove(&app.state, &remove, machines, ids[1]).await.expect("a member can be removed");
        store::purge(&app.state, &remove, machines, ids[1]).await.expect("a member can be purged");
        assert_eq!(members().await, json!([ids[0], ids[2]]));

        let filter =
            vec![muelle::storage::item::Filter { field: "machines".to_owned(), values: vec![ids[0].to_string()] }];
        let found = store::find(&app.state, &read, hosts, &Query { filter, ..Query::default() }).await;
        let found = found.expect("a filter on members works");
        assert_eq!(found.total, 1);
        let labels = store::labels(&app.state, &read, hosts, &found.items).await.expect("labels can be read");
        assert_eq!(labels[&ids[0].to_string()], "c");
        assert_eq!(labels[&app.session(REGULAR).user.to_string()], app.session(REGULAR).username);
    })
    .await;
}

#[tokio::test]
async fn yaml_is_checked_where_it_is_kept() {
    let app = TestApp::start().await;
    for (name, input, field) in [
        ("playbook", json!({ "name": "x", "content": "hosts: all" }), "content"),
        ("playbook", json!({ "name": "x", "content": "- hosts: all\n  tasks: [" }), "content"),
        ("host", json!({ "name": "x", "variables": "- a" }), "variables"),
        ("host", json!({ "name": "x", "addresses": ["-oProxyCommand=x"] }), "addresses"),
        (
            "machine",
            json!({ "name": "x", "type": "remote", "ipv4": "10.0.0.9", "netmask": "255.255.255.0", "gateway": "10.0.1.1" }),
            "gateway",
        ),
    ] {
        let kind = kind(name);
        let permit = app.permit::<Creating>(REGULAR, kind);
        let refused = store::create(&app.state, &permit, kind, fields(input)).await.expect_err("it must be refused");
        assert_eq!(refused.problems()[0].field, field, "{refused:?}");
    }
    let machine = json!({ "name": "x", "type": "remote", "ipv4": "10.0.0.9", "netmask": "255.255.255.0" });
    let machine = app.make(REGULAR, kind("machine"), machine).await;
    assert_eq!((&machine.item["network"], &machine.item["broadcast"]), (&json!("10.0.0.0"), &json!("10.0.0.255")));
}
