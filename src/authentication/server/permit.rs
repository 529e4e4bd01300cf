//! Proofs that the question "may they?" was asked. Whatever touches data takes one.

use super::context::Context;
use crate::{
    authentication::{model::Session, policy::Verb},
    i18n::Locale,
    id::Id,
    storage::{Customer, User},
};
use std::{marker::PhantomData, net::IpAddr};

/// Whose data a proof reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All customers' and the platform's own.
    Platform,
    /// One customer's.
    Customer(Id<Customer>),
}

impl Scope {
    /// Whether data of `customer` (`None`: the platform's own) lies within.
    pub fn reaches(self, customer: Option<Id<Customer>>) -> bool {
        match self {
            Self::Platform => true,
            Self::Customer(own) => customer == Some(own),
        }
    }

    /// The one customer it is limited to.
    pub const fn customer(self) -> Option<Id<Customer>> {
        match self {
            Self::Platform => None,
            Self::Customer(own) => Some(own),
        }
    }
}

/// What the database, the engines and the queue want to see before they work.
pub trait Proof: Send + Sync {
    /// Whose data may be reached.
    fn scope(&self) -> Scope;
    /// The person behind it; `None` for the system.
    fn person(&self) -> Option<Id<User>>;
    /// Their name, or why the system acts.
    fn person_name(&self) -> &str;
    /// Where the request came from.
    fn address(&self) -> Option<IpAddr>;
    /// The language of sentences that come out of it.
    fn locale(&self) -> Locale;

    /// The signed-in person; `None` for the system.
    fn session(&self) -> Option<&Session> {
        None
    }

    /// The number of the request, for the audit trail.
    fn request(&self) -> Option<&str> {
        None
    }
}

/// A proof that `A` may be done: a person's [`Permit`], or the system's own reason.
///
/// What the store asks for, so that a permit to look is not mistaken for one to change.
pub trait May<A>: Proof {
    /// The kind of thing it was given for; `None` for every kind.
    fn subject(&self) -> Option<&'static str>;
}

/// Something a person does, as a type.
pub trait Act: Send + Sync + 'static {
    /// Its row in the policy table.
    const VERB: Verb;
}

macro_rules! acts {
    ($($(#[$doc:meta])* $name:ident = $verb:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl Act for $name {
            const VERB: Verb = Verb::$verb;
        }
    )*};
}

acts! {
    /// Looking.
    Reading = Read,
    /// Making a new one.
    Creating = Create,
    /// Changing one.
    Updating = Update,
    /// Removing or restoring one.
    Removing = Remove,
    /// Running an operation.
    Operating = Operate,
    /// Giving a container rights over the machine.
    Elevating = Elevate,
}

/// The proof that a person may do `A`: made by [`Context::permit`] alone.
#[derive(Clone)]
pub struct Permit<A> {
    context: Context,
    session: Session,
    scope: Scope,
    subject: &'static str,
    act: PhantomData<fn() -> A>,
}

impl<A> Permit<A> {
    pub(super) const fn new(context: Context, session: Session, scope: Scope, subject: &'static str) -> Self {
        Self { context, session, scope, subject, act: PhantomData }
    }

    /// The request it was made for.
    pub const fn context(&self) -> &Context {
        &self.context
    }

    /// The person.
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// The kind of thing it is about.
    pub const fn subject(&self) -> &'static str {
        self.subject
    }
}

impl<A> Proof for Permit<A> {
    fn scope(&self) -> Scope {
        self.scope
    }

    fn person(&self) -> Option<Id<User>> {
        Some(self.session.user)
    }

    fn person_name(&self) -> &str {
        &self.session.username
    }

    fn address(&self) -> Option<IpAddr> {
        self.context.address
    }

    fn locale(&self) -> Locale {
        self.context.locale
    }

    fn session(&self) -> Option<&Session> {
        Some(&self.session)
    }

    fn request(&self) -> Option<&str> {
        Some(&self.context.request)
    }
}

impl<A: Act> May<A> for Permit<A> {
    fn subject(&self) -> Option<&'static str> {
        Some(self.subject)
    }
}
