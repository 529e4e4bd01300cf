//! Sign-in, sessions, tokens and permits: everything that decides who is there.

pub mod calls;
pub mod context;
pub mod forms;
pub mod gate;
pub mod login;
pub mod password;
pub mod permit;
pub mod reset;
pub mod rest;
pub mod secret;
pub mod setup;
pub mod throttle;
pub mod token;
pub mod trail;
pub mod users;

pub use context::{Actor, Context, System};
pub use login::{person, still_there};
pub use permit::{Act, Creating, Elevating, May, Operating, Permit, Proof, Reading, Removing, Scope, Updating};

use password::{Cost, Passwords};
use std::path::Path;

/// What signing in needs beside the database: keys, hashing within bounds, and a rate.
#[derive(Debug)]
pub struct Authority {
    /// The keys that sign envelopes.
    pub keys: token::Keys,
    /// Hashing and verifying.
    pub passwords: Passwords,
    /// Sign-ins in this second.
    pub rate: throttle::Rate,
    /// Calls of the API in this minute.
    pub calls: calls::Calls,
}

impl Authority {
    /// The data folder's keys, and hashes at that cost: [`Cost::REAL`] on every server.
    ///
    /// # Errors
    /// When the keys cannot be read or made.
    pub fn with_cost(folder: &Path, cost: Cost) -> anyhow::Result<Self> {
        Ok(Self {
            keys: token::Keys::open(folder)?,
            passwords: Passwords::new(cost),
            rate: throttle::Rate::default(),
            calls: calls::Calls::default(),
        })
    }
}
