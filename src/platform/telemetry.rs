//! The log, and the number that ties a line of it to what a person saw.

use std::io::IsTerminal as _;
use tracing_subscriber::{EnvFilter, fmt, prelude::*};

tokio::task_local! {
    /// The number of the request that is being handled.
    pub static REQUEST: String;
}

/// The number of the request that is being handled, or a new one outside of a request.
pub fn request_number() -> String {
    REQUEST.try_with(Clone::clone).unwrap_or_else(|_| new_request_number())
}

/// A new request number: twelve hexadecimal digits, enough to find a line of the log.
pub fn new_request_number() -> String {
    let id = crate::id::Id::<()>::new().to_string().replace('-', "");
    id[id.len() - 12..].to_owned()
}

/// Starts the log on standard error; `filter` as in `RUST_LOG`, lines as JSON where wished.
pub fn start(filter: &str, json: bool) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    let started = if json {
        registry.with(fmt::layer().json().with_writer(std::io::stderr)).try_init()
    } else {
        registry
            .with(
                fmt::layer().with_target(false).with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr),
            )
            .try_init()
    };
    // A second start happens in tests only; the first log goes on.
    drop(started);
}
