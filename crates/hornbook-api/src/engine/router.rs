//! The engine's table of contents.

use std::future::Future;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;

use super::chat_completions::chat_completions;
use super::completions::completions;
use super::embeddings::embeddings;
use super::finish::finish;
use super::gate::check_key;
use super::healthz::healthz;
use super::metrics::metrics;
use super::models::{model, models};
use super::state::EngineState;
use crate::layer::{AllowedHosts, caught, check_host, check_origin};
use crate::serve::serve_router;

/// The engine's face as one router.
pub fn router(state: EngineState) -> Router {
    let router = Router::new()
        .route("/v1/chat/completions", post(chat_completions))
        .route("/v1/completions", post(completions))
        .route("/v1/embeddings", post(embeddings))
        .route("/v1/models", get(models))
        // Names of models may have slashes.
        .route("/v1/models/{*id}", get(model))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .with_state(state.clone());
    // From the inside out: the last layer added is the first that a request meets.
    let router =
        router.layer(from_fn_with_state(state.clone(), check_key)).layer(from_fn(check_origin));
    // A key guards better than a name: only an open engine must know whom a request was meant for.
    let router = match state.key {
        Some(_) => router,
        None => {
            let loopback_only = AllowedHosts {
                names: Vec::new().into(),
                advice: "give it a key with --api-key-file",
            };
            router.layer(from_fn_with_state(loopback_only, check_host))
        }
    };
    router.layer(CatchPanicLayer::custom(caught)).layer(from_fn_with_state(state, finish))
}

/// Answers requests on `listener` until `shutdown` is over, then lets those under way finish.
pub async fn serve(
    listener: TcpListener,
    state: EngineState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    serve_router(listener, router(state), shutdown).await;
}
