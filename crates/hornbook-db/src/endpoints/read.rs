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

/// The endpoint and its key in the clear, for the client that sends it and for nothing else.
///
/// Both are of one moment: an edit must not come between address and key, or a new key would go to
/// the server that the endpoint had before.
pub async fn open(db: &Db, name: &Slug) -> Result<(Endpoint, Option<String>), DbError> {
    let Sealed { row, secret } = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {COLUMNS}, secret FROM endpoints WHERE name = $1"
    )))
    .bind(name.as_str())
    .fetch_optional(db.pool())
    .await?
    .ok_or(DbError::NotFound("endpoint"))?;
    let endpoint = row.into_endpoint()?;
    let secret = secret.map(|sealed| db.secret_key()?.open(endpoint.id, &sealed)).transpose()?;
    Ok((endpoint, secret))
}

/// An endpoint with its sealed key.
#[derive(sqlx::FromRow)]
struct Sealed {
    #[sqlx(flatten)]
    row: Row,
    secret: Option<Vec<u8>>,
}
