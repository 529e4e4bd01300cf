//! A seventh entity, as a colleague would add one: this file, one migration (`seventh.sql`) and one
//! word in the list (`contract.rs`).

use muelle::storage::item::{Field, Item, Kind, Shape};
use serde::{Deserialize, Serialize};

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
            Field::shaped("tags", |_| "Tags", Shape::Words).searched(),
        ]);
}
