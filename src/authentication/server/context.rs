//! The one value of a request: who asks, from where, in which language, with which handles.

use super::permit::{Act, May, Permit, Proof, Scope};
use crate::{
    authentication::{model::Session, policy},
    error::{Error, Result},
    i18n::Locale,
    id::Id,
    platform::state::State,
    storage::User,
};
use std::{net::IpAddr, sync::Arc};

/// Who asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Actor {
    /// Nobody who is known.
    Anonymous,
    /// A signed-in person.
    Person(Session),
}

/// Everything a request is made of. Cheap to clone.
#[derive(Clone)]
pub struct Context(Arc<Parts>);

/// The parts of a [`Context`].
pub struct Parts {
    /// Who asks.
    pub actor: Actor,
    /// The language of answers.
    pub locale: Locale,
    /// The number of the request, for the log and for [`Error::Internal`].
    pub request: String,
    /// Where it came from, behind trusted proxies too.
    pub address: Option<IpAddr>,
    /// The `User-Agent`, shortened.
    pub agent: String,
    /// The handles of the running server.
    pub state: State,
}

impl std::ops::Deref for Context {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Context {
    /// The context made of these parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The context of the server function or page that is being handled.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] outside of a request.
    pub fn current() -> Result<Self> {
        leptos::prelude::use_context::<Self>().ok_or(Error::Unauthenticated)
    }

    /// The signed-in person.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when nobody is.
    pub fn session(&self) -> Result<&Session> {
        match &self.actor {
            Actor::Person(session) => Ok(session),
            Actor::Anonymous => Err(Error::Unauthenticated),
        }
    }

    /// Asks the policy table whether the person may do `A` with things of kind `subject`, and fixes the
    /// scope in which they may.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when nobody is signed in, [`Error::Forbidden`] with the table's reason.
    pub fn permit<A: Act>(&self, subject: &'static str) -> Result<Permit<A>> {
        let session = self.session()?;
        policy::decide(session, A::VERB, subject)
            .map_err(|reason| Error::Forbidden { reason: reason.text(self.locale).to_owned() })?;
        let scope = match &session.customer {
            Some(customer) => Scope::Customer(customer.id),
            None => Scope::Platform,
        };
        Ok(Permit::new(self.clone(), session.clone(), scope, subject))
    }
}

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Context {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, _: &S) -> Result<Self> {
        parts.extensions.get::<Self>().cloned().ok_or(Error::Unauthenticated)
    }
}

/// Takes the permit of the server function that is being handled; see [`Context::permit`].
///
/// # Errors
/// As [`Context::permit`].
pub fn permit<A: Act>(subject: &'static str) -> Result<Permit<A>> {
    Context::current()?.permit(subject)
}

/// The proof of work that has no person behind it.
#[derive(Clone, Debug)]
pub struct System {
    reason: &'static str,
    scope: Scope,
}

impl System {
    /// Work over all customers, for this reason; the audit trail shows it in place of a name.
    pub const fn because(reason: &'static str) -> Self {
        Self { reason, scope: Scope::Platform }
    }
}

impl Proof for System {
    fn scope(&self) -> Scope {
        self.scope
    }

    fn person(&self) -> Option<Id<User>> {
        None
    }

    fn person_name(&self) -> &str {
        self.reason
    }

    fn address(&self) -> Option<IpAddr> {
        None
    }

    fn locale(&self) -> Locale {
        Locale::en
    }
}

impl<A: Act> May<A> for System {
    fn subject(&self) -> Option<&'static str> {
        None
    }
}
