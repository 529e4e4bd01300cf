//! Sign-in, sessions, tokens and permits: everything that decides who is there.

pub mod context;
pub mod permit;

pub use context::{Actor, Context, System};
pub use permit::{Act, Creating, Elevating, May, Operating, Permit, Proof, Reading, Removing, Scope, Updating};
