//! Users: the people who may sign in.

use super::item::{Choice, Field, Item, Kind, Shape};
use crate::{authentication::model::Role, text, time::Timestamp};
use serde::{Deserialize, Serialize};

/// One person. Belongs to a customer, or to the platform when it has none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// The name for signing in, unique within the customer.
    pub username: String,
    /// The mail address, unique within the customer.
    pub email: Option<String>,
    /// The first name.
    pub first_name: Option<String>,
    /// The last name.
    pub last_name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// A new password; written and never read back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// When they last signed in.
    #[serde(default)]
    pub last_login: Option<Timestamp>,
}

impl Item for User {
    const KIND: Kind =
        Kind::new("user", "users", text!(records.user.one), text!(records.user.many), text!(records.user.empty))
            .per_customer()
            .titled("username")
            .fields(&[
                Field::line("username", text!(records.user.username)).required().unique().searched().listed(),
                Field::line("email", text!(records.user.email)).unique().searched().listed(),
                Field::line("first_name", text!(records.user.first_name)).searched(),
                Field::line("last_name", text!(records.user.last_name)).searched(),
                Field::choice(
                    "role",
                    text!(records.user.role),
                    &[
                        Choice { value: "admin", label: text!(records.user.role_admin) },
                        Choice { value: "regular", label: text!(records.user.role_regular) },
                        Choice { value: "viewer", label: text!(records.user.role_viewer) },
                    ],
                )
                .required()
                .listed(),
                Field::shaped("password", text!(records.user.password), Shape::Secret)
                    .hint(text!(records.user.password_hint))
                    .required(),
                Field::shaped("last_login", text!(records.user.last_login), Shape::Time).read_only().listed(),
            ]);
}
