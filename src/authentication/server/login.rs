//! Logins: made at sign-in, read on every request, ended by sign-out, revocation or time.

use super::{
    Context, System, secret, throttle,
    token::{Bearer, COOKIE_LIFE, Claims},
    trail::{self, Visitor},
};
use crate::{
    authentication::model::{CustomerName, OwnLogin, Role, Session},
    error::{Error, Result},
    events::model::Topic,
    id::Id,
    platform::{
        db::{Row, Transaction, sql},
        state::State,
    },
    storage::{Login, User, item::server::keys},
    time::Timestamp,
};
use anyhow::Context as _;
use serde_json::json;
use std::time::Duration;

/// How far behind `last_seen` may be; it is written at most this often.
const SEEN_EVERY: Duration = Duration::from_secs(60);

const READ: System = System::because("find out who asks");
const KEEP: System = System::because("keep logins");

/// What a person types to sign in.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// The customer's domain; empty for the platform's own people.
    pub customer: String,
    /// The name for signing in, in whatever case.
    pub username: String,
    /// The password.
    pub password: String,
}

/// Why nobody was signed in.
#[derive(Debug)]
pub enum Refusal {
    /// Something of it does not fit; which, is not told.
    Wrong,
    /// Too many attempts: wait so many seconds.
    Slow(u32),
    /// It could not be tried.
    Error(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<anyhow::Error> for Refusal {
    fn from(cause: anyhow::Error) -> Self {
        Self::Error(cause.into())
    }
}

/// A login that was just made.
#[derive(Clone, Debug)]
pub struct Entrance {
    /// Who.
    pub session: Session,
    /// The secret that goes into envelopes; stored nowhere.
    pub secret: String,
}

impl Entrance {
    /// The envelope for the browser's cookie.
    pub fn cookie(&self, state: &State) -> anyhow::Result<String> {
        state.authority.keys.seal(&self.session.login.to_string(), &self.secret, Bearer::Cookie, COOKIE_LIFE)
    }

    /// The envelope for the API. A program cannot renew it silently, so it lives as long as the login may.
    pub fn bearer(&self, state: &State) -> anyhow::Result<String> {
        let life = Timestamp::now().age(self.session.expires_at).max(Duration::from_secs(1));
        state.authority.keys.seal(&self.session.login.to_string(), &self.secret, Bearer::Header, life)
    }
}

/// Signs a person in.
///
/// An unknown user, a wrong password, a disabled user and a disabled customer take the same time and
/// get the same answer. The login that the request came with, if any, ends.
pub async fn sign_in(context: &Context, credentials: &Credentials) -> Result<Entrance, Refusal> {
    let state = &context.state;
    let domain = keys::key(credentials.customer.trim());
    let username = keys::key(credentials.username.trim());
    let attempt =
        throttle::begin(state, &format!("{domain}/{username}"), context.address).await?.map_err(Refusal::Slow)?;

    let found = find_user(state, &domain, &username).await?;
    let hash = found.as_ref().map(|found| found.password.as_str());
    // The length is bounded here as at setting: hashing a megabyte would be a way to keep cores busy.
    let tried =
        if credentials.password.chars().count() > super::password::LENGTH_MAX { "" } else { &credentials.password };
    let fits = state.authority.passwords.verify(tried, hash, context.locale).await?;
    let Some(found) = found.as_ref().filter(|found| fits && found.may_enter) else {
        refused(context, found.map(|found| found.id)).await?;
        return Err(Refusal::Wrong);
    };

    throttle::succeeded(state, attempt).await?;
    if state.authority.passwords.is_outdated(&found.password) {
        let hash = state.authority.passwords.hash(&credentials.password, context.locale).await?;
        let statement = sql("update users set password = $1 where id = $2 and password = $3");
        let statement = statement.bind(hash).bind(found.id.to_string()).bind(found.password.clone());
        state.db.execute(&KEEP, statement).await?;
    }
    // The login that the browser came with ends, so that nobody can plant one and wait.
    if context.session().is_ok() {
        sign_out(context).await?;
    }
    Ok(enter(context, found.id).await?)
}

/// Notes a refused sign-in; the name that was typed is not kept, because it is sometimes a password.
async fn refused(context: &Context, user: Option<Id<User>>) -> anyhow::Result<()> {
    let address = context.address.map(|address| address.to_string());
    tracing::warn!(address, "a sign-in was refused");
    let visitor = Visitor::unknown(context);
    let mut transaction = context.state.db.begin(&visitor).await?;
    let record = user.map_or_else(|| "unknown".to_owned(), |user| user.to_string());
    trail::write(&mut transaction, &visitor, "user", &record, "sign_in_refused").await?;
    transaction.commit().await
}

struct Found {
    id: Id<User>,
    password: String,
    may_enter: bool,
}

async fn find_user(state: &State, domain: &str, username: &str) -> anyhow::Result<Option<Found>> {
    let row = state
        .db
        .row(
            &READ,
            sql("select u.id, u.password, u.enabled, u.customer, c.enabled as customer_enabled
                 from users u
                 left join customers c on c.id = u.customer and c.deleted_at is null
                 where u.username_key = $1 and coalesce(c.domain_key, '') = $2 and u.deleted_at is null
                   and (u.customer is null or c.id is not null)")
            .bind(username)
            .bind(domain),
        )
        .await?;
    row.map(|row| {
        let of_platform = row.opt_text("customer")?.is_none();
        let may_enter = row.bool("enabled")? && (of_platform || row.bool("customer_enabled")?);
        Ok(Found { id: row.parsed("id")?, password: row.text("password")?, may_enter })
    })
    .transpose()
}

/// Makes a login for a user who has proven to be it.
pub async fn enter(context: &Context, user: Id<User>) -> anyhow::Result<Entrance> {
    let state = &context.state;
    let now = Timestamp::now();
    let (login, secret) = (Id::<Login>::new(), secret::random(32));
    let ends = now + Duration::from_secs(state.config.session.absolute_hours * 3600);
    let person = person(state, user).await.context("reading the person who signs in")?;
    let session = Session { login, expires_at: ends, ..person };
    let statement = sql("insert into logins (id, customer, revision, enabled, created_at, created_by, updated_at,
           updated_by, deleted_at, \"user\", login_time, exp, last_seen, address, agent, token_hash)
         values ($1, $2, 1, true, $3, $4, $3, $4, null, $4, $3, $5, $3, $6, $7, $8)")
    .bind(login.to_string())
    .bind(session.customer.as_ref().map(|customer| customer.id.to_string()))
    .bind(now.millis())
    .bind(user.to_string())
    .bind(ends.millis())
    .bind(context.address.map(|address| address.to_string()))
    .bind(context.agent.as_str())
    .bind(secret::hash(&secret));
    let visitor = Visitor::of(context, &session);
    let mut transaction = state.db.begin(&visitor).await?;
    transaction.execute(statement).await?;
    let seen = sql("update users set last_login = $1 where id = $2").bind(now.millis()).bind(user.to_string());
    transaction.execute(seen).await?;
    trail::write(&mut transaction, &visitor, "login", &login.to_string(), "sign_in").await?;
    transaction.commit().await?;
    tell(state, &session);
    Ok(Entrance { session, secret })
}

/// Tells the list of logins, and the streams of the person, that a login came or went.
fn tell(state: &State, session: &Session) {
    let customer = session.customer.as_ref().map(|customer| customer.id);
    state.bus.publish(Topic::Session, customer, json!({ "login": session.login, "user": session.user }));
    state.bus.publish(Topic::Records("login".to_owned()), customer, json!({ "id": session.login }));
}

const SESSION: &str = "select l.id, l.exp, l.last_seen, u.id as user_id, u.username, u.first_name, u.role,
       c.id as customer_id, c.name as customer_name, c.domain as customer_domain
     from logins l
     join users u on u.id = l.\"user\"
     left join customers c on c.id = u.customer
     where l.token_hash = $1 and l.deleted_at is null and l.exp > $2 and l.last_seen > $3
       and u.enabled and u.deleted_at is null
       and (u.customer is null or (c.enabled and c.deleted_at is null))";

const SESSION_BY_LOGIN: &str = "select l.id, l.exp, l.last_seen, u.id as user_id, u.username, u.first_name, u.role,
       c.id as customer_id, c.name as customer_name, c.domain as customer_domain
     from logins l
     join users u on u.id = l.\"user\"
     left join customers c on c.id = u.customer
     where l.id = $1 and l.deleted_at is null and l.exp > $2 and l.last_seen > $3
       and u.enabled and u.deleted_at is null
       and (u.customer is null or (c.enabled and c.deleted_at is null))";

const PERSON: &str = "select u.id, u.id as user_id, u.username, u.first_name, u.role, $2 as exp,
       c.id as customer_id, c.name as customer_name, c.domain as customer_domain
     from users u
     left join customers c on c.id = u.customer
     where u.id = $1 and u.enabled and u.deleted_at is null
       and (u.customer is null or (c.enabled and c.deleted_at is null))";

/// The session behind an opened envelope, and when it was last seen; `None` once it has ended.
pub async fn by_claims(state: &State, claims: &Claims) -> anyhow::Result<Option<(Session, Timestamp)>> {
    let found = by_secret(state, &claims.sid).await?;
    Ok(found.filter(|(session, _)| session.login.to_string() == claims.sub))
}

async fn by_secret(state: &State, secret: &str) -> anyhow::Result<Option<(Session, Timestamp)>> {
    let statement = sql(SESSION).bind(secret::hash(secret)).bind(Timestamp::now().millis()).bind(idle_since(state));
    let row = state.db.row(&READ, statement).await?;
    row.map(|row| Ok((session(&row)?, Timestamp::from_millis(row.int("last_seen")?)))).transpose()
}

/// The same session as it stands now: role, customer and all. For streams, which live longer than a request.
///
/// # Errors
/// [`Error::Unauthenticated`] once the login was revoked or has ended, or the user was disabled.
pub async fn still_there(state: &State, before: &Session) -> Result<Session> {
    let statement = sql(SESSION_BY_LOGIN).bind(before.login.to_string());
    let statement = statement.bind(Timestamp::now().millis()).bind(idle_since(state));
    let row = state.db.row(&READ, statement).await?;
    Ok(session(&row.ok_or(Error::Unauthenticated)?)?)
}

/// A person for whom work is done while they are not asking, such as a job's. No login stands behind it:
/// the session's login is the user's own id.
///
/// # Errors
/// [`Error::Unauthenticated`] when they are gone or may no longer sign in.
pub async fn person(state: &State, user: Id<User>) -> Result<Session> {
    let ends = Timestamp::now() + Duration::from_secs(3600);
    let row = state.db.row(&READ, sql(PERSON).bind(user.to_string()).bind(ends.millis())).await?;
    Ok(session(&row.ok_or(Error::Unauthenticated)?)?)
}

fn session(row: &Row) -> anyhow::Result<Session> {
    let username = row.text("username")?;
    let first_name = row.opt_text("first_name")?.filter(|name| !name.is_empty());
    let customer = match row.opt_parsed("customer_id")? {
        Some(id) => Some(CustomerName { id, name: row.text("customer_name")?, domain: row.text("customer_domain")? }),
        None => None,
    };
    Ok(Session {
        login: row.parsed("id")?,
        user: row.parsed("user_id")?,
        name: first_name.unwrap_or_else(|| username.clone()),
        username,
        role: role(&row.text("role")?)?,
        customer,
        expires_at: Timestamp::from_millis(row.int("exp")?),
    })
}

/// Reads a role as it is stored.
pub fn role(text: &str) -> anyhow::Result<Role> {
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .with_context(|| format!("reading the role {text:?}"))
}

fn idle_since(state: &State) -> i64 {
    (Timestamp::now() - Duration::from_secs(state.config.session.idle_minutes * 60)).millis()
}

/// Notes that a login was used, unless that was noted within the last minute.
pub fn seen(state: &State, login: Id<Login>, last_seen: Timestamp) {
    let now = Timestamp::now();
    if last_seen.age(now) < SEEN_EVERY {
        return;
    }
    let state = state.clone();
    // Beside the request: nobody should wait for the writer because of a note.
    tokio::spawn(async move {
        let statement = sql("update logins set last_seen = $1 where id = $2 and last_seen < $1");
        if let Err(error) = state.db.execute(&KEEP, statement.bind(now.millis()).bind(login.to_string())).await {
            tracing::warn!("noting that a login was used: {error:#}");
        }
    });
}

/// Ends the login that a request was made with.
///
/// # Errors
/// [`Error::Unauthenticated`] when there is none.
pub async fn sign_out(context: &Context) -> Result<()> {
    let session = context.session()?;
    end_own(context, session.login).await.map(drop)
}

/// Ends a login of the person who asks; gives whether there was one.
///
/// # Errors
/// [`Error::Unauthenticated`] when nobody is signed in.
pub async fn end_own(context: &Context, login: Id<Login>) -> Result<bool> {
    let (state, session) = (&context.state, context.session()?);
    let visitor = Visitor::of(context, session);
    let mut transaction = state.db.begin(&visitor).await?;
    let statement = sql("update logins set deleted_at = $1, updated_at = $1, revision = revision + 1
         where id = $2 and \"user\" = $3 and deleted_at is null")
    .bind(Timestamp::now().millis())
    .bind(login.to_string())
    .bind(session.user.to_string());
    if transaction.execute(statement).await? == 0 {
        return Ok(false);
    }
    trail::write(&mut transaction, &visitor, "login", &login.to_string(), "sign_out").await?;
    transaction.commit().await?;
    tell(state, &Session { login, ..session.clone() });
    Ok(true)
}

/// Ends every other login of the person.
///
/// # Errors
/// [`Error::Unauthenticated`].
pub async fn end_own_others(context: &Context) -> Result<()> {
    let (state, session) = (&context.state, context.session()?);
    let (visitor, user) = (Visitor::of(context, session), session.user.to_string());
    let mut transaction = state.db.begin(&visitor).await?;
    end_others(&mut transaction, &user, Some(session.login)).await?;
    trail::write(&mut transaction, &visitor, "user", &user, "sign_out_elsewhere").await?;
    transaction.commit().await?;
    tell(state, session);
    Ok(())
}

/// Ends all logins of a user but one, within a transaction.
pub async fn end_others(transaction: &mut Transaction, user: &str, kept: Option<Id<Login>>) -> anyhow::Result<()> {
    let statement = sql("update logins set deleted_at = $1, updated_at = $1, revision = revision + 1
         where \"user\" = $2 and id <> $3 and deleted_at is null");
    let kept = kept.map_or_else(String::new, |login| login.to_string());
    transaction.execute(statement.bind(Timestamp::now().millis()).bind(user).bind(kept)).await?;
    Ok(())
}

/// Removes logins that have ended a day ago, by time or by revocation.
pub async fn sweep(state: &State) -> anyhow::Result<()> {
    let old = (Timestamp::now() - Duration::from_secs(24 * 3600)).millis();
    let statement = sql("delete from logins where exp < $1 or deleted_at < $1");
    state.db.execute(&System::because("remove ended logins"), statement.bind(old)).await?;
    Ok(())
}

/// The live logins of a person, the latest first.
pub async fn own(state: &State, session: &Session) -> Result<Vec<OwnLogin>> {
    let rows = state
        .db
        .rows(
            &READ,
            sql("select id, login_time, last_seen, address, agent from logins
                 where \"user\" = $1 and deleted_at is null and exp > $2 and last_seen > $3
                 order by last_seen desc, id desc limit 100")
            .bind(session.user.to_string())
            .bind(Timestamp::now().millis())
            .bind(idle_since(state)),
        )
        .await?;
    let mut logins = Vec::with_capacity(rows.len());
    for row in &rows {
        let id: Id<Login> = row.parsed("id")?;
        logins.push(OwnLogin {
            id,
            login_time: Timestamp::from_millis(row.int("login_time")?),
            last_seen: Timestamp::from_millis(row.int("last_seen")?),
            address: row.opt_text("address")?,
            agent: row.opt_text("agent")?,
            is_this: id == session.login,
        });
    }
    Ok(logins)
}
