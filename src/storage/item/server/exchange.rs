//! Records as files: CSV and JSON out, CSV in.

use super::store::{self, Pending, Prepared, Walk};
use crate::{
    authentication::server::{Creating, Permit, Proof as _, Reading, Updating},
    error::{Error, Problem, Result},
    events::model::Topic,
    i18n::{Locale, td_string},
    id::Id,
    storage::item::{
        Field, Fields, Kind, Query, RawRecord, Shape, Tenancy,
        calls::{Import, ImportAction, ImportLine},
    },
};
use anyhow::Context as _;
use bytes::Bytes;
use futures::Stream;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// Lines that one import takes.
const LINES_MAX: usize = 10_000;

/// Up to so many records, each change of an import is told on its own.
const TOLD_MAX: usize = 20;

/// The two forms of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated, with a header line.
    Csv,
    /// One JSON array.
    Json,
}

impl Format {
    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
        }
    }

    /// The ending of a file name.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

/// Everything a query finds, over all its pages, piece by piece.
///
/// # Errors
/// [`Error::Invalid`] as for a list, before the first piece.
pub async fn export(
    permit: Permit<Reading>,
    kind: &'static Kind,
    query: Query,
    format: Format,
) -> Result<impl Stream<Item = anyhow::Result<Bytes>> + Send + 'static> {
    let state = permit.context().state.clone();
    let mut walk = Walk::new(&state, &permit, kind, &query).await?;
    Ok(async_stream::try_stream! {
        let columns = columns(kind, &query);
        let mut is_first = true;
        yield match format {
            Format::Csv => lines(std::slice::from_ref(&columns))?,
            Format::Json => Bytes::from_static(b"["),
        };
        loop {
            let records = walk.next(&state, &permit).await.context("reading records for an export")?;
            if records.is_empty() {
                break;
            }
            yield match format {
                Format::Csv => {
                    let cells: Vec<Vec<String>> = records.iter().map(|record| row(record, &columns)).collect::<anyhow::Result<_>>()?;
                    lines(&cells)?
                }
                Format::Json => {
                    let mut text = String::new();
                    for record in &records {
                        text.push_str(if std::mem::take(&mut is_first) { "\n" } else { ",\n" });
                        text.push_str(&wire(record, &query.fields)?.to_string());
                    }
                    Bytes::from(text)
                }
            };
        }
        if format == Format::Json {
            yield Bytes::from_static(b"\n]\n");
        }
    })
}

/// A record as the API shows it: flat; with a projection the id and what was asked for.
///
/// # Errors
/// Never for records from the store.
pub fn wire(record: &RawRecord, fields: &[String]) -> anyhow::Result<Value> {
    let mut all = serde_json::to_value(record).context("writing a record")?;
    if let (Value::Object(values), false) = (&mut all, fields.is_empty()) {
        values.retain(|name, _| name == "id" || fields.iter().any(|field| field == name));
    }
    Ok(all)
}

fn columns(kind: &'static Kind, query: &Query) -> Vec<String> {
    if !query.fields.is_empty() {
        let asked = query.fields.iter().filter(|field| *field != "id").cloned();
        return std::iter::once("id".to_owned()).chain(asked).collect();
    }
    let customer = (kind.tenancy == Tenancy::PerCustomer).then_some("customer");
    let own = kind.fields.iter().filter(|field| !matches!(field.shape, Shape::Secret)).map(|field| field.name);
    let mut columns = vec!["id"];
    columns.extend(customer);
    columns.extend(own);
    columns.extend(["enabled", "revision", "created_at", "updated_at"]);
    columns.into_iter().map(str::to_owned).collect()
}

fn row(record: &RawRecord, columns: &[String]) -> anyhow::Result<Vec<String>> {
    let all = wire(record, &[])?;
    Ok(columns.iter().map(|column| cell(&all[column.as_str()])).collect())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => defused(text),
        Value::Array(list) => defused(&list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// A text that no spreadsheet takes for a formula (OWASP, "CSV injection").
fn defused(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

/// The inverse of [`defused`].
fn fused(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if rest.starts_with(['=', '+', '-', '@', '\t', '\r']) => rest,
        _ => text,
    }
}

fn lines(rows: &[Vec<String>]) -> anyhow::Result<Bytes> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).context("writing CSV")?;
    }
    let bytes = writer.into_inner().map_err(|error| anyhow::anyhow!("writing CSV: {error}"))?;
    Ok(bytes.into())
}

/// One line on its way in.
enum Step {
    Create(Prepared),
    Update(Id<()>, Prepared),
}

/// Reads a CSV and says for each line what happens with it; does so where `apply` says it, all or nothing.
///
/// A line changes the record that has its name, else it makes one. Columns that are absent stay as they
/// are; base fields that an export wrote, other than `enabled` and `customer`, are passed over.
///
/// # Errors
/// [`Error::Invalid`] when the file as a whole cannot be read, and with `apply` when a line cannot be taken.
pub async fn import(permit: &Permit<Creating>, kind: &'static Kind, text: &str, apply: bool) -> Result<Import> {
    let context = permit.context();
    let (state, locale) = (&context.state, permit.locale());
    if !kind.importable {
        return Err(Error::not_found(kind.name));
    }
    let update = context.permit::<Updating>(kind.name)?;
    let read = context.permit::<Reading>(kind.name)?;
    let parsed = parse(kind, text, locale)?;

    let mut seen: HashMap<(String, String), u64> = HashMap::new();
    let mut steps: Vec<Result<Step>> = Vec::with_capacity(parsed.len());
    for line in &parsed {
        let step = match &line.input {
            Err(problem) => Err(Error::Invalid { problems: vec![problem.clone()] }),
            Ok(input) => {
                let customer = match permit.scope().customer() {
                    Some(own) => own.to_string(),
                    None => input.get("customer").and_then(Value::as_str).unwrap_or_default().to_owned(),
                };
                let key = (customer.clone(), line.name.to_lowercase());
                match seen.insert(key, line.number) {
                    Some(earlier) => {
                        let field = kind.title.to_owned();
                        let message =
                            td_string!(locale, errors.request.csv_twice, line = earlier.to_string(), field = field);
                        Err(Error::invalid(kind.title, message))
                    }
                    None => match store::find_named(state, &read, kind, &line.name, &customer).await? {
                        Some(stands) => {
                            let merged = merged(kind, &stands, input.clone());
                            store::prepare_change(state, &update, kind, stands.base.id, merged)
                                .await
                                .map(|prepared| Step::Update(stands.base.id, prepared))
                        }
                        None => store::prepare_new(state, permit, kind, input.clone()).await.map(Step::Create),
                    },
                }
            }
        };
        steps.push(step);
    }

    // A preview does the very same and leaves out the last step, so it cannot promise what an import refuses.
    let mut transaction = state.db.begin(permit).await?;
    let mut result = Import::default();
    let mut done: Vec<Pending> = Vec::new();
    for (line, step) in parsed.iter().zip(steps) {
        let outcome = match step {
            Ok(Step::Create(prepared)) => store::insert(state, permit, &mut transaction, kind, prepared).await,
            Ok(Step::Update(id, prepared)) => store::change(state, &update, &mut transaction, kind, id, prepared).await,
            Err(error) => Err(error),
        };
        let (action, problems) = match outcome {
            Ok(pending) => {
                let action = match pending.action {
                    Some("create") => ImportAction::Create,
                    Some(_) => ImportAction::Update,
                    None => ImportAction::Unchanged,
                };
                done.push(pending);
                (action, Vec::new())
            }
            Err(Error::Invalid { problems }) => (ImportAction::Refuse, problems),
            Err(Error::Conflict { message }) => (ImportAction::Refuse, vec![Problem::at("", message)]),
            Err(error) => return Err(error),
        };
        match action {
            ImportAction::Create => result.created += 1,
            ImportAction::Update => result.changed += 1,
            ImportAction::Unchanged => result.unchanged += 1,
            ImportAction::Refuse => result.refused += 1,
        }
        result.lines.push(ImportLine { line: line.number, name: line.name.clone(), action, problems });
    }
    if !apply {
        return Ok(result);
    }
    if result.refused > 0 {
        return Err(Error::Invalid { problems: named(&result, locale) });
    }
    transaction.commit().await?;
    if done.len() <= TOLD_MAX {
        for pending in done {
            store::told(state, kind, pending).await;
        }
        return Ok(result);
    }
    let changed = done.iter().filter(|pending| pending.action.is_some());
    let owners: HashSet<_> = changed.map(|pending| store::owner(kind, &pending.record)).collect();
    for owner in owners {
        state.bus.publish(Topic::Records(kind.name.to_owned()), owner, json!({ "action": "import" }));
    }
    Ok(result)
}

/// The problems of all lines, each with its line.
fn named(result: &Import, locale: Locale) -> Vec<Problem> {
    let mut problems = Vec::new();
    for line in &result.lines {
        for problem in &line.problems {
            let (number, message) = (line.line.to_string(), problem.message.clone());
            let message = td_string!(locale, errors.request.csv, line = number, message = message);
            problems.push(Problem::at(problem.field.clone(), message));
        }
    }
    problems
}

/// The values of a line over those that stand.
fn merged(kind: &'static Kind, stands: &RawRecord, line: Fields) -> Fields {
    let mut merged = Fields::new();
    for field in kind.fields.iter().filter(|field| !field.read_only && !matches!(field.shape, Shape::Secret)) {
        merged.insert(field.name.to_owned(), stands.item.get(field.name).cloned().unwrap_or(Value::Null));
    }
    for (name, value) in line {
        merged.insert(name, value);
    }
    if merged.get("customer").is_some_and(Value::is_null) {
        merged.shift_remove("customer");
    }
    merged.insert("revision".to_owned(), stands.base.revision.into());
    merged
}

struct Line {
    number: u64,
    name: String,
    input: Result<Fields, Problem>,
}

fn parse(kind: &'static Kind, text: &str, locale: Locale) -> Result<Vec<Line>> {
    let text = text.trim_start_matches('\u{feff}');
    let header = text.lines().next().unwrap_or_default();
    // Spreadsheets of many languages write semicolons.
    let delimiter = if header.contains(';') && !header.contains(',') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let unreadable = |error: &csv::Error| {
        let line = error.position().map_or(1, csv::Position::line).to_string();
        Error::invalid("", td_string!(locale, errors.request.csv, line = line, message = error.to_string()))
    };
    let names: Vec<String> =
        reader.headers().map_err(|error| unreadable(&error))?.iter().map(|name| name.trim().to_lowercase()).collect();
    let mut problems = Vec::new();
    for name in &names {
        let is_known = super::sql::BASE.contains(&name.as_str())
            || kind.field(name).is_some_and(|field| !field.read_only && !matches!(field.shape, Shape::Secret));
        if !is_known {
            problems.push(Problem::at(name.clone(), td_string!(locale, errors.field.unknown)));
        }
    }
    if !names.iter().any(|name| name == kind.title) {
        let field = kind.title.to_owned();
        problems.push(Problem::at(kind.title, td_string!(locale, errors.request.csv_header, field = field)));
    }
    if !problems.is_empty() {
        return Err(Error::Invalid { problems });
    }
    let mut parsed = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| unreadable(&error))?;
        if parsed.len() == LINES_MAX {
            return Err(Error::invalid("", td_string!(locale, errors.request.csv_rows, max = LINES_MAX.to_string())));
        }
        let number = row.position().map_or(0, csv::Position::line);
        let mut input = Fields::new();
        for (name, text) in names.iter().zip(&row) {
            let text = fused(text);
            match kind.field(name) {
                Some(field) => drop(input.insert(name.clone(), from_cell(field, text))),
                None if name == "enabled" || name == "customer" => {
                    let value = if text.trim().is_empty() { Value::Null } else { text.trim().into() };
                    input.insert(name.clone(), value);
                }
                None => {}
            }
        }
        let name = input.get(kind.title).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
        let input = if row.len() == names.len() {
            Ok(input)
        } else {
            Err(Problem::at(
                "",
                td_string!(
                    locale,
                    errors.request.csv_cells,
                    found = row.len().to_string(),
                    expected = names.len().to_string()
                ),
            ))
        };
        parsed.push(Line { number, name, input });
    }
    Ok(parsed)
}

/// A cell as the checks take it; they read numbers, switches and lists from text.
fn from_cell(field: &Field, text: &str) -> Value {
    match field.shape {
        _ if text.trim().is_empty() => Value::Null,
        Shape::Switch => match text.trim().to_lowercase().as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => Value::from(text),
        },
        _ => Value::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::{defused, fused};

    #[test]
    fn a_formula_becomes_text_and_text_again() {
        for text in ["=cmd|' /C calc'!A0", "+1", "-2", "@sum(a1)", "\t=1", "plain", "'quoted'", ""] {
            let cell = defused(text);

            assert!(!cell.starts_with(['=', '+', '-', '@', '\t']), "{cell}");
            assert_eq!(fused(&cell), text);
        }
    }
}
