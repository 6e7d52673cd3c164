//! Pulling a file: whole and checked, or not there at all.

use std::path::PathBuf;
use std::time::Duration;

use hornbook_inference::http::header::CONTENT_RANGE;
use hornbook_inference::http::{Client, HttpError, Response, StatusCode, Url, next_piece};

use crate::part::{Part, sha256_of};
use crate::resolve::{SILENCE_SECONDS, describe, open};
use crate::spec::part_path;
use crate::{PullError, PullSpec};

/// How often one pull goes on after a connection broke, as long as each try brings bytes.
const RESUMES: usize = 20;
/// Largest file that is pulled when the server names no size.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024 * 1024;

/// How far a pull is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PullProgress {
    /// Bytes so far, earlier pulls included.
    pub done_bytes: u64,
    /// Bytes of the whole file, where the server says so.
    pub total_bytes: Option<u64>,
}

/// Pulls one file into `spec.dest_dir` and returns its path.
///
/// A file that is there already with the right hash is not fetched again. A download that broke
/// off goes on from its `.part` file, in this call or the next; the file gets its own name
/// only when its SHA-256 is the expected one (or the one that the server names). Without either,
/// nothing is resumed and only the length is checked.
///
/// # Errors
/// See [`PullError`]; on `WrongHash` the bytes are thrown away.
pub async fn pull_model(
    client: &Client,
    spec: &PullSpec,
    progress: &(dyn Fn(PullProgress) + Send + Sync),
) -> Result<PathBuf, PullError> {
    let url = spec.url()?;
    let destination = spec.destination()?;
    let expected = spec.expected()?;
    if expected.is_some() && sha256_of(destination.clone()).await? == expected {
        return Ok(destination);
    }
    let facts = describe(client, spec, &url).await?;
    if let (Some(expected), Some(actual)) = (&expected, &facts.sha256)
        && expected != actual
    {
        let (expected, actual) = (expected.clone(), actual.clone());
        return Err(PullError::WrongHash { expected, actual });
    }
    let sha256 = expected.or(facts.sha256);
    if sha256.is_some() && sha256_of(destination.clone()).await? == sha256 {
        return Ok(destination);
    }
    if let Some(parent) = destination.parent() {
        tokio::fs::create_dir_all(parent).await.map_err(PullError::io(parent))?;
    }
    // Without a hash, nothing could tell whether old and new bytes belong together.
    let part = Part::open(part_path(&destination), sha256.is_some()).await?;
    let download = Download { client, spec, url: &url, total_bytes: facts.bytes, progress };
    let part = download.run(part).await?;
    part.finish(sha256.as_deref(), &destination).await?;
    Ok(destination)
}

struct Download<'a> {
    client: &'a Client,
    spec: &'a PullSpec,
    url: &'a Url,
    total_bytes: Option<u64>,
    progress: &'a (dyn Fn(PullProgress) + Send + Sync),
}

impl Download<'_> {
    /// Fetches until the file is whole, going on where a connection broke.
    async fn run(&self, mut part: Part) -> Result<Part, PullError> {
        let mut resumes = 0;
        loop {
            if self.total_bytes.is_some_and(|total| part.bytes() > total) {
                part = part.restart().await?;
            }
            if self.total_bytes == Some(part.bytes()) {
                self.report(&part);
                return Ok(part);
            }
            let before = part.bytes();
            let outcome;
            (part, outcome) = self.fetch(part).await?;
            part.flush().await?;
            let source = match outcome {
                Err(broken) => broken,
                Ok(()) if self.total_bytes.is_some_and(|total| part.bytes() < total) => {
                    HttpError::Interrupted("the body ended early".into())
                }
                Ok(()) => return Ok(part),
            };
            if part.bytes() <= before || resumes >= RESUMES {
                return Err(PullError::Interrupted { done_bytes: part.bytes(), source });
            }
            resumes += 1;
            tracing::debug!(done_bytes = part.bytes(), resumes, %source, "download goes on");
        }
    }

    /// One connection's worth; the inner result says whether the file ended or the connection.
    async fn fetch(&self, part: Part) -> Result<(Part, Result<(), HttpError>), PullError> {
        let mut from_bytes = part.bytes();
        let mut part = part;
        let mut response = open(self.client, self.spec, self.url, from_bytes).await?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            // The part is longer than the file: it is a part of something else.
            part = part.restart().await?;
            from_bytes = 0;
            response = open(self.client, self.spec, self.url, 0).await?;
        }
        match response.status() {
            StatusCode::PARTIAL_CONTENT if starts_at(&response, from_bytes) => {}
            StatusCode::OK => part = part.restart().await?,
            _ => return Err(PullError::Unexpected("the server sent another range".into())),
        }
        let limit_bytes = self.total_bytes.unwrap_or(FILE_BYTES_MAX);
        loop {
            let piece = match piece(&mut response).await {
                Ok(Some(piece)) => piece,
                Ok(None) => return Ok((part, Ok(()))),
                Err(broken) => return Ok((part, Err(broken))),
            };
            if part.bytes() + piece.len() as u64 > limit_bytes {
                return Err(PullError::Unexpected(format!("more than {limit_bytes} bytes came")));
            }
            part.append(&piece).await?;
            self.report(&part);
        }
    }

    fn report(&self, part: &Part) {
        let total_bytes = self.total_bytes;
        (self.progress)(PullProgress { done_bytes: part.bytes(), total_bytes });
    }
}

/// The next piece of the body; a server that falls silent has broken off.
async fn piece(response: &mut Response) -> Result<Option<bytes::Bytes>, HttpError> {
    let silence = Duration::from_secs(SILENCE_SECONDS);
    match tokio::time::timeout(silence, next_piece(response)).await {
        Ok(piece) => piece,
        Err(_) => Err(HttpError::Timeout("the server fell silent".into())),
    }
}

/// True when `Content-Range: bytes FROM-LAST/TOTAL` begins where the part ends.
fn starts_at(response: &Response, from_bytes: u64) -> bool {
    response
        .headers()
        .get(CONTENT_RANGE)
        .and_then(|value| value.to_str().ok()?.strip_prefix("bytes ")?.split_once('-'))
        .is_some_and(|(first, _)| first.parse() == Ok(from_bytes))
}
