//! The one error of the application: eight cases, each naming who can act on it.

use crate::i18n::{Locale, td_string};
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};

/// What every fallible function of ours returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The service that is Muelle itself, as the browser sees it.
pub(crate) const SERVER: &str = "server";

/// A sentence to somebody who can do something about it.
///
/// On the wire it is `{"code": "...", ...}` with the case in `snake_case`; over REST it is wrapped as
/// `{"error": {"code", "message", "problems", "request"}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case", try_from = "Wire")]
pub enum Error {
    /// Nobody is signed in, or no longer: sign in again (401).
    #[error("not signed in")]
    Unauthenticated,
    /// The person may not do this: ask for the right (403).
    #[error("forbidden: {reason}")]
    Forbidden {
        /// Why, as a sentence in the person's language.
        reason: String,
    },
    /// There is no such thing, or it is another customer's (404).
    #[error("no such {kind}")]
    NotFound {
        /// The kind that was looked for, as in the API: `machine`, `container`.
        kind: String,
    },
    /// Values that must be corrected (422).
    #[error("invalid: {}", problems.iter().map(|p| format!("{}: {}", p.field, p.message)).collect::<Vec<_>>().join("; "))]
    Invalid {
        /// One entry per value that is wrong.
        problems: Vec<Problem>,
    },
    /// Somebody else changed it, or its state does not allow this: reload and look (409).
    #[error("conflict: {message}")]
    Conflict {
        /// What stands in the way, often in the engine's own words.
        message: String,
    },
    /// Something else is under way: wait (409), or slow down (429, when `retry_after` is given).
    #[error("busy: {message}")]
    Busy {
        /// What is under way.
        message: String,
        /// The job to look at.
        job: Option<String>,
        /// Seconds to wait before trying again.
        retry_after: Option<u32>,
    },
    /// A service that we need does not answer: start it (503).
    #[error("{service} is unavailable: {message}")]
    Unavailable {
        /// Which service: `database`, `engine`, `ansible`; `server` when the browser cannot reach Muelle itself.
        service: String,
        /// What was tried and what came back.
        message: String,
    },
    /// Our own fault: report the number (500). The cause stands in the log under that number.
    #[error("internal error {request}")]
    Internal {
        /// The request's number.
        request: String,
    },
}

/// An error as it is read. A tagged enum would read everything twice, which is a fiftieth of the browser's program.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Wire {
    code: String,
    reason: String,
    kind: String,
    problems: Vec<Problem>,
    message: String,
    job: Option<String>,
    retry_after: Option<u32>,
    service: String,
    request: String,
}

impl TryFrom<Wire> for Error {
    type Error = String;

    fn try_from(wire: Wire) -> std::result::Result<Self, String> {
        let Wire { code, reason, kind, problems, message, job, retry_after, service, request } = wire;
        Ok(match code.as_str() {
            "unauthenticated" => Self::Unauthenticated,
            "forbidden" => Self::Forbidden { reason },
            "not_found" => Self::NotFound { kind },
            "invalid" => Self::Invalid { problems },
            "conflict" => Self::Conflict { message },
            "busy" => Self::Busy { message, job, retry_after },
            "unavailable" => Self::Unavailable { service, message },
            "internal" => Self::Internal { request },
            _ => return Err(format!("there is no error `{code}`")),
        })
    }
}

/// One wrong value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Problem {
    /// The field's name as in the API; empty when it concerns the whole.
    pub field: String,
    /// A sentence in the person's language that says how it must be.
    pub message: String,
}

impl Problem {
    /// A problem at `field`.
    pub fn at(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl Error {
    /// One wrong value at `field`.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { problems: vec![Problem::at(field, message)] }
    }

    /// There is no such thing of this kind, or it may not be known.
    pub fn not_found(kind: impl Into<String>) -> Self {
        Self::NotFound { kind: kind.into() }
    }

    /// Something stands in the way.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::Conflict { message: message.into() }
    }

    /// A service does not answer.
    pub fn unavailable(service: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Unavailable { service: service.into(), message: message.into() }
    }

    /// The HTTP status of this case.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Unauthenticated => 401,
            Self::Forbidden { .. } => 403,
            Self::NotFound { .. } => 404,
            Self::Invalid { .. } => 422,
            Self::Conflict { .. } | Self::Busy { retry_after: None, .. } => 409,
            Self::Busy { retry_after: Some(_), .. } => 429,
            Self::Unavailable { .. } => 503,
            Self::Internal { .. } => 500,
        }
    }

    /// The case's name in the API.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden { .. } => "forbidden",
            Self::NotFound { .. } => "not_found",
            Self::Invalid { .. } => "invalid",
            Self::Conflict { .. } => "conflict",
            Self::Busy { .. } => "busy",
            Self::Unavailable { .. } => "unavailable",
            Self::Internal { .. } => "internal",
        }
    }

    /// The wrong values; empty unless the case is [`Error::Invalid`].
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Invalid { problems } => problems,
            _ => &[],
        }
    }

    /// The sentence for the person, in their language.
    pub fn message(&self, locale: Locale) -> String {
        match self {
            Self::Unauthenticated => td_string!(locale, errors.unauthenticated).to_owned(),
            Self::Forbidden { reason } => reason.clone(),
            Self::NotFound { .. } => td_string!(locale, errors.not_found).to_owned(),
            Self::Invalid { problems } => match problems.as_slice() {
                [one] => one.message.clone(),
                _ => td_string!(locale, errors.invalid).to_owned(),
            },
            Self::Conflict { message } | Self::Busy { message, .. } => message.clone(),
            // What the browser says of a server out of its reach helps nobody.
            Self::Unavailable { service, .. } if service == SERVER => td_string!(locale, errors.server_away).to_owned(),
            Self::Unavailable { message, .. } => message.clone(),
            Self::Internal { request } => {
                td_string!(locale, errors.internal, request = request.clone())
            }
        }
    }
}

impl FromServerFnError for Error {
    type Encoder = crate::json::JsonCodec;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Request(message) => Self::unavailable(SERVER, message),
            ServerFnErrorErr::Args(message)
            | ServerFnErrorErr::MissingArg(message)
            | ServerFnErrorErr::Deserialization(message) => Self::invalid("", message),
            other => Self::Internal { request: other.to_string() },
        }
    }
}

/// Turns a failure of ours into [`Error::Internal`], logging the chain once under the request's number.
#[cfg(feature = "ssr")]
impl From<anyhow::Error> for Error {
    fn from(cause: anyhow::Error) -> Self {
        match cause.downcast::<Self>() {
            Ok(error) => error,
            Err(cause) => {
                let request = crate::platform::telemetry::request_number();
                tracing::error!(request, "{cause:#}");
                Self::Internal { request }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_out_of_reach_is_told_in_our_words_and_a_service_in_its_own() {
        let away = Error::from_server_fn_error(ServerFnErrorErr::Request("TypeError: Failed to fetch".to_owned()));

        assert!(away.message(Locale::en).starts_with("Muelle does not answer."));
        assert!(away.message(Locale::es).starts_with("Muelle no responde."));
        assert_eq!(Error::unavailable("engine", "It is away.").message(Locale::en), "It is away.");
    }

    #[test]
    fn every_case_is_read_as_it_was_written() {
        let busy = |job: Option<&str>, retry_after| Error::Busy {
            message: "m".to_owned(),
            job: job.map(str::to_owned),
            retry_after,
        };
        for error in [
            Error::Unauthenticated,
            Error::Forbidden { reason: "r".to_owned() },
            Error::not_found("machine"),
            Error::invalid("name", "m"),
            Error::conflict("m"),
            busy(Some("j"), None),
            busy(None, Some(3)),
            Error::unavailable("engine", "m"),
            Error::Internal { request: "7".to_owned() },
        ] {
            let written = serde_json::to_value(&error).expect("it can be written");
            assert_eq!(written["code"], error.code());
            assert_eq!(serde_json::from_value::<Error>(written).expect("it can be read"), error);
        }
        assert!(serde_json::from_str::<Error>(r#"{"code": "unheard_of"}"#).is_err());
    }
}
