//! The dashboard: pages for people, made on the server, that work without a script.
//!
//! `router` is the table of contents; each page has a file with its handler, which turns
//! what the database says into a value of `view`; `ui/pages` has the template that prints it.
//! Texts that a model or a user wrote are only ever printed as text: Tera escapes every value.

mod assets;
mod audiences;
mod chrome;
mod corpora;
mod diff;
mod document;
mod documents;
mod endpoints;
mod engine;
mod errors;
mod home;
mod imports;
mod job;
mod job_act;
mod job_cost;
mod job_new;
mod job_submit;
mod jobs;
mod login;
mod mixed;
mod mixed_new;
mod plan;
mod seed_sets;
mod template;
mod templates;
mod text;
mod view;

#[cfg(test)]
mod samples;

use axum::Router;
use axum::middleware::from_fn;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use hornbook_types::Slug;
use serde::Serialize;

use crate::{AppState, Problem};
use chrome::Chrome;

/// Most audiences, templates, seed sets or endpoints that one page shows.
const CATALOG_ROWS: u32 = 200;

/// Every page, and the files that pages need.
pub(crate) fn router(state: AppState) -> Router {
    Router::new()
        .route("/", get(home::page))
        .route("/audiences", get(audiences::all))
        .route("/audiences/{slug}", get(audiences::one))
        .route("/templates", get(templates::page))
        .route("/templates/{slug}", get(template::page))
        .route("/templates/{slug}/diff", get(diff::page))
        .route("/seed-sets", get(seed_sets::all))
        .route("/seed-sets/{slug}", get(seed_sets::one))
        .route("/imports", get(imports::page))
        .route("/jobs", get(jobs::page).post(job_submit::submit))
        .route("/jobs/new", get(job_new::page))
        .route("/jobs/{id}", get(job::page))
        .route("/jobs/{id}/{verb}", post(job_act::act))
        .route("/jobs/{id}/documents", get(documents::page))
        .route("/jobs/{id}/documents/{seq}", get(document::page))
        .route("/corpora", get(corpora::page).post(mixed_new::submit))
        .route("/corpora/new", get(mixed_new::page))
        .route("/corpora/plan", get(plan::page))
        .route("/corpora/{id}", get(mixed::page))
        .route("/corpora/{id}/{verb}", post(mixed::act))
        .route("/endpoints", get(endpoints::page))
        .route("/login", get(login::page).post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/assets/{name}", get(assets::serve))
        .fallback(errors::nothing_here)
        .layer(from_fn(errors::for_people))
        .with_state(state)
}

/// Renders a page.
fn show(name: &str, chrome: &Chrome, view: &impl Serialize) -> Result<Response, Problem> {
    let html = engine::render(name, chrome, view).map_err(|error| Problem::internal(&error))?;
    Ok(Html(html).into_response())
}

/// The name in a path or a query; a bad one names nothing.
fn slug(kind: &str, text: &str) -> Result<Slug, Problem> {
    crate::extract::reference(kind, text).map(|reference| reference.slug)
}
