//! A seventh entity, as a colleague would add one: this file, one migration (`seventh.sql`) and one
//! word in the list (`contract.rs`).

use crate::{
    door::{Door, get},
    support::{ADMIN, STRANGER, SYSTEM, TestApp, VIEWER, kind, on_both},
};
use muelle::{
    authentication::server::Updating,
    id::Id,
    platform::db::sql,
    storage::item::{Field, Fields, Item, Kind, Shape, server::store},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A rack in a data centre.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rack {
    /// Its name, unique within the customer.
    pub name: String,
    /// How many units it has.
    pub units: i64,
    /// Whether it is locked.
    pub locked: bool,
    /// When it was last looked after.
    pub serviced_at: Option<muelle::time::Timestamp>,
    /// The machine that watches it.
    pub watcher: Option<muelle::id::Id<muelle::storage::Machine>>,
    /// Who looked after it last; the system writes it down.
    pub checked_by: Option<muelle::id::Id<muelle::storage::User>>,
    /// Words.
    pub tags: Vec<String>,
}

impl Item for Rack {
    const KIND: Kind =
        Kind::new("rack", "racks", |_| "Rack", |_| "Racks", |_| "There is no rack yet.").per_customer().fields(&[
            Field::line("name", |_| "Name").required().unique().searched().listed(),
            Field::shaped("units", |_| "Units", Shape::Integer { min: 1, max: 60 }).required().listed(),
            Field::shaped("locked", |_| "Locked", Shape::Switch).listed(),
            Field::shaped("serviced_at", |_| "Serviced", Shape::Time),
            Field::shaped("watcher", |_| "Watcher", Shape::Reference("machine")),
            Field::shaped("checked_by", |_| "Checked by", Shape::Reference("user")).read_only(),
            Field::shaped("tags", |_| "Tags", Shape::Words).searched(),
        ]);
}

#[tokio::test]
async fn its_pages_are_there_from_the_start() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let rack = serde_json::json!({ "name": "north-7", "units": 42, "locked": true, "tags": ["cold-aisle"] });
    let id = app.make(ADMIN, kind("rack"), rack).await.base.id;
    let page = async |path: String, person| {
        let token = app.client(person).await.token().expect("they are signed in").to_owned();
        door.send(get(path).bearer(&token)).await
    };
    let holds = |text: &str, words: &[&str]| {
        for word in words {
            assert!(text.contains(word), "{word} in {text}");
        }
    };

    let list = page("/racks".to_owned(), VIEWER).await;
    let new = page("/racks/new".to_owned(), ADMIN).await;
    let details = page(format!("/racks/{id}"), VIEWER).await;
    let edit = page(format!("/racks/{id}/edit"), ADMIN).await;
    let foreign = page(format!("/racks/{id}"), STRANGER).await;

    assert_eq!([list.status, new.status, details.status, edit.status, foreign.status], [200, 200, 200, 200, 404]);
    holds(&list.text, &["Racks", "Name", "Units", "Locked", "north-7"]);
    holds(&new.text, &["Name", "Units", "Locked", "Serviced", "Watcher", "Tags"]);
    holds(&details.text, &["north-7", "Units", "42", "Locked", "Serviced", "Watcher", "cold-aisle"]);
    holds(&edit.text, &["value=\"north-7\"", "value=\"42\""]);
    assert!(!foreign.text.contains("north-7"));
}

#[tokio::test]
async fn what_the_system_refers_to_may_be_gone_when_a_person_changes_the_record() {
    on_both(async |app: TestApp| {
        let racks = kind("rack");
        let rack = json!({ "name": "south-2", "units": 42, "locked": true, "tags": [] });
        let made = app.make(ADMIN, racks, rack).await;
        let id = made.base.id;
        let statement = sql("update racks set checked_by = $1 where id = $2");
        let statement = statement.bind(Id::<()>::new().to_string()).bind(id.to_string());
        app.state.db.execute(&SYSTEM, statement).await.expect("the system writes it down");
        let permit = app.permit::<Updating>(ADMIN, racks);

        let mut change = Fields::from_iter([("revision".to_owned(), json!(made.base.revision))]);
        for (name, value) in [("name", json!("south-2")), ("units", json!(40)), ("locked", json!(false))] {
            change.insert(name.to_owned(), value);
        }
        let changed = store::update(&app.state, &permit, racks, id, change).await.expect("it can be changed");

        assert_eq!(changed.item["units"], json!(40));
    })
    .await;
}
