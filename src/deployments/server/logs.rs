//! Logs of containers.

use crate::{
    authentication::server::{Permit, Reading},
    deployments::model::{LogQuery, LogSearch},
    error::{Error, Result},
};

/// Searches a whole log.
pub async fn search(
    _permit: &Permit<Reading>,
    _engine: &str,
    _id: &str,
    _needle: &str,
    _query: &LogQuery,
) -> Result<LogSearch> {
    Err(Error::not_found("engine"))
}
