//! `Idempotency-Key`: the same request again gets the first reply again.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hornbook_db::idempotency::{self, Answer, Begun};
use http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::auth::Caller;
use crate::extract::read_body;
use crate::limits::{IDEMPOTENCY_KEY_BYTES, IDEMPOTENCY_REPLY_BYTES, JSON_BODY_BYTES};
use crate::{AppState, Problem};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that a reply was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Headers of a reply that are kept with it.
const KEPT: [HeaderName; 3] = [CONTENT_TYPE, LOCATION, ETAG];

/// What a reply must not be kept with: put into its extensions by handlers that show a secret once.
#[derive(Clone, Debug)]
pub(crate) struct KeepInstead(pub(crate) Vec<u8>);

/// Runs a creating request once for each key that its caller gives it.
pub(crate) async fn idempotent(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    let key = match key(request.headers()) {
        Ok(Some(key)) => key,
        Ok(None) => return next.run(request).await,
        Err(problem) => return problem.into_response(),
    };
    // A caller who may do nothing must not learn which keys were used, nor use any up.
    let owner = request.extensions().get::<Caller>().and_then(Caller::owner).map(str::to_owned);
    let Some(owner) = owner else { return next.run(request).await };
    run(&state, &owner, &key, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let sane = |key: &&str| {
        (1..=IDEMPOTENCY_KEY_BYTES).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_graphic())
    };
    key.to_str().ok().filter(sane).map(|key| Some(key.to_owned())).ok_or_else(|| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_idempotency_key",
            format!("Idempotency-Key needs 1 to {IDEMPOTENCY_KEY_BYTES} printable characters"),
        )
    })
}

async fn run(
    state: &AppState,
    owner: &str,
    key: &str,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let body = read_body(body, JSON_BODY_BYTES).await?;
    let scope = format!("{owner} {} {}", parts.method, parts.uri.path());
    let mut digest = Sha256::new();
    digest.update(parts.uri.query().unwrap_or_default());
    digest.update([0]);
    digest.update(&body);
    match idempotency::begin(&state.db, &scope, key, &digest.finalize().into()).await? {
        Begun::New => {}
        Begun::Stored(answer) => return replay(answer),
        Begun::Reused => {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "this Idempotency-Key was used with another request",
            ));
        }
        Begun::InProgress => {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "request_in_progress",
                "the first request with this Idempotency-Key has not been answered yet",
            )
            .header(RETRY_AFTER, "1"));
        }
    }
    // Its own task: a client that goes away must not leave the key taken and unanswered.
    let (state, key) = (state.clone(), key.to_owned());
    let request = Request::from_parts(parts, Body::from(body));
    tokio::spawn(async move { answer(&state, &scope, &key, next.run(request).await).await })
        .await
        .map_err(|panicked| Problem::internal(&panicked))?
}

/// Keeps a reply of success; any other is forgotten, so that the request can be mended and sent again.
async fn answer(
    state: &AppState,
    scope: &str,
    key: &str,
    response: Response,
) -> Result<Response, Problem> {
    if !response.status().is_success() {
        idempotency::forget(&state.db, scope, key).await?;
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = read_body(body, IDEMPOTENCY_REPLY_BYTES).await?;
    let kept = parts.extensions.get::<KeepInstead>().map_or(body.to_vec(), |k| k.0.clone());
    let header = |name: &HeaderName| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    };
    let answer = Answer {
        status: parts.status.as_u16(),
        headers: KEPT.iter().filter_map(header).collect(),
        body: kept,
    };
    idempotency::finish(&state.db, scope, key, &answer).await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn replay(answer: Answer) -> Result<Response, Problem> {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).map_err(|error| Problem::internal(&error))?;
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}
