//! The person behind a job, with the rights they have when it runs.

use super::queue::Claim;
use crate::{
    authentication::{
        model::{CustomerName, Role, Session},
        server::{Actor, Context, System, context::Parts},
    },
    error::{Error, Result},
    id::Id,
    platform::{db::sql, state::State, telemetry},
    time::Timestamp,
};
use serde_json::json;

/// The context of who asked for the job.
///
/// # Errors
/// [`Error::Unauthenticated`] when they are gone or disabled.
pub(super) async fn context(state: &State, claim: &Claim) -> Result<Context> {
    let actor = match claim.job.person {
        None => Actor::Anonymous,
        Some(person) => Actor::Person(session(state, person).await?),
    };
    Ok(Context::new(Parts {
        actor,
        locale: claim.locale,
        request: telemetry::new_request_number(),
        address: claim.address,
        agent: "job".to_owned(),
        state: state.clone(),
    }))
}

async fn session(state: &State, person: Id<crate::storage::User>) -> Result<Session> {
    let proof = System::because("act for the person who asked for a job");
    let row = state
        .db
        .row(
            &proof,
            sql("select u.username, u.first_name, u.role, u.customer, c.name as customer_name, c.domain as customer_domain
                 from users u
                 left join customers c on c.id = u.customer
                 where u.id = $1 and u.enabled and u.deleted_at is null
                   and (u.customer is null or (c.enabled and c.deleted_at is null))")
            .bind(person.to_string()),
        )
        .await?
        .ok_or(Error::Unauthenticated)?;
    let username = row.text("username")?;
    let role: Role = serde_json::from_value(json!(row.text("role")?)).map_err(anyhow::Error::from)?;
    let customer = match row.opt_parsed("customer")? {
        None => None,
        Some(id) => Some(CustomerName { id, name: row.text("customer_name")?, domain: row.text("customer_domain")? }),
    };
    Ok(Session {
        login: Id::new(),
        user: person,
        name: row.opt_text("first_name")?.filter(|name| !name.is_empty()).unwrap_or_else(|| username.clone()),
        username,
        role,
        customer,
        expires_at: Timestamp::now() + std::time::Duration::from_secs(3600),
    })
}
