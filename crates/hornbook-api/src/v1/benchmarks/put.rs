//! Stores a benchmark: its first version, or the next.

use axum::extract::{Path, Request, State};
use axum::response::Response;
use hornbook_db::Expect;
use hornbook_db::benchmarks::{self, BenchmarkContent};
use hornbook_types::{FieldError, Reference};
use http::StatusCode;
use http::header::{IF_MATCH, IF_NONE_MATCH};

use super::BenchmarkView;
use super::read::{Items, NoBenchmark, read_items};
use crate::extract::{slug, spool};
use crate::v1::upload::{ACCEPTED, bad_record, no_room, put_file, record_format};
use crate::v1::version::{expectation, found, written};
use crate::{AppState, CanWrite, Problem};

/// Stores items as version 1 of a benchmark, or as its next version; all of them or none.
///
/// An item is `{item_id, text}`. What jobs were submitted with stays as it was. An upload with the
/// items of the latest version stores nothing.
#[utoipa::path(
    put, path = "/v1/benchmarks/{name}", tag = "benchmarks",
    params(
        ("name" = String, Path, description = "Name"),
        ("If-Match" = Option<String>, Header, description = "ETag of the latest version, to be sure that it still is"),
    ),
    request_body(
        description = "The items: one object a line, an array of objects, CSV with a header row, or Parquet",
        content((String = "application/x-ndjson"), (Vec<serde_json::Value> = "application/json"),
            (String = "text/csv"), (Vec<u8> = "application/vnd.apache.parquet"))
    ),
    responses(
        (status = 200, description = "The latest version already had these items", body = BenchmarkView),
        (status = 201, description = "A new version was stored", body = BenchmarkView),
        (status = 412, description = "If-Match is not the latest version", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 413, description = "The upload is too large", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 415, description = "Not a format that records are read from", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "A bad, empty or repeated item, named by number and line; nothing is kept",
            body = crate::ProblemBody, content_type = "application/problem+json"),
    ),
    security(("key" = ["write"]), ("session" = ["write"]))
)]
pub(crate) async fn put_benchmark(
    _: CanWrite,
    State(state): State<AppState>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let name = slug(&name)?;
    let format = record_format(request.headers()).ok_or(Problem::unsupported_media(&ACCEPTED))?;
    let mut expect = Expect::Any;
    if request.headers().contains_key(IF_MATCH) || request.headers().contains_key(IF_NONE_MATCH) {
        let latest = Reference { slug: name.clone(), version: None };
        let latest = found(benchmarks::get(&state.db, &latest).await)?;
        expect = expectation(request.headers(), latest.as_ref().map(|it| &it.pinned))?;
    }
    let upload = spool(request.into_body(), &state.config.spool_dir).await?;
    let place = state.imports.acquire().await.map_err(|closed| Problem::internal(&closed))?;
    let (dir, called) = (state.config.spool_dir.clone(), name.to_string());
    let read = tokio::task::spawn_blocking(move || read_items(format, upload, &called, &dir));
    let read = read.await.map_err(|panicked| Problem::internal(&panicked))?;
    drop(place);
    let Items { file, items, bytes, sha256 } = read.map_err(refusal)?;
    let location = format!("benchmarks/{sha256}.jsonl");
    put_file(&state.store, file, &location).await?;
    let content = BenchmarkContent { sha256, items, bytes, location };
    let (pinned, stored) = benchmarks::put(&state.db, &name, &content, expect).await?;
    let reference = Reference { slug: name, version: Some(pinned.version) };
    let view = BenchmarkView::from(benchmarks::get(&state.db, &reference).await?);
    Ok(written(stored.created, &pinned, format!("/v1/benchmarks/{pinned}"), &view))
}

fn refusal(why: NoBenchmark) -> Problem {
    match why {
        NoBenchmark::Record(error) => bad_record(&error),
        NoBenchmark::Whole(why) => {
            let mut problem =
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_records", why.clone());
            problem.errors.push(FieldError::new("", why));
            problem
        }
        NoBenchmark::Io(error) => no_room(&error),
    }
}
