//! Makes an API key.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hornbook_types::{FieldError, Invalid, KeyQuota, Scope};
use http::StatusCode;
use http::header::{CACHE_CONTROL, LOCATION};
use serde::{Deserialize, Serialize};

use super::KeyView;
use crate::auth::KeyToken;
use crate::extract::JsonBody;
use crate::layer::KeepInstead;
use crate::limits::KEY_NAME_CHARS;
use crate::{AppState, CanAdmin, Problem};

/// The key that is wanted.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyRequest {
    /// Name shown to people.
    name: String,
    /// What it may do; `admin` includes `write`, which includes `read`.
    scopes: Vec<Scope>,
    /// What its jobs may use; without it, whatever they like.
    #[serde(default)]
    quota: KeyQuota,
}

/// A key just made.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct NewKey {
    /// What is stored of it.
    #[serde(flatten)]
    view: KeyView,
    /// The whole key, shown this once; null when an `Idempotency-Key` brings this reply again.
    key: Option<String>,
}

/// Makes an API key and shows its secret, once.
///
/// The first key closes a service that was open.
#[utoipa::path(
    post, path = "/v1/keys", tag = "keys",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to send the same request again within 24 hours")),
    request_body(content = KeyRequest, description = "The key that is wanted"),
    responses(
        (status = 201, description = "The key", body = NewKey),
        (status = 422, description = "Some values are wrong", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["admin"]), ("session" = ["admin"]))
)]
pub(crate) async fn create_key(
    _: CanAdmin,
    State(state): State<AppState>,
    JsonBody(request): JsonBody<KeyRequest>,
) -> Result<Response, Problem> {
    let mut faults = Vec::new();
    let name = request.name.trim();
    if name.is_empty() || name.chars().count() > KEY_NAME_CHARS {
        faults.push(FieldError::new("/name", format!("needs 1 to {KEY_NAME_CHARS} characters")));
    }
    let mut scopes = request.scopes;
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() {
        faults.push(FieldError::new("/scopes", "needs at least one of read, write and admin"));
    }
    request.quota.check("/quota", &mut faults);
    Invalid::from_faults(faults)?;
    let token = state.with_random(|random| KeyToken::generate(random));
    let (digest, quota) = (token.digest(), &request.quota);
    let stored =
        hornbook_db::keys::create(&state.db, &token.id, name, &digest, &scopes, quota).await?;
    let location =
        [(LOCATION, format!("/v1/keys/{}", token.id)), (CACHE_CONTROL, "no-store".to_owned())];
    let mut reply = NewKey { view: stored.into(), key: None };
    let kept = serde_json::to_vec(&reply).map_err(|error| Problem::internal(&error))?;
    reply.key = Some(token.reveal());
    let mut response = (StatusCode::CREATED, location, Json(reply)).into_response();
    response.extensions_mut().insert(KeepInstead(kept));
    Ok(response)
}
