//! Forgetting old jobs. Those of runs are forgotten with their run.

use crate::{
    authentication::server::System,
    platform::{db::sql, state::State},
    time::Timestamp,
};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often old jobs are looked for.
const EVERY: Duration = Duration::from_secs(600);
/// Jobs removed in one transaction; their lines go with them.
const BATCH: i64 = 20;

/// Removes ended jobs beyond `jobs.keep_days` and `jobs.keep_count`, until the state stops.
pub(super) async fn run(state: State) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = state.stopping.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(error) = sweep(&state).await {
            tracing::warn!("forgetting old jobs: {error:#}");
        }
    }
}

/// Removes what is old now; gives how many jobs went.
pub(super) async fn sweep(state: &State) -> anyhow::Result<u64> {
    let proof = System::because("forget old jobs");
    let days = Duration::from_secs(state.config.jobs.keep_days.saturating_mul(24 * 3600));
    let oldest = (Timestamp::now() - days).millis();
    let kept = i64::try_from(state.config.jobs.keep_count).unwrap_or(i64::MAX);
    let newest = state
        .db
        .row(
            &proof,
            sql("select id from jobs
                 where state not in ('queued', 'running') and kind not like 'run.%'
                 order by id desc
                 limit 1
                 offset $1")
            .bind(kept),
        )
        .await?;
    // Everything up to this one is beyond the count.
    let beyond = newest.map(|row| row.text("id")).transpose()?.unwrap_or_default();
    let mut removed = 0;
    loop {
        let went = state
            .db
            .execute(
                &proof,
                sql("delete from jobs
                     where id in (
                       select id from jobs
                       where state not in ('queued', 'running') and kind not like 'run.%'
                         and (finished_at < $1 or id <= $2)
                       order by id
                       limit $3)")
                .bind(oldest)
                .bind(beyond.clone())
                .bind(BATCH),
            )
            .await?;
        removed += went;
        if went == 0 || state.stopping.is_cancelled() {
            return Ok(removed);
        }
    }
}
