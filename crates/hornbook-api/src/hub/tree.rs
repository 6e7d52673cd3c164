//! Lists what a dataset holds, in pages.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{HOST, LINK};
use http::{HeaderMap, Uri};
use serde::Deserialize;

use super::dataset::{Asked, Dataset, no_entry};
use super::entry::Entry;
use super::listing::Listing;
use super::source;
use crate::extract::{QueryParams, decode_cursor, encode_cursor};
use crate::limits::HUB_TREE_ENTRIES;
use crate::{AppState, CanRead, Problem};

/// What to list; parameters that other services know are ignored.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TreeQuery {
    /// `true`: directories too, with all that lies below them.
    recursive: Option<String>,
    /// `true`: with the revision in every entry.
    expand: Option<String>,
    /// Entries on the page, 1 to 1000; default 1000.
    limit: Option<usize>,
    /// From the `Link` of the page before.
    cursor: Option<String>,
}

/// What the root of a dataset holds. `Link` with `rel="next"` leads to the next page.
#[utoipa::path(
    get, path = "/api/datasets/{ns}/{id}/tree/{rev}", tag = "hub",
    params(
        ("ns" = String, Path, description = "`jobs` or `corpora`"),
        ("id" = String, Path, description = "The job, or the mixed corpus"),
        ("rev" = String, Path, description = "`main`, or a commit of 40 hex digits"),
        TreeQuery,
    ),
    responses(
        (status = 200, description = "Files and directories by path", body = Vec<Entry>),
        (status = 404, description = "No such dataset or revision; X-Error-Code says which",
            body = crate::ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Nothing is published yet", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(super) async fn list_dataset_root(
    _: CanRead,
    State(state): State<AppState>,
    uri: Uri,
    headers: HeaderMap,
    Path((namespace, id, revision)): Path<(String, String, String)>,
    QueryParams(query): QueryParams<TreeQuery>,
) -> Result<Response, Problem> {
    let dataset = Dataset::parse(&namespace, &id)?;
    list(&state, &uri, &headers, dataset, &Asked::parse(&revision)?, "", &query).await
}

/// What a directory of a dataset holds. `Link` with `rel="next"` leads to the next page.
#[utoipa::path(
    get, path = "/api/datasets/{ns}/{id}/tree/{rev}/{*dir}", tag = "hub",
    params(
        ("ns" = String, Path, description = "`jobs` or `corpora`"),
        ("id" = String, Path, description = "The job, or the mixed corpus"),
        ("rev" = String, Path, description = "`main`, or a commit of 40 hex digits"),
        ("dir" = String, Path, description = "The directory, such as `data`"),
        TreeQuery,
    ),
    responses(
        (status = 200, description = "Files and directories by path", body = Vec<Entry>),
        (status = 404, description = "No such dataset, revision or directory; X-Error-Code says which",
            body = crate::ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Nothing is published yet", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(super) async fn list_dataset_directory(
    _: CanRead,
    State(state): State<AppState>,
    uri: Uri,
    headers: HeaderMap,
    Path((namespace, id, revision, directory)): Path<(String, String, String, String)>,
    QueryParams(query): QueryParams<TreeQuery>,
) -> Result<Response, Problem> {
    let dataset = Dataset::parse(&namespace, &id)?;
    list(&state, &uri, &headers, dataset, &Asked::parse(&revision)?, &directory, &query).await
}

async fn list(
    state: &AppState,
    uri: &Uri,
    headers: &HeaderMap,
    dataset: Dataset,
    asked: &Asked,
    directory: &str,
    query: &TreeQuery,
) -> Result<Response, Problem> {
    let revision = source::revision(state, dataset, asked).await?;
    let files = source::files(state, dataset, &revision.commit).await?;
    let listing = Listing::of(&files);
    let paths = listing
        .below(directory, is_true(query.recursive.as_deref()))
        .ok_or_else(|| no_entry(&revision.commit))?;
    let after: Option<String> = decode_cursor(query.cursor.as_deref())?;
    let begin = after.map_or(0, |after| paths.partition_point(|path| *path <= after.as_str()));
    let limit = query.limit.unwrap_or(HUB_TREE_ENTRIES).clamp(1, HUB_TREE_ENTRIES);
    let end = paths.len().min(begin + limit);
    let expand = is_true(query.expand.as_deref());
    let entries: Vec<Entry> = paths[begin..end]
        .iter()
        .filter_map(|path| listing.entry(path))
        .map(|entry| if expand { entry.expanded(&revision) } else { entry })
        .collect();
    let mut response = Json(entries).into_response();
    if end < paths.len()
        && let Some(last) = paths[..end].last()
        && let Ok(link) = next(state, uri, headers, query, last).parse()
    {
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}

/// `<absolute URL>; rel="next"`; clients follow no relative one.
fn next(state: &AppState, uri: &Uri, headers: &HeaderMap, query: &TreeQuery, last: &str) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("recursive", &query.recursive), ("expand", &query.expand)] {
        if let Some(value) = value {
            pairs.append_pair(name, value);
        }
    }
    if let Some(limit) = query.limit {
        pairs.append_pair("limit", &limit.to_string());
    }
    pairs.append_pair("cursor", &encode_cursor(&last));
    format!("<{}{}?{}>; rel=\"next\"", origin(state, uri, headers), uri.path(), pairs.finish())
}

/// Where this very client reaches the service: the host that it asked, which was found to be one of ours.
fn origin(state: &AppState, uri: &Uri, headers: &HeaderMap) -> String {
    let host = uri
        .authority()
        .map(http::uri::Authority::as_str)
        .or_else(|| headers.get(HOST).and_then(|host| host.to_str().ok()));
    let base = state.config.base_url.as_str();
    match host {
        Some(host) if base.split_once("://").is_none_or(|(_, ours)| ours != host) => {
            format!("http://{host}")
        }
        _ => base.to_owned(),
    }
}

/// Clients write booleans as their own languages do (`True`).
pub(super) fn is_true(value: Option<&str>) -> bool {
    value.is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
}
