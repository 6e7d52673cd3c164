//! Which names this service answers to; a page under a name of its own must not reach it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::HOST;
use http::uri::Authority;

use crate::Problem;

/// Whom a request may be meant for.
#[derive(Clone)]
pub(crate) struct AllowedHosts {
    /// Names and addresses, besides loopback, that `Host` may say; without ports.
    pub(crate) names: Arc<[String]>,
    /// What whoever is refused can do about it.
    pub(crate) advice: &'static str,
}

/// Refuses a request whose `Host` is neither loopback nor configured (DNS rebinding).
pub(crate) async fn check_host(
    State(allowed): State<AllowedHosts>,
    request: Request,
    next: Next,
) -> Response {
    // A request line with an authority overrides Host (RFC 9112, 3.2.2), so both must pass.
    let in_line = request.uri().authority().cloned();
    let mut said = request.headers().get_all(HOST).iter();
    // Two of them would let two readers of the request see two hosts (RFC 9112, 3.2).
    let in_header = match (said.next(), said.next()) {
        (Some(value), None) => value.to_str().ok().and_then(authority),
        _ => None,
    };
    if in_header.is_none() && (in_line.is_none() || request.headers().contains_key(HOST)) {
        return Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_host",
            "the request has no well-formed Host header",
        )
        .into_response();
    }
    for authority in in_line.iter().chain(in_header.iter()) {
        if !is_allowed(authority.host(), &allowed.names) {
            return Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "host_not_allowed",
                format!("this service does not answer to that name; {}", allowed.advice),
            )
            .into_response();
        }
    }
    next.run(request).await
}

/// A host with an optional port that is a number; no user, which a Host never has.
fn authority(text: &str) -> Option<Authority> {
    let authority = text.parse::<Authority>().ok()?;
    let rest = text.strip_prefix(authority.host())?;
    let port_is_sound = rest.is_empty()
        || rest
            .strip_prefix(':')
            .is_some_and(|port| port.is_empty() || port.parse::<u16>().is_ok());
    port_is_sound.then_some(authority)
}

fn is_allowed(host: &str, allowed: &[String]) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    loopback
        || host.eq_ignore_ascii_case("localhost")
        || allowed.iter().any(|name| name.eq_ignore_ascii_case(bare))
}

#[cfg(test)]
mod tests {
    use super::{authority, is_allowed};

    #[test]
    fn a_host_is_a_name_and_perhaps_a_port() {
        for good in ["localhost", "127.0.0.1:8080", "[::1]:80", "books.example:"] {
            assert!(authority(good).is_some(), "{good}");
        }
        for bad in ["127.0.0.1:80.evil", "user@localhost", "localhost:99999", "", "a b"] {
            assert!(authority(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn loopback_and_configured_names_only() {
        let allowed = vec!["books.example".to_owned()];
        for good in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.1", "[::1]", "Books.Example"] {
            assert!(is_allowed(good, &allowed), "{good}");
        }
        for bad in ["evil.example", "localhost.evil.example", "10.0.0.1", "127.0.0.1.nip.io", ""] {
            assert!(!is_allowed(bad, &allowed), "{bad}");
        }
    }
}
