//! How many records a list has. Counting a million takes longer than reading a page of them, so a great
//! number is remembered for a moment.

use crate::{
    authentication::server::Proof,
    platform::{db::Sql, state::State},
    storage::item::Kind,
};
use anyhow::Context as _;
use sea_query::{Cond, Expr, Query as Build, SelectStatement};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Up to here every total is counted anew.
const EXACT: i64 = 10_000;

/// A greater one may be as old as this.
const AGE: Duration = Duration::from_secs(10);

/// Totals that are remembered at a time.
const KEPT: usize = 1_000;

/// Great totals as they were counted last, by statement and values.
#[derive(Default)]
pub struct Totals(Mutex<HashMap<String, (Instant, u64)>>);

impl Totals {
    /// How many records fulfil the conditions.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn of(
        &self,
        state: &State,
        proof: &dyn Proof,
        kind: &'static Kind,
        conditions: Cond,
    ) -> anyhow::Result<u64> {
        let mut matching = Build::select();
        matching.expr(Expr::cust("1")).from(kind.plural).cond_where(conditions.clone());
        let key = matching.to_string(sea_query::SqliteQueryBuilder);
        if let Some((counted, total)) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key)
            && counted.elapsed() < AGE
        {
            return Ok(*total);
        }
        matching.limit(EXACT.unsigned_abs() + 1);
        let mut some = Build::select();
        some.expr_as(Expr::cust("count(*)"), "total").from_subquery(matching, "matching");
        let total = ask(state, proof, some).await?;
        if total <= EXACT {
            return Ok(total.unsigned_abs());
        }
        let mut all = Build::select();
        all.expr_as(Expr::cust("count(*)"), "total").from(kind.plural).cond_where(conditions);
        let total = ask(state, proof, all).await?.unsigned_abs();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.retain(|_, (counted, _)| counted.elapsed() < AGE);
        }
        if kept.len() < KEPT {
            kept.insert(key, (Instant::now(), total));
        }
        Ok(total)
    }
}

async fn ask(state: &State, proof: &dyn Proof, count: SelectStatement) -> anyhow::Result<i64> {
    let row = state.db.row(proof, Sql::from(count)).await?.context("counting gave no row")?;
    row.int("total")
}
