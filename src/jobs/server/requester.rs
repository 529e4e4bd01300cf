//! The person behind a job, with the rights they have when it runs.

use super::queue::Claim;
use crate::{
    authentication::server::{Actor, Context, context::Parts, person},
    error::Result,
    platform::{state::State, telemetry},
};

/// The context of who asked for the job.
///
/// # Errors
/// [`Unauthenticated`](crate::error::Error::Unauthenticated) when they are gone or disabled.
pub(super) async fn context(state: &State, claim: &Claim) -> Result<Context> {
    let actor = match claim.job.person {
        None => Actor::Anonymous,
        Some(user) => Actor::Person(person(state, user).await?),
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
