//! What the browser may call about credentials, beside the calls for all records.

#![allow(missing_docs, reason = "the server macro makes a type of each function's arguments")]

use crate::{
    error::Result,
    id::Id,
    json::Json,
    storage::{Credential, Machine},
};
use leptos::prelude::server;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use super::server::credentials;
#[cfg(feature = "ssr")]
use crate::authentication::server::{Operating, Reading, context::permit};

/// Something that uses a credential.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Used {
    /// Its kind: `schedule`.
    pub kind: String,
    /// Which it is.
    pub id: Id<()>,
    /// Its name.
    pub name: String,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tested {
    /// Whether it works.
    pub is_good: bool,
    /// What happened, as a sentence.
    pub message: String,
    /// What SSH said, where it refused.
    pub said: Option<String>,
}

/// What uses a credential.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound), also for another customer's.
#[server(prefix = "/api/fn", endpoint = "credential_uses", input = Json, output = Json)]
pub async fn credential_uses(id: Id<Credential>) -> Result<Vec<Used>> {
    let permit = permit::<Reading>("credential")?;
    credentials::used(&permit, id).await
}

/// Tries a credential: signs in to a machine with it over SSH, or opens the password where it is of another sort.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound), also for another customer's;
/// [`Error::Conflict`](crate::error::Error::Conflict) when it is disabled or cannot be opened;
/// [`Error::Invalid`](crate::error::Error::Invalid) at `machine`, where one is needed and does not fit.
#[server(prefix = "/api/fn", endpoint = "test_credential", input = Json, output = Json)]
pub async fn test_credential(id: Id<Credential>, machine: Option<Id<Machine>>) -> Result<Tested> {
    let permit = permit::<Operating>("credential")?;
    credentials::test(&permit, id, machine).await
}
