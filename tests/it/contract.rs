//! What every entity keeps, on both databases: a walk over the list, a seventh entity included.

use crate::{
    seventh::Rack,
    support::{ADMIN, Database, Person, REGULAR, ROOT, STRANGER, SYSTEM, TestApp, VIEWER, on_both},
};
use muelle::{
    authentication::server::{Creating, Reading, Removing, Updating, login},
    error::Error,
    id::Id,
    platform::{db::sql, state::State},
    storage::{
        add_entries, entries, entry,
        item::{Entry, Fields, Filter, Kind, Query, Shape, Sort, Tenancy, server::store},
    },
    time::Timestamp,
};
use serde_json::{Value, json};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use std::{borrow::Cow, future::Future, pin::Pin};

/// Brings the seventh entity: the word, and its migration after ours.
pub async fn prepare(state: &State) {
    add_entries(vec![Entry::of::<Rack>()]);
    let racks = Migration::new(
        9999,
        Cow::Borrowed("racks"),
        MigrationType::Simple,
        sqlx::SqlStr::from_static(include_str!("seventh.sql")),
        false,
    );
    // Noted in a table of its own, so that a second server on the same database finds only ours in ours.
    let migrator = Migrator {
        migrations: Cow::Owned(vec![racks]),
        table_name: Cow::Borrowed("_seventh_migrations"),
        ..Migrator::DEFAULT
    };
    state.db.migrate_with(&migrator).await.expect("the seventh table can be made");
}

/// Values that fit a kind, the n-th of their sort; what they refer to is made along the way.
pub fn sample<'a>(app: &'a TestApp, kind: &'static Kind, n: usize) -> Pin<Box<dyn Future<Output = Fields> + 'a>> {
    Box::pin(async move {
        let mut fields = Fields::new();
        for field in kind.fields.iter().filter(|field| !field.read_only) {
            let value = match (kind.name, field.name, field.shape) {
                // The rest of a network follows from address and netmask.
                ("machine", "network" | "broadcast" | "gateway" | "netmask", _) => Value::Null,
                ("playbook", "content", _) => json!("- hosts: all\n  tasks: []\n"),
                ("credential", "secret", _) if SSH_KEY_AT == n % 4 => json!(PRIVATE_KEY),
                // It goes with a key that has one.
                ("credential", "passphrase", _) => Value::Null,
                ("playbook", "survey", _) => json!("- variable: listen_port\n"),
                ("registry", "address", _) => json!(format!("registry-{n}.example.org:{}", 5000 + n)),
                ("schedule", "cron", _) => json!(format!("{} 3 * * *", n % 60)),
                ("schedule", "time_zone", _) => json!("Europe/Madrid"),
                ("schedule", "options", _) => json!("check: true\n"),
                // Two made alike would be of one type.
                ("schedule", "credentials", _) => json!([]),
                (_, "email", _) => json!(format!("{}-{n}@example.org", kind.name)),
                (_, _, Shape::Line { .. }) => json!(format!("{}-{}-{n}", kind.name, field.name)),
                (_, _, Shape::Lines { .. }) => json!("a: 1\n"),
                (_, _, Shape::Secret) => json!(format!("a sentence that nobody knows, {n}")),
                (_, _, Shape::Choice(choices)) => json!(choices[n % choices.len()].value),
                (_, _, Shape::Integer { min, max }) => json!((min + n as i64).min(max)),
                (_, _, Shape::Switch) => json!(n.is_multiple_of(2)),
                (_, _, Shape::Ipv4) => json!(format!("10.0.{}.{}", n / 250, n % 250 + 1)),
                (_, _, Shape::Ipv6) => json!(format!("2001:db8::{n:x}")),
                (_, _, Shape::Mac) => json!(format!("02:00:00:00:00:{n:02x}")),
                (_, _, Shape::Words) => json!(["one", format!("word-{n}")]),
                (_, _, Shape::Addresses) => json!([format!("10.1.0.{n}"), format!("host-{n}.example.org")]),
                (_, _, Shape::Time) => json!(Timestamp::from_seconds(1_700_000_000 + n as i64).to_string()),
                (_, _, Shape::Reference(target)) => json!(target_of(app, target).await),
                // Groups within groups end somewhere.
                (own, _, Shape::References { kind: target, .. }) if own == target && n == 0 => json!([]),
                (_, _, Shape::References { kind: target, .. }) => {
                    json!([target_of(app, target).await, target_of(app, target).await])
                }
            };
            let applies = field.applies(|other| fields.get(other).and_then(Value::as_str));
            fields.insert(field.name.to_owned(), if applies { value } else { Value::Null });
        }
        fields
    })
}

/// A field of a kind in which any line may stand: what a person calls a record, where that has no form of its own.
pub fn free_field(kind: &Kind) -> &'static str {
    if kind.name == "registry" { "description" } else { kind.title }
}

/// Which of the types of credentials is the key.
const SSH_KEY_AT: usize = 3;

/// Made for these tests by `ssh-keygen -t ed25519`.
pub const PRIVATE_KEY: &str = include_str!("private_key.txt");

async fn target_of(app: &TestApp, target: &str) -> String {
    let target = entry(target).expect("the target is in the list").kind;
    let mut fields = sample(app, target, 0).await;
    for field in target.fields.iter().filter(|field| field.unique) {
        fields.insert(field.name.to_owned(), json!(format!("t-{}", Id::<()>::new())));
    }
    app.make(ADMIN, target, Value::Object(fields)).await.base.id.to_string()
}

/// The kinds that people write, each with who writes it here.
pub fn writable() -> impl Iterator<Item = (&'static Kind, Person)> {
    entries().map(|entry| entry.kind).filter(|kind| !kind.read_only).map(|kind| match kind.tenancy {
        Tenancy::PerCustomer => (kind, ADMIN),
        Tenancy::Platform => (kind, ROOT),
    })
}

#[tokio::test]
async fn there_are_ours_and_one_more() {
    let app = TestApp::start().await;

    let names: Vec<_> = entries().map(|entry| entry.kind.name).collect();

    assert_eq!(
        names,
        ["credential", "customer", "host", "login", "machine", "playbook", "registry", "schedule", "user", "rack"]
    );
    drop(app);
}

#[tokio::test]
async fn what_is_kept_comes_back_as_it_was() {
    on_both(async |app: TestApp| {
        for (kind, writer) in writable() {
            let given = sample(&app, kind, 1).await;

            let made = app.make(writer, kind, Value::Object(given.clone())).await;
            let read = store::get(&app.state, &app.permit::<Reading>(writer, kind), kind, made.base.id, false).await;
            let read = read.expect("it is there");

            assert_eq!(read.base, made.base, "{}", kind.name);
            assert_eq!(read.base.revision, 1);
            let owner = writer.customer.map(|domain| app.customer_id(domain));
            assert_eq!(read.base.customer, owner, "{}", kind.name);
            assert_eq!(read.base.created_by, Some(app.session(writer).user));
            for field in kind.fields.iter().filter(|field| !field.read_only) {
                match field.shape {
                    Shape::Secret => assert!(!read.item.contains_key(field.name), "{} tells a secret", kind.name),
                    _ => assert_eq!(read.item[field.name], given[field.name], "{}.{}", kind.name, field.name),
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_change_names_the_revision_it_was_made_from() {
    on_both(async |app: TestApp| {
        for (kind, writer) in writable() {
            let permit = app.permit::<Updating>(writer, kind);
            let mut input = sample(&app, kind, 1).await;
            let id = app.make(writer, kind, Value::Object(input.clone())).await.base.id;
            let secrets: Vec<_> = kind.fields.iter().filter(|f| matches!(f.shape, Shape::Secret)).collect();
            for secret in secrets {
                input.shift_remove(secret.name);
            }

            input.insert("revision".to_owned(), json!(1));
            let same = store::update(&app.state, &permit, kind, id, input.clone()).await.expect("nothing differs");
            input.insert(free_field(kind).to_owned(), json!("another"));
            input.insert("enabled".to_owned(), json!(false));
            let changed = store::update(&app.state, &permit, kind, id, input.clone()).await.expect("it can be changed");
            let stale = store::update(&app.state, &permit, kind, id, input.clone()).await;
            input.shift_remove("revision");
            let without = store::update(&app.state, &permit, kind, id, input.clone()).await;

            assert_eq!(same.base.revision, 1, "{}: unchanged values make no revision", kind.name);
            assert_eq!(changed.base.revision, 2);
            assert_eq!(changed.item[free_field(kind)], "another");
            assert!(!changed.base.enabled);
            assert!(matches!(stale, Err(Error::Conflict { .. })), "{}: {stale:?}", kind.name);
            assert_eq!(without.expect_err("no revision").problems()[0].field, "revision");
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_beyond_the_own_fields_can_be_set() {
    on_both(async |app: TestApp| {
        for (kind, writer) in writable() {
            let permit = app.permit::<Creating>(writer, kind);
            for (field, value) in [
                ("nonsense", json!(1)),
                ("id", json!(Id::<()>::new())),
                ("created_by", json!(Id::<()>::new())),
                ("revision", json!(7)),
                ("deleted_at", json!("2026-01-01T00:00:00Z")),
                ("customer", json!(app.customer_id("globex"))),
            ] {
                let mut input = sample(&app, kind, 1).await;
                input.insert(field.to_owned(), value);
                let refused = store::create(&app.state, &permit, kind, input).await.expect_err("it must be refused");
                assert_eq!(
                    refused.problems().iter().map(|p| p.field.as_str()).collect::<Vec<_>>(),
                    [field],
                    "{}",
                    kind.name
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_unique_value_is_taken_once_and_free_again_after_removal() {
    on_both(async |app: TestApp| {
        for (kind, writer) in writable() {
            let Some(field) = kind.fields.iter().find(|field| field.unique) else { continue };
            let create = app.permit::<Creating>(writer, kind);
            let remove = app.permit::<Removing>(writer, kind);
            let first = app.make(writer, kind, Value::Object(sample(&app, kind, 1).await)).await;
            let mut second = sample(&app, kind, 2).await;
            let value = first.item[field.name].as_str().expect("a unique value is text").to_uppercase();
            second.insert(field.name.to_owned(), json!(value));

            let refused = store::create(&app.state, &create, kind, second.clone()).await.expect_err("it is taken");
            let needs_another =
                kind.fields.iter().any(|field| field.required && matches!(field.shape, Shape::Reference(_)));
            if kind.tenancy == Tenancy::PerCustomer && !needs_another {
                let elsewhere = app.permit::<Creating>(STRANGER, kind);
                let mut foreign = second.clone();
                foreign.retain(|name, _| {
                    !kind.field(name).is_some_and(|f| matches!(f.shape, Shape::Reference(_) | Shape::References { .. }))
                });
                let allowed = store::create(&app.state, &elsewhere, kind, foreign).await;
                assert!(allowed.is_ok(), "{}: another customer may use it: {allowed:?}", kind.name);
            }
            store::remove(&app.state, &remove, kind, first.base.id).await.expect("it can be removed");
            store::create(&app.state, &create, kind, second).await.expect("it is free again");
            let restored = store::restore(&app.state, &remove, kind, first.base.id).await.expect_err("it is taken now");

            assert_eq!(refused.problems()[0].field, field.name, "{}", kind.name);
            assert_eq!(restored.problems()[0].field, field.name);
        }
    })
    .await;
}

#[tokio::test]
async fn two_who_take_a_value_at_once_are_told_apart() {
    on_both(async |app: TestApp| {
        let kind = entry("machine").expect("there are machines").kind;
        let permit = app.permit::<Creating>(ADMIN, kind);
        let input = sample(&app, kind, 1).await;

        let tries = (0..8).map(|_| store::create(&app.state, &permit, kind, input.clone()));
        let results = futures::future::join_all(tries).await;

        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        for refused in results.into_iter().filter_map(Result::err) {
            assert_eq!(refused.problems()[0].field, "name", "{refused:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn lists_search_filter_sort_and_page() {
    on_both(async |app: TestApp| {
        for (kind, writer) in writable() {
            for n in 1..=7 {
                let mut input = sample(&app, kind, n).await;
                input.insert(free_field(kind).to_owned(), json!(format!("Walk{n} 50%_off")));
                app.make(writer, kind, Value::Object(input)).await;
            }
            let permit = app.permit::<Reading>(writer, kind);
            let find = async |query: Query| store::find(&app.state, &permit, kind, &query).await;
            let titles = |page: &muelle::storage::item::Page| -> Vec<String> {
                page.items
                    .iter()
                    .map(|record| record.item[free_field(kind)].as_str().unwrap_or_default().to_owned())
                    .collect()
            };
            let base = Query { search: "wALK off".to_owned(), ..Query::default() };

            let all = find(base.clone()).await.expect("a search works");
            assert_eq!((all.total, all.items.len()), (7, 7), "{}", kind.name);
            let none = find(Query { search: "walk nowhere".to_owned(), ..base.clone() }).await.expect("it works");
            assert_eq!(none.total, 0, "every word must occur");
            let wild = find(Query { search: "walk%off".to_owned(), ..base.clone() }).await.expect("it works");
            assert_eq!(wild.total, 0, "a wildcard is a character like others");
            let literal = find(Query { search: "50%_".to_owned(), ..base.clone() }).await.expect("it works");
            assert_eq!(literal.total, 7);

            let sort = vec![Sort::parse(&format!("-{}", free_field(kind)))];
            let second = find(Query { sort, page: 2, per_page: 3, ..base.clone() }).await.expect("it works");
            assert_eq!(titles(&second), ["Walk4 50%_off", "Walk3 50%_off", "Walk2 50%_off"], "{}", kind.name);
            assert_eq!((second.total, second.page, second.per_page), (7, 2, 3));

            let filter = vec![Filter { field: free_field(kind).to_owned(), values: vec!["Walk5 50%_off".to_owned()] }];
            let one = find(Query { filter, ..Query::default() }).await.expect("a filter works");
            assert_eq!(titles(&one), ["Walk5 50%_off"]);
            let projected = Query { fields: vec![free_field(kind).to_owned()], ..base.clone() };
            let projected = find(projected).await.expect("a projection works");
            assert_eq!(projected.items[0].item.keys().collect::<Vec<_>>(), [free_field(kind)]);

            for field in kind.fields.iter().filter(|field| field.is_column()) {
                let sort = vec![Sort { field: field.name.to_owned(), descending: false }];
                let sorted = find(Query { sort, ..base.clone() }).await;
                assert_eq!(sorted.expect("every column sorts").total, 7, "{}.{}", kind.name, field.name);
                let value = match &all.items[0].item[field.name] {
                    Value::String(text) => text.clone(),
                    Value::Array(list) => list.first().and_then(Value::as_str).unwrap_or_default().to_owned(),
                    Value::Null => String::new(),
                    other => other.to_string(),
                };
                let filter = vec![Filter { field: field.name.to_owned(), values: vec![value] }];
                let filtered = find(Query { filter, ..base.clone() }).await.expect("every column filters");
                assert!(filtered.total >= 1, "{}.{}", kind.name, field.name);
            }
            let unknown = Query {
                filter: vec![Filter { field: "nonsense".to_owned(), values: vec!["1".to_owned()] }],
                ..Query::default()
            };
            assert_eq!(find(unknown).await.expect_err("no such field").problems()[0].field, "nonsense");
            let sort = vec![Sort::parse("nonsense")];
            assert!(find(Query { sort, ..Query::default() }).await.is_err());
            assert!(find(Query { fields: vec!["nonsense".to_owned()], ..Query::default() }).await.is_err());
            assert!(find(Query { per_page: 501, ..Query::default() }).await.is_err());
            assert!(find(Query { page: 0, ..Query::default() }).await.is_err());
        }
    })
    .await;
}

#[tokio::test]
async fn removed_records_wait_until_they_are_purged() {
    on_both(async |app: TestApp| {
        for (kind, writer) in writable() {
            let (read, remove) = (app.permit::<Reading>(writer, kind), app.permit::<Removing>(writer, kind));
            let id = app.make(writer, kind, Value::Object(sample(&app, kind, 1).await)).await.base.id;
            let gone = Err(Error::not_found(kind.name));

            let early = store::purge(&app.state, &remove, kind, id).await;
            assert!(matches!(early, Err(Error::Conflict { .. })), "{}: {early:?}", kind.name);
            store::remove(&app.state, &remove, kind, id).await.expect("it can be removed");
            assert_eq!(store::get(&app.state, &read, kind, id, false).await, gone);
            assert_eq!(store::remove(&app.state, &remove, kind, id).await.map(drop), Err(Error::not_found(kind.name)));
            let removed = store::get(&app.state, &read, kind, id, true).await.expect("asked for, it is shown");
            assert!(removed.base.deleted_at.is_some());
            let list = Query { deleted: true, ..Query::default() };
            assert_eq!(store::find(&app.state, &read, kind, &list).await.expect("it works").total, 1, "{}", kind.name);

            let back = store::restore(&app.state, &remove, kind, id).await.expect("it can be restored");
            assert_eq!((back.base.deleted_at, back.base.revision), (None, 3));
            store::remove(&app.state, &remove, kind, id).await.expect("it can be removed");
            let history = store::history(&app.state, &read, kind, id, None, 50).await.expect("it has a history");
            let actions: Vec<_> = history.iter().map(|change| change.action.as_str()).collect();
            assert_eq!(actions, ["remove", "restore", "remove", "create"], "{}", kind.name);
            let older = store::history(&app.state, &read, kind, id, Some(history[1].id), 1).await.expect("it pages");
            assert_eq!(older, history[2..3]);
            assert_eq!(history[3].person_name, app.session(writer).username);
            for field in kind.fields.iter().filter(|field| matches!(field.shape, Shape::Secret)) {
                assert!(!history[3].after.contains_key(field.name), "{} tells a secret", kind.name);
            }

            store::purge(&app.state, &remove, kind, id).await.expect("it can be purged");
            assert_eq!(store::get(&app.state, &read, kind, id, true).await, gone);
        }
    })
    .await;
}

#[tokio::test]
async fn another_customers_record_cannot_be_told_from_a_missing_one() {
    on_both(async |app: TestApp| {
        for kind in writable().map(|(kind, _)| kind).filter(|kind| kind.tenancy == Tenancy::PerCustomer) {
            let made = app.make(ADMIN, kind, Value::Object(sample(&app, kind, 1).await)).await;
            let mut input = made.item.clone();
            input.insert("revision".to_owned(), json!(1));
            let missing = Id::<()>::new();

            for id in [made.base.id, missing] {
                let not_found = Error::not_found(kind.name);
                let read = app.permit::<Reading>(STRANGER, kind);
                let update = app.permit::<Updating>(STRANGER, kind);
                let remove = app.permit::<Removing>(STRANGER, kind);
                assert_eq!(store::get(&app.state, &read, kind, id, false).await, Err(not_found.clone()));
                assert_eq!(store::get(&app.state, &read, kind, id, true).await, Err(not_found.clone()));
                assert_eq!(store::history(&app.state, &read, kind, id, None, 9).await, Err(not_found.clone()));
                assert_eq!(store::update(&app.state, &update, kind, id, input.clone()).await, Err(not_found.clone()));
                assert_eq!(store::remove(&app.state, &remove, kind, id).await, Err(not_found.clone()));
                assert_eq!(store::restore(&app.state, &remove, kind, id).await, Err(not_found.clone()));
                assert_eq!(store::purge(&app.state, &remove, kind, id).await, Err(not_found));
            }
            let read = app.permit::<Reading>(STRANGER, kind);
            let found = store::find(&app.state, &read, kind, &Query { per_page: 500, ..Query::default() }).await;
            let found = found.expect("a list works");
            assert!(found.items.iter().all(|record| record.base.customer == Some(app.customer_id("globex"))));
            let viewer = app.context(VIEWER);
            assert!(matches!(viewer.permit::<Creating>(kind.name), Err(Error::Forbidden { .. })), "{}", kind.name);
            assert!(viewer.permit::<Reading>(kind.name).is_ok(), "{}", kind.name);
        }
    })
    .await;
}

#[tokio::test]
async fn references_stay_within_the_customer() {
    on_both(async |app: TestApp| {
        for (kind, _) in writable() {
            for field in kind.fields.iter().filter(|field| !field.read_only) {
                let (target, many) = match field.shape {
                    Shape::Reference(target) => (target, false),
                    Shape::References { kind: target, .. } => (target, true),
                    _ => continue,
                };
                let Some(target) = entry(target).map(|entry| entry.kind) else { continue };
                let mut foreign = sample(&app, target, 1).await;
                for unique in target.fields.iter().filter(|field| field.unique) {
                    foreign.insert(unique.name.to_owned(), json!(format!("f-{}", Id::<()>::new())));
                }
                // What the sample refers to is Acme's.
                for list in target.fields.iter().filter(|field| matches!(field.shape, Shape::References { .. })) {
                    foreign.insert(list.name.to_owned(), json!([]));
                }
                let foreign = app.make(STRANGER, target, Value::Object(foreign)).await.base.id;
                for id in [foreign, Id::new()] {
                    for (person, customer) in [(ADMIN, None), (ROOT, Some(app.customer_id("acme")))] {
                        let mut input = sample(&app, kind, 1).await;
                        input.insert(field.name.to_owned(), if many { json!([id]) } else { json!(id) });
                        input.insert("customer".to_owned(), json!(customer));
                        let permit = app.permit::<Creating>(person, kind);
                        let refused = store::create(&app.state, &permit, kind, input).await.expect_err("it is refused");
                        assert_eq!(refused.problems()[0].field, field.name, "{}: {refused:?}", kind.name);
                    }
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_the_system_makes_nobody_else_does() {
    let app = TestApp::start_on(Database::Sqlite).await;
    for kind in entries().map(|entry| entry.kind).filter(|kind| kind.read_only) {
        for person in [ROOT, ADMIN, REGULAR] {
            let context = app.context(person);
            assert!(matches!(context.permit::<Creating>(kind.name), Err(Error::Forbidden { .. })));
            assert!(matches!(context.permit::<Updating>(kind.name), Err(Error::Forbidden { .. })));
        }
    }
}

#[tokio::test]
async fn the_audit_trail_only_grows() {
    on_both(async |app: TestApp| {
        for statement in ["update audit set person_name = 'nobody'", "delete from audit"] {
            let refused = app.state.db.execute(&SYSTEM, sql(statement)).await.expect_err("it must be refused");
            assert!(format!("{refused:#}").contains("only grows"), "{refused:#}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_customer_sees_itself_and_no_other() {
    on_both(async |app: TestApp| {
        let customers = entry("customer").expect("there are customers").kind;
        let (own, other) = (app.customer_id("acme").cast(), app.customer_id("globex").cast());
        for person in [ADMIN, REGULAR, VIEWER] {
            let read = app.permit::<Reading>(person, customers);
            let get = async |id| store::get(&app.state, &read, customers, id, false).await.map(|record| record.base.id);
            let found = store::find(&app.state, &read, customers, &Query::default()).await.expect("a list works");

            assert_eq!(get(own).await, Ok(own));
            assert_eq!(get(other).await, Err(Error::not_found("customer")));
            assert_eq!(get(Id::new()).await, Err(Error::not_found("customer")));
            assert_eq!(found.items.iter().map(|record| record.base.id).collect::<Vec<_>>(), [own]);
            assert!(matches!(app.context(person).permit::<Updating>("customer"), Err(Error::Forbidden { .. })));
        }
    })
    .await;
}

#[tokio::test]
async fn logins_are_read_and_revoked_and_nothing_else() {
    on_both(async |app: TestApp| {
        let logins = entry("login").expect("there are logins").kind;
        let (mut own, mut all) = (Vec::new(), Vec::new());
        for person in [REGULAR, REGULAR, ADMIN, STRANGER] {
            let user = app.session(person).user;
            let made = login::enter(&app.context(person), user).await.expect("a login can be made");
            let id: Id<()> = made.session.login.cast();
            if person == REGULAR {
                own.push(id);
            }
            if person != STRANGER {
                all.push(id);
            }
        }

        for (person, reached) in [(REGULAR, &own), (ADMIN, &all)] {
            let read = app.permit::<Reading>(person, logins);
            let remove = app.permit::<Removing>(person, logins);
            let page = store::find(&app.state, &read, logins, &Query::default()).await.expect("a list works");
            assert_eq!(page.total, reached.len() as u64);
            assert!(page.items.iter().all(|record| reached.contains(&record.base.id)));
            for field in logins.fields {
                let sort = vec![Sort { field: field.name.to_owned(), descending: true }];
                let sorted = store::find(&app.state, &read, logins, &Query { sort, ..Query::default() }).await;
                assert_eq!(sorted.expect("every column sorts").total, page.total, "{}", field.name);
            }
            let id = reached[0];
            store::get(&app.state, &read, logins, id, false).await.expect("it is there");
            let restored = store::restore(&app.state, &remove, logins, id).await;
            assert!(matches!(restored, Err(Error::Forbidden { .. })), "{restored:?}");
        }

        let remove = app.permit::<Removing>(ADMIN, logins);
        let read = app.permit::<Reading>(ADMIN, logins);
        store::remove(&app.state, &remove, logins, own[0]).await.expect("it can be revoked");
        let gone = store::get(&app.state, &read, logins, own[0], false).await;
        assert_eq!(gone, Err(Error::not_found("login")));
        let history = store::history(&app.state, &read, logins, own[0], None, 9).await.expect("it has a history");
        assert_eq!(history[0].action, "remove");
        let others = app.permit::<Removing>(REGULAR, logins);
        let foreign = store::remove(&app.state, &others, logins, all[2]).await;
        assert_eq!(foreign, Err(Error::not_found("login")), "another's login is not one's own");
    })
    .await;
}
