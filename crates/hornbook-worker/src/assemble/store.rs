//! Files into the corpus store, and out of it.

use std::path::Path as LocalPath;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, WriteMultipart};
use tokio::io::AsyncReadExt as _;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::fault::Fault;
use crate::limits::{UPLOAD_PART_BYTES, UPLOAD_PARTS};

/// Where everything of a job's corpora lies.
pub(crate) fn job_prefix(job: Uuid) -> String {
    format!("corpora/{job}")
}

/// Where one revision lies.
pub(crate) fn location(job: Uuid, commit: &str) -> String {
    format!("{}/{commit}", job_prefix(job))
}

/// Copies a local file into the store; it appears there whole or not at all.
pub(crate) async fn put(
    store: &Arc<dyn ObjectStore>,
    local: &LocalPath,
    remote: &str,
    halt: &CancellationToken,
) -> Result<(), Fault> {
    let mut file = tokio::fs::File::open(local).await.map_err(|e| Fault::file(local, &e))?;
    let remote = Path::from(remote);
    let mut part = read_part(&mut file, local).await?;
    if part.len() < UPLOAD_PART_BYTES {
        store.put(&remote, part.into()).await?;
        return Ok(());
    }
    let upload = store.put_multipart(&remote).await?;
    let mut writer = WriteMultipart::new_with_chunk_size(upload, UPLOAD_PART_BYTES);
    loop {
        if let Err(error) = writer.wait_for_capacity(UPLOAD_PARTS).await {
            abandon(writer).await;
            return Err(error.into());
        }
        if halt.is_cancelled() {
            abandon(writer).await;
            return Err(Fault::Stopped);
        }
        if part.is_empty() {
            break;
        }
        writer.put(part.into());
        part = match read_part(&mut file, local).await {
            Ok(part) => part,
            Err(fault) => {
                abandon(writer).await;
                return Err(fault);
            }
        };
    }
    writer.finish().await?;
    Ok(())
}

async fn abandon(writer: WriteMultipart) {
    if let Err(error) = writer.abort().await {
        tracing::debug!(%error, "parts of an upload are left behind");
    }
}

/// The next part of the file, whole unless it is the last.
async fn read_part(file: &mut tokio::fs::File, local: &LocalPath) -> Result<Vec<u8>, Fault> {
    let mut part = Vec::with_capacity(UPLOAD_PART_BYTES);
    file.take(UPLOAD_PART_BYTES as u64)
        .read_to_end(&mut part)
        .await
        .map_err(|error| Fault::file(local, &error))?;
    Ok(part)
}

/// Deletes everything below a prefix; what is not there is no error.
pub(crate) async fn delete_below(
    store: &Arc<dyn ObjectStore>,
    prefix: &str,
) -> Result<(), object_store::Error> {
    let mut listed = store.list(Some(&Path::from(prefix)));
    while let Some(object) = listed.try_next().await? {
        match store.delete(&object.location).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
