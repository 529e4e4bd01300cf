//! Who is there and what they may do.
//!
//! Only registered users get in, by JSON Web Token: an `HttpOnly` cookie in the browser, a bearer
//! header for the API. The token names a login; the login's record is the truth and is read on every
//! request, so a changed role, a disabled user or a revoked login acts at once. What a role may do
//! stands in one table, [`policy`], that both the server and the buttons ask.

pub mod api;
pub mod model;
pub mod policy;
#[cfg(feature = "ssr")]
pub mod server;
pub mod ui;
