//! The long operations on containers and images, as jobs.

use crate::{
    error::{Error, Result},
    jobs::server::Run,
};

/// Does the work of one job.
///
/// # Errors
/// [`Error::Conflict`] for a kind that is not known here.
pub async fn work(run: &Run) -> Result<serde_json::Value> {
    Err(Error::conflict(format!("there is no work of the kind {}", run.kind)))
}
