//! Playbooks run on hosts over SSH: live, recorded, repeatable.
//!
//! A run is a job; it has the job's id. A supervisor process of its own holds `ansible-playbook`, so the
//! server may go and come back. What happened is a list of numbered events, from which state, recap and
//! the tree of tasks and hosts follow; the console is the job's output.

pub mod api;
pub mod books;
pub mod books_api;
pub mod client;
pub mod credentials_api;
pub mod machines;
pub mod machines_api;
pub mod model;
pub mod schedules_api;
#[cfg(feature = "ssr")]
pub mod server;
pub mod ui;
