//! Imports a seed set: its first version, or the next.

use axum::extract::{Path, Request, State};
use axum::response::Response;
use hornbook_db::seed_sets;
use hornbook_records::RecordFormat;
use hornbook_types::Reference;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, IF_MATCH};
use serde::Deserialize;

use super::SeedSetView;
use super::import::import;
use crate::extract::{QueryParams, slug, spool};
use crate::limits::LICENSE_CHARS;
use crate::v1::version::{expectation, found, written};
use crate::{AppState, CanWrite, Problem};

/// Licence of records whose importer does not say.
const LICENSE_UNKNOWN: &str = "unknown";
const ACCEPTED: [&str; 4] =
    ["application/x-ndjson", "application/json", "text/csv", "application/vnd.apache.parquet"];

/// What is known of the records.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Provenance {
    /// Licence of the records, such as `CC0-1.0`; default `unknown`.
    license: Option<String>,
    /// Where the records came from.
    source: Option<String>,
}

/// Imports records as version 1 of a seed set, or as its next version; all of them or none.
///
/// A record is any JSON object; records are numbered from 0 in the order of the file. Text
/// formats may be compressed with zstd. An upload equal to the latest version stores nothing.
#[utoipa::path(
    put, path = "/v1/seed-sets/{slug}", tag = "seed sets",
    params(
        ("slug" = String, Path, description = "Name"),
        Provenance,
        ("If-Match" = Option<String>, Header, description = "ETag of the latest version, to be sure that it still is"),
    ),
    request_body(
        description = "The records: one object a line, an array of objects, CSV with a header row, or Parquet",
        content((String = "application/x-ndjson"), (Vec<serde_json::Value> = "application/json"),
            (String = "text/csv"), (Vec<u8> = "application/vnd.apache.parquet"))
    ),
    responses(
        (status = 200, description = "The latest version already had these records", body = SeedSetView),
        (status = 201, description = "A new version was stored", body = SeedSetView),
        (status = 412, description = "If-Match is not the latest version", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 413, description = "The upload is too large", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 415, description = "Not a format that records are read from", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "A bad record, named by number and line; nothing is kept",
            body = crate::ProblemBody, content_type = "application/problem+json"),
    ),
    security(("key" = ["write"]), ("session" = ["write"]))
)]
pub(crate) async fn put_seed_set(
    _: CanWrite,
    State(state): State<AppState>,
    Path(name): Path<String>,
    QueryParams(query): QueryParams<Provenance>,
    request: Request,
) -> Result<Response, Problem> {
    let slug = slug(&name)?;
    let format = format_of(request.headers()).ok_or(Problem::unsupported_media(&ACCEPTED))?;
    let license = bounded("license", query.license)?.unwrap_or(LICENSE_UNKNOWN.to_owned());
    let source = bounded("source", query.source)?;
    if request.headers().contains_key(IF_MATCH) {
        let latest = Reference { slug: slug.clone(), version: None };
        let latest = found(seed_sets::get(&state.db, &latest).await)?;
        expectation(request.headers(), latest.as_ref().map(|set| &set.pinned))?;
    }
    let file = spool(request.into_body(), &state.config.spool_dir).await?;
    let (pinned, stored) = import(&state, &slug, &license, source.as_deref(), format, file).await?;
    let reference = Reference { slug, version: Some(pinned.version) };
    let view = SeedSetView::from(seed_sets::get(&state.db, &reference).await?);
    Ok(written(stored.created, &pinned, format!("/v1/seed-sets/{pinned}"), &view))
}

/// `None` for a format that is not read, and for one under a coding that nobody would undo.
fn format_of(headers: &HeaderMap) -> Option<RecordFormat> {
    if headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return None;
    }
    RecordFormat::of_media_type(headers.get(CONTENT_TYPE)?.to_str().ok()?)
}

fn bounded(name: &str, text: Option<String>) -> Result<Option<String>, Problem> {
    match text {
        Some(text) if text.trim().is_empty() || text.chars().count() > LICENSE_CHARS => {
            Err(Problem::query(format!("{name} needs 1 to {LICENSE_CHARS} characters")))
        }
        text => Ok(text),
    }
}
