//! What the browser may ask about its own login, and the link for somebody who has none.

#![allow(missing_docs, reason = "the server macro makes a type of each function's arguments")]

use super::model::{Account, ResetLink};
use crate::{error::Result, id::Id, json::Json, storage::User};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::server::{Updating, context::permit, reset};

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

/// Makes a link with which a user sets a new password; the one before stops working.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound), also for another customer's;
/// [`Error::Conflict`](crate::error::Error::Conflict) for a user who may not sign in, and for oneself.
#[server(prefix = "/api/fn", endpoint = "make_reset_link", input = Json, output = Json)]
pub async fn make_reset_link(user: Id<User>) -> Result<ResetLink> {
    let permit = permit::<Updating>("user")?;
    reset::make(&permit, user).await
}
