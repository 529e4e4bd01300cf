//! What can go wrong between us and an engine, and how it is told.

use super::{engine::Trouble, wire::TooGreat};
use crate::{
    error::Error,
    i18n::{Locale, td_string},
};
use serde::Deserialize;
use std::{error::Error as Cause, io, time::Duration};

/// Why an engine gave no good answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be reached, or the connection broke.
    #[error("the engine is away: {0}")]
    Away(#[source] io::Error),
    /// It did not answer in time.
    #[error("the engine was silent for {0:?}")]
    Silent(Duration),
    /// It refused, in its own words.
    #[error("the engine said {status}: {message}")]
    Said {
        /// The HTTP status.
        status: u16,
        /// The words.
        message: String,
    },
    /// It answered something that is not of its protocol.
    #[error("the engine's answer cannot be read: {0}")]
    Unreadable(String),
    /// It is known to be away, so it was not asked.
    #[error("the engine is known to be away: {trouble:?}")]
    Refused {
        /// Why it is away.
        trouble: Trouble,
        /// Where it is.
        address: String,
    },
}

#[derive(Deserialize)]
struct Said {
    message: String,
}

impl Fault {
    /// What an engine said with a status that is no success.
    pub fn said(status: u16, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(&body[..body.len().min(16 * 1024)]);
        let message = serde_json::from_str::<Said>(&text).map_or_else(|_| text.trim().to_owned(), |said| said.message);
        Self::Said { status, message }
    }

    /// Whether it tells of the connection rather than of the request.
    pub const fn is_of_the_connection(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Silent(_))
    }

    /// The fault as the answer to a request about one `kind` of thing (`container`, `image`).
    pub fn about(self, kind: &'static str, locale: Locale) -> Error {
        match self {
            Self::Said { status: 404, message } if says_missing(&message, kind) => Error::not_found(kind),
            other => other.error(locale),
        }
    }

    /// The fault as the answer to a request in which nothing was looked up by the person's own words.
    pub fn error(self, locale: Locale) -> Error {
        match self {
            Self::Said { status: 400 | 422, message } => Error::invalid("", message),
            Self::Said { status: 404 | 409, message } => Error::conflict(message),
            Self::Said { status: 401 | 403, message } => Error::Forbidden { reason: message },
            // The engine answers 500 to much that is no fault of its own: a port in use, a registry that is away.
            Self::Said { status: 503, message } => Error::unavailable("engine", message),
            Self::Said { message, .. } => Error::conflict(message),
            Self::Silent(limit) => Error::unavailable(
                "engine",
                td_string!(locale, deployments.engine.timeout, seconds = limit.as_secs().to_string()),
            ),
            Self::Away(cause) => {
                tracing::info!("the engine is away: {cause}");
                Error::unavailable("engine", td_string!(locale, deployments.engine.engine_away))
            }
            Self::Unreadable(reason) => {
                Error::unavailable("engine", td_string!(locale, deployments.engine.trouble, reason = reason))
            }
            Self::Refused { trouble, address } => Error::unavailable("engine", trouble.text(&address, locale)),
        }
    }
}

/// Whether the engine says that the thing itself is missing, and not something it needs.
fn says_missing(message: &str, kind: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.is_empty() || message.contains(&format!("no such {kind}")) || message.starts_with("page not found")
}

/// Why an answer that came over the connection is none of the protocol; `None` when the connection failed.
fn unreadable(error: &io::Error) -> Option<String> {
    let mut cause = error.get_ref().map(|inner| inner as &(dyn Cause + 'static));
    while let Some(told) = cause {
        if told.is::<TooGreat>() || told.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return Some(told.to_string());
        }
        // What such an error carries is no source of it.
        let carried = told.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = carried.map(|inner| inner as &(dyn Cause + 'static)).or_else(|| told.source());
    }
    None
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match unreadable(&error) {
            Some(reason) => Self::Unreadable(reason),
            None => Self::Away(error),
        }
    }
}

impl From<hyper::Error> for Fault {
    fn from(error: hyper::Error) -> Self {
        io::Error::other(error).into()
    }
}

impl From<bollard::errors::Error> for Fault {
    fn from(error: bollard::errors::Error) -> Self {
        use bollard::errors::Error as Told;
        match error {
            Told::DockerResponseServerError { status_code, message } => Self::Said { status: status_code, message },
            Told::DockerStreamError { error } => Self::Said { status: 500, message: error },
            Told::RequestTimeoutError => Self::Silent(Duration::ZERO),
            Told::IOError { err } => err.into(),
            Told::HyperResponseError { err } => err.into(),
            other => Self::Unreadable(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_own_words_reach_the_person() {
        let fault = Fault::said(409, br#"{"message":"name already in use"}"#);

        assert_eq!(fault.about("container", Locale::en), Error::conflict("name already in use"));
    }

    #[test]
    fn a_thing_that_is_missing_is_told_from_something_it_needs() {
        let said = |message: &str| Fault::Said { status: 404, message: message.to_owned() };

        assert_eq!(said("No such container: web").about("container", Locale::en), Error::not_found("container"));
        assert_eq!(
            said("network shop not found").about("container", Locale::en),
            Error::conflict("network shop not found")
        );
    }

    #[test]
    fn an_answer_that_is_no_json_is_told_as_it_is() {
        let fault = Fault::said(500, b"page not found\n");

        assert_eq!(fault.error(Locale::en), Error::conflict("page not found"));
    }
}
