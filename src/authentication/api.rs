//! What the browser may ask about its own login.

use super::model::Account;
use crate::{error::Result, json::Json};
use leptos::prelude::*;

/// Whether the login of the page still holds.
///
/// # Errors
/// [`Error::Unauthenticated`](crate::error::Error::Unauthenticated) when it does not.
#[server(prefix = "/api/fn", endpoint = "check_login", output = Json)]
pub async fn check_login() -> Result<()> {
    super::server::Context::current()?.session().map(drop)
}

/// Who is signed in, and where else they are.
#[server(prefix = "/api/fn", endpoint = "read_account", output = Json)]
pub async fn read_account() -> Result<Account> {
    let context = super::server::Context::current()?;
    let session = context.session()?;
    let logins = super::server::login::own(&context.state, session).await?;
    Ok(Account { session: session.clone(), logins })
}
