//! Tries an endpoint with one tiny prompt.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use hornbook_inference::{Completion, CompletionError, CompletionRequest, Input};
use hornbook_types::{JobSeed, Sampling, Usage};
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::existing;
use crate::limits::{ENDPOINT_TEST_SECONDS, ENDPOINT_TEST_TOKENS};
use crate::{AppState, CanAdmin, Problem};

const PROMPT: &str = "Say hello in one short sentence.";

/// How an endpoint answered.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct TestResult {
    /// True when an answer came.
    ok: bool,
    /// Time to the whole answer, or to the error, in milliseconds.
    latency_ms: u64,
    /// The answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<TestAnswer>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<TestError>,
}

/// An answer to the test prompt.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct TestAnswer {
    /// The text.
    text: String,
    /// Model that the endpoint says answered.
    model: String,
    /// Why generation stopped.
    finish_reason: String,
    /// Tokens.
    usage: Usage,
}

/// Why there is no answer.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct TestError {
    /// A stable word, such as `http_401` or `connect`.
    code: String,
    /// What happened, for people.
    message: String,
}

/// Sends one tiny prompt and tells how it went; that it failed is an answer too (200).
#[utoipa::path(
    post, path = "/v1/endpoints/{name}/test", tag = "endpoints",
    params(("name" = String, Path, description = "Name")),
    responses(
        (status = 200, description = "How it went", body = TestResult),
        (status = 404, description = "No such endpoint", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["admin"]), ("session" = ["admin"]))
)]
pub(crate) async fn test_endpoint(
    _: CanAdmin,
    State(state): State<AppState>,
    Path(name): Path<String>,
) -> Result<Json<TestResult>, Problem> {
    let name = existing(&name)?;
    hornbook_db::endpoints::get(&state.db, &name).await?;
    let started = Instant::now();
    let outcome = match (state.backends)(name).await {
        Err(why) => Err(TestError { code: "unavailable".to_owned(), message: why }),
        Ok(backend) => {
            let cancel = CancellationToken::new();
            // Cancelled when this handler ends, whichever way it does.
            let _guard = cancel.clone().drop_guard();
            let limit = Duration::from_secs(ENDPOINT_TEST_SECONDS);
            match tokio::time::timeout(limit, backend.complete(request(cancel))).await {
                Ok(outcome) => outcome.map(TestAnswer::from).map_err(TestError::from),
                Err(_) => Err(TestError {
                    code: "timeout".to_owned(),
                    message: format!("no answer within {ENDPOINT_TEST_SECONDS} seconds"),
                }),
            }
        }
    };
    let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (answer, error) = match outcome {
        Ok(answer) => (Some(answer), None),
        Err(error) => (None, Some(error)),
    };
    Ok(Json(TestResult { ok: answer.is_some(), latency_ms, answer, error }))
}

fn request(cancel: CancellationToken) -> CompletionRequest {
    CompletionRequest {
        input: Input::user(PROMPT),
        logprobs: None,
        sampling: Sampling {
            temperature: 0.0,
            max_tokens: ENDPOINT_TEST_TOKENS,
            seed: JobSeed(0),
            ..Sampling::default()
        },
        seed: 0,
        cancel,
    }
}

impl From<Completion> for TestAnswer {
    fn from(completion: Completion) -> Self {
        Self {
            text: completion.text,
            model: completion.model,
            finish_reason: completion.finish_reason.as_str().to_owned(),
            usage: completion.usage,
        }
    }
}

impl From<CompletionError> for TestError {
    fn from(error: CompletionError) -> Self {
        Self { code: error.code.to_owned(), message: error.message }
    }
}
