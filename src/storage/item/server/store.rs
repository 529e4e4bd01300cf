//! Find, get, create, update, remove, restore, purge and history of any kind of record.

use super::{
    audit,
    hooks::{Preparing, Removing as Leaving, Saving, hooks},
    keys, sql,
};
use crate::{
    authentication::server::{Creating, May, Proof, Reading, Removing, Scope, Updating},
    error::{Error, Result},
    events::model::Topic,
    i18n::{Locale, td_string},
    id::Id,
    platform::{
        db::{Row, Transaction},
        state::State,
    },
    storage::{
        Customer, entries, entry,
        item::{Base, Change, Check, Field, Fields, Kind, Page, Query, RawRecord, Shape, Tenancy, check},
    },
    time::Timestamp,
};
use anyhow::anyhow;
use sea_query::{Cond, Expr, ExprTrait as _, Func, Query as Build, SelectStatement};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Lines of history in one answer, at most.
pub const HISTORY_MAX: u32 = 200;

/// A record whose change is in a transaction that is not committed yet.
pub struct Pending {
    /// The record as it will stand.
    pub record: RawRecord,
    /// What was done; `None` when nothing had to be.
    pub action: Option<&'static str>,
}

/// One page of the records in reach that the query asks for.
///
/// # Errors
/// [`Error::Invalid`] naming each field of the query that does not exist or does not fit.
pub async fn find(state: &State, permit: &dyn May<Reading>, kind: &'static Kind, query: &Query) -> Result<Page> {
    about(permit, kind)?;
    let wanted = sql::wanted(kind, query, permit.locale())?;
    let columns: Vec<_> = wanted.iter().copied().filter(|field| is_column(field)).collect();
    let conditions = sql::conditions(kind, permit, query)?;
    let mut select = sql::select(kind, &columns);
    select
        .cond_where(conditions.clone())
        .limit(u64::from(query.per_page))
        .offset(u64::from(query.page - 1) * u64::from(query.per_page));
    sql::order(&mut select, kind, query, permit.locale())?;
    let rows = state.db.rows(permit, select).await?;
    let mut items = rows.iter().map(|row| sql::record(row, &columns)).collect::<anyhow::Result<Vec<_>>>()?;
    read_references(Reader::Db(state, permit), &wanted, &mut items).await?;
    // The last page tells the total by itself.
    let before = u64::from(query.page - 1) * u64::from(query.per_page);
    let total = if items.len() < query.per_page as usize && (query.page == 1 || !items.is_empty()) {
        before + items.len() as u64
    } else {
        state.totals.of(state, permit, kind, conditions).await?
    };
    Ok(Page {
        items,
        total,
        page: query.page,
        per_page: query.per_page,
        labels: BTreeMap::new(),
        beside: BTreeMap::new(),
    })
}

/// Names of everything that these records refer to, by id: what our own pages show in place of ids.
///
/// Only records in the reader's reach are named.
///
/// # Errors
/// [`Error::Internal`] when the database does not answer.
pub async fn labels(
    state: &State,
    proof: &dyn Proof,
    kind: &'static Kind,
    items: &[RawRecord],
) -> Result<BTreeMap<String, String>> {
    let mut ids: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for record in items {
        let base = &record.base;
        ids.entry("customer").or_default().extend(base.customer.map(|id| id.to_string()));
        ids.entry("user").or_default().extend(base.created_by.map(|id| id.to_string()));
        ids.entry("user").or_default().extend(base.updated_by.map(|id| id.to_string()));
        for field in kind.fields {
            let (Shape::Reference(target) | Shape::References { kind: target, .. }) = field.shape else { continue };
            match record.item.get(field.name) {
                Some(Value::String(id)) => drop(ids.entry(target).or_default().insert(id.clone())),
                Some(Value::Array(list)) => {
                    ids.entry(target).or_default().extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
                }
                _ => {}
            }
        }
    }
    names(state, proof, ids).await
}

/// Names of records by their ids, asked for by kind: those in reach and still there.
///
/// # Errors
/// [`Error::Internal`] when the database does not answer.
pub async fn names(
    state: &State,
    proof: &dyn Proof,
    ids: BTreeMap<&str, BTreeSet<String>>,
) -> Result<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    for (target, ids) in ids {
        let Some(target) = entry(target).map(|entry| entry.kind) else { continue };
        // In parts, since a database takes only so many values in one statement.
        for part in ids.into_iter().collect::<Vec<_>>().chunks(1000) {
            let mut select = Build::select();
            select
                .column("id")
                .expr_as(Expr::col(target.title), "label")
                .from(target.plural)
                .and_where(Expr::col("id").is_in(part.iter().map(String::as_str)))
                .cond_where(in_reach(target, proof.scope()));
            for row in state.db.rows(proof, select).await? {
                labels.insert(row.text("id")?, row.opt_text("label")?.unwrap_or_default());
            }
        }
    }
    Ok(labels)
}

/// One record in reach; a removed one only when `removed` asks for it.
///
/// # Errors
/// [`Error::NotFound`], also for another customer's.
pub async fn get(
    state: &State,
    permit: &dyn May<Reading>,
    kind: &'static Kind,
    id: Id<()>,
    removed: bool,
) -> Result<RawRecord> {
    about(permit, kind)?;
    let wanted = readable(kind);
    let columns: Vec<_> = wanted.iter().copied().filter(|field| is_column(field)).collect();
    let mut select = one(kind, permit, id, &columns);
    if !removed {
        select.and_where(sql::alive(false));
    }
    let row = state.db.row(permit, select).await?.ok_or_else(|| Error::not_found(kind.name))?;
    let mut items = vec![sql::record(&row, &columns)?];
    read_references(Reader::Db(state, permit), &wanted, &mut items).await?;
    items.pop().ok_or_else(|| Error::not_found(kind.name))
}

/// The live record that is called `name`, in whatever case; `customer` is an id, empty for the platform's own.
///
/// # Errors
/// [`Error::Internal`] when the database does not answer.
pub async fn find_named(
    state: &State,
    permit: &dyn May<Reading>,
    kind: &'static Kind,
    name: &str,
    customer: &str,
) -> Result<Option<RawRecord>> {
    about(permit, kind)?;
    let wanted = readable(kind);
    let columns: Vec<_> = wanted.iter().copied().filter(|field| is_column(field)).collect();
    let mut select = sql::select(kind, &columns);
    select.cond_where(sql::reach(kind, permit)).and_where(sql::alive(false)).limit(1);
    if kind.field(kind.title).is_some_and(keys::has_key) {
        select.and_where(Expr::col(keys::column(kind.title)).eq(keys::key(name)));
    } else {
        select.and_where(Expr::from(Func::lower(Expr::col(kind.title))).eq(Func::lower(Expr::value(name))));
    }
    if kind.tenancy == Tenancy::PerCustomer {
        select.and_where(Expr::cust("coalesce(customer, '')").eq(customer));
    }
    let Some(row) = state.db.row(permit, select).await? else { return Ok(None) };
    let mut items = vec![sql::record(&row, &columns)?];
    read_references(Reader::Db(state, permit), &wanted, &mut items).await?;
    Ok(items.pop())
}

/// All records that a query finds, a few hundred at a time; its page is not looked at.
///
/// Without an order it goes by key, newest first; with one the ids are gathered first, so that no record
/// comes twice or is missed while others are made.
pub struct Walk {
    kind: &'static Kind,
    wanted: Vec<&'static Field>,
    conditions: Cond,
    listed: Option<std::collections::VecDeque<String>>,
    last: Option<Id<()>>,
}

/// Records in one step of a [`Walk`].
const STEP: usize = 500;

impl Walk {
    /// A walk from the beginning.
    ///
    /// # Errors
    /// As [`find`].
    pub async fn new(state: &State, permit: &dyn May<Reading>, kind: &'static Kind, query: &Query) -> Result<Self> {
        about(permit, kind)?;
        let wanted = sql::wanted(kind, query, permit.locale())?;
        let conditions = sql::conditions(kind, permit, query)?;
        let mut listed = None;
        if !query.sort.is_empty() {
            let mut select = Build::select();
            select.column("id").from(kind.plural).cond_where(conditions.clone());
            sql::order(&mut select, kind, query, permit.locale())?;
            let rows = state.db.rows(permit, select).await?;
            listed = Some(rows.iter().map(|row| row.text("id")).collect::<anyhow::Result<_>>()?);
        }
        Ok(Self { kind, wanted, conditions, listed, last: None })
    }

    /// The next records; none at the end.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database does not answer.
    pub async fn next(&mut self, state: &State, permit: &dyn May<Reading>) -> Result<Vec<RawRecord>> {
        let columns: Vec<_> = self.wanted.iter().copied().filter(|field| is_column(field)).collect();
        let mut select = sql::select(self.kind, &columns);
        select.cond_where(self.conditions.clone());
        let mut places = HashMap::new();
        if let Some(listed) = &mut self.listed {
            let step: Vec<String> = listed.drain(..STEP.min(listed.len())).collect();
            if step.is_empty() {
                return Ok(Vec::new());
            }
            select.and_where(Expr::col("id").is_in(step.iter().map(String::as_str)));
            places = step.into_iter().enumerate().map(|(place, id)| (id, place)).collect();
        } else {
            select.order_by("id", sea_query::Order::Desc).limit(STEP as u64);
            if let Some(last) = self.last {
                select.and_where(Expr::col("id").lt(last.to_string()));
            }
        }
        let rows = state.db.rows(permit, select).await?;
        let mut items = rows.iter().map(|row| sql::record(row, &columns)).collect::<anyhow::Result<Vec<_>>>()?;
        self.last = items.last().map(|record| record.base.id);
        if self.listed.is_some() {
            items.sort_by_key(|record| places.get(&record.base.id.to_string()).copied());
            // All of a step may have been removed since; the walk is not over for that.
            if items.is_empty() {
                return Box::pin(self.next(state, permit)).await;
            }
        }
        read_references(Reader::Db(state, permit), &self.wanted, &mut items).await?;
        Ok(items)
    }
}

/// Makes a record. `input` holds the entity's fields and may hold `enabled` and, from the platform's
/// people, `customer`.
///
/// # Errors
/// [`Error::Invalid`] with every wrong value.
pub async fn create(
    state: &State,
    permit: &dyn May<Creating>,
    kind: &'static Kind,
    input: Fields,
) -> Result<RawRecord> {
    about(permit, kind)?;
    let prepared = prepare_new(state, permit, kind, input).await?;
    let mut transaction = state.db.begin(permit).await?;
    let pending = insert(state, permit, &mut transaction, kind, prepared).await?;
    transaction.commit().await?;
    Ok(told(state, kind, pending).await)
}

/// Changes a record. `input` holds all its fields and the `revision` it was changed from; base fields
/// may stand there as they were read.
///
/// Secrets that are absent stay. When no value differs nothing is written.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] when the revision is stale; [`Error::Invalid`] with every
/// wrong value.
pub async fn update(
    state: &State,
    permit: &dyn May<Updating>,
    kind: &'static Kind,
    id: Id<()>,
    input: Fields,
) -> Result<RawRecord> {
    about(permit, kind)?;
    let prepared = prepare_change(state, permit, kind, id, input).await?;
    let mut transaction = state.db.begin(permit).await?;
    let pending = change(state, permit, &mut transaction, kind, id, prepared).await?;
    transaction.commit().await?;
    Ok(told(state, kind, pending).await)
}

/// Marks a record as removed; it can be restored until it is purged.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] when something still needs it.
pub async fn remove(state: &State, permit: &dyn May<Removing>, kind: &'static Kind, id: Id<()>) -> Result<()> {
    about(permit, kind)?;
    let mut transaction = state.db.begin(permit).await?;
    let mut record = locked(&mut transaction, permit, kind, id).await?;
    if record.base.deleted_at.is_some() {
        return Err(Error::not_found(kind.name));
    }
    let leaving = Leaving { state, proof: permit, transaction: &mut transaction, record: &record };
    (hooks(kind.name).remove)(leaving).await?;
    record.base.deleted_at = Some(Timestamp::now());
    mark(&mut transaction, permit, kind, &mut record).await?;
    write_audit(&mut transaction, permit, kind, &record, "remove", &Fields::new(), &Fields::new()).await?;
    transaction.commit().await?;
    told(state, kind, Pending { record, action: Some("remove") }).await;
    Ok(())
}

/// Brings a removed record back.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] when it is not removed or its customer is gone;
/// [`Error::Invalid`] at a field whose value has been taken in the meantime.
pub async fn restore(state: &State, permit: &dyn May<Removing>, kind: &'static Kind, id: Id<()>) -> Result<RawRecord> {
    about(permit, kind)?;
    let locale = permit.locale();
    let mut transaction = state.db.begin(permit).await?;
    let mut record = locked(&mut transaction, permit, kind, id).await?;
    if kind.read_only {
        // What the system ended stays ended: a login that was signed out is not brought back.
        let reason = td_string!(locale, errors.reason.only_the_system);
        return Err(Error::Forbidden { reason: reason.to_owned() });
    }
    if record.base.deleted_at.is_none() {
        return Err(Error::conflict(td_string!(locale, errors.record.not_removed)));
    }
    if let Some(customer) = record.base.customer
        && !customer_is_there(&mut transaction, customer, false).await?
    {
        return Err(Error::conflict(td_string!(locale, errors.record.customer_gone)));
    }
    let mut check = Check::new(locale, false);
    check_unique(&mut transaction, kind, &record, &mut check).await?;
    check.finish()?;
    record.base.deleted_at = None;
    mark(&mut transaction, permit, kind, &mut record).await.map_err(|error| taken(kind, error, locale))?;
    write_audit(&mut transaction, permit, kind, &record, "restore", &Fields::new(), &Fields::new()).await?;
    transaction.commit().await?;
    Ok(told(state, kind, Pending { record, action: Some("restore") }).await)
}

/// Deletes a removed record for good. Its history stays in the audit trail.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] when it has not been removed before or is still used.
pub async fn purge(state: &State, permit: &dyn May<Removing>, kind: &'static Kind, id: Id<()>) -> Result<()> {
    about(permit, kind)?;
    let locale = permit.locale();
    let mut transaction = state.db.begin(permit).await?;
    let record = locked(&mut transaction, permit, kind, id).await?;
    if record.base.deleted_at.is_none() {
        return Err(Error::conflict(td_string!(locale, errors.record.removed_first)));
    }
    let_go(&mut transaction, kind, &record, locale).await?;
    let mut delete = Build::delete();
    delete.from_table(kind.plural).and_where(Expr::col("id").eq(id.to_string()));
    transaction.execute(delete).await?;
    write_audit(&mut transaction, permit, kind, &record, "purge", &record.item, &Fields::new()).await?;
    transaction.commit().await?;
    told(state, kind, Pending { record, action: Some("purge") }).await;
    Ok(())
}

/// The changes of a record in reach, newest first: at most `limit`, those before the line `before`.
///
/// # Errors
/// [`Error::NotFound`], also for another customer's.
pub async fn history(
    state: &State,
    permit: &dyn May<Reading>,
    kind: &'static Kind,
    id: Id<()>,
    before: Option<Id<Change>>,
    limit: u32,
) -> Result<Vec<Change>> {
    about(permit, kind)?;
    let found = state.db.row(permit, one(kind, permit, id, &[])).await?;
    found.ok_or_else(|| Error::not_found(kind.name))?;
    audit::lines(state, permit, kind.name, id, before, limit.clamp(1, HISTORY_MAX)).await
}

/// A live record that refers to another.
pub struct Use {
    /// Its kind.
    pub kind: &'static Kind,
    /// Which it is.
    pub id: Id<()>,
    /// Its name.
    pub name: String,
}

/// The live records that refer to one, by kind and name. Whoever may read that one may know of them: they are
/// of the same customer.
///
/// # Errors
/// When the database does not answer.
pub async fn uses(state: &State, proof: &dyn Proof, kind: &'static Kind, id: Id<()>) -> anyhow::Result<Vec<Use>> {
    read_uses(Reader::Db(state, proof), kind, id).await
}

/// As [`uses`], within a transaction.
///
/// # Errors
/// When the database does not answer.
pub async fn uses_within(transaction: &mut Transaction, kind: &'static Kind, id: Id<()>) -> anyhow::Result<Vec<Use>> {
    read_uses(Reader::Transaction(transaction), kind, id).await
}

async fn read_uses(mut reader: Reader<'_>, kind: &'static Kind, id: Id<()>) -> anyhow::Result<Vec<Use>> {
    let mut uses = Vec::new();
    for other in entries().map(|entry| entry.kind) {
        for field in other.fields {
            let refers = match field.shape {
                Shape::Reference(target) if target == kind.name => Expr::col(field.name).eq(id.to_string()),
                Shape::References { kind: target, table } if target == kind.name => {
                    let mut owners = Build::select();
                    owners.column("owner").from(table).and_where(Expr::col("target").eq(id.to_string()));
                    Expr::col("id").in_subquery(owners)
                }
                _ => continue,
            };
            let mut select = Build::select();
            select
                .column("id")
                .expr_as(Expr::col(other.title), "title")
                .from(other.plural)
                .and_where(refers)
                .and_where(sql::alive(false))
                .order_by(other.title, sea_query::Order::Asc);
            for row in reader.rows(select).await? {
                uses.push(Use { kind: other, id: row.parsed("id")?, name: row.opt_text("title")?.unwrap_or_default() });
            }
        }
    }
    Ok(uses)
}

/// How many live records of each kind a customer owns, kinds without any left out.
///
/// # Errors
/// When the database does not answer.
pub async fn owned_by(
    transaction: &mut Transaction,
    customer: Id<Customer>,
    removed_too: bool,
) -> anyhow::Result<Vec<(&'static Kind, i64)>> {
    let mut owned = Vec::new();
    for kind in entries().map(|entry| entry.kind) {
        if kind.tenancy != Tenancy::PerCustomer || kind.read_only {
            continue;
        }
        let mut count = Build::select();
        count
            .expr_as(Expr::cust("count(*)"), "total")
            .from(kind.plural)
            .and_where(Expr::col("customer").eq(customer.to_string()));
        if !removed_too {
            count.and_where(sql::alive(false));
        }
        let total = transaction.row(count).await?.map_or(Ok(0), |row| row.int("total"))?;
        if total > 0 {
            owned.push((kind, total));
        }
    }
    Ok(owned)
}

/// `Machines 3, Users 1`, for a sentence that says what stands in the way.
pub fn listing(owned: &[(&'static Kind, i64)], locale: Locale) -> String {
    let parts: Vec<String> = owned.iter().map(|(kind, total)| format!("{} {total}", (kind.many)(locale))).collect();
    parts.join(", ")
}

/// Values that have been checked and wait for their transaction.
pub struct Prepared {
    fields: Fields,
    customer: Option<Value>,
    enabled: Option<bool>,
    revision: Option<i64>,
    echoed: Fields,
}

/// Checks the values of a new record, before its transaction.
///
/// # Errors
/// [`Error::Invalid`] with every wrong value.
pub async fn prepare_new(
    state: &State,
    permit: &dyn May<Creating>,
    kind: &'static Kind,
    input: Fields,
) -> Result<Prepared> {
    about(permit, kind)?;
    prepare(state, permit, kind, input, true).await
}

/// Checks the values of a change, before its transaction. A stale revision or a missing record comes
/// first, so that nobody corrects values for nothing.
///
/// # Errors
/// As [`update`].
pub async fn prepare_change(
    state: &State,
    permit: &dyn May<Updating>,
    kind: &'static Kind,
    id: Id<()>,
    input: Fields,
) -> Result<Prepared> {
    about(permit, kind)?;
    let mut select = one(kind, permit, id, &[]);
    select.and_where(sql::alive(false));
    let row = state.db.row(permit, select).await?.ok_or_else(|| Error::not_found(kind.name))?;
    if let Some(given) = input.get("revision").and_then(Value::as_i64) {
        fresh(given, row.int("revision")?, permit.locale())?;
    }
    prepare(state, permit, kind, input, false).await
}

async fn prepare(
    state: &State,
    proof: &dyn Proof,
    kind: &'static Kind,
    mut input: Fields,
    is_new: bool,
) -> Result<Prepared> {
    let locale = proof.locale();
    let mut check = Check::new(locale, is_new);
    if !is_new {
        // A change may hold a record as it was read: what the system sets in it stays as it is.
        input.retain(|name, _| !kind.field(name).is_some_and(|field| field.read_only));
    }
    let customer = input.shift_remove("customer");
    let enabled = match input.shift_remove("enabled") {
        None | Some(Value::Null) => None,
        Some(Value::Bool(flag)) => Some(flag),
        Some(Value::String(text)) if text == "true" || text == "false" => Some(text == "true"),
        Some(_) => {
            check.problem("enabled", td_string!(locale, errors.field.switch));
            None
        }
    };
    let mut echoed = Fields::new();
    for base in sql::BASE {
        if let Some(value) = input.shift_remove(base).filter(|value| !value.is_null()) {
            echoed.insert(base.to_owned(), value);
        }
    }
    let revision = echoed.shift_remove("revision");
    let revision = match (&revision, is_new) {
        (None, true) => None,
        (Some(value), false) if value.as_i64().is_some() => value.as_i64(),
        (Some(_), true) => {
            check.problem("revision", td_string!(locale, errors.field.read_only));
            None
        }
        (_, false) => {
            check.problem("revision", td_string!(locale, errors.field.revision));
            None
        }
    };
    if is_new {
        for base in echoed.keys() {
            check.problem(base, td_string!(locale, errors.field.read_only));
        }
    }
    let mut fields = check::fields(kind, input, &mut check);
    if let Some(entry) = entry(kind.name) {
        (entry.rules)(&mut fields, &mut check);
    }
    check.finish()?;
    (hooks(kind.name).prepare)(Preparing { state, proof, is_new, enabled, fields: &mut fields }).await?;
    Ok(Prepared { fields, customer, enabled, revision, echoed })
}

/// Writes a new record into a transaction; the caller commits and then calls [`told`].
///
/// # Errors
/// As [`create`].
pub async fn insert(
    state: &State,
    permit: &dyn May<Creating>,
    transaction: &mut Transaction,
    kind: &'static Kind,
    prepared: Prepared,
) -> Result<Pending> {
    about(permit, kind)?;
    let locale = permit.locale();
    let mut check = Check::new(locale, true);
    let customer = customer_of_new(transaction, permit, kind, prepared.customer, &mut check).await?;
    let now = Timestamp::now();
    let mut record = RawRecord {
        base: Base {
            id: Id::new(),
            customer,
            revision: 1,
            enabled: prepared.enabled.unwrap_or(true),
            created_at: now,
            created_by: permit.person(),
            updated_at: now,
            updated_by: permit.person(),
            deleted_at: None,
        },
        item: prepared.fields,
    };
    check_references(transaction, permit, kind, &record, &mut check).await?;
    check_unique(transaction, kind, &record, &mut check).await?;
    check.finish()?;
    let saving = Saving { state, proof: permit, transaction, before: None, after: &mut record };
    (hooks(kind.name).save)(saving).await?;
    // What the system has not set is told as absent, as it is when the record is read.
    for field in kind.fields.iter().filter(|field| field.read_only) {
        record.item.entry(field.name).or_insert(Value::Null);
    }

    let fields: Vec<_> = kind.fields.iter().filter(|field| is_written(field)).collect();
    let base = &record.base;
    let mut values: Vec<Expr> = vec![
        base.id.to_string().into(),
        base.customer.map(|id| id.to_string()).into(),
        base.revision.into(),
        base.enabled.into(),
        base.created_at.millis().into(),
        base.created_by.map(|id| id.to_string()).into(),
        base.updated_at.millis().into(),
        base.updated_by.map(|id| id.to_string()).into(),
        None::<i64>.into(),
    ];
    values.extend(fields.iter().map(|field| Expr::from(sql::to_column(field, value_of(&record, field)))));
    let mut insert = Build::insert();
    let with_key = || fields.iter().filter(|field| keys::has_key(field));
    values.extend(with_key().map(|field| Expr::from(keys::of_value(value_of(&record, field)))));
    let columns = sql::BASE.into_iter().chain(fields.iter().map(|field| field.name)).map(str::to_owned);
    insert.into_table(kind.plural).columns(columns.chain(with_key().map(|field| keys::column(field.name))));
    insert.values(values).map_err(|error| anyhow!("writing a {}: {error}", kind.name))?;
    transaction.execute(insert).await.map_err(|error| taken(kind, error, locale))?;
    write_references(transaction, kind, &record, None).await?;

    hide_secrets(kind, &mut record);
    let mut after = record.item.clone();
    after.retain(|_, value| !value.is_null() && *value != json!([]));
    after.insert("enabled".to_owned(), record.base.enabled.into());
    write_audit(transaction, permit, kind, &record, "create", &Fields::new(), &after).await?;
    Ok(Pending { record, action: Some("create") })
}

/// Writes a change into a transaction; the caller commits and then calls [`told`].
///
/// # Errors
/// As [`update`].
pub async fn change(
    state: &State,
    permit: &dyn May<Updating>,
    transaction: &mut Transaction,
    kind: &'static Kind,
    id: Id<()>,
    prepared: Prepared,
) -> Result<Pending> {
    about(permit, kind)?;
    let locale = permit.locale();
    let before = locked(transaction, permit, kind, id).await?;
    if before.base.deleted_at.is_some() {
        return Err(Error::not_found(kind.name));
    }
    if let Some(given) = prepared.revision {
        fresh(given, before.base.revision, locale)?;
    }
    let mut check = Check::new(locale, false);
    let stands = serde_json::to_value(&before.base).map_err(anyhow::Error::from)?;
    for (name, value) in &prepared.echoed {
        if stands.get(name) != Some(value) {
            check.problem(name, td_string!(locale, errors.field.read_only));
        }
    }
    if let Some(given) = prepared.customer
        && stands.get("customer") != Some(&given)
    {
        check.problem("customer", td_string!(locale, errors.field.customer_fixed));
    }
    let mut after = before.clone();
    after.base.enabled = prepared.enabled.unwrap_or(before.base.enabled);
    for (name, value) in prepared.fields {
        after.item.insert(name, value);
    }
    // Switching off is always possible, also when something that it refers to is gone.
    if after.base.enabled || after.item != before.item {
        check_references(transaction, permit, kind, &after, &mut check).await?;
    }
    check_unique(transaction, kind, &after, &mut check).await?;
    check.finish()?;
    let saving = Saving { state, proof: permit, transaction, before: Some(&before), after: &mut after };
    (hooks(kind.name).save)(saving).await?;

    let changed: Vec<&'static Field> =
        kind.fields.iter().filter(|field| before.item.get(field.name) != after.item.get(field.name)).collect();
    if changed.is_empty() && before.base.enabled == after.base.enabled {
        return Ok(Pending { record: before, action: None });
    }
    after.base.revision += 1;
    after.base.updated_at = Timestamp::now();
    after.base.updated_by = permit.person();
    let mut update = Build::update();
    update
        .table(kind.plural)
        .value("revision", after.base.revision)
        .value("enabled", after.base.enabled)
        .value("updated_at", after.base.updated_at.millis())
        .value("updated_by", after.base.updated_by.map(|id| id.to_string()))
        .and_where(Expr::col("id").eq(id.to_string()));
    for field in changed.iter().filter(|field| is_written(field)) {
        update.value(field.name, sql::to_column(field, value_of(&after, field)));
        if keys::has_key(field) {
            update.value(keys::column(field.name), keys::of_value(value_of(&after, field)));
        }
    }
    transaction.execute(update).await.map_err(|error| taken(kind, error, locale))?;
    write_references(transaction, kind, &after, Some(&before)).await?;

    hide_secrets(kind, &mut after);
    let (mut was, mut is) = (Fields::new(), Fields::new());
    for field in changed.iter().filter(|field| !matches!(field.shape, Shape::Secret)) {
        was.insert(field.name.to_owned(), value_of(&before, field).clone());
        is.insert(field.name.to_owned(), value_of(&after, field).clone());
    }
    if before.base.enabled != after.base.enabled {
        was.insert("enabled".to_owned(), before.base.enabled.into());
        is.insert("enabled".to_owned(), after.base.enabled.into());
    }
    write_audit(transaction, permit, kind, &after, "update", &was, &is).await?;
    Ok(Pending { record: after, action: Some("update") })
}

/// What follows a commit: the kind's own hook, and word to everybody who listens.
pub async fn told(state: &State, kind: &'static Kind, pending: Pending) -> RawRecord {
    let Pending { record, action } = pending;
    if let Some(action) = action {
        (hooks(kind.name).after)(state, &record).await;
        let data = json!({ "id": record.base.id, "action": action });
        state.bus.publish(Topic::Records(kind.name.to_owned()), owner(kind, &record), data);
    }
    record
}

/// Whose a record is: its customer, and for a customer the customer itself.
pub(super) fn owner(kind: &Kind, record: &RawRecord) -> Option<Id<Customer>> {
    if kind.name == "customer" { Some(record.base.id.cast()) } else { record.base.customer }
}

/// A proof for one kind does not open another.
fn about<A>(permit: &dyn May<A>, kind: &Kind) -> Result<()> {
    match permit.subject() {
        Some(subject) if subject != kind.name => {
            Err(anyhow!("a permit for {subject} was shown for {}", kind.name).into())
        }
        _ => Ok(()),
    }
}

fn fresh(given: i64, stands: i64, locale: Locale) -> Result<()> {
    if given == stands {
        return Ok(());
    }
    Err(Error::conflict(td_string!(locale, errors.record.stale, revision = stands.to_string())))
}

fn readable(kind: &'static Kind) -> Vec<&'static Field> {
    kind.fields.iter().filter(|field| !matches!(field.shape, Shape::Secret)).collect()
}

const fn is_column(field: &Field) -> bool {
    !matches!(field.shape, Shape::References { .. } | Shape::Secret)
}

const fn is_written(field: &Field) -> bool {
    !matches!(field.shape, Shape::References { .. })
}

fn value_of<'a>(record: &'a RawRecord, field: &Field) -> &'a Value {
    record.item.get(field.name).unwrap_or(&Value::Null)
}

fn hide_secrets(kind: &Kind, record: &mut RawRecord) {
    for field in kind.fields.iter().filter(|field| matches!(field.shape, Shape::Secret)) {
        record.item.shift_remove(field.name);
    }
}

/// The condition that records of another kind lie within a scope, for their names alone.
fn in_reach(kind: &'static Kind, scope: Scope) -> Cond {
    let Scope::Customer(own) = scope else { return Cond::all() };
    let column = if kind.tenancy == Tenancy::PerCustomer { "customer" } else { "id" };
    Cond::all().add(Expr::col(column).eq(own.to_string()))
}

fn one(kind: &'static Kind, proof: &dyn Proof, id: Id<()>, columns: &[&'static Field]) -> SelectStatement {
    let mut select = sql::select(kind, columns);
    select.cond_where(sql::reach(kind, proof)).and_where(Expr::col("id").eq(id.to_string()));
    select
}

/// The record, live or removed, held until the transaction ends.
async fn locked(
    transaction: &mut Transaction,
    proof: &dyn Proof,
    kind: &'static Kind,
    id: Id<()>,
) -> Result<RawRecord> {
    let wanted = readable(kind);
    let columns: Vec<_> = wanted.iter().copied().filter(|field| is_column(field)).collect();
    let mut select = one(kind, proof, id, &columns);
    select.lock_exclusive();
    let row = transaction.row(select).await?.ok_or_else(|| Error::not_found(kind.name))?;
    let mut items = vec![sql::record(&row, &columns)?];
    read_references(Reader::Transaction(transaction), &wanted, &mut items).await?;
    items.pop().ok_or_else(|| Error::not_found(kind.name))
}

enum Reader<'a> {
    Db(&'a State, &'a dyn Proof),
    Transaction(&'a mut Transaction),
}

impl Reader<'_> {
    async fn rows(&mut self, select: SelectStatement) -> anyhow::Result<Vec<Row>> {
        match self {
            Self::Db(state, proof) => state.db.rows(*proof, select).await,
            Self::Transaction(transaction) => transaction.rows(select).await,
        }
    }
}

/// Fills the lists of references, with one statement for each such field.
async fn read_references(
    mut reader: Reader<'_>,
    wanted: &[&'static Field],
    items: &mut [RawRecord],
) -> anyhow::Result<()> {
    for field in wanted {
        let Shape::References { kind: target, table } = field.shape else { continue };
        let owners: Vec<String> = items.iter().map(|record| record.base.id.to_string()).collect();
        let mut lists: HashMap<String, Vec<Value>> = HashMap::new();
        if !owners.is_empty()
            && let Some(select) = sql::references(table, target, &owners)
        {
            for row in reader.rows(select).await? {
                lists.entry(row.text("owner")?).or_default().push(row.text("target")?.into());
            }
        }
        for (record, owner) in items.iter_mut().zip(&owners) {
            let list = lists.remove(owner).unwrap_or_default();
            record.item.insert(field.name.to_owned(), Value::Array(list));
        }
    }
    Ok(())
}

async fn write_references(
    transaction: &mut Transaction,
    kind: &'static Kind,
    record: &RawRecord,
    before: Option<&RawRecord>,
) -> anyhow::Result<()> {
    for field in kind.fields {
        let Shape::References { table, .. } = field.shape else { continue };
        let targets: Vec<&str> = match value_of(record, field) {
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if let Some(before) = before {
            if value_of(before, field) == value_of(record, field) {
                continue;
            }
            let mut delete = Build::delete();
            delete.from_table(table).and_where(Expr::col("owner").eq(record.base.id.to_string()));
            transaction.execute(delete).await?;
        }
        // In parts, since a database takes only so many values in one statement.
        for (part, chunk) in targets.chunks(500).enumerate() {
            let mut insert = Build::insert();
            insert.into_table(table).columns(["owner", "target", "position"]);
            for (index, target) in chunk.iter().enumerate() {
                let position = i64::try_from(part * 500 + index).unwrap_or(i64::MAX);
                insert
                    .values([record.base.id.to_string().into(), (*target).into(), position.into()])
                    .map_err(|error| anyhow!("writing {table}: {error}"))?;
            }
            transaction.execute(insert).await?;
        }
    }
    Ok(())
}

/// Whose a new record will be: the person's own customer, or what one of the platform says.
async fn customer_of_new(
    transaction: &mut Transaction,
    proof: &dyn Proof,
    kind: &'static Kind,
    given: Option<Value>,
    check: &mut Check,
) -> Result<Option<Id<Customer>>> {
    let locale = proof.locale();
    let given = given.filter(|value| !value.is_null() && *value != json!(""));
    if kind.tenancy == Tenancy::Platform {
        if given.is_some() {
            check.problem("customer", td_string!(locale, errors.field.customer_none));
        }
        return Ok(None);
    }
    let given = match given {
        None => None,
        Some(value) => match value.as_str().and_then(|text| text.parse::<Id<Customer>>().ok()) {
            Some(id) => Some(id),
            None => {
                check.problem("customer", td_string!(locale, errors.field.reference));
                return Ok(proof.scope().customer());
            }
        },
    };
    match (proof.scope(), given) {
        (Scope::Customer(own), Some(given)) if given != own => {
            check.problem("customer", td_string!(locale, errors.field.customer_own));
            Ok(Some(own))
        }
        (Scope::Customer(own), _) => Ok(Some(own)),
        (Scope::Platform, Some(given)) => {
            if !customer_is_there(transaction, given, true).await? {
                check.problem("customer", td_string!(locale, errors.field.customer));
            }
            Ok(Some(given))
        }
        (Scope::Platform, None) => Ok(None),
    }
}

/// Whether the customer is live, and enabled where asked; it stays so until the transaction ends.
async fn customer_is_there(
    transaction: &mut Transaction,
    customer: Id<Customer>,
    enabled: bool,
) -> anyhow::Result<bool> {
    let mut select = Build::select();
    select
        .column("enabled")
        .from("customers")
        .and_where(Expr::col("id").eq(customer.to_string()))
        .and_where(sql::alive(false))
        .lock_shared();
    Ok(match transaction.row(select).await? {
        Some(row) => !enabled || row.bool("enabled")?,
        None => false,
    })
}

/// Every reference that people choose must lead to a live record of the same customer.
///
/// What the system sets may lead elsewhere: to the person of the platform who paused a customer's schedule.
async fn check_references(
    transaction: &mut Transaction,
    proof: &dyn Proof,
    kind: &'static Kind,
    record: &RawRecord,
    check: &mut Check,
) -> Result<()> {
    for field in kind.fields.iter().filter(|field| !field.read_only) {
        let (Shape::Reference(target) | Shape::References { kind: target, .. }) = field.shape else { continue };
        let Some(target) = entry(target).map(|entry| entry.kind) else { continue };
        let ids: Vec<&str> = match value_of(record, field) {
            Value::String(id) => vec![id.as_str()],
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
            _ => continue,
        };
        let mut known = BTreeSet::new();
        for part in ids.chunks(500) {
            let mut select = Build::select();
            select
                .column("id")
                .from(target.plural)
                .and_where(Expr::col("id").is_in(part.iter().copied()))
                .and_where(sql::alive(false))
                .cond_where(sql::reach(target, proof))
                .lock_shared();
            if target.tenancy == Tenancy::PerCustomer {
                match record.base.customer {
                    Some(customer) => select.and_where(Expr::col("customer").eq(customer.to_string())),
                    None => select.and_where(Expr::col("customer").is_null()),
                };
            }
            for row in transaction.rows(select).await? {
                known.insert(row.text("id")?);
            }
        }
        if let Some(missing) = ids.iter().find(|id| !known.contains(**id)) {
            let kind = (target.one)(check.locale);
            let message = td_string!(check.locale, errors.field.missing, kind = kind, id = (*missing).to_owned());
            check.problem(field.name, message);
        }
    }
    Ok(())
}

/// No two live records of a customer share a unique value, in whatever case it is spelled.
async fn check_unique(
    transaction: &mut Transaction,
    kind: &'static Kind,
    record: &RawRecord,
    check: &mut Check,
) -> Result<()> {
    for field in kind.fields.iter().filter(|field| field.unique && is_column(field)) {
        let value = value_of(record, field);
        if value.is_null() {
            continue;
        }
        let mut select = Build::select();
        select.column("id").from(kind.plural).and_where(sql::alive(false)).limit(1);
        select.and_where(Expr::col("id").ne(record.base.id.to_string()));
        if kind.tenancy == Tenancy::PerCustomer {
            // Spelled as the unique index has it, so that the index answers.
            let customer = record.base.customer.map(|id| id.to_string()).unwrap_or_default();
            select.and_where(Expr::cust("coalesce(customer, '')").eq(customer));
        }
        if keys::has_key(field) {
            select.and_where(Expr::col(keys::column(field.name)).eq(keys::of_value(value)));
        } else {
            select.and_where(Expr::col(field.name).eq(sql::to_column(field, value)));
        }
        if transaction.row(select).await?.is_some() {
            check.problem(field.name, td_string!(check.locale, errors.field.taken));
        }
    }
    Ok(())
}

/// A violated unique index as a problem at its field: two writers took the value at the same moment.
///
/// The index of a field is called `{plural}_{field}_unique`; SQLite names the columns of a plain one instead.
fn taken(kind: &'static Kind, error: anyhow::Error, locale: Locale) -> Error {
    let Some(sqlx::Error::Database(cause)) = error.downcast_ref::<sqlx::Error>() else { return error.into() };
    if !cause.is_unique_violation() {
        return error.into();
    }
    let index = cause.constraint().unwrap_or_default().to_owned() + cause.message();
    let names = |field: &Field| {
        [format!("{}_{}_unique", kind.plural, field.name), format!("{}.{}", kind.plural, keys::column(field.name))]
    };
    let field = kind.fields.iter().find(|field| names(field).iter().any(|name| index.contains(name)));
    match field {
        Some(field) => Error::invalid(field.name, td_string!(locale, errors.field.taken)),
        None => error.into(),
    }
}

/// Writes `deleted_at` and a new revision.
async fn mark(
    transaction: &mut Transaction,
    proof: &dyn Proof,
    kind: &'static Kind,
    record: &mut RawRecord,
) -> anyhow::Result<()> {
    record.base.revision += 1;
    record.base.updated_at = Timestamp::now();
    record.base.updated_by = proof.person();
    let mut update = Build::update();
    update
        .table(kind.plural)
        .value("revision", record.base.revision)
        .value("updated_at", record.base.updated_at.millis())
        .value("updated_by", record.base.updated_by.map(|id| id.to_string()))
        .value("deleted_at", record.base.deleted_at.map(Timestamp::millis))
        .and_where(Expr::col("id").eq(record.base.id.to_string()));
    transaction.execute(update).await.map(drop)
}

/// Ends what refers to a record that is about to be purged, or says what still needs it.
async fn let_go(transaction: &mut Transaction, kind: &'static Kind, record: &RawRecord, locale: Locale) -> Result<()> {
    let id = record.base.id.to_string();
    let mut used = Vec::new();
    if kind.name == "customer" {
        used = owned_by(transaction, record.base.id.cast(), true).await?;
    }
    for other in entries().map(|entry| entry.kind) {
        if kind.name == "customer" && other.tenancy == Tenancy::PerCustomer && other.read_only {
            let mut delete = Build::delete();
            delete.from_table(other.plural).and_where(Expr::col("customer").eq(id.as_str()));
            transaction.execute(delete).await?;
        }
        for field in other.fields {
            match field.shape {
                Shape::References { kind: target, table } => {
                    for (column, concerned) in [("owner", other.name == kind.name), ("target", target == kind.name)] {
                        if concerned {
                            let mut delete = Build::delete();
                            delete.from_table(table).and_where(Expr::col(column).eq(id.as_str()));
                            transaction.execute(delete).await?;
                        }
                    }
                }
                Shape::Reference(target) if target == kind.name && other.read_only => {
                    let mut delete = Build::delete();
                    delete.from_table(other.plural).and_where(Expr::col(field.name).eq(id.as_str()));
                    transaction.execute(delete).await?;
                }
                // What the system set is no reason to keep a record.
                Shape::Reference(target) if target == kind.name && field.read_only => {
                    let mut update = Build::update();
                    update
                        .table(other.plural)
                        .value(field.name, None::<String>)
                        .and_where(Expr::col(field.name).eq(id.as_str()));
                    transaction.execute(update).await?;
                }
                Shape::Reference(target) if target == kind.name => {
                    let mut count = Build::select();
                    count
                        .expr_as(Expr::cust("count(*)"), "total")
                        .from(other.plural)
                        .and_where(Expr::col(field.name).eq(id.as_str()));
                    let total = transaction.row(count).await?.map_or(Ok(0), |row| row.int("total"))?;
                    if total > 0 {
                        used.push((other, total));
                    }
                }
                _ => {}
            }
        }
    }
    if used.is_empty() {
        return Ok(());
    }
    Err(Error::conflict(td_string!(locale, errors.record.used, list = listing(&used, locale))))
}

async fn write_audit(
    transaction: &mut Transaction,
    proof: &dyn Proof,
    kind: &'static Kind,
    record: &RawRecord,
    action: &str,
    before: &Fields,
    after: &Fields,
) -> anyhow::Result<()> {
    let line = audit::Line {
        kind: kind.name,
        record: &record.base.id.to_string(),
        customer: owner(kind, record),
        action,
        before,
        after,
    };
    audit::write(transaction, proof, line).await
}
