//! What users are beside being stored: their passwords, and the rights one may give to another.

use super::{System, login, password};
use crate::{
    authentication::model::Role,
    error::{Error, Problem, Result},
    i18n::{Locale, td_string},
    id::Id,
    platform::{
        db::{Transaction, sql},
        state::State,
    },
    storage::{Customer, User},
    time::Timestamp,
};

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

/// A new user whose values are good and whose password is hashed.
pub struct CheckedUser {
    new: NewUser,
    customer: Option<Id<Customer>>,
    hash: String,
}

/// Checks the values of a new user and hashes the password.
///
/// # Errors
/// [`Error::Invalid`] with every problem at its field.
pub async fn check(state: &State, mut new: NewUser, locale: Locale) -> Result<CheckedUser> {
    let mut problems = Vec::new();
    new.username = new.username.trim().to_owned();
    new.email = new.email.map(|email| email.trim().to_owned()).filter(|email| !email.is_empty());
    new.first_name = new.first_name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    if new.username.is_empty() {
        problems.push(Problem::at("username", td_string!(locale, errors.field.required)));
    }
    for (field, value) in
        [("username", Some(&new.username)), ("email", new.email.as_ref()), ("first_name", new.first_name.as_ref())]
    {
        let Some(value) = value else { continue };
        if value.chars().any(char::is_control) {
            problems.push(Problem::at(field, td_string!(locale, errors.field.control)));
        }
        if value.chars().count() > 200 {
            problems.push(Problem::at(field, td_string!(locale, errors.field.too_long, max = 200)));
        }
    }
    if let Some(problem) = password::problem(&new.password, &new.username, locale) {
        problems.push(Problem::at("password", problem));
    }
    let customer = match &new.customer {
        Some(domain) => {
            let statement = sql("select id from customers where lower(domain) = $1 and deleted_at is null");
            match state.db.row(&WHY, statement.bind(domain.trim().to_lowercase())).await? {
                Some(row) => Some(row.parsed("id")?),
                None => {
                    problems.push(Problem::at("customer", td_string!(locale, access.no_such_customer)));
                    None
                }
            }
        }
        None => None,
    };
    for (field, value) in [("username", Some(new.username.clone())), ("email", new.email.clone())] {
        let Some(value) = value else { continue };
        let statement = match field {
            "username" => sql("select id from users
                 where lower(username) = lower($1) and coalesce(customer, '') = $2 and deleted_at is null"),
            _ => sql("select id from users
                 where lower(email) = lower($1) and coalesce(customer, '') = $2 and deleted_at is null"),
        };
        let owner = customer.map_or_else(String::new, |id: Id<Customer>| id.to_string());
        if state.db.row(&WHY, statement.bind(value).bind(owner)).await?.is_some() {
            problems.push(Problem::at(field, td_string!(locale, access.taken)));
        }
    }
    if !problems.is_empty() {
        return Err(Error::Invalid { problems });
    }
    let hash = state.authority.passwords.hash(&new.password).await?;
    Ok(CheckedUser { new, customer, hash })
}

/// Writes a checked user.
pub async fn insert(transaction: &mut Transaction, user: &CheckedUser) -> anyhow::Result<Id<User>> {
    let id = Id::<User>::new();
    let role = serde_json::to_value(user.new.role)?;
    let statement = sql("insert into users (id, customer, revision, enabled, created_at, created_by, updated_at,
           updated_by, deleted_at, username, email, first_name, last_name, role, password)
         values ($1, $2, 1, true, $3, null, $3, null, null, $4, $5, $6, null, $7, $8)")
    .bind(id.to_string())
    .bind(user.customer.map(|id| id.to_string()))
    .bind(Timestamp::now().millis())
    .bind(user.new.username.clone())
    .bind(user.new.email.clone())
    .bind(user.new.first_name.clone())
    .bind(role.as_str().unwrap_or("viewer"))
    .bind(user.hash.clone());
    transaction.execute(statement).await?;
    Ok(id)
}

/// Registers a user.
///
/// # Errors
/// As [`check`].
pub async fn create(state: &State, new: NewUser, locale: Locale) -> Result<Id<User>> {
    let checked = check(state, new, locale).await?;
    let mut transaction = state.db.begin(&WHY).await?;
    let id = insert(&mut transaction, &checked).await?;
    transaction.commit().await?;
    Ok(id)
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
         where lower(u.username) = lower($1) and coalesce(lower(c.domain), '') = $2 and u.deleted_at is null");
    let statement = statement.bind(username.trim()).bind(customer.unwrap_or_default().trim().to_lowercase());
    let row = state.db.row(&WHY, statement).await?.ok_or_else(|| Error::not_found("user"))?;
    set_password(state, &row.text("id")?, new, None).await
}

/// Changes one's own password, which needs the old one; all other logins end, and this one gets a new secret.
///
/// # Errors
/// [`Error::Invalid`] at `current` or `password`.
pub async fn change_password(context: &super::Context, current: &str, new: &str) -> Result<login::Entrance> {
    let (state, session) = (&context.state, context.session()?);
    // A guess at the old password counts like one at sign-in: an open browser must not be a way around it.
    let account = format!(
        "{}/{}",
        session.customer.as_ref().map(|customer| customer.domain.to_lowercase()).unwrap_or_default(),
        session.username.to_lowercase()
    );
    let attempt = match super::throttle::begin(state, &account, context.address).await? {
        Ok(attempt) => attempt,
        Err(seconds) => return Err(slow(seconds, context.locale)),
    };
    let row =
        state.db.row(&WHY, sql("select password from users where id = $1").bind(session.user.to_string())).await?;
    let hash = row.map(|row| row.text("password")).transpose()?;
    if !state.authority.passwords.verify(current, hash.as_deref()).await? {
        return Err(Error::invalid("current", td_string!(context.locale, access.current_wrong)));
    }
    super::throttle::succeeded(state, attempt).await?;
    if let Some(problem) = password::problem(new, &session.username, context.locale) {
        return Err(Error::invalid("password", problem));
    }
    set_password(state, &session.user.to_string(), new, None).await?;
    Ok(login::enter(state, session.user, context.address, &context.agent).await?)
}

/// The refusal of one attempt too many.
pub fn slow(seconds: u32, locale: Locale) -> Error {
    Error::Busy {
        message: td_string!(locale, access.slow, seconds = seconds.to_string()),
        job: None,
        retry_after: Some(seconds),
    }
}

async fn set_password(state: &State, user: &str, new: &str, kept: Option<Id<crate::storage::Login>>) -> Result<()> {
    let hash = state.authority.passwords.hash(new).await?;
    let mut transaction = state.db.begin(&WHY).await?;
    let statement = sql("update users set password = $1, updated_at = $2, revision = revision + 1 where id = $3");
    transaction.execute(statement.bind(hash).bind(Timestamp::now().millis()).bind(user)).await?;
    login::end_others(&mut transaction, user, kept).await?;
    transaction.commit().await?;
    Ok(())
}
