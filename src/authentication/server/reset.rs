//! A new password for somebody who cannot sign in: a one-time link that an administrator makes and hands over.

use super::{Context, Permit, Proof as _, Reading, System, Updating, login, password, secret, throttle, trail, users};
use crate::{
    authentication::model::ResetLink,
    error::{Error, Result},
    events::model::Topic,
    i18n::td_string,
    id::Id,
    platform::{
        db::{Transaction, sql},
        state::State,
    },
    storage::{
        User,
        item::{
            Fields, Item as _,
            server::{audit, store},
        },
    },
    time::Timestamp,
};
use serde_json::json;
use std::time::Duration;

/// How long a link works.
const LIFE: Duration = Duration::from_secs(15 * 60);

const WHY: System = System::because("set a new password with a link");

/// Makes a link with which a user sets a new password; the one that was made for them before stops working.
///
/// # Errors
/// [`Error::NotFound`], also for another customer's; [`Error::Forbidden`] when the user has more rights than the
/// person; [`Error::Conflict`] for the person's own account, and for a user who may not sign in.
pub async fn make(permit: &Permit<Updating>, user: Id<User>) -> Result<ResetLink> {
    let context = permit.context();
    let (state, locale) = (&context.state, context.locale);
    let record = store::get(state, &context.permit::<Reading>("user")?, &User::KIND, user.cast(), true).await?;
    users::stay_within(permit, &record)?;
    if permit.person() == Some(user) {
        // Whoever finds an open browser must not be able to keep the account.
        return Err(Error::conflict(td_string!(locale, access.own_password)));
    }
    login::person(state, user).await.map_err(|error| match error {
        Error::Unauthenticated => Error::conflict(td_string!(locale, access.reset.no_entry)),
        other => other,
    })?;
    let (token, expires_at) = (secret::random(32), Timestamp::now() + LIFE);
    let statement = sql("insert into reset_links (person, token_hash, expires_at) values ($1, $2, $3)
         on conflict (person) do update set token_hash = excluded.token_hash, expires_at = excluded.expires_at")
    .bind(user.to_string())
    .bind(secret::hash(&token))
    .bind(expires_at.millis());
    let mut transaction = state.db.begin(permit).await?;
    transaction.execute(statement).await?;
    let line = audit::Line {
        kind: "user",
        record: &user.to_string(),
        customer: record.base.customer,
        action: "reset_link",
        before: &Fields::new(),
        after: &Fields::new(),
    };
    audit::write(&mut transaction, permit, line).await?;
    transaction.commit().await?;
    let url = format!("{}/reset?token={token}", state.url());
    Ok(ResetLink { url, is_guess: state.is_url_a_guess(), expires_at })
}

/// Sets the password of whoever the link was made for, and ends every login of theirs. The token is used up then.
///
/// # Errors
/// [`Error::Forbidden`] when the token is none of ours, was used or replaced, or has expired, or its user may not
/// sign in any more: one answer for all; [`Error::Invalid`] when the password is not good enough, and the token
/// stays good.
pub async fn finish(context: &Context, token: &str, new: &str) -> Result<()> {
    let (state, locale) = (&context.state, context.locale);
    let refused = || Error::Forbidden { reason: td_string!(locale, access.reset.refused).to_owned() };
    let (hash, now) = (secret::hash(token), Timestamp::now().millis());
    // Looked at before the costly work, and used up by the statement below, which only one can win.
    let known = sql("select person from reset_links where token_hash = $1 and expires_at > $2");
    let row = state.db.row(&WHY, known.bind(hash.as_str()).bind(now)).await?.ok_or_else(refused)?;
    let session = login::person(state, row.parsed("person")?).await.map_err(|error| match error {
        Error::Unauthenticated => refused(),
        other => other,
    })?;
    if let Some(problem) = password::problem(new, &session.username, locale) {
        return Err(Error::invalid("password", problem));
    }
    let user = session.user.to_string();
    let password = state.authority.passwords.hash(new, locale).await?;
    let person = trail::Visitor::of(context, &session);
    let mut transaction = state.db.begin(&person).await?;
    // The user's row is held first, as by whoever changes a user: so the two never wait for each other on PostgreSQL.
    let lock = sql("update users set revision = revision where id = $1");
    transaction.execute(lock.bind(user.as_str())).await?;
    let used = sql("delete from reset_links where token_hash = $1 and expires_at > $2");
    if transaction.execute(used.bind(hash).bind(now)).await? == 0 {
        return Err(refused());
    }
    throttle::forget(&mut transaction, &users::account(&session)).await?;
    users::write_password(&mut transaction, &person, &user, password, "reset_password").await?;
    transaction.commit().await?;
    state.bus.publish(Topic::Session, None, json!({ "user": user }));
    Ok(())
}

/// Ends the link of a user, within a transaction.
pub(super) async fn end(transaction: &mut Transaction, user: &str) -> anyhow::Result<()> {
    transaction.execute(sql("delete from reset_links where person = $1").bind(user)).await.map(drop)
}

/// Removes links that have expired.
pub async fn sweep(state: &State) -> anyhow::Result<()> {
    let statement = sql("delete from reset_links where expires_at < $1").bind(Timestamp::now().millis());
    state.db.execute(&System::because("remove expired links"), statement).await.map(drop)
}
