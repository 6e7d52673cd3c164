//! Asking for a mixed corpus, and asking again.

use hornbook_types::{AssemblySpec, CorpusSpec};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{Db, DbError};

/// Stores a mixed corpus, to be assembled by the next worker that is free.
pub async fn submit(db: &Db, id: Uuid, spec: &CorpusSpec) -> Result<(), DbError> {
    sqlx::query(
        "WITH stored AS (
             INSERT INTO mixed_corpora (id, name, state, spec) VALUES ($1, $2, 'queued', $3) RETURNING id
         )
         SELECT pg_notify($4, id::text) FROM stored",
    )
    .bind(id)
    .bind(&spec.name)
    .bind(Json(spec))
    .bind(crate::notifier::CHANNEL)
    .execute(db.pool())
    .await?;
    Ok(())
}

/// Asks for a new revision, from what its sources hold now; with another `assembly`, that is its own from now on.
///
/// One that is being assembled is assembled once more after that.
pub async fn request(db: &Db, id: Uuid, assembly: Option<&AssemblySpec>) -> Result<(), DbError> {
    let asked = sqlx::query(
        "WITH asked AS (
             UPDATE mixed_corpora SET assembly_request = assembly_request + 1, assembly_deaths = 0,
                    spec = CASE WHEN $2::jsonb IS NULL THEN spec ELSE jsonb_set(spec, '{assembly}', $2) END,
                    state = CASE WHEN assembly_token IS NULL THEN 'queued' ELSE state END,
                    error_code = NULL, error_message = NULL, revision = revision + 1
              WHERE id = $1 AND deleting_at IS NULL RETURNING id
         )
         SELECT pg_notify($3, id::text) FROM asked",
    )
    .bind(id)
    .bind(assembly.map(Json))
    .bind(crate::notifier::CHANNEL)
    .execute(db.pool())
    .await?;
    DbError::expect_one(asked.rows_affected(), "corpus")
}
