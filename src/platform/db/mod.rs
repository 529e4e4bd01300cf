//! The database: one enum of two pools, asked in words that SQLite and PostgreSQL both understand.
//!
//! Statements are built by `sea-query` where they depend on a description and are plain SQL with
//! `$1` parameters elsewhere. Values are null, boolean, 64-bit integer, float and text, so one
//! `migrations/` folder serves both. Every call shows a [`Proof`]: the scope comes from it, so
//! a query that forgot the customer has nowhere to take a connection from.

mod open;
mod row;
mod sql;

pub use open::MIGRATOR;
pub use row::Row;
pub use sql::{Sql, sql};

use crate::authentication::server::Proof;
use anyhow::Context as _;
use futures::TryStreamExt as _;
use sqlx::{Executor as _, PgPool, Postgres, Sqlite, SqlitePool};

/// The database.
#[derive(Clone, Debug)]
pub enum Db {
    /// One file in WAL mode: many readers, one writer.
    Sqlite {
        /// Connections that only read.
        readers: SqlitePool,
        /// The one connection that writes.
        writer: SqlitePool,
    },
    /// A PostgreSQL server.
    Postgres(PgPool),
}

impl Db {
    /// The rows that a statement gives, outside of a transaction.
    pub async fn rows(&self, _proof: &dyn Proof, statement: impl Into<Sql>) -> anyhow::Result<Vec<Row>> {
        let (text, values) = statement.into().build(self.is_postgres());
        match self {
            Self::Sqlite { readers, .. } => {
                let rows = readers.fetch_all(sqlx::query_with(sqlx::AssertSqlSafe(text.clone()), values)).await;
                rows.with_context(|| format!("asking {text}"))?.iter().map(Row::from_sqlite).collect()
            }
            Self::Postgres(pool) => {
                let rows = pool.fetch_all(sqlx::query_with(sqlx::AssertSqlSafe(text.clone()), values)).await;
                rows.with_context(|| format!("asking {text}"))?.iter().map(Row::from_postgres).collect()
            }
        }
    }

    /// The first rows that a statement gives, for rows that may be large: one, and as many more as hold no more than
    /// `limit_bytes` of text in a column together. Those behind them are never held.
    pub async fn rows_within(
        &self,
        _proof: &dyn Proof,
        statement: impl Into<Sql>,
        column: &str,
        limit_bytes: usize,
    ) -> anyhow::Result<Vec<Row>> {
        let (text, values) = statement.into().build(self.is_postgres());
        let asking = || format!("asking {text}");
        let (mut kept, mut bytes) = (Vec::new(), 0);
        let mut keep = |row: Row| {
            bytes += row.text(column)?.len();
            let has_room = kept.is_empty() || bytes <= limit_bytes;
            if has_room {
                kept.push(row);
            }
            anyhow::Ok(has_room)
        };
        match self {
            Self::Sqlite { readers, .. } => {
                let mut rows = readers.fetch(sqlx::query_with(sqlx::AssertSqlSafe(text.clone()), values));
                while let Some(row) = rows.try_next().await.with_context(asking)? {
                    if !keep(Row::from_sqlite(&row)?)? {
                        break;
                    }
                }
            }
            Self::Postgres(pool) => {
                let mut rows = pool.fetch(sqlx::query_with(sqlx::AssertSqlSafe(text.clone()), values));
                while let Some(row) = rows.try_next().await.with_context(asking)? {
                    if !keep(Row::from_postgres(&row)?)? {
                        break;
                    }
                }
            }
        }
        Ok(kept)
    }

    /// The first row that a statement gives.
    pub async fn row(&self, proof: &dyn Proof, statement: impl Into<Sql>) -> anyhow::Result<Option<Row>> {
        Ok(self.rows(proof, statement).await?.into_iter().next())
    }

    /// Begins a transaction that writes. On SQLite it waits for the writer and takes the lock at once.
    pub async fn begin(&self, _proof: &dyn Proof) -> anyhow::Result<Transaction> {
        Ok(match self {
            Self::Sqlite { writer, .. } => {
                Transaction::Sqlite(writer.begin_with("begin immediate").await.context("beginning a transaction")?)
            }
            Self::Postgres(pool) => Transaction::Postgres(pool.begin().await.context("beginning a transaction")?),
        })
    }

    /// Runs one statement in a transaction of its own; gives how many rows it touched.
    pub async fn execute(&self, proof: &dyn Proof, statement: impl Into<Sql>) -> anyhow::Result<u64> {
        let mut transaction = self.begin(proof).await?;
        let touched = transaction.execute(statement).await?;
        transaction.commit().await?;
        Ok(touched)
    }

    /// Whether it is PostgreSQL.
    pub const fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Closes every connection, so that files may be removed or copied.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { readers, writer } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// What must happen together. Dropped without [`Transaction::commit`], nothing has happened.
#[derive(Debug)]
pub enum Transaction {
    /// On SQLite.
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    /// On PostgreSQL.
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Transaction {
    /// The rows that a statement gives.
    pub async fn rows(&mut self, statement: impl Into<Sql>) -> anyhow::Result<Vec<Row>> {
        let (text, values) = statement.into().build(matches!(self, Self::Postgres(_)));
        match self {
            Self::Sqlite(transaction) => {
                let rows = transaction.fetch_all(sqlx::query_with(sqlx::AssertSqlSafe(text.clone()), values)).await;
                rows.with_context(|| format!("asking {text}"))?.iter().map(Row::from_sqlite).collect()
            }
            Self::Postgres(transaction) => {
                let rows = transaction.fetch_all(sqlx::query_with(sqlx::AssertSqlSafe(text.clone()), values)).await;
                rows.with_context(|| format!("asking {text}"))?.iter().map(Row::from_postgres).collect()
            }
        }
    }

    /// The first row that a statement gives.
    pub async fn row(&mut self, statement: impl Into<Sql>) -> anyhow::Result<Option<Row>> {
        Ok(self.rows(statement).await?.into_iter().next())
    }

    /// Runs a statement; gives how many rows it touched.
    pub async fn execute(&mut self, statement: impl Into<Sql>) -> anyhow::Result<u64> {
        let (text, values) = statement.into().build(matches!(self, Self::Postgres(_)));
        Ok(match self {
            Self::Sqlite(transaction) => transaction
                .execute(sqlx::query_with(sqlx::AssertSqlSafe(text.clone()), values))
                .await
                .with_context(|| format!("running {text}"))?
                .rows_affected(),
            Self::Postgres(transaction) => transaction
                .execute(sqlx::query_with(sqlx::AssertSqlSafe(text.clone()), values))
                .await
                .with_context(|| format!("running {text}"))?
                .rows_affected(),
        })
    }

    /// Makes it happen.
    pub async fn commit(self) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await,
            Self::Postgres(transaction) => transaction.commit().await,
        }
        .context("committing a transaction")
    }
}
