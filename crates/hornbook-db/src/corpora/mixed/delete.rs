//! Deleting a mixed corpus: hidden at once, removed by the janitor.

use uuid::Uuid;

use crate::{Db, DbError};

/// Hides a mixed corpus from every read, in any state; [`next_purge`] finds it for removal.
pub async fn delete(db: &Db, id: Uuid) -> Result<(), DbError> {
    let marked = sqlx::query(
        "WITH marked AS (
             UPDATE mixed_corpora SET deleting_at = now() WHERE id = $1 AND deleting_at IS NULL RETURNING id
         )
         SELECT pg_notify($2, id::text) FROM marked",
    )
    .bind(id)
    .bind(crate::notifier::CHANNEL)
    .execute(db.pool())
    .await?;
    DbError::expect_one(marked.rows_affected(), "corpus")
}

/// A deleted corpus that nobody assembles any more.
pub async fn next_purge(db: &Db) -> Result<Option<Uuid>, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT id FROM mixed_corpora WHERE deleting_at IS NOT NULL
            AND (assembly_expires_at IS NULL OR assembly_expires_at < clock_timestamp())
          ORDER BY id LIMIT 1",
    )
    .fetch_optional(db.pool())
    .await?)
}

/// Removes the rows of a deleted corpus, after its files.
pub async fn finish_purge(db: &Db, id: Uuid) -> Result<(), DbError> {
    let mut tx = db.begin().await?;
    let locked = sqlx::query(
        "SELECT FROM mixed_corpora WHERE id = $1 AND deleting_at IS NOT NULL FOR UPDATE",
    )
    .bind(id)
    .execute(&mut *tx)
    .await?;
    DbError::expect_one(locked.rows_affected(), "deleted corpus")?;
    sqlx::query("DELETE FROM corpora WHERE mixed_id = $1").bind(id).execute(&mut *tx).await?;
    sqlx::query("DELETE FROM mixed_corpora WHERE id = $1").bind(id).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(())
}
