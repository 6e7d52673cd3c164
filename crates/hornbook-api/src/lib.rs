//! The service's face: REST, its OpenAPI document, and the dashboard's pages.
//!
//! [`router()`] is the table of contents. A request passes `problem::finish` (request id,
//! whole errors, security headers), `layer` (panics, Host, Origin), `auth` (who asks) and the
//! rate limit before its handler under `v1` sees it; `extract` turns every fault of the
//! request into a [`Problem`]. Pages live in `pages` and share [`AppState`] and [`Caller`].

mod auth;
pub mod engine;
mod extract;
mod hub;
mod layer;
pub mod limits;
mod metrics;
mod openapi;
pub mod pages;
mod problem;
mod render;
mod router;
mod serve;
mod service;
mod state;
mod v1;

pub use auth::{
    Caller, CanAdmin, CanRead, CanWrite, KeyToken, SESSION_COOKIE, end_session, secret_digest,
    start_session,
};
pub use openapi::openapi;
pub use problem::{Problem, ProblemBody, RequestId};
pub use router::router;
pub use serve::serve;
pub use state::{
    ApiConfig, AppParts, AppState, BackendFactory, EndpointFigures, Shared, SharedRandom,
};
