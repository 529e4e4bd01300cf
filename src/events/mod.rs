//! What changed, told to every open page within a second, without polling.

pub mod client;
pub mod model;
#[cfg(feature = "ssr")]
pub mod server;
#[cfg(feature = "hydrate")]
pub mod stream;
