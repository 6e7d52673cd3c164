//! Deleting imports: hidden at once, their files removed by a worker.

use hornbook_types::Reference;
use uuid::Uuid;

use crate::convert::to_sql32;
use crate::{Db, DbError};

/// A deleted import whose files are to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportPurge {
    /// The import.
    pub id: Uuid,
    /// Where its files lie in the corpus store.
    pub location: String,
}

/// Hides one version, or every version of a name; a worker that imports it loses its lease.
pub async fn delete(db: &Db, reference: &Reference) -> Result<(), DbError> {
    let hidden = sqlx::query(
        "UPDATE imports SET deleting_at = now()
          WHERE slug = $1 AND ($2::int IS NULL OR version = $2) AND deleting_at IS NULL",
    )
    .bind(reference.slug.as_str())
    .bind(reference.version.map(to_sql32))
    .execute(db.pool())
    .await?;
    match hidden.rows_affected() {
        0 => Err(DbError::NotFound("import")),
        _ => Ok(()),
    }
}

/// A deleted import that nobody works on any more.
pub async fn next_purge(db: &Db) -> Result<Option<ImportPurge>, DbError> {
    let found: Option<(Uuid, String)> = sqlx::query_as(
        "SELECT id, location FROM imports WHERE deleting_at IS NOT NULL
            AND (lease_expires_at IS NULL OR lease_expires_at < clock_timestamp())
          ORDER BY id LIMIT 1",
    )
    .fetch_optional(db.pool())
    .await?;
    Ok(found.map(|(id, location)| ImportPurge { id, location }))
}

/// Forgets a deleted import whose files are gone; one that is forgotten already is none.
pub async fn finish_purge(db: &Db, id: Uuid) -> Result<(), DbError> {
    sqlx::query("DELETE FROM imports WHERE id = $1 AND deleting_at IS NOT NULL")
        .bind(id)
        .execute(db.pool())
        .await?;
    Ok(())
}
