//! Looks up some paths of a dataset.

use std::collections::BTreeSet;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use http::HeaderMap;
use serde::Deserialize;

use super::dataset::{Asked, Dataset};
use super::entry::Entry;
use super::listing::Listing;
use super::source;
use super::tree::is_true;
use crate::extract::{is_json, parse_json, read_body};
use crate::limits::JSON_BODY_BYTES;
use crate::{AppState, CanRead, Problem};

/// Which paths to look up.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
pub(super) struct PathsRequest {
    /// Files and directories.
    #[serde(default)]
    paths: BTreeSet<String>,
    /// True: with the revision in every entry.
    #[serde(default)]
    expand: bool,
}

/// The entries at some paths; those that do not exist are left out.
#[utoipa::path(
    post, path = "/api/datasets/{ns}/{id}/paths-info/{rev}", tag = "hub",
    params(
        ("ns" = String, Path, description = "`jobs` or `corpora`"),
        ("id" = String, Path, description = "The job, or the mixed corpus"),
        ("rev" = String, Path, description = "`main`, or a commit of 40 hex digits"),
    ),
    request_body(content(
        (PathsRequest = "application/x-www-form-urlencoded"),
        (PathsRequest = "application/json"),
    )),
    responses(
        (status = 200, description = "Files and directories by path", body = Vec<Entry>),
        (status = 404, description = "No such dataset or revision; X-Error-Code says which",
            body = crate::ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Nothing is published yet", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(super) async fn list_dataset_paths(
    _: CanRead,
    State(state): State<AppState>,
    headers: HeaderMap,
    Path((namespace, id, revision)): Path<(String, String, String)>,
    body: Body,
) -> Result<Json<Vec<Entry>>, Problem> {
    let dataset = Dataset::parse(&namespace, &id)?;
    let asked = Asked::parse(&revision)?;
    let body = read_body(body, JSON_BODY_BYTES).await?;
    let request = if is_json(&headers) { parse_json(&body)? } else { form(&body) };
    let revision = source::revision(&state, dataset, &asked).await?;
    let files = source::files(&state, dataset, &revision.commit).await?;
    let listing = Listing::of(&files);
    let entries = request.paths.iter().filter_map(|path| listing.entry(path));
    Ok(Json(if request.expand {
        entries.map(|entry| entry.expanded(&revision)).collect()
    } else {
        entries.collect()
    }))
}

fn form(body: &[u8]) -> PathsRequest {
    let mut request = PathsRequest::default();
    for (name, value) in url::form_urlencoded::parse(body) {
        match &*name {
            "paths" => {
                request.paths.insert(value.into_owned());
            }
            "expand" => request.expand = is_true(Some(&value)),
            _ => {}
        }
    }
    request
}
