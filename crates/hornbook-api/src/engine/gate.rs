//! Who may ask: whoever has the key, or this machine alone where there is none.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::EngineState;
use super::fault::Fault;
use super::state::EngineKey;
use crate::auth::bearer;

/// The one path that answers whoever asks.
const PUBLIC: &str = "/healthz";

/// Refuses a request without the key, where there is one; an open engine passes over whatever key
/// a client sends, because OpenAI's clients always send one.
pub(super) async fn check_key(
    State(state): State<EngineState>,
    request: Request,
    next: Next,
) -> Response {
    let is_good = state.key.as_ref().is_none_or(|key| shows(request.headers(), key));
    if is_good || request.uri().path() == PUBLIC {
        return next.run(request).await;
    }
    Fault::key_refused().into_response()
}

fn shows(headers: &HeaderMap, key: &EngineKey) -> bool {
    let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer);
    // Digests have one length, so the comparison tells nothing about the key's.
    shown.is_some_and(|shown| Sha256::digest(shown).as_slice().ct_eq(&key.0).into())
}
