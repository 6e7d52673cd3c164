//! Looking at endpoints, and opening a key for the worker that sends it.

use hornbook_types::Slug;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{COLUMNS, Endpoint, Row};
use crate::convert::page_rows;
use crate::{Db, DbError};

/// One endpoint.
pub async fn get(db: &Db, name: &Slug) -> Result<Endpoint, DbError> {
    sqlx::query_as::<_, Row>(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM endpoints WHERE name = $1"
    )))
    .bind(name.as_str())
    .fetch_optional(db.pool())
    .await?
    .ok_or(DbError::NotFound("endpoint"))?
    .into_endpoint()
}

/// Endpoints by name; `after` is the name that the previous page ended with.
pub async fn list(db: &Db, after: Option<&Slug>, limit: u32) -> Result<Vec<Endpoint>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM endpoints WHERE $1::text IS NULL OR name > $1 ORDER BY name LIMIT $2"
    )))
    .bind(after.map(Slug::as_str))
    .bind(page_rows(limit))
    .fetch_all(db.pool())
    .await?;
    rows.into_iter().map(Row::into_endpoint).collect()
}

/// Those of the endpoints of these ids that are there no more.
pub async fn gone(db: &Db, ids: &[Uuid]) -> Result<Vec<Uuid>, DbError> {
    let gone = sqlx::query_scalar(
        "SELECT known.id FROM unnest($1::uuid[]) known (id) WHERE NOT EXISTS (
             SELECT 1 FROM endpoints WHERE endpoints.id = known.id)",
    )
    .bind(ids)
    .fetch_all(db.pool())
    .await?;
    Ok(gone)
}

/// The endpoint's key in the clear, for the client that sends it and for nothing else.
pub async fn secret(db: &Db, name: &Slug) -> Result<Option<String>, DbError> {
    let (id, sealed): (Uuid, Option<Vec<u8>>) =
        sqlx::query_as("SELECT id, secret FROM endpoints WHERE name = $1")
            .bind(name.as_str())
            .fetch_optional(db.pool())
            .await?
            .ok_or(DbError::NotFound("endpoint"))?;
    sealed.map(|sealed| db.secret_key()?.open(id, &sealed)).transpose()
}
