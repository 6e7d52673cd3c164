//! Finds out who asks, before any handler does.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hornbook_db::keys::{self, KeyToCheck};
use hornbook_types::Scope;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use std::sync::atomic::Ordering;
use subtle::ConstantTimeEq as _;

use super::{Caller, KeyToken, session};
use crate::{AppState, Problem};

/// Paths that answer whoever asks, and when the database does not.
const PUBLIC: [&str; 3] = ["/healthz", "/readyz", "/openapi.json"];

/// Puts the [`Caller`] into the request's extensions; whether it may do what it asks, handlers say.
pub(crate) async fn authenticate(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    if PUBLIC.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    match identify(&state, request.headers()).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn identify(state: &AppState, headers: &HeaderMap) -> Result<Caller, Problem> {
    if let Some(authorization) = headers.get(AUTHORIZATION) {
        let token = authorization.to_str().ok().and_then(bearer).and_then(KeyToken::parse);
        if let Some(token) = token
            && let Some(stored) = good_key(state, &token).await?
        {
            return holder(state, stored).await;
        }
        // Clients of other services send their own tokens along; an open service ignores them.
        return Ok(if is_open(state).await? { Caller::Local } else { Caller::Refused });
    }
    if let Some(claim) = session::shown(headers) {
        if let Some(claim) = claim
            && let Some(stored) = keys::find(&state.db, &claim.key).await?
            && stored.key.revoked_at.is_none()
            && session::holds(state, &claim, &stored.sha256)
        {
            return holder(state, stored).await;
        }
        return Ok(if is_open(state).await? { Caller::Local } else { Caller::Refused });
    }
    Ok(if is_open(state).await? { Caller::Local } else { Caller::Anonymous })
}

/// The token of `Bearer TOKEN`, whatever the case of the scheme.
pub(crate) fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The stored key of a token, when the secret is right and the key is in force.
pub(super) async fn good_key(
    state: &AppState,
    token: &KeyToken,
) -> Result<Option<KeyToCheck>, Problem> {
    let Some(stored) = keys::find(&state.db, &token.id).await? else { return Ok(None) };
    let genuine: bool = stored.sha256.ct_eq(&token.digest()).into();
    Ok((genuine && stored.key.revoked_at.is_none()).then_some(stored))
}

async fn holder(state: &AppState, stored: KeyToCheck) -> Result<Caller, Problem> {
    if let Err(error) = keys::touch(&state.db, &stored.key.id).await {
        // When a key was last used is not worth a request.
        tracing::debug!(%error, "the use of a key was not noted");
    }
    let scope = stored.key.scopes.iter().copied().max().unwrap_or(Scope::Read);
    Ok(Caller::Key { id: stored.key.id, scope })
}

/// True when bound to loopback and no key was ever created; revoking the last one opens nothing.
async fn is_open(state: &AppState) -> Result<bool, Problem> {
    if !state.config.loopback || state.closed.load(Ordering::Relaxed) {
        return Ok(false);
    }
    let no_key = keys::list(&state.db, None, 1).await?.is_empty();
    if !no_key {
        state.closed.store(true, Ordering::Relaxed);
    }
    Ok(no_key)
}
