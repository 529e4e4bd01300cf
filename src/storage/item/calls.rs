//! What the browser calls, and typed calls of it.
//!
//! One function for each verb takes the kind's name, so that a new entity adds nothing to the program
//! in the browser; [`find`], [`get`], [`save`] and [`remove`] put the type back on.

#![allow(missing_docs, reason = "the server macro makes a type of each function's arguments")]

use super::{Base, Change, Fields, Item, Page, Query, RawRecord, Record};
use crate::{
    error::{Error, Problem, Result},
    id::Id,
    json::Json,
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// One record with the names of what it refers to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// The record.
    pub record: RawRecord,
    /// Names by id: customer, people, references.
    pub labels: BTreeMap<String, String>,
}

/// A new record that is begun from something else: its first values, and the names of what they refer to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Begun {
    /// The values by field; the others stay empty.
    pub fields: Fields,
    /// Names by id.
    pub labels: BTreeMap<String, String>,
    /// The customer it will belong to, and its name.
    pub customer: Option<(String, String)>,
}

/// What became of one of several records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The record's id, as it was given.
    pub id: String,
    /// Why it was refused; `None` when it was done.
    pub error: Option<Error>,
}

/// A record that a reference may lead to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its id.
    pub id: String,
    /// What a person calls it.
    pub label: String,
}

/// What an import does, or would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Import {
    /// How many records are made.
    pub created: usize,
    /// How many are changed.
    pub changed: usize,
    /// How many stand there already as the file has them.
    pub unchanged: usize,
    /// How many lines cannot be taken; with one or more, nothing is imported.
    pub refused: usize,
    /// Every line of the file, in its order.
    pub lines: Vec<ImportLine>,
}

/// One line of an import.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImportLine {
    /// Its number in the file, the header being 1.
    pub line: u64,
    /// What the record is called.
    pub name: String,
    /// What happens.
    pub action: ImportAction,
    /// Why it cannot be taken.
    pub problems: Vec<Problem>,
}

/// What happens with one line of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportAction {
    /// A record is made.
    Create,
    /// A record is changed.
    Update,
    /// The record stands there already like this.
    Unchanged,
    /// It cannot be taken.
    Refuse,
}

/// Records on a call that works on several, at most.
pub const SEVERAL_MAX: usize = 500;

/// One page of the records of a kind, with the names of what they refer to.
///
/// # Errors
/// [`Error::Invalid`] naming each field of the query that does not exist or does not fit.
#[server(prefix = "/api/fn", endpoint = "find_records", input = Json, output = Json)]
pub async fn find_records(kind: String, query: Query) -> Result<Page> {
    let (permit, kind) = here::permit::<here::Reading>(&kind)?;
    let state = &permit.context().state;
    let mut page = here::store::find(state, &permit, kind, &query).await?;
    page.labels = here::store::labels(state, &permit, kind, &page.items).await?;
    if query.beside {
        page.beside = (here::hooks(kind.name).beside)(state, &permit, &page.items).await?;
    }
    Ok(page)
}

/// One record, a removed one too.
///
/// # Errors
/// [`Error::NotFound`], also for another customer's.
#[server(prefix = "/api/fn", endpoint = "get_record", input = Json, output = Json)]
pub async fn get_record(kind: String, id: String) -> Result<Shown> {
    let (permit, kind) = here::permit::<here::Reading>(&kind)?;
    let state = &permit.context().state;
    let record = here::store::get(state, &permit, kind, here::id(kind, &id)?, true).await?;
    let labels = here::store::labels(state, &permit, kind, std::slice::from_ref(&record)).await?;
    Ok(Shown { record, labels })
}

/// Makes a record, or changes the one with `id` from its `revision`.
///
/// # Errors
/// [`Error::Invalid`] with every wrong value; [`Error::Conflict`] when the revision is stale.
#[server(prefix = "/api/fn", endpoint = "save_record", input = Json, output = Json)]
pub async fn save_record(kind: String, id: Option<String>, revision: Option<i64>, fields: Fields) -> Result<RawRecord> {
    let mut fields = fields;
    match id {
        None => {
            let (permit, kind) = here::permit::<here::Creating>(&kind)?;
            here::store::create(&permit.context().state, &permit, kind, fields).await
        }
        Some(id) => {
            let (permit, kind) = here::permit::<here::Updating>(&kind)?;
            if let Some(revision) = revision {
                fields.insert("revision".to_owned(), revision.into());
            }
            here::store::update(&permit.context().state, &permit, kind, here::id(kind, &id)?, fields).await
        }
    }
}

/// Removes records, each on its own.
///
/// # Errors
/// [`Error::Forbidden`] for all of them; what concerns one stands in its outcome.
#[server(prefix = "/api/fn", endpoint = "remove_records", input = Json, output = Json)]
pub async fn remove_records(kind: String, ids: Vec<String>) -> Result<Vec<Outcome>> {
    let (permit, kind) = here::permit::<here::Removing>(&kind)?;
    let mut outcomes = Vec::new();
    for id in ids.into_iter().take(SEVERAL_MAX) {
        let done = match here::id(kind, &id) {
            Ok(record) => here::store::remove(&permit.context().state, &permit, kind, record).await,
            Err(error) => Err(error),
        };
        outcomes.push(Outcome { id, error: done.err() });
    }
    Ok(outcomes)
}

/// Brings a removed record back.
///
/// # Errors
/// [`Error::Conflict`] when it is not removed; [`Error::Invalid`] where a value has been taken since.
#[server(prefix = "/api/fn", endpoint = "restore_record", input = Json, output = Json)]
pub async fn restore_record(kind: String, id: String) -> Result<RawRecord> {
    let (permit, kind) = here::permit::<here::Removing>(&kind)?;
    here::store::restore(&permit.context().state, &permit, kind, here::id(kind, &id)?).await
}

/// Deletes a removed record for good.
///
/// # Errors
/// [`Error::Conflict`] when it has not been removed before or is still used.
#[server(prefix = "/api/fn", endpoint = "purge_record", input = Json, output = Json)]
pub async fn purge_record(kind: String, id: String) -> Result<()> {
    let (permit, kind) = here::permit::<here::Removing>(&kind)?;
    here::store::purge(&permit.context().state, &permit, kind, here::id(kind, &id)?).await
}

/// The changes of a record, newest first, fifty at a time; older than the line `before` where given.
///
/// # Errors
/// [`Error::NotFound`], also for another customer's.
#[server(prefix = "/api/fn", endpoint = "record_history", input = Json, output = Json)]
pub async fn record_history(kind: String, id: String, before: Option<String>) -> Result<Vec<Change>> {
    let (permit, kind) = here::permit::<here::Reading>(&kind)?;
    let before = before.map(|before| here::id(kind, &before)).transpose()?.map(Id::cast);
    here::store::history(&permit.context().state, &permit, kind, here::id(kind, &id)?, before, 50).await
}

/// Records that a reference may lead to: twenty whose words are found, by name.
///
/// `customer` is whose record refers to them; people of a customer need not say it.
///
/// # Errors
/// [`Error::Forbidden`] where the kind cannot be read.
#[server(prefix = "/api/fn", endpoint = "reference_choices", input = Json, output = Json)]
pub async fn reference_choices(kind: String, search: String, customer: Option<String>) -> Result<Vec<Candidate>> {
    let (permit, kind) = here::permit::<here::Reading>(&kind)?;
    here::candidates(&permit, kind, search, customer).await
}

/// The names of a kind's records, as many as one page holds.
///
/// # Errors
/// [`Error::Forbidden`] where the kind cannot be read.
#[server(prefix = "/api/fn", endpoint = "record_names", input = Json, output = Json)]
pub async fn record_names(kind: String) -> Result<Vec<Candidate>> {
    let (permit, kind) = here::permit::<here::Reading>(&kind)?;
    here::named(&permit, kind, Query { per_page: super::query::PER_PAGE_MAX, ..Query::default() }).await
}

/// What an import of this CSV would do.
///
/// # Errors
/// [`Error::Invalid`] when the file as a whole cannot be read; problems of lines stand in the answer.
#[server(prefix = "/api/fn", endpoint = "preview_import", input = Json, output = Json)]
pub async fn preview_import(kind: String, csv: String) -> Result<Import> {
    let (permit, kind) = here::permit::<here::Creating>(&kind)?;
    here::exchange::import(&permit, kind, &csv, false).await
}

/// Imports a CSV, all of it or nothing.
///
/// # Errors
/// [`Error::Invalid`] when a line cannot be taken.
#[server(prefix = "/api/fn", endpoint = "import_records", input = Json, output = Json)]
pub async fn import_records(kind: String, csv: String) -> Result<Import> {
    let (permit, kind) = here::permit::<here::Creating>(&kind)?;
    here::exchange::import(&permit, kind, &csv, true).await
}

/// One `T`, typed.
///
/// # Errors
/// As [`get_record`].
pub async fn get<T: Item>(id: Id<T>) -> Result<Record<T>> {
    typed(get_record(T::KIND.name.to_owned(), id.to_string()).await?.record)
}

/// Makes a `T`, or changes the record `of`, and gives it back as it was kept.
///
/// # Errors
/// As [`save_record`].
pub async fn save<T: Item>(of: Option<&Base>, item: &T) -> Result<Record<T>> {
    let Ok(Value::Object(fields)) = serde_json::to_value(item) else {
        return Err(Error::invalid("", "not a record"));
    };
    let (id, revision) = (of.map(|base| base.id.to_string()), of.map(|base| base.revision));
    typed(save_record(T::KIND.name.to_owned(), id, revision, fields).await?)
}

/// Removes a `T`.
///
/// # Errors
/// As [`remove_records`], that of the record itself included.
pub async fn remove<T: Item>(id: Id<T>) -> Result<()> {
    let outcomes = remove_records(T::KIND.name.to_owned(), vec![id.to_string()]).await?;
    outcomes.into_iter().find_map(|outcome| outcome.error).map_or(Ok(()), Err)
}

/// A record without its type as one with it.
///
/// # Errors
/// [`Error::Invalid`] when fields are missing, as after a projection.
pub fn typed<T: Item>(record: RawRecord) -> Result<Record<T>> {
    let item =
        serde_json::from_value(Value::Object(record.item)).map_err(|error| Error::invalid("", error.to_string()))?;
    Ok(Record { base: record.base, item })
}

/// What the functions above need on the server.
#[cfg(feature = "ssr")]
mod here {
    pub use crate::{
        authentication::server::{Creating, Reading, Removing, Updating},
        storage::item::server::{exchange, hooks::hooks, store},
    };

    use super::Candidate;
    use crate::{
        authentication::server::{Act, Permit, Proof as _, context},
        error::{Error, Result},
        id::Id,
        storage::{
            self,
            item::{Filter, Kind, Query, Sort, Tenancy},
        },
    };
    use serde_json::Value;

    /// The permit of the request for the kind of that name.
    pub fn permit<A: Act>(kind: &str) -> Result<(Permit<A>, &'static Kind)> {
        // Strangers learn nothing about which kinds there are.
        let request = context::Context::current()?;
        request.session()?;
        let kind = storage::kind(kind).ok_or_else(|| Error::not_found("kind"))?;
        Ok((request.permit(kind.name)?, kind))
    }

    /// An id as the browser gives it; what is none is not found.
    pub fn id(kind: &Kind, text: &str) -> Result<Id<()>> {
        text.parse().map_err(|_| Error::not_found(kind.name))
    }

    /// See [`super::reference_choices`].
    pub async fn candidates(
        permit: &Permit<Reading>,
        kind: &'static Kind,
        search: String,
        customer: Option<String>,
    ) -> Result<Vec<Candidate>> {
        let mut filter = Vec::new();
        if kind.tenancy == Tenancy::PerCustomer && permit.scope().customer().is_none() {
            filter.push(Filter { field: "customer".to_owned(), values: vec![customer.unwrap_or_default()] });
        }
        named(permit, kind, Query { search, filter, per_page: 20, ..Query::default() }).await
    }

    /// What a query finds, by name.
    pub async fn named(permit: &Permit<Reading>, kind: &'static Kind, query: Query) -> Result<Vec<Candidate>> {
        let query = Query {
            sort: vec![Sort { field: kind.title.to_owned(), descending: false }],
            fields: vec![kind.title.to_owned()],
            ..query
        };
        let page = store::find(&permit.context().state, permit, kind, &query).await?;
        let label = |item: &crate::storage::item::Fields| match item.get(kind.title) {
            Some(Value::String(text)) => text.clone(),
            _ => String::new(),
        };
        Ok(page
            .items
            .iter()
            .map(|record| Candidate { id: record.base.id.to_string(), label: label(&record.item) })
            .collect())
    }
}
