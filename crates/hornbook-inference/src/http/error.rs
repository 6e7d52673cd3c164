//! Why a request got no answer, by name.

use std::error::Error;
use std::io;

use super::resolve::Refused;
use crate::message::{MESSAGE_CHARS, clean};

/// Why a request got no answer; no variant holds a URL's query or a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The policy does not allow the address.
    #[error("address not allowed: {0}")]
    AddressRefused(String),
    /// The URL cannot be fetched at all.
    #[error("bad url: {0}")]
    BadUrl(String),
    /// The name has no address.
    #[error("name not resolved: {0}")]
    Dns(String),
    /// No connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection could not be secured.
    #[error("tls failed: {0}")]
    Tls(String),
    /// The time for the whole exchange ran out.
    #[error("timed out: {0}")]
    Timeout(String),
    /// The connection broke in the middle of the exchange.
    #[error("connection broke: {0}")]
    Interrupted(String),
    /// The body is longer than its limit.
    #[error("body is over {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// The request could not be made.
    #[error("request could not be made: {0}")]
    Client(String),
}

impl HttpError {
    /// A stable word for counts and filters.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AddressRefused(_) => "address_refused",
            Self::BadUrl(_) => "bad_url",
            Self::Dns(_) => "dns",
            Self::Connect(_) => "connect",
            Self::Tls(_) => "tls",
            Self::Timeout(_) => "timeout",
            Self::Interrupted(_) => "interrupted",
            Self::TooLarge { .. } => "body_too_large",
            Self::Client(_) => "client",
        }
    }

    /// Sorts a fault of the client library.
    pub(super) fn from_client(fault: reqwest::Error) -> Self {
        let fault = fault.without_url();
        let causes = causes(&fault);
        if let Some(refused) = causes.iter().find_map(|cause| cause.downcast_ref::<Refused>()) {
            return Self::AddressRefused(refused.to_string());
        }
        let text = describe(&causes);
        if fault.is_builder() {
            Self::Client(text)
        } else if fault.is_dns() {
            Self::Dns(text)
        } else if fault.is_connect() && causes.iter().any(|cause| is_tls(*cause)) {
            Self::Tls(text)
        } else if fault.is_connect() {
            Self::Connect(text)
        } else if fault.is_timeout() {
            Self::Timeout(text)
        } else {
            Self::Interrupted(text)
        }
    }
}

/// The fault and everything below it, also what `io::Error` hides from `source`.
fn causes<'a>(fault: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    const DEPTH: usize = 16;
    let mut causes = Vec::new();
    let mut next = Some(fault);
    while let Some(cause) = next
        && causes.len() < DEPTH
    {
        causes.push(cause);
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => cause.source(),
        };
    }
    causes
}

/// A handshake fault reaches us as an `io::Error` of one of these kinds.
fn is_tls(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(|io| {
        matches!(io.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
    })
}

/// The innermost cause says most; the outer ones only that there was a cause.
fn describe(causes: &[&(dyn Error + 'static)]) -> String {
    let text = causes.last().map(ToString::to_string).unwrap_or_default();
    clean(&text, None, MESSAGE_CHARS)
}
