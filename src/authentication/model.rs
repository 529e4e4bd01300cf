//! Plain types of authentication, known to both sides.

use crate::{
    id::Id,
    storage::{Customer, Login, User},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// What a user may do, from most to least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything within its customer, users included; without a customer, customers too.
    Admin,
    /// Everything except customers and users.
    Regular,
    /// Looks and changes nothing.
    #[default]
    Viewer,
}

/// One signed-in person, as every page and every permit sees them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The login's record.
    pub login: Id<Login>,
    /// The user.
    pub user: Id<User>,
    /// The user's name for signing in.
    pub username: String,
    /// The first name, or the user name where none is known.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The customer they belong to; `None` for the platform's own people.
    pub customer: Option<CustomerName>,
    /// When the login ends for good.
    pub expires_at: Timestamp,
}

impl Session {
    /// Whether the person belongs to the platform and sees every customer.
    pub const fn is_platform(&self) -> bool {
        self.customer.is_none()
    }
}

/// A customer as its people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerName {
    /// The customer.
    pub id: Id<Customer>,
    /// Its name.
    pub name: String,
    /// Its domain: what is typed at sign-in.
    pub domain: String,
}
