//! The table of contents: every path, and what every request passes on its way there.

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;

use crate::auth::authenticate;
use crate::layer::{
    AllowedHosts, caught, check_host, check_origin, deadline, idempotent, limit_rate,
};
use crate::problem::finish;
use crate::{AppState, hub, pages, service, v1};

/// Operations that answer within `REQUEST_SECONDS`.
fn quick() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(service::routes())
        .merge(v1::audiences::routes())
        .merge(v1::templates::routes())
        .merge(v1::seed_sets::routes())
        .merge(v1::benchmarks::routes())
        .merge(v1::imports::routes())
        .merge(v1::endpoints::routes())
        .merge(v1::jobs::routes())
        .merge(v1::corpus::routes())
        .merge(v1::corpora::routes())
        .merge(v1::keys::routes())
        .merge(hub::routes())
}

/// Operations that create, and so take an `Idempotency-Key`.
fn creating() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(v1::jobs::creating())
        .merge(v1::corpus::creating())
        .merge(v1::corpora::creating())
        .merge(v1::keys::creating())
}

/// Operations whose length in time is their client's.
fn uploads() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(v1::seed_sets::uploads())
        .merge(v1::benchmarks::uploads())
        .merge(v1::imports::uploads())
}

/// The service as one router.
pub fn router(state: AppState) -> Router {
    let creating =
        Router::from(creating()).route_layer(from_fn_with_state(state.clone(), idempotent));
    let quick = Router::from(quick()).merge(creating).route_layer(from_fn(deadline));
    let hosts = AllowedHosts {
        names: state.config.allowed_hosts.clone().into(),
        advice: "add it with --allowed-host",
    };
    let api = quick.merge(Router::from(uploads())).with_state(state.clone());
    // From the inside out: the last layer added is the first that a request meets.
    api.merge(pages::router(state.clone()))
        .layer(from_fn_with_state(state.clone(), limit_rate))
        .layer(from_fn_with_state(state.clone(), authenticate))
        .layer(from_fn(check_origin))
        .layer(from_fn_with_state(hosts, check_host))
        .layer(CatchPanicLayer::custom(caught))
        .layer(from_fn(hub::speak_hub))
        .layer(from_fn_with_state(state, finish))
}

/// Every operation with what it says about itself.
pub(crate) fn documented(base: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    OpenApiRouter::<AppState>::with_openapi(base)
        .merge(quick())
        .merge(creating())
        .merge(uploads())
        .into_openapi()
}
