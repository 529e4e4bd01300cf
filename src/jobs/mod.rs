//! Long work: queued, run, watched, cancelled, and true after a restart.
//!
//! A job is a row: who, which operation, state, outcome and output, and the claim of the worker that
//! has it. It is enqueued in the transaction that caused it.

pub mod api;
pub mod model;
#[cfg(feature = "ssr")]
pub mod server;
pub mod ui;
