//! A push from its first request to its last.

use std::sync::atomic::{AtomicU64, Ordering};

use hornbook_inference::http::Client;

use super::api::Api;
use super::lfs::Meter;
use super::limits::FILES;
use super::repo::Mode;
use super::source::{PushFile, Source, is_plain};
use super::{PushError, PushSpec};

/// How far a push is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushProgress {
    /// Bytes that are there now, those of before included.
    pub done_bytes: u64,
    /// Bytes of all files.
    pub total_bytes: u64,
}

/// What a push did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The commit that the branch names now.
    pub commit: String,
    /// False when everything was there already, and nothing was committed.
    pub changed: bool,
    /// Files of the corpus.
    pub files: u64,
    /// Files whose content was sent, those within the commit included.
    pub sent_files: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Files of the corpus before that were deleted.
    pub deleted_files: u64,
}

/// Pushes a corpus to a repository: all of it in one commit.
///
/// The repository and the branch are made when they are not there. Files of a corpus that was pushed before, as
/// its manifest names them, are deleted in the same commit unless the new one has them.
///
/// # Errors
/// See [`PushError`]; the branch is then as it was, and a push of the same corpus goes on.
pub async fn push(
    client: &Client,
    spec: &PushSpec,
    source: &dyn Source,
    progress: &(dyn Fn(PushProgress) + Send + Sync),
) -> Result<Pushed, PushError> {
    let api = Api::new(client, spec)?;
    let files = source.files();
    if files.is_empty() || files.len() > FILES {
        return Err(PushError::BadCorpus(format!("a push has 1 to {FILES} files")));
    }
    if let Some(odd) = files.iter().find(|file| !is_plain(&file.path)) {
        return Err(PushError::BadCorpus(format!("{:?} is no plain path", odd.path)));
    }
    let head = api.prepare().await?;
    let stale = api.stale(files).await?;
    let planned = api.plan(source, files).await?;
    let total_bytes = files.iter().map(|file| file.bytes).sum();
    let planned_bytes: u64 = planned.iter().map(|planned| planned.file.bytes).sum();
    let meter = Meter {
        done_bytes: AtomicU64::new(total_bytes - planned_bytes),
        sent_files: AtomicU64::new(0),
        sent_bytes: AtomicU64::new(0),
        total_bytes,
        progress,
    };
    meter.add(0);
    let large: Vec<&PushFile> = planned
        .iter()
        .filter(|planned| planned.mode == Mode::Lfs)
        .map(|planned| planned.file)
        .collect();
    api.upload(source, &large, &meter).await?;
    let mut pushed = Pushed {
        commit: head.sha.clone().unwrap_or_default(),
        changed: !(planned.is_empty() && stale.is_empty()),
        files: files.len() as u64,
        sent_files: meter.sent_files.load(Ordering::Relaxed),
        sent_bytes: meter.sent_bytes.load(Ordering::Relaxed),
        deleted_files: stale.len() as u64,
    };
    if pushed.changed {
        let committed = api.commit(source, &planned, &stale, head.sha.as_deref()).await?;
        pushed.commit = committed.commit_oid;
        for small in planned.iter().filter(|planned| planned.mode == Mode::Regular) {
            pushed.sent_files += 1;
            pushed.sent_bytes += small.file.bytes;
            meter.add(small.file.bytes);
        }
    }
    Ok(pushed)
}
