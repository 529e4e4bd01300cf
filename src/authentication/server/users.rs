//! What users are beside being stored: their passwords, and the rights one may give to another.

use super::{Proof, System, login, password, reset, trail};
use crate::{
    authentication::model::{Role, Session},
    error::{Error, Result},
    events::model::Topic,
    i18n::{Locale, td_string},
    id::Id,
    platform::{
        db::{Transaction, sql},
        state::State,
    },
    storage::{
        Customer, User,
        item::{
            Fields, Item as _, RawRecord,
            server::{
                hooks::{Hooks, Preparing, Removing, Saving},
                keys,
                store::{self, Prepared},
            },
        },
    },
    time::Timestamp,
};
use serde_json::{Value, json};

const WHY: System = System::because("the administrator's command line");

/// Somebody who is to be registered by the system itself: at the first start, or on the command line.
#[derive(Clone, Debug, Default)]
pub struct NewUser {
    /// The name for signing in.
    pub username: String,
    /// The mail address.
    pub email: Option<String>,
    /// The first name.
    pub first_name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// The domain of the customer they belong to; `None` for the platform.
    pub customer: Option<String>,
    /// The password, as typed.
    pub password: String,
}

/// The values of a new user as the store takes them.
async fn fields(state: &State, new: NewUser, locale: Locale) -> Result<Fields> {
    let customer: Option<Id<Customer>> = match &new.customer {
        Some(domain) => {
            let statement = sql("select id from customers where domain_key = $1 and deleted_at is null");
            let row = state.db.row(&WHY, statement.bind(keys::key(domain.trim()))).await?;
            let row = row.ok_or_else(|| Error::invalid("customer", td_string!(locale, access.no_such_customer)))?;
            Some(row.parsed("id")?)
        }
        None => None,
    };
    let filled = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let fields = json!({
        "username": new.username.trim(),
        "email": filled(new.email),
        "first_name": filled(new.first_name),
        "last_name": null,
        "role": new.role,
        "password": new.password,
        "customer": customer,
    });
    match fields {
        Value::Object(fields) => Ok(fields),
        _ => Ok(Fields::new()),
    }
}

/// Checks the values of a new user and hashes the password, before the transaction that writes it.
///
/// # Errors
/// [`Error::Invalid`] with every problem at its field.
pub async fn prepare(state: &State, new: NewUser, locale: Locale) -> Result<Prepared> {
    let fields = fields(state, new, locale).await?;
    store::prepare_new(state, &WHY, &User::KIND, fields).await
}

/// Registers a user.
///
/// # Errors
/// [`Error::Invalid`] with every problem at its field.
pub async fn create(state: &State, new: NewUser, locale: Locale) -> Result<Id<User>> {
    let fields = fields(state, new, locale).await?;
    let record = store::create(state, &WHY, &User::KIND, fields).await?;
    Ok(record.base.id.cast())
}

/// What a user does beside being stored.
pub const HOOKS: Hooks = Hooks {
    prepare: |preparing| Box::pin(prepare_password(preparing)),
    save: |saving| Box::pin(save(saving)),
    remove: |removing| Box::pin(remove(removing)),
    after: |state, record| {
        Box::pin(async move {
            // Streams that are open for them ask again whether they may be.
            state.bus.publish(Topic::Session, record.base.customer, json!({ "user": record.base.id }));
        })
    },
    ..Hooks::NONE
};

/// Puts the hash in the place of a new password, before the transaction: it takes its time.
async fn prepare_password(preparing: Preparing<'_>) -> Result<()> {
    let username = preparing.fields.get("username").and_then(Value::as_str).unwrap_or_default().to_owned();
    let Some(Value::String(password)) = preparing.fields.get_mut("password") else { return Ok(()) };
    if let Some(problem) = password::problem(password, &username, preparing.proof.locale()) {
        return Err(Error::invalid("password", problem));
    }
    *password = preparing.state.authority.passwords.hash(password, preparing.proof.locale()).await?;
    Ok(())
}

async fn save(saving: Saving<'_>) -> Result<()> {
    let Saving { proof, transaction, before, after, .. } = saving;
    let locale = proof.locale();
    stay_within(proof, after)?;
    let Some(before) = before else { return Ok(()) };
    let has_new_password = after.item.get("password").is_some_and(Value::is_string);
    if has_new_password && proof.person().is_some_and(|person| person == before.base.id.cast()) {
        // Whoever finds an open browser must not be able to keep the account.
        return Err(Error::invalid("password", td_string!(locale, access.own_password)));
    }
    if is_platform_admin(before) && !is_platform_admin(after) {
        keep_one_platform_admin(transaction, before, locale).await?;
    }
    if has_new_password || (before.base.enabled && !after.base.enabled) {
        let user = before.base.id.to_string();
        login::end_others(transaction, &user, None).await?;
        reset::end(transaction, &user).await?;
    }
    Ok(())
}

/// Refuses what would make or open a user of another customer, or one with more rights than the person has.
pub(super) fn stay_within(proof: &dyn Proof, user: &RawRecord) -> Result<()> {
    let Some(session) = proof.session() else { return Ok(()) };
    let own = session.customer.as_ref().map(|customer| customer.id);
    let beyond = own.is_some() && user.base.customer != own;
    if beyond || rank(user) > session.role.rank() {
        return Err(Error::Forbidden { reason: td_string!(proof.locale(), access.beyond_own).to_owned() });
    }
    Ok(())
}

async fn remove(removing: Removing<'_>) -> Result<()> {
    if is_platform_admin(removing.record) {
        keep_one_platform_admin(removing.transaction, removing.record, removing.proof.locale()).await?;
    }
    let user = removing.record.base.id.to_string();
    login::end_others(removing.transaction, &user, None).await?;
    reset::end(removing.transaction, &user).await?;
    Ok(())
}

fn is_platform_admin(user: &RawRecord) -> bool {
    let is_admin = user.item.get("role").and_then(Value::as_str) == Some("admin");
    is_admin && user.base.customer.is_none() && user.base.enabled && user.base.deleted_at.is_none()
}

/// How much the role in a record may do.
fn rank(user: &RawRecord) -> u8 {
    let role = user.item.get("role").cloned().and_then(|role| serde_json::from_value::<Role>(role).ok());
    role.map_or(u8::MAX, Role::rank)
}

/// Refuses when nobody else could administrate the platform.
async fn keep_one_platform_admin(transaction: &mut Transaction, user: &RawRecord, locale: Locale) -> Result<()> {
    // Touching the rows locks them on PostgreSQL, so that two administrators cannot remove each other at once.
    let lock = sql("update users set revision = revision where customer is null and role = 'admin'");
    transaction.execute(lock).await?;
    let others = sql("select id from users
         where customer is null and role = 'admin' and enabled and deleted_at is null and id <> $1 limit 1");
    match transaction.row(others.bind(user.base.id.to_string())).await? {
        Some(_) => Ok(()),
        None => Err(Error::conflict(td_string!(locale, access.last_admin))),
    }
}

/// One line of the list of users on the command line.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The name for signing in.
    pub username: String,
    /// What they may do.
    pub role: String,
    /// The domain of their customer.
    pub customer: Option<String>,
    /// Whether they may sign in.
    pub enabled: bool,
}

/// Every user there is.
pub async fn list(state: &State) -> anyhow::Result<Vec<Listed>> {
    let rows = state
        .db
        .rows(
            &WHY,
            sql("select u.username, u.role, u.enabled, c.domain from users u
                 left join customers c on c.id = u.customer
                 where u.deleted_at is null
                 order by coalesce(c.domain, ''), u.username"),
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Listed {
                username: row.text("username")?,
                role: row.text("role")?,
                customer: row.opt_text("domain")?,
                enabled: row.bool("enabled")?,
            })
        })
        .collect()
}

/// Gives a user a new password and ends all their logins.
///
/// # Errors
/// [`Error::NotFound`] when there is no such user, [`Error::Invalid`] when the password is not good enough.
pub async fn reset_password(
    state: &State,
    customer: Option<&str>,
    username: &str,
    new: &str,
    locale: Locale,
) -> Result<()> {
    if let Some(problem) = password::problem(new, username, locale) {
        return Err(Error::invalid("password", problem));
    }
    let statement = sql("select u.id from users u left join customers c on c.id = u.customer
         where u.username_key = $1 and coalesce(c.domain_key, '') = $2 and u.deleted_at is null");
    let statement = statement.bind(keys::key(username.trim())).bind(keys::key(customer.unwrap_or_default().trim()));
    let row = state.db.row(&WHY, statement).await?.ok_or_else(|| Error::not_found("user"))?;
    set_password(state, &WHY, &row.text("id")?, new).await
}

/// Changes one's own password, which needs the old one; all other logins end, and this one gets a new secret.
///
/// # Errors
/// [`Error::Invalid`] at `current` or `password`.
pub async fn change_password(context: &super::Context, current: &str, new: &str) -> Result<login::Entrance> {
    let (state, session) = (&context.state, context.session()?);
    // A guess at the old password counts like one at sign-in: an open browser must not be a way around it.
    let attempt = match super::throttle::begin(state, &account(session), context.address).await? {
        Ok(attempt) => attempt,
        Err(seconds) => return Err(slow(seconds, context.locale)),
    };
    let row =
        state.db.row(&WHY, sql("select password from users where id = $1").bind(session.user.to_string())).await?;
    let hash = row.map(|row| row.text("password")).transpose()?;
    if !state.authority.passwords.verify(current, hash.as_deref(), context.locale).await? {
        return Err(Error::invalid("current", td_string!(context.locale, access.current_wrong)));
    }
    super::throttle::succeeded(state, attempt).await?;
    if let Some(problem) = password::problem(new, &session.username, context.locale) {
        return Err(Error::invalid("password", problem));
    }
    let person = trail::Visitor::of(context, session);
    set_password(state, &person, &session.user.to_string(), new).await?;
    Ok(login::enter(context, session.user).await?)
}

/// What attempts to sign in as that person are counted under.
pub(super) fn account(session: &Session) -> String {
    let domain = session.customer.as_ref().map(|customer| keys::key(&customer.domain)).unwrap_or_default();
    format!("{domain}/{}", keys::key(&session.username))
}

/// The refusal of one attempt too many.
pub fn slow(seconds: u32, locale: Locale) -> Error {
    Error::Busy {
        message: td_string!(locale, access.slow, seconds = seconds.to_string()),
        job: None,
        retry_after: Some(seconds),
    }
}

/// The refusal of one call too many.
pub fn too_many(seconds: u32, locale: Locale) -> Error {
    Error::Busy {
        message: td_string!(locale, access.too_many, seconds = seconds.to_string()),
        job: None,
        retry_after: Some(seconds),
    }
}

async fn set_password(state: &State, proof: &dyn Proof, user: &str, new: &str) -> Result<()> {
    let hash = state.authority.passwords.hash(new, proof.locale()).await?;
    let mut transaction = state.db.begin(proof).await?;
    write_password(&mut transaction, proof, user, hash, "change_password").await?;
    transaction.commit().await?;
    state.bus.publish(Topic::Session, None, json!({ "user": user }));
    Ok(())
}

/// Writes the hash of a new password, and ends the logins of that user and the link that could set another.
pub(super) async fn write_password(
    transaction: &mut Transaction,
    proof: &dyn Proof,
    user: &str,
    hash: String,
    action: &str,
) -> anyhow::Result<()> {
    let statement = sql("update users set password = $1, updated_at = $2, revision = revision + 1 where id = $3");
    transaction.execute(statement.bind(hash).bind(Timestamp::now().millis()).bind(user)).await?;
    login::end_others(transaction, user, None).await?;
    reset::end(transaction, user).await?;
    trail::write(transaction, proof, "user", user, action).await
}
