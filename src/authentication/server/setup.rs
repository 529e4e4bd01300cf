//! The first start: a one-time link that creates the first administrator.

use super::{Context, System, login, secret, users};
use crate::{
    authentication::model::Role,
    error::{Error, Result},
    i18n::td_string,
    platform::{db::sql, state::State},
    storage::{
        User,
        item::{Item as _, server::store},
    },
    time::Timestamp,
};
use std::time::Duration;

/// How long the link works.
const LIFE: Duration = Duration::from_secs(24 * 3600);

const WHY: System = System::because("create the first administrator");

/// Whether nobody is registered yet.
pub async fn is_needed(state: &State) -> anyhow::Result<bool> {
    Ok(state.db.row(&WHY, sql("select id from users where deleted_at is null limit 1")).await?.is_none())
}

/// Makes a new link's token while nobody is registered; those made before stop working.
pub async fn token(state: &State) -> anyhow::Result<Option<String>> {
    if !is_needed(state).await? {
        return Ok(None);
    }
    let token = secret::random(32);
    let now = Timestamp::now();
    let mut transaction = state.db.begin(&WHY).await?;
    transaction.execute(sql("delete from setup_links where used_at is null")).await?;
    transaction
        .execute(
            sql("insert into setup_links (token_hash, created_at, expires_at, used_at) values ($1, $2, $3, null)")
                .bind(secret::hash(&token))
                .bind(now.millis())
                .bind((now + LIFE).millis()),
        )
        .await?;
    transaction.commit().await?;
    Ok(Some(token))
}

/// Creates the first administrator with the link's token and signs them in. The token is used up then.
///
/// # Errors
/// [`Error::Forbidden`] when the token is not the printed one, was used, or has expired, or somebody is
/// registered already; [`Error::Invalid`] when the values must be corrected, and the token stays good.
pub async fn finish(context: &Context, token: &str, new: users::NewUser) -> Result<login::Entrance> {
    let state = &context.state;
    let refused = || Error::Forbidden { reason: td_string!(context.locale, access.setup_refused).to_owned() };
    let hash = secret::hash(token);
    let now = Timestamp::now().millis();
    // Looked at before the costly work, and used up by the statement below, which only one can win.
    let known = sql("select token_hash from setup_links where token_hash = $1 and used_at is null and expires_at > $2");
    if state.db.row(&WHY, known.bind(hash.as_str()).bind(now)).await?.is_none() || !is_needed(state).await? {
        return Err(refused());
    }
    let new = users::NewUser { role: Role::Admin, customer: None, ..new };
    let prepared = users::prepare(state, new, context.locale).await?;
    let mut transaction = state.db.begin(&WHY).await?;
    let used = transaction
        .execute(
            sql("update setup_links set used_at = $1
                 where token_hash = $2 and used_at is null and expires_at > $1
                   and not exists (select id from users where deleted_at is null)")
            .bind(now)
            .bind(hash),
        )
        .await?;
    if used == 0 {
        return Err(refused());
    }
    let pending = store::insert(state, &WHY, &mut transaction, &User::KIND, prepared).await?;
    transaction.commit().await?;
    let user = store::told(state, &User::KIND, pending).await;
    Ok(login::enter(context, user.base.id.cast()).await?)
}
