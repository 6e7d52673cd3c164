//! Whether an endpoint takes prompts: said by users, and by workers that see it fail.

use hornbook_types::{EndpointState, Slug};
use sqlx::types::Json;

use super::{Endpoint, ModelFile};
use crate::notifier::announce_endpoints;
use crate::{Db, DbError};

/// Sends it nothing more until it is resumed.
pub async fn pause(db: &Db, name: &Slug) -> Result<Endpoint, DbError> {
    ask(db, name, EndpointState::Paused).await
}

/// Lets it take prompts again, whatever stopped it.
pub async fn resume(db: &Db, name: &Slug) -> Result<Endpoint, DbError> {
    ask(db, name, EndpointState::Ready).await
}

async fn ask(db: &Db, name: &Slug, state: EndpointState) -> Result<Endpoint, DbError> {
    let mut tx = db.begin().await?;
    let updated = sqlx::query(
        "UPDATE endpoints SET state = $2, message = NULL, updated_at = now() WHERE name = $1",
    )
    .bind(name.as_str())
    .bind(state.as_str())
    .execute(&mut *tx)
    .await?;
    DbError::expect_one(updated.rows_affected(), "endpoint")?;
    announce_endpoints(&mut tx).await?;
    tx.commit().await?;
    super::get(db, name).await
}

/// Notes what a worker found; false when nothing changed.
///
/// A pause stays until a user ends it: a worker may pause an endpoint, never resume it.
pub async fn set_state(
    db: &Db,
    name: &Slug,
    state: EndpointState,
    message: Option<&str>,
) -> Result<bool, DbError> {
    let updated = sqlx::query(
        "UPDATE endpoints SET state = $2, message = $3, updated_at = now()
          WHERE name = $1 AND state <> 'paused'
            AND (state, message) IS DISTINCT FROM ($2, $3)",
    )
    .bind(name.as_str())
    .bind(state.as_str())
    .bind(message)
    .execute(db.pool())
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// Notes which model file an endpoint runs, so that every process can put it into a manifest.
///
/// # Errors
/// `NotFound` when there is no such endpoint.
pub async fn note_model(db: &Db, name: &Slug, model: &ModelFile) -> Result<(), DbError> {
    let noted = sqlx::query("UPDATE endpoints SET provenance = $2 WHERE name = $1")
        .bind(name.as_str())
        .bind(Json(model))
        .execute(db.pool())
        .await?;
    DbError::expect_one(noted.rows_affected(), "endpoint")
}

/// The model file that was noted last, if any.
pub async fn noted_model(db: &Db, name: &Slug) -> Result<Option<ModelFile>, DbError> {
    let noted: Option<Option<Json<ModelFile>>> =
        sqlx::query_scalar("SELECT provenance FROM endpoints WHERE name = $1")
            .bind(name.as_str())
            .fetch_optional(db.pool())
            .await?;
    Ok(noted.flatten().map(|model| model.0))
}
