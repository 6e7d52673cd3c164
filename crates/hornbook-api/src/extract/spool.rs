//! Large bodies, written to a temporary file while they arrive.

use std::fs::File;
use std::io::Seek as _;
use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt as _;
use http::StatusCode;
use tokio::io::AsyncWriteExt as _;

use crate::Problem;
use crate::limits::{UPLOAD_BODY_BYTES, UPLOAD_IDLE_SECONDS};

/// Writes a body to an unnamed file in `dir` and gives it back, ready to be read from its start.
pub(crate) async fn spool(body: Body, dir: &Path) -> Result<File, Problem> {
    let dir = dir.to_owned();
    let file = tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&dir)?;
        tempfile::tempfile_in(&dir)
    })
    .await
    .map_err(|error| Problem::internal(&error))?
    .map_err(no_room)?;
    let mut file = tokio::fs::File::from_std(file);
    let mut stream = body.into_data_stream();
    let mut written_bytes = 0_u64;
    let idle = Duration::from_secs(UPLOAD_IDLE_SECONDS);
    loop {
        let Ok(next) = tokio::time::timeout(idle, stream.next()).await else {
            return Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "upload_stalled",
                format!("nothing of the body came for {UPLOAD_IDLE_SECONDS} seconds"),
            ));
        };
        let Some(piece) = next else { break };
        let piece = piece.map_err(|_| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "incomplete_body",
                "the connection ended before the body did",
            )
        })?;
        written_bytes += piece.len() as u64;
        if written_bytes > UPLOAD_BODY_BYTES {
            return Err(Problem::too_large(UPLOAD_BODY_BYTES));
        }
        file.write_all(&piece).await.map_err(no_room)?;
    }
    file.flush().await.map_err(no_room)?;
    let mut file = file.into_std().await;
    file.rewind().map_err(no_room)?;
    Ok(file)
}

fn no_room(error: std::io::Error) -> Problem {
    tracing::error!(cause = %error, "an upload could not be kept");
    Problem::new(
        StatusCode::INSUFFICIENT_STORAGE,
        "no_room",
        "the service has no room to keep the upload while it is read",
    )
}
