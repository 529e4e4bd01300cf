//! Containers and images of the Docker engines this server talks to.
//!
//! The engine owns the truth; we keep no copy. Lists come from the engine, or from a cache that one
//! event stream per engine keeps true, and pages stay current through [`Topic::Containers`].
//! Everything that changes something is an *operation*: a name, data and mostly an object.
//!
//! [`Topic::Containers`]: crate::events::model::Topic::Containers

pub mod api;
pub mod explain;
pub mod model;
#[cfg(feature = "ssr")]
pub mod server;
pub mod ui;
