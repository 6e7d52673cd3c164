//! Imports text: the first version of a name, or the next.

use axum::Json;
use axum::extract::{FromRequest as _, Path, Request, State};
use axum::response::{IntoResponse, Response};
use hornbook_db::Stored;
use hornbook_db::imports::{self, NewImport};
use hornbook_records::{RecordFormat, TEXT_COLUMN};
use hornbook_types::limits::COLUMN_NAME_BYTES;
use hornbook_types::{ImportOrigin, Pinned, Reference, Slug};
use http::StatusCode;
use http::header::LOCATION;
use serde::Deserialize;

use super::ImportView;
use super::request::{Wanted, wanted};
use super::upload::{Taken, take_upload};
use crate::extract::{JsonBody, QueryParams, slug, spool};
use crate::limits::LICENSE_CHARS;
use crate::v1::upload::{ACCEPTED, record_format};
use crate::{AppState, CanWrite, Problem};

/// Licence of text whose importer does not say.
const LICENSE_UNKNOWN: &str = "unknown";

/// What is known of the text.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Provenance {
    /// Licence of the text, an SPDX identifier such as `CC-BY-4.0`; default `unknown`.
    license: Option<String>,
    /// Where the text came from.
    source: Option<String>,
    /// Column that holds the documents; default `text`. In a request for a path or a Hub dataset it
    /// may stand in the body instead.
    column: Option<String>,
}

/// Imports text as version 1 of a name, or as its next version; all of it or nothing.
///
/// Sent as JSON lines, CSV or Parquet it is read while it is uploaded, and is `ready` with the reply.
/// Sent as JSON, the body says where it is: `{"path": ...}` below the operator's import root, or
/// `{"hub": "owner/name", "config", "split", "revision"}`; a worker fetches it, and the reply is 202.
#[utoipa::path(
    put, path = "/v1/imports/{slug}", tag = "imports",
    params(("slug" = String, Path, description = "Name"), Provenance),
    request_body(
        description = "The documents, one object a line, CSV with a header row, or Parquet; or where they are",
        content((String = "application/x-ndjson"), (String = "text/csv"),
            (Vec<u8> = "application/vnd.apache.parquet"), (Wanted = "application/json"))
    ),
    responses(
        (status = 200, description = "The latest version already is that", body = ImportView),
        (status = 201, description = "A new version was stored", body = ImportView),
        (status = 202, description = "A worker will fetch it; `state` says when it is there", body = ImportView),
        (status = 413, description = "The upload is too large", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 415, description = "Not a format that documents are read from", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "A bad document, named by number and line, or a bad request; nothing is kept",
            body = crate::ProblemBody, content_type = "application/problem+json"),
    ),
    security(("key" = ["write"]), ("session" = ["write"]))
)]
pub(crate) async fn put_import(
    _: CanWrite,
    State(state): State<AppState>,
    Path(name): Path<String>,
    QueryParams(query): QueryParams<Provenance>,
    request: Request,
) -> Result<Response, Problem> {
    let slug = slug(&name)?;
    let format = record_format(request.headers()).ok_or(Problem::unsupported_media(&ACCEPTED))?;
    let license = bounded("license", query.license, LICENSE_CHARS)?;
    let mut new = NewImport {
        origin: ImportOrigin::Upload { media_type: format.media_type().to_owned() },
        license: license.unwrap_or(LICENSE_UNKNOWN.to_owned()),
        source: bounded("source", query.source, LICENSE_CHARS)?,
        text_column: TEXT_COLUMN.to_owned(),
    };
    let column = bounded("column", query.column, COLUMN_NAME_BYTES)?;
    let (pinned, stored) = if format == RecordFormat::Json {
        let JsonBody(body) = JsonBody::<Wanted>::from_request(request, &state).await?;
        let (origin, theirs) = wanted(&state, body).await?;
        new.origin = origin;
        new.text_column = theirs.or(column).unwrap_or(new.text_column);
        imports::request(&state.db, state.new_id(), &slug, &new).await?
    } else {
        new.text_column = column.unwrap_or(new.text_column);
        let file = spool(request.into_body(), &state.config.spool_dir).await?;
        upload(&state, &slug, &new, format, file).await?
    };
    answer(&state, slug, &pinned, &stored).await
}

async fn upload(
    state: &AppState,
    slug: &Slug,
    new: &NewImport,
    format: RecordFormat,
    file: std::fs::File,
) -> Result<(Pinned, Stored), Problem> {
    let _place = state.imports.acquire().await.map_err(|closed| Problem::internal(&closed))?;
    let id = state.new_id();
    let taken =
        Taken { format, text_column: new.text_column.clone(), source: slug.to_string(), id };
    let outcome = match take_upload(state, taken, file).await {
        Ok(content) => {
            imports::store(&state.db, id, slug, new, &content).await.map_err(Problem::from)
        }
        Err(problem) => Err(problem),
    };
    if !matches!(&outcome, Ok((_, stored)) if stored.created) {
        super::upload::remove(state, id).await;
    }
    outcome
}

async fn answer(
    state: &AppState,
    slug: Slug,
    pinned: &Pinned,
    stored: &Stored,
) -> Result<Response, Problem> {
    let reference = Reference { slug, version: Some(pinned.version) };
    let view = ImportView::whole(imports::get(&state.db, &reference).await?);
    let status = match (view.state, stored.created) {
        (hornbook_types::ImportState::Importing, _) => StatusCode::ACCEPTED,
        (_, true) => StatusCode::CREATED,
        (_, false) => StatusCode::OK,
    };
    let location = [(LOCATION, format!("/v1/imports/{pinned}"))];
    Ok((status, location, Json(view)).into_response())
}

fn bounded(name: &str, text: Option<String>, chars: usize) -> Result<Option<String>, Problem> {
    match text {
        Some(text) if text.trim().is_empty() || text.chars().count() > chars => {
            Err(Problem::query(format!("{name} needs 1 to {chars} characters")))
        }
        text => Ok(text),
    }
}
