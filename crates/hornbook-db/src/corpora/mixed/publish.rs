//! Publishing a mixed corpus: the files are complete, one transaction makes them what is pulled.

use hornbook_types::{CorpusFile, MixedManifest};
use sqlx::types::Json;

use super::claim::{MixedKey, end_request, lock_claimed};
use crate::corpora::publish::{prune, store_files};
use crate::corpora::{Owner, Pruned};
use crate::{Db, DbError};

/// Makes complete files the current revision and ends the assembly that `key` was leased for; gives
/// old revisions whose files are to be deleted.
///
/// `files` are all files, the manifest's own included; `location` must be the same for the same
/// corpus and commit. A commit that is there already becomes the current one again.
pub async fn publish(
    db: &Db,
    key: &MixedKey,
    manifest: &MixedManifest,
    files: &[CorpusFile],
    location: &str,
) -> Result<Vec<Pruned>, DbError> {
    let mut tx = db.begin().await?;
    lock_claimed(&mut tx, key).await?;
    let (id,): (i64,) = sqlx::query_as(
        "INSERT INTO corpora (mixed_id, commit_id, revision, partial, manifest, location)
         SELECT $1, $2, coalesce(max(revision), 0) + 1, $3, $4, $5 FROM corpora WHERE mixed_id = $1
         ON CONFLICT (mixed_id, commit_id) DO UPDATE
            SET revision = excluded.revision, partial = excluded.partial, manifest = excluded.manifest,
                location = excluded.location, created_at = now()
         RETURNING id",
    )
    .bind(key.id)
    .bind(&manifest.content.commit)
    .bind(manifest.content.partial)
    .bind(Json(manifest))
    .bind(location)
    .fetch_one(&mut *tx)
    .await?;
    store_files(&mut tx, id, files).await?;
    sqlx::query("UPDATE mixed_corpora SET corpus_id = $2 WHERE id = $1")
        .bind(key.id)
        .bind(id)
        .execute(&mut *tx)
        .await?;
    end_request(&mut tx, key.id, None).await?;
    let pruned = prune(&mut tx, Owner::Mixed(key.id)).await?;
    tx.commit().await?;
    Ok(pruned)
}
