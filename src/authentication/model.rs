//! Plain types of authentication, known to both sides.

use crate::{
    error::Problem,
    id::Id,
    storage::{Customer, Login, User},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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

impl Role {
    /// How much it may do, compared with the others.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Admin => 2,
            Self::Regular => 1,
            Self::Viewer => 0,
        }
    }
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

/// One of a person's own logins, for the account page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OwnLogin {
    /// The login's record.
    pub id: Id<Login>,
    /// When they signed in.
    pub login_time: Timestamp,
    /// When it was last used, to the minute.
    pub last_seen: Timestamp,
    /// From which address.
    pub address: Option<String>,
    /// With which program.
    pub agent: Option<String>,
    /// Whether it is the one that asks.
    pub is_this: bool,
}

/// Who is signed in, and where else they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// The login that asks.
    pub session: Session,
    /// All live ones, the latest first.
    pub logins: Vec<OwnLogin>,
}

/// A link with which a user sets a new password: shown once, to the person who made it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ResetLink {
    /// Where the new password is set; whoever has it can set one.
    pub url: String,
    /// Whether the machine in it is a guess: the server listens on every address and was not told which people use.
    pub is_guess: bool,
    /// Until when it works, unless it was used before.
    #[cfg_attr(feature = "ssr", schema(value_type = String, format = "date-time"))]
    pub expires_at: Timestamp,
}

/// What a page's own form got as an answer, handed to the page that is rendered in reply.
///
/// These forms work before the browser has loaded the program, so their answer is a page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FormAnswer {
    /// What went well, as a sentence.
    pub done: Option<String>,
    /// What is wrong with the whole, as a sentence.
    pub trouble: Option<String>,
    /// What is wrong with single values.
    pub problems: Vec<Problem>,
    /// What was typed and is no secret, by field.
    pub values: BTreeMap<String, String>,
}

impl FormAnswer {
    /// The problem at a field.
    pub fn problem(&self, field: &str) -> Option<String> {
        self.problems.iter().find(|problem| problem.field == field).map(|problem| problem.message.clone())
    }

    /// What was typed into a field.
    pub fn value(&self, field: &str) -> String {
        self.values.get(field).cloned().unwrap_or_default()
    }
}

/// Where to go after signing in: `next` when it is a path of our own, else the first page.
///
/// Browsers read `//host` and `/\host` as another site, and drop tabs and line ends before they look.
pub fn safe_path(next: &str) -> &str {
    let inside = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains(['\\', '\t', '\r', '\n'])
        && !next.chars().any(char::is_control)
        && !matches!(next.split(['?', '#']).next(), Some("/sign-in" | "/sign-out" | "/setup" | "/reset"));
    if inside { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::safe_path;

    #[test]
    fn only_paths_of_our_own_are_gone_back_to() {
        for good in ["/", "/machines?search=a&page=2", "/containers/web-1#logs"] {
            assert_eq!(safe_path(good), good);
        }
        for bad in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/\t/evil.example",
            "machines",
            "/sign-in?next=/sign-in",
        ] {
            assert_eq!(safe_path(bad), "/", "{bad:?}");
        }
    }
}
