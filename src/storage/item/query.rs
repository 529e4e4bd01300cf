//! What a list asks for, and what it gets.

use super::RawRecord;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The largest page a caller may ask for.
pub const PER_PAGE_MAX: u32 = 500;

/// What a list asks for. Field names are looked up in the description, never pasted into SQL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Query {
    /// Words that must all occur in the searched fields, case-insensitively.
    pub search: String,
    /// Conditions that must all hold.
    pub filter: Vec<Filter>,
    /// The order; the newest first when empty.
    pub sort: Vec<Sort>,
    /// The fields wanted; all when empty.
    pub fields: Vec<String>,
    /// The page, from 1.
    pub page: u32,
    /// Records on a page, 1 to [`PER_PAGE_MAX`].
    pub per_page: u32,
    /// Removed records instead of live ones.
    pub deleted: bool,
    /// Also what stands beside the fields: [`Page::beside`].
    pub beside: bool,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            search: String::new(),
            filter: Vec::new(),
            sort: Vec::new(),
            fields: Vec::new(),
            page: 1,
            per_page: 50,
            deleted: false,
            beside: false,
        }
    }
}

/// One condition: the field equals one of the values. The base fields `customer` and `enabled` count too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// The field's name.
    pub field: String,
    /// The values, as text: `local`, `true`, an id; an empty one means "has no value".
    pub values: Vec<String>,
}

/// One step of the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sort {
    /// The field's name; base fields `created_at`, `updated_at`, `enabled` count too.
    pub field: String,
    /// Greatest first.
    pub descending: bool,
}

impl Sort {
    /// Reads `name` or `-name`.
    pub fn parse(text: &str) -> Self {
        match text.strip_prefix('-') {
            Some(field) => Self { field: field.to_owned(), descending: true },
            None => Self { field: text.to_owned(), descending: false },
        }
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// The records.
    pub items: Vec<RawRecord>,
    /// How many there are over all pages; above ten thousand as it stood within the last ten seconds.
    pub total: u64,
    /// This page, from 1.
    pub page: u32,
    /// Records on a page.
    pub per_page: u32,
    /// Names of the records that this page refers to, by id. Only for our own pages; REST leaves it out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What stands beside the fields of a record, by its id, where it was asked for; only for our own pages, like the
    /// names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub beside: BTreeMap<String, Value>,
}
