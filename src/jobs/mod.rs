//! Long work: queued, run, watched, cancelled, and true after a restart.
//!
//! The queue's claim, lease and recovery are `apalis`'s; ours is the job's row: who, which operation,
//! state, outcome and output. A job is enqueued in the transaction that caused it.

pub mod api;
pub mod model;
#[cfg(feature = "ssr")]
pub mod server;
pub mod ui;
