//! Asking twice: the second time gets the first answer.

use sqlx::types::Json;

use crate::{Db, DbError, limits};

/// An answer that is kept for whoever asks again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers worth repeating, as name and value.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What is known of an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Nothing: do the work, then [`finish`] or [`forget`].
    New,
    /// The first request is still at it.
    InProgress,
    /// This was the answer.
    Stored(Answer),
    /// The key was used with another body.
    Reused,
}

/// Begins a request with an idempotency key; `scope` keeps the keys of different askers and paths apart.
pub async fn begin(
    db: &Db,
    scope: &str,
    key: &str,
    body_sha256: &[u8; 32],
) -> Result<Begun, DbError> {
    // A key that is a day old, or whose request died without an answer, is as good as new.
    let taken = sqlx::query(
        "INSERT INTO idempotency_keys (scope, key, body_sha256) VALUES ($1, $2, $3)
         ON CONFLICT (scope, key) DO UPDATE
            SET body_sha256 = excluded.body_sha256, status = NULL, headers = NULL, body = NULL,
                created_at = now()
          WHERE idempotency_keys.created_at < now() - make_interval(hours => $4)
             OR (idempotency_keys.status IS NULL
                 AND idempotency_keys.created_at < now() - make_interval(secs => $5))",
    )
    .bind(scope)
    .bind(key)
    .bind(body_sha256.as_slice())
    .bind(limits::IDEMPOTENCY_HOURS)
    .bind(f64::from(limits::REQUEST_SECONDS))
    .execute(db.pool())
    .await?;
    if taken.rows_affected() == 1 {
        return Ok(Begun::New);
    }
    type Row = (Vec<u8>, Option<i32>, Option<Json<Vec<(String, String)>>>, Option<Vec<u8>>);
    let found: Option<Row> = sqlx::query_as(
        "SELECT body_sha256, status, headers, body FROM idempotency_keys WHERE scope = $1 AND key = $2",
    )
    .bind(scope)
    .bind(key)
    .fetch_optional(db.pool())
    .await?;
    Ok(match found {
        // Forgotten between the two statements: whoever asks again will find it new.
        None => Begun::InProgress,
        Some((sha256, ..)) if sha256 != body_sha256 => Begun::Reused,
        Some((_, Some(status), headers, body)) => Begun::Stored(Answer {
            status: u16::try_from(status).unwrap_or(500),
            headers: headers.map(|headers| headers.0).unwrap_or_default(),
            body: body.unwrap_or_default(),
        }),
        Some(_) => Begun::InProgress,
    })
}

/// Keeps the answer of a request that was begun.
pub async fn finish(db: &Db, scope: &str, key: &str, answer: &Answer) -> Result<(), DbError> {
    let kept = sqlx::query(
        "UPDATE idempotency_keys SET status = $3, headers = $4, body = $5
          WHERE scope = $1 AND key = $2 AND status IS NULL",
    )
    .bind(scope)
    .bind(key)
    .bind(i32::from(answer.status))
    .bind(Json(&answer.headers))
    .bind(&answer.body)
    .execute(db.pool())
    .await?;
    DbError::expect_one(kept.rows_affected(), "request")
}

/// Forgets a request that failed without doing anything, so that it can be asked again.
pub async fn forget(db: &Db, scope: &str, key: &str) -> Result<(), DbError> {
    sqlx::query("DELETE FROM idempotency_keys WHERE scope = $1 AND key = $2 AND status IS NULL")
        .bind(scope)
        .bind(key)
        .execute(db.pool())
        .await?;
    Ok(())
}

/// Removes keys older than a day; gives how many.
pub async fn purge(db: &Db) -> Result<u64, DbError> {
    Ok(sqlx::query(
        "DELETE FROM idempotency_keys WHERE created_at < now() - make_interval(hours => $1)",
    )
    .bind(limits::IDEMPOTENCY_HOURS)
    .execute(db.pool())
    .await?
    .rows_affected())
}
