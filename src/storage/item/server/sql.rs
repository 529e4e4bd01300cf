//! Statements made from a description: columns, scope, conditions, order, and values both ways.
//!
//! Names come from [`Kind`] alone; what a request says arrives as values only.

use crate::{
    authentication::server::{Proof, Scope},
    error::{Error, Problem, Result},
    i18n::{Locale, td_string},
    id::Id,
    platform::db::Row,
    storage::{
        entry,
        item::{Base, Field, Fields, Kind, Query, RawRecord, Shape, Tenancy, check, query::PER_PAGE_MAX},
    },
    time::Timestamp,
};
use sea_query::{Cond, Expr, ExprTrait as _, Func, LikeExpr, NullOrdering, Order, Query as Build, SelectStatement};
use serde_json::Value;
use std::str::FromStr as _;

/// The columns that every table of records begins with.
pub const BASE: [&str; 9] =
    ["id", "customer", "revision", "enabled", "created_at", "created_by", "updated_at", "updated_by", "deleted_at"];

/// The words of a search beyond this many are not looked at.
const WORDS_MAX: usize = 8;

/// The fields that stand in the record's own table and may be read.
pub fn columns(kind: &'static Kind) -> impl Iterator<Item = &'static Field> {
    kind.fields.iter().filter(|field| !matches!(field.shape, Shape::References { .. } | Shape::Secret))
}

/// A selection of the base columns and those of `fields`, with no condition yet.
pub fn select(kind: &'static Kind, fields: &[&'static Field]) -> SelectStatement {
    let mut select = Build::select();
    select.from(kind.plural).columns(BASE);
    select.columns(fields.iter().map(|field| field.name));
    select
}

/// The condition that a record lies in reach of the proof.
pub fn reach(kind: &'static Kind, proof: &dyn Proof) -> Cond {
    let mut reach = Cond::all();
    if let Scope::Customer(own) = proof.scope() {
        reach = match kind.tenancy {
            Tenancy::PerCustomer => reach.add(Expr::col("customer").eq(own.to_string())),
            Tenancy::Platform if kind.name == "customer" => reach.add(Expr::col("id").eq(own.to_string())),
            Tenancy::Platform => reach.add(Expr::value(false)),
        };
    }
    if let Some((column, value)) = (super::hooks::hooks(kind.name).only)(proof) {
        reach = reach.add(Expr::col(column).eq(value));
    }
    reach
}

/// The condition that a record is live, or removed.
pub fn alive(removed: bool) -> Expr {
    if removed { Expr::col("deleted_at").is_not_null() } else { Expr::col("deleted_at").is_null() }
}

/// The fields a query wants: its projection, or all that can be read.
///
/// # Errors
/// [`Error::Invalid`] naming every field that does not exist.
pub fn wanted(kind: &'static Kind, query: &Query, locale: Locale) -> Result<Vec<&'static Field>> {
    if query.fields.is_empty() {
        return Ok(kind.fields.iter().filter(|field| !matches!(field.shape, Shape::Secret)).collect());
    }
    let mut wanted: Vec<&'static Field> = Vec::new();
    let mut problems = Vec::new();
    for name in &query.fields {
        match kind.field(name) {
            Some(field) if matches!(field.shape, Shape::Secret) => problems.push(unknown(name, locale)),
            Some(field) if wanted.iter().any(|known| known.name == field.name) => {}
            Some(field) => wanted.push(field),
            None if BASE.contains(&name.as_str()) => {}
            None => problems.push(unknown(name, locale)),
        }
    }
    if problems.is_empty() { Ok(wanted) } else { Err(Error::Invalid { problems }) }
}

/// The conditions of a query: reach, live or removed, filters and search.
///
/// # Errors
/// [`Error::Invalid`] naming filters on fields that do not exist, values that do not fit, and a page
/// out of range.
pub fn conditions(kind: &'static Kind, proof: &dyn Proof, query: &Query) -> Result<Cond> {
    let locale = proof.locale();
    let mut problems = Vec::new();
    let mut all = reach(kind, proof).add(alive(query.deleted));
    for filter in &query.filter {
        let mut any = Cond::any();
        for text in &filter.values {
            match condition(kind, &filter.field, text, locale) {
                Ok(condition) => any = any.add(condition),
                Err(problem) => problems.push(problem),
            }
        }
        if filter.values.is_empty() {
            match condition(kind, &filter.field, "", locale) {
                Ok(condition) => any = any.add(condition),
                Err(problem) => problems.push(problem),
            }
        }
        all = all.add(any);
    }
    // PostgreSQL takes no such character in a text.
    if query.search.contains('\0') {
        problems.push(Problem::at("search", td_string!(locale, errors.field.control)));
    }
    for word in query.search.split_whitespace().take(WORDS_MAX) {
        all = all.add(search(kind, word));
    }
    if query.page == 0 {
        let message = td_string!(locale, errors.field.integer, min = "1".to_owned(), max = u32::MAX.to_string());
        problems.push(Problem::at("page", message));
    }
    if query.per_page == 0 || query.per_page > PER_PAGE_MAX {
        let message = td_string!(locale, errors.field.integer, min = "1".to_owned(), max = PER_PAGE_MAX.to_string());
        problems.push(Problem::at("per_page", message));
    }
    if problems.is_empty() { Ok(all) } else { Err(Error::Invalid { problems }) }
}

fn condition(kind: &'static Kind, name: &str, text: &str, locale: Locale) -> Result<Expr, Problem> {
    match name {
        "customer" | "created_by" | "updated_by" | "id" => {
            let column = BASE.into_iter().find(|base| *base == name).unwrap_or("id");
            if text.is_empty() {
                return Ok(Expr::col(column).is_null());
            }
            let id =
                Id::<()>::from_str(text).map_err(|_| Problem::at(name, td_string!(locale, errors.field.reference)))?;
            return Ok(Expr::col(column).eq(id.to_string()));
        }
        "enabled" => {
            let value: bool = text.parse().map_err(|_| Problem::at(name, td_string!(locale, errors.field.switch)))?;
            return Ok(Expr::col("enabled").eq(value));
        }
        _ => {}
    }
    let Some(field) = kind.field(name).filter(|field| !matches!(field.shape, Shape::Secret | Shape::Lines { .. }))
    else {
        return Err(unknown(name, locale));
    };
    match field.shape {
        Shape::References { table, .. } => {
            let mut owners = Build::select();
            owners.column("owner").from(table);
            if text.is_empty() {
                return Ok(Expr::col("id").not_in_subquery(owners));
            }
            let id =
                Id::<()>::from_str(text).map_err(|_| Problem::at(name, td_string!(locale, errors.field.reference)))?;
            owners.and_where(Expr::col("target").eq(id.to_string()));
            Ok(Expr::col("id").in_subquery(owners))
        }
        Shape::Words | Shape::Addresses if text.is_empty() => Ok(Expr::col(field.name).eq("[]")),
        Shape::Words | Shape::Addresses => {
            // The list is kept as JSON text, so one of its words stands between quotes.
            let quoted = Value::from(text).to_string();
            Ok(Expr::col(field.name).like(pattern(&quoted)))
        }
        _ if text.is_empty() => Ok(Expr::col(field.name).is_null()),
        _ => {
            let value = check::value(field, Value::from(text), locale).map_err(|message| Problem::at(name, message))?;
            Ok(Expr::col(field.name).eq(to_column(field, &value)))
        }
    }
}

fn search(kind: &'static Kind, word: &str) -> Cond {
    // SQLite folds the case of ASCII letters only, so other words are tried in their usual spellings.
    let mut spellings = vec![word.to_lowercase()];
    if !word.is_ascii() {
        let mut letters = word.chars();
        let capitalised: String = letters
            .next()
            .into_iter()
            .flat_map(char::to_uppercase)
            .chain(letters.flat_map(char::to_lowercase))
            .collect();
        spellings.extend([capitalised, word.to_uppercase(), word.to_owned()]);
        spellings.dedup();
    }
    let mut any = Cond::any();
    for field in kind.fields.iter().filter(|field| field.searched) {
        for spelling in &spellings {
            let column: Expr = if spelling.is_ascii() || spelling == &spellings[0] {
                Func::lower(Expr::col(field.name)).into()
            } else {
                Expr::col(field.name)
            };
            any = any.add(column.like(pattern(spelling)));
        }
    }
    any
}

/// A pattern that finds `text` anywhere, its own `%` and `_` taken as they are.
fn pattern(text: &str) -> LikeExpr {
    let mut escaped = String::with_capacity(text.len() + 2);
    escaped.push('%');
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped.push('%');
    LikeExpr::new(escaped).escape('\\')
}

/// Puts the query's order on a selection: what it asks for, then the newest first.
///
/// # Errors
/// [`Error::Invalid`] naming every field that cannot be sorted by.
pub fn order(select: &mut SelectStatement, kind: &'static Kind, query: &Query, locale: Locale) -> Result<()> {
    let mut problems = Vec::new();
    for step in &query.sort {
        let (order, nulls) =
            if step.descending { (Order::Desc, NullOrdering::Last) } else { (Order::Asc, NullOrdering::First) };
        if let Some(base) = BASE.into_iter().find(|base| *base == step.field) {
            select.order_by_with_nulls(base, order, nulls);
            continue;
        }
        match kind.field(&step.field).filter(|field| field.is_column()) {
            // A column that is never null needs no word about nulls, and its index is found without.
            Some(field) if field.required && is_text(&field.shape) => {
                select.order_by_expr(Func::lower(Expr::col(field.name)).into(), order);
            }
            Some(field) if is_text(&field.shape) => {
                select.order_by_expr_with_nulls(Func::lower(Expr::col(field.name)).into(), order, nulls);
            }
            Some(field) => {
                select.order_by_with_nulls(field.name, order, nulls);
            }
            None => problems.push(unknown(&step.field, locale)),
        }
    }
    let newest_first = query.sort.last().is_none_or(|last| last.descending);
    select.order_by("id", if newest_first { Order::Desc } else { Order::Asc });
    if problems.is_empty() { Ok(()) } else { Err(Error::Invalid { problems }) }
}

/// Whether the column holds words whose case does not matter for order and uniqueness.
pub const fn is_text(shape: &Shape) -> bool {
    matches!(shape, Shape::Line { .. } | Shape::Lines { .. })
}

fn unknown(name: &str, locale: Locale) -> Problem {
    Problem::at(name, td_string!(locale, errors.field.unknown))
}

/// A checked JSON value as its column holds it.
pub fn to_column(field: &Field, value: &Value) -> sea_query::Value {
    match field.shape {
        Shape::Integer { .. } => value.as_i64().into(),
        Shape::Switch => value.as_bool().into(),
        Shape::Time => value.as_str().and_then(|text| text.parse().ok()).map(Timestamp::millis).into(),
        Shape::Words | Shape::Addresses => value.to_string().into(),
        Shape::Line { .. }
        | Shape::Lines { .. }
        | Shape::Secret
        | Shape::Choice(_)
        | Shape::Ipv4
        | Shape::Ipv6
        | Shape::Mac
        | Shape::Reference(_)
        | Shape::References { .. } => value.as_str().map(str::to_owned).into(),
    }
}

/// A column as its JSON value; reads no join table.
fn from_column(field: &Field, row: &Row) -> anyhow::Result<Value> {
    Ok(match field.shape {
        Shape::Integer { .. } => row.opt_int(field.name)?.into(),
        Shape::Switch => row.bool(field.name)?.into(),
        Shape::Time => row.opt_int(field.name)?.map(|at| Timestamp::from_millis(at).to_string()).into(),
        Shape::Words | Shape::Addresses => match row.opt_text(field.name)? {
            Some(text) => serde_json::from_str(&text)?,
            None => Value::Array(Vec::new()),
        },
        Shape::References { .. } => Value::Array(Vec::new()),
        Shape::Line { .. }
        | Shape::Lines { .. }
        | Shape::Secret
        | Shape::Choice(_)
        | Shape::Ipv4
        | Shape::Ipv6
        | Shape::Mac
        | Shape::Reference(_) => row.opt_text(field.name)?.into(),
    })
}

/// A row as a record with these fields; lists of references are still empty.
///
/// # Errors
/// When the row does not hold what the description says.
pub fn record(row: &Row, fields: &[&'static Field]) -> anyhow::Result<RawRecord> {
    let base = Base {
        id: row.parsed("id")?,
        customer: row.opt_parsed("customer")?,
        revision: row.int("revision")?,
        enabled: row.bool("enabled")?,
        created_at: Timestamp::from_millis(row.int("created_at")?),
        created_by: row.opt_parsed("created_by")?,
        updated_at: Timestamp::from_millis(row.int("updated_at")?),
        updated_by: row.opt_parsed("updated_by")?,
        deleted_at: row.opt_int("deleted_at")?.map(Timestamp::from_millis),
    };
    let mut item = Fields::new();
    for field in fields {
        item.insert(field.name.to_owned(), from_column(field, row)?);
    }
    Ok(RawRecord { base, item })
}

/// The references of `field` that the records with these ids have, in their order; removed targets are left out.
pub fn references(table: &'static str, target: &str, owners: &[String]) -> Option<SelectStatement> {
    let target = entry(target)?.kind.plural;
    let mut select = Build::select();
    select
        .column((table, "owner"))
        .column((table, "target"))
        .from(table)
        .inner_join(target, Expr::col((target, "id")).equals((table, "target")))
        .and_where(Expr::col((table, "owner")).is_in(owners.iter().map(String::as_str)))
        .and_where(Expr::col((target, "deleted_at")).is_null())
        .order_by((table, "owner"), Order::Asc)
        .order_by((table, "position"), Order::Asc);
    Some(select)
}
