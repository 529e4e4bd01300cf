//! Reading jobs and their output from the store.

use crate::{
    authentication::server::Proof,
    error::{Error, Result},
    i18n::td_string,
    id::Id,
    jobs::{
        api::{JobPage, JobQuery},
        model::{Job, JobState, Line, LineSearch},
    },
    platform::{
        db::{Row, sql},
        state::State,
    },
    time::Timestamp,
};
use anyhow::Context as _;
use sea_query::{Alias, Asterisk, Expr, ExprTrait as _, Func, Order, Query};
use serde_json::Value;

/// The greatest page of jobs.
pub const PAGE_LIMIT: u32 = 200;
/// The greatest number of lines read at once.
pub const LINES_LIMIT: u32 = 1000;
/// The greatest number of lines that a search gives.
const FOUND_LIMIT: i64 = 500;
/// Lines of one reading end after about so many bytes, and begin with at least one line.
const READ_BYTES: usize = 256 * 1024;

/// The job of that id, where the proof reaches it.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or it is another customer's.
pub async fn job(state: &State, proof: &dyn Proof, id: Id<Job>) -> Result<Job> {
    let row = state.db.row(proof, sql("select * from jobs where id = $1").bind(id.to_string())).await?;
    let job = row.as_ref().map(read).transpose()?;
    job.filter(|job| proof.scope().reaches(job.customer)).ok_or_else(|| Error::not_found("job"))
}

/// What jobs can be sorted by: its name in the API and its column. Identifiers grow with time.
pub const SORTS: [(&str, &str); 5] =
    [("created", "id"), ("title", "title"), ("state", "state"), ("kind", "kind"), ("person", "person_name")];

/// A page of jobs, paged by key.
///
/// # Errors
/// [`Error::Invalid`] at `sort`; [`Error::NotFound`] when the job that the page begins behind is gone and its
/// place cannot be told.
pub async fn list(state: &State, proof: &dyn Proof, query: &JobQuery) -> Result<JobPage> {
    let limit = query.per_page.clamp(1, PAGE_LIMIT);
    let column = |name: &'static str| Expr::col(Alias::new(name));
    let mut condition = sea_query::Condition::all();
    if let Some(customer) = proof.scope().customer() {
        condition = condition.add(column("customer").eq(customer.to_string()));
    }
    if let Some(state) = query.state {
        condition = condition.add(column("state").eq(state.name()));
    }
    if let Some(kind) = query.kind.as_deref().filter(|kind| !kind.is_empty()) {
        let family = format!("{}.%", kind.replace(['%', '_', '\\'], ""));
        condition = condition.add(column("kind").eq(kind).or(column("kind").like(family)));
    }
    if let Some(person) = proof.person().filter(|_| query.mine) {
        condition = condition.add(column("person").eq(person.to_string()));
    }
    if let Some(text) = query.search.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        let pattern = format!("%{}%", text.to_lowercase().replace(['%', '_', '\\'], ""));
        condition = condition.add(Expr::expr(Func::lower(column("title"))).like(pattern));
    }
    if let Some(customer) = query.customer {
        condition = condition.add(column("customer").eq(customer.to_string()));
    }
    let (by, descending) = order(proof, &query.sort)?;
    if let Some(before) = query.before {
        condition = condition.add(behind(state, proof, before, by, descending).await?);
    }
    let direction = if descending { Order::Desc } else { Order::Asc };
    let mut select = Query::select();
    select
        .column(Asterisk)
        .from(Alias::new("jobs"))
        .cond_where(condition)
        .order_by(Alias::new(by), direction.clone())
        .order_by(Alias::new("id"), direction)
        .limit(u64::from(limit) + 1);
    let rows = state.db.rows(proof, &mut select).await?;
    let mut items = rows.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = items.last().filter(|_| more).map(|job| job.id);
    Ok(JobPage { items, next })
}

/// The column to sort by, and whether greatest first.
fn order(proof: &dyn Proof, sort: &str) -> Result<(&'static str, bool)> {
    let sort = if sort.is_empty() { "-created" } else { sort };
    let (descending, name) = sort.strip_prefix('-').map_or((false, sort), |name| (true, name));
    let found = SORTS.iter().find(|(known, _)| *known == name).map(|(_, column)| (*column, descending));
    found.ok_or_else(|| {
        let choices = SORTS.map(|(name, _)| name).join(", ");
        Error::invalid("sort", td_string!(proof.locale(), errors.field.choice, choices = choices))
    })
}

/// What holds for the jobs behind one in an order.
async fn behind(state: &State, proof: &dyn Proof, before: Id<Job>, by: &'static str, descending: bool) -> Result<Expr> {
    let past = |column: &'static str, value: String| {
        let column = Expr::col(Alias::new(column));
        if descending { column.lt(value) } else { column.gt(value) }
    };
    if by == "id" {
        return Ok(past("id", before.to_string()));
    }
    let edge = job(state, proof, before).await?;
    let edge = match by {
        "title" => edge.title,
        "state" => edge.state.name().to_owned(),
        "kind" => edge.kind,
        _ => edge.person_name,
    };
    let same = Expr::col(Alias::new(by)).eq(edge.clone());
    Ok(past(by, edge).or(same.and(past("id", before.to_string()))))
}

/// The jobs that wait or run, oldest first; at most 100.
pub async fn running(state: &State, proof: &dyn Proof) -> Result<Vec<Job>> {
    let customer = proof.scope().customer().map(|customer| customer.to_string());
    let rows = state
        .db
        .rows(
            proof,
            sql("select * from jobs
                 where state in ('queued', 'running') and ($1 is null or customer = $1)
                 order by id
                 limit 100")
            .bind(customer),
        )
        .await?;
    Ok(rows.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?)
}

/// The lines after sequence `after`, in order: at most `limit`, and about 256 KiB of text.
///
/// The caller has made sure that the job may be seen.
pub async fn lines(state: &State, proof: &dyn Proof, job: Id<Job>, after: i64, limit: u32) -> Result<Vec<Line>> {
    let statement = sql("select sequence, at, stream, text
                         from job_lines
                         where job = $1 and sequence > $2
                         order by sequence
                         limit $3");
    let statement = statement.bind(job.to_string()).bind(after).bind(i64::from(limit.clamp(1, LINES_LIMIT)));
    let rows = state.db.rows_within(proof, statement, "text", READ_BYTES).await?;
    Ok(rows.iter().map(read_line).collect::<anyhow::Result<_>>()?)
}

/// The lines that hold the words, the last [`FOUND_LIMIT`] of them, and how many there are. Letters of
/// either case are the same, beyond ASCII as far as the database knows.
///
/// The caller has made sure that the job may be seen.
pub async fn search(state: &State, proof: &dyn Proof, job: Id<Job>, words: &str) -> Result<LineSearch> {
    if words.trim().is_empty() {
        return Ok(LineSearch::default());
    }
    let mut pattern = String::from("%");
    for letter in words.trim().to_lowercase().chars() {
        if "%_!".contains(letter) {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    let counted = sql("select count(*) as found from job_lines where job = $1 and lower(text) like $2 escape '!'")
        .bind(job.to_string())
        .bind(pattern.clone());
    let total = state.db.row(proof, counted).await?.map_or(Ok(0), |row| row.int("found"))?;
    let rows = state
        .db
        .rows(
            proof,
            sql("select sequence, at, stream, text
                 from job_lines
                 where job = $1 and lower(text) like $2 escape '!'
                 order by sequence desc
                 limit $3")
            .bind(job.to_string())
            .bind(pattern)
            .bind(FOUND_LIMIT),
        )
        .await?;
    let matches = rows.iter().rev().map(read_line).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(LineSearch { matches, total })
}

fn read_line(row: &Row) -> anyhow::Result<Line> {
    Ok(Line {
        sequence: row.int("sequence")?,
        at: Timestamp::from_millis(row.int("at")?),
        stream: row.text("stream")?,
        text: row.text("text")?,
    })
}

/// The sequence of the last line that is stored.
pub async fn last_sequence(state: &State, proof: &dyn Proof, job: Id<Job>) -> Result<i64> {
    let statement = sql("select lines from jobs where id = $1").bind(job.to_string());
    let row = state.db.row(proof, statement).await?.ok_or_else(|| Error::not_found("job"))?;
    Ok(row.int("lines")?)
}

/// Reads a row of `jobs`, with the secrets of its operation masked.
pub(super) fn read(row: &Row) -> anyhow::Result<Job> {
    let json = |name: &str| -> anyhow::Result<Option<Value>> {
        row.opt_text(name)?
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .with_context(|| format!("reading {name}"))
    };
    let time = |name: &str| anyhow::Ok(row.opt_int(name)?.map(Timestamp::from_millis));
    Ok(Job {
        id: row.parsed("id")?,
        customer: row.opt_parsed("customer")?,
        kind: row.text("kind")?,
        title: row.text("title")?,
        operation: mask(json("operation")?.unwrap_or_default()),
        state: row.parsed::<JobState>("state")?,
        progress: json("progress")?.map(serde_json::from_value).transpose().context("reading progress")?,
        outcome: json("outcome")?,
        person: row.opt_parsed("person")?,
        person_name: row.text("person_name")?,
        cancel_requested: row.bool("cancel_requested")?,
        created_at: Timestamp::from_millis(row.int("created_at")?),
        started_at: time("started_at")?,
        finished_at: time("finished_at")?,
    })
}

/// What stands in place of a secret.
pub const MASK: &str = "•••";

/// The operation without what may be secret: the values of `env`, and whatever is named like a secret.
pub(super) fn mask(mut operation: Value) -> Value {
    fn hide(value: &mut Value) {
        match value {
            Value::Object(fields) => fields.values_mut().for_each(hide),
            Value::Array(items) => items.iter_mut().for_each(hide),
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) | Value::String(_) => *value = Value::from(MASK),
        }
    }
    fn walk(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let name = name.to_lowercase();
                    let secret = ["password", "secret", "token", "credential", "auth", "private_key"];
                    if name == "env" || secret.iter().any(|word| name.contains(word)) {
                        hide(value);
                    } else {
                        walk(value);
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(walk),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    walk(&mut operation);
    operation
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_of_an_operation_are_not_shown() {
        let operation = json!({"operation": "run", "data": {"image": "web", "env": {"PASSWORD": "x", "N": 1}, "registry_token": "y"}});

        assert_eq!(
            mask(operation),
            json!({"operation": "run", "data": {"image": "web", "env": {"PASSWORD": MASK, "N": MASK}, "registry_token": MASK}})
        );
    }
}
