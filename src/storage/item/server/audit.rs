//! The audit trail: who did what to which thing, when and from where; written with the change itself.
//!
//! The table only grows: triggers refuse every change and removal of a line.

use crate::{
    authentication::server::Proof,
    error::Result,
    id::Id,
    platform::{
        db::{Row, Transaction, sql},
        state::State,
    },
    storage::{
        Customer,
        item::{Change, Fields},
    },
    time::Timestamp,
};
use anyhow::Context as _;

/// One line to be written.
pub struct Line<'a> {
    /// What the thing is: a kind's name, or `container`, `image`, `session`.
    pub kind: &'a str,
    /// Which one: a record's id, a container's name.
    pub record: &'a str,
    /// The customer it belongs to.
    pub customer: Option<Id<Customer>>,
    /// What was done: `create`, `update`, `remove`, `restore`, `purge`, or an operation's name.
    pub action: &'a str,
    /// What changed, before; without secrets.
    pub before: &'a Fields,
    /// What changed, after; without secrets.
    pub after: &'a Fields,
}

/// Writes a line into the transaction of the change that it tells of.
///
/// # Errors
/// When the database refuses; the change must then not happen.
pub async fn write(transaction: &mut Transaction, proof: &dyn Proof, line: Line<'_>) -> anyhow::Result<()> {
    let before = serde_json::to_string(line.before).context("writing the values before")?;
    let after = serde_json::to_string(line.after).context("writing the values after")?;
    let statement = sql("insert into audit
           (id, at, person, person_name, customer, kind, record, action, before, after, address, request)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)")
    .bind(Id::<Change>::new().to_string())
    .bind(Timestamp::now().millis())
    .bind(proof.person().map(|id| id.to_string()))
    .bind(proof.person_name())
    .bind(line.customer.map(|id| id.to_string()))
    .bind(line.kind)
    .bind(line.record)
    .bind(line.action)
    .bind(before)
    .bind(after)
    .bind(proof.address().map(|address| address.to_string()))
    .bind(proof.request().map(str::to_owned));
    transaction.execute(statement).await.map(drop)
}

/// The lines about one record, newest first; those older than `before` where given, at most `limit`.
///
/// # Errors
/// [`crate::error::Error::Internal`] when the database does not answer.
pub async fn lines(
    state: &State,
    proof: &dyn Proof,
    kind: &str,
    record: Id<()>,
    before: Option<Id<Change>>,
    limit: u32,
) -> Result<Vec<Change>> {
    let statement = sql("select id, at, person, person_name, action, before, after, address
           from audit
          where kind = $1 and record = $2 and id < $3
          order by id desc
          limit $4")
    .bind(kind)
    .bind(record.to_string())
    // Every identifier sorts before this one.
    .bind(before.map_or_else(|| "ffffffff-ffff-ffff-ffff-ffffffffffff".to_owned(), |id| id.to_string()))
    .bind(i64::from(limit));
    let rows = state.db.rows(proof, statement).await?;
    Ok(rows.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?)
}

fn read(row: &Row) -> anyhow::Result<Change> {
    let fields = |name: &str| -> anyhow::Result<Fields> {
        serde_json::from_str(&row.text(name)?).with_context(|| format!("reading column {name}"))
    };
    Ok(Change {
        id: row.parsed("id")?,
        at: Timestamp::from_millis(row.int("at")?),
        person: row.opt_parsed("person")?,
        person_name: row.text("person_name")?,
        action: row.text("action")?,
        before: fields("before")?,
        after: fields("after")?,
        address: row.opt_text("address")?,
    })
}
