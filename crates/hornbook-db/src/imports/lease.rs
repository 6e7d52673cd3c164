//! Who imports: one leased, fenced worker at a time per import.

use hornbook_types::limits::LEASE_SECONDS;
use hornbook_types::{ImportKind, ImportOrigin};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use sqlx::types::Json;
use uuid::Uuid;

use super::{COLUMNS, Import, ImportContent, Row, kind_names};
use crate::convert::to_sql;
use crate::limits::{IMPORT_DEATHS, IMPORT_ERROR_BYTES};
use crate::{Db, DbError};

/// The right to import one thing, for as long as heartbeats keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImportKey {
    /// The import.
    pub id: Uuid,
    /// Names this lease and no other.
    pub token: i64,
}

/// A claimed import.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// What heartbeats and the end must name.
    pub key: ImportKey,
    /// What to import.
    pub import: Import,
    /// What the worker before noted, in its own words.
    pub progress: Option<Value>,
}

/// Leases an import of one of those kinds that nobody works on, oldest first.
///
/// One on which several workers died is failed here instead of being tried for ever.
pub async fn claim(
    db: &Db,
    worker: Uuid,
    kinds: &[ImportKind],
) -> Result<Option<Claimed>, DbError> {
    loop {
        let mut tx = db.begin().await?;
        let picked: Option<(Uuid, i32)> = sqlx::query_as(
            "SELECT id, deaths + CASE WHEN lease_token IS NULL THEN 0 ELSE 1 END FROM imports
              WHERE state = 'importing' AND deleting_at IS NULL AND kind = ANY($1)
                AND (lease_token IS NULL OR lease_expires_at < clock_timestamp())
              ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED",
        )
        .bind(kind_names(kinds))
        .fetch_optional(&mut *tx)
        .await?;
        let Some((id, deaths)) = picked else { return Ok(None) };
        if deaths > IMPORT_DEATHS {
            sqlx::query(
                "UPDATE imports SET state = 'failed', error = $2, finished_at = now(), progress = NULL,
                        lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL WHERE id = $1",
            )
            .bind(id)
            .bind(format!("{deaths} workers in a row died on it"))
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            continue;
        }
        let token: i64 = sqlx::query_scalar(
            "UPDATE imports SET lease_token = nextval('lease_tokens'), lease_owner = $2,
                    lease_expires_at = clock_timestamp() + make_interval(secs => $3), deaths = $4
              WHERE id = $1 RETURNING lease_token",
        )
        .bind(id)
        .bind(worker)
        .bind(LEASE_SECONDS as f64)
        .bind(deaths)
        .fetch_one(&mut *tx)
        .await?;
        let row: Row =
            sqlx::query_as(AssertSqlSafe(format!("SELECT {COLUMNS} FROM imports WHERE id = $1")))
                .bind(id)
                .fetch_one(&mut *tx)
                .await?;
        tx.commit().await?;
        let progress = row.progress.as_ref().map(|noted| noted.0.clone());
        let key = ImportKey { id, token };
        return Ok(Some(Claimed { key, import: row.into_import()?, progress }));
    }
}

/// Extends the lease; [`DbError::Fenced`] when it is held no longer.
pub async fn heartbeat(db: &Db, key: &ImportKey) -> Result<(), DbError> {
    let extended = sqlx::query(
        "UPDATE imports SET lease_expires_at = clock_timestamp() + make_interval(secs => $3)
          WHERE id = $1 AND lease_token = $2 AND lease_expires_at > clock_timestamp()
            AND deleting_at IS NULL",
    )
    .bind(key.id)
    .bind(key.token)
    .bind(LEASE_SECONDS as f64)
    .execute(db.pool())
    .await?;
    held(extended.rows_affected())
}

/// Notes what is done, for the worker that goes on when this one dies; that one is not blamed for it.
pub async fn note(
    db: &Db,
    key: &ImportKey,
    origin: &ImportOrigin,
    progress: &Value,
) -> Result<(), DbError> {
    let noted = sqlx::query(
        "UPDATE imports SET origin = $3, progress = $4, deaths = 0
          WHERE id = $1 AND lease_token = $2 AND lease_expires_at > clock_timestamp()
            AND deleting_at IS NULL",
    )
    .bind(key.id)
    .bind(key.token)
    .bind(Json(origin))
    .bind(Json(progress))
    .execute(db.pool())
    .await?;
    held(noted.rows_affected())
}

/// Hands the import back for anyone to take, without counting it as a death.
pub async fn release(db: &Db, key: &ImportKey) -> Result<(), DbError> {
    let released = sqlx::query(
        "UPDATE imports SET lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL
          WHERE id = $1 AND lease_token = $2",
    )
    .bind(key.id)
    .bind(key.token)
    .execute(db.pool())
    .await?;
    held(released.rows_affected())
}

/// Makes an import ready whose files are complete.
pub async fn finish(db: &Db, key: &ImportKey, content: &ImportContent) -> Result<(), DbError> {
    let finished = sqlx::query(
        "UPDATE imports SET state = 'ready', sha256 = $3, row_count = $4, text_bytes = $5, tokens = $6,
                files = $7, progress = NULL, error = NULL, finished_at = now(), lease_token = NULL,
                lease_owner = NULL, lease_expires_at = NULL
          WHERE id = $1 AND lease_token = $2 AND lease_expires_at > clock_timestamp()
            AND state = 'importing' AND deleting_at IS NULL",
    )
    .bind(key.id)
    .bind(key.token)
    .bind(&content.sha256)
    .bind(to_sql(content.rows))
    .bind(to_sql(content.text_bytes))
    .bind(to_sql(content.tokens))
    .bind(Json(&content.files))
    .execute(db.pool())
    .await?;
    held(finished.rows_affected())
}

/// Notes why an import cannot be had; trying again would not help.
pub async fn fail(db: &Db, key: &ImportKey, message: &str) -> Result<(), DbError> {
    let failed = sqlx::query(
        "UPDATE imports SET state = 'failed', error = $3, progress = NULL, finished_at = now(),
                lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL
          WHERE id = $1 AND lease_token = $2 AND lease_expires_at > clock_timestamp()
            AND state = 'importing' AND deleting_at IS NULL",
    )
    .bind(key.id)
    .bind(key.token)
    .bind(storable(message))
    .execute(db.pool())
    .await?;
    held(failed.rows_affected())
}

fn held(rows: u64) -> Result<(), DbError> {
    if rows == 1 { Ok(()) } else { Err(DbError::Fenced) }
}

/// A message may quote the file that is to blame.
fn storable(message: &str) -> String {
    let end = message.floor_char_boundary(IMPORT_ERROR_BYTES);
    message[..end].replace('\0', "\u{fffd}")
}
