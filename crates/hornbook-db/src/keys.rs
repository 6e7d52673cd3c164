//! API keys: only the SHA-256 of each secret is known here.

use hornbook_types::{EventKind, KeyQuota, Scope};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::convert::{from_sql, page_rows, to_sql};
use crate::{Db, DbError, events, limits};

/// A stored key; its secret was shown once and is not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The public part of the key.
    pub id: String,
    /// Name shown to people.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// What its jobs may use.
    pub quota: KeyQuota,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
}

/// A key with what is needed to check one.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyToCheck {
    /// The key.
    pub key: ApiKey,
    /// SHA-256 of the secret; compare in constant time.
    pub sha256: [u8; 32],
}

impl std::fmt::Debug for KeyToCheck {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("KeyToCheck").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Code of the warning that a job's key has spent its tokens of the day.
pub const TOKENS_SPENT: &str = "quota_exceeded";

const COLUMNS: &str = "id, name, sha256, scopes, quota_running_jobs, quota_prompts_per_day,
    quota_tokens_per_day, created_at, last_used_at, revoked_at";

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    name: String,
    sha256: Vec<u8>,
    scopes: Vec<String>,
    quota_running_jobs: Option<i64>,
    quota_prompts_per_day: Option<i64>,
    quota_tokens_per_day: Option<i64>,
    created_at: OffsetDateTime,
    last_used_at: Option<OffsetDateTime>,
    revoked_at: Option<OffsetDateTime>,
}

impl Row {
    fn into_key(self) -> Result<KeyToCheck, DbError> {
        let unreadable = || DbError::Other("stored api key is not readable".to_owned());
        let scopes = self.scopes.iter().map(|name| Scope::parse(name).ok_or_else(unreadable));
        Ok(KeyToCheck {
            key: ApiKey {
                scopes: scopes.collect::<Result<_, _>>()?,
                quota: KeyQuota {
                    running_jobs: self.quota_running_jobs.map(from_sql),
                    prompts_per_day: self.quota_prompts_per_day.map(from_sql),
                    tokens_per_day: self.quota_tokens_per_day.map(from_sql),
                },
                id: self.id,
                name: self.name,
                created_at: self.created_at,
                last_used_at: self.last_used_at,
                revoked_at: self.revoked_at,
            },
            sha256: self.sha256.try_into().map_err(|_| unreadable())?,
        })
    }
}

/// Stores a key; [`Conflict::Exists`](crate::Conflict::Exists) when the id is taken.
pub async fn create(
    db: &Db,
    id: &str,
    name: &str,
    sha256: &[u8; 32],
    scopes: &[Scope],
    quota: &KeyQuota,
) -> Result<ApiKey, DbError> {
    let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let row: Row = sqlx::query_as(AssertSqlSafe(format!(
        "INSERT INTO api_keys (id, name, sha256, scopes, quota_running_jobs, quota_prompts_per_day,
                quota_tokens_per_day)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {COLUMNS}"
    )))
    .bind(id)
    .bind(name)
    .bind(sha256.as_slice())
    .bind(scopes)
    .bind(quota.running_jobs.map(to_sql))
    .bind(quota.prompts_per_day.map(to_sql))
    .bind(quota.tokens_per_day.map(to_sql))
    .fetch_one(db.pool())
    .await?;
    Ok(row.into_key()?.key)
}

/// The key of that id, revoked or not; check both the secret and `revoked_at`.
pub async fn find(db: &Db, id: &str) -> Result<Option<KeyToCheck>, DbError> {
    let row: Option<Row> =
        sqlx::query_as(AssertSqlSafe(format!("SELECT {COLUMNS} FROM api_keys WHERE id = $1")))
            .bind(id)
            .fetch_optional(db.pool())
            .await?;
    row.map(Row::into_key).transpose()
}

/// Keys by id, revoked ones included; `after` is the id that the previous page ended with.
pub async fn list(db: &Db, after: Option<&str>, limit: u32) -> Result<Vec<ApiKey>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM api_keys WHERE $1::text IS NULL OR id > $1 ORDER BY id LIMIT $2"
    )))
    .bind(after)
    .bind(page_rows(limit))
    .fetch_all(db.pool())
    .await?;
    rows.into_iter().map(|row| Ok(row.into_key()?.key)).collect()
}

/// Ends a key for good; revoking it again is no error.
pub async fn revoke(db: &Db, id: &str) -> Result<(), DbError> {
    let revoked =
        sqlx::query("UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1")
            .bind(id)
            .execute(db.pool())
            .await?;
    DbError::expect_one(revoked.rows_affected(), "api key")
}

/// How many keys are in force; a service without any is open to whoever reaches it.
pub async fn count(db: &Db) -> Result<u64, DbError> {
    Ok(from_sql(
        sqlx::query_scalar("SELECT count(*) FROM api_keys WHERE revoked_at IS NULL")
            .fetch_one(db.pool())
            .await?,
    ))
}

/// Notes that a key was used, at most once a minute.
pub async fn touch(db: &Db, id: &str) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE api_keys SET last_used_at = now()
          WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - make_interval(secs => $2))",
    )
    .bind(id)
    .bind(f64::from(limits::TOUCH_SECONDS))
    .execute(db.pool())
    .await?;
    Ok(())
}

/// Adds what a chunk used since it was charged last to the day of the key that submitted its job.
///
/// Under the lock on the chunk; a job of nobody costs nothing but the look.
pub(crate) async fn charge(tx: &mut PgConnection, job: Uuid, chunk: i64) -> Result<(), DbError> {
    sqlx::query(
        "WITH spent AS (
             SELECT j.key_id, c.prompt_tokens + c.completion_tokens - c.charged_tokens AS tokens
               FROM jobs AS j JOIN job_chunks AS c ON c.job_id = j.id
              WHERE j.id = $1 AND c.chunk = $2 AND j.key_id IS NOT NULL
         ), noted AS (
             UPDATE job_chunks AS c SET charged_tokens = c.charged_tokens + s.tokens
               FROM spent AS s WHERE c.job_id = $1 AND c.chunk = $2
         )
         INSERT INTO key_usage AS u (key_id, day, tokens)
         SELECT s.key_id, (clock_timestamp() AT TIME ZONE 'UTC')::date, s.tokens FROM spent AS s
          WHERE s.tokens <> 0
         ON CONFLICT (key_id, day) DO UPDATE SET tokens = u.tokens + excluded.tokens",
    )
    .bind(job)
    .bind(chunk)
    .execute(tx)
    .await?;
    Ok(())
}

/// Warns open jobs that wait because their key's tokens of today are spent, each once a day.
pub(crate) async fn warn_spent(db: &Db) -> Result<u64, DbError> {
    let mut tx = db.begin().await?;
    let waiting: Vec<Uuid> = sqlx::query_scalar(
        "UPDATE jobs SET quota_warned_on = (clock_timestamp() AT TIME ZONE 'UTC')::date
          WHERE id IN (SELECT j.id FROM jobs AS j
                        WHERE j.state IN ('queued', 'running')
                          AND j.key_id IN (SELECT s.id FROM spent_keys AS s)
                          AND j.quota_warned_on IS DISTINCT FROM (clock_timestamp() AT TIME ZONE 'UTC')::date
                        ORDER BY j.id LIMIT $1 FOR NO KEY UPDATE OF j SKIP LOCKED)
         RETURNING id",
    )
    .bind(limits::SWEEP_CHUNKS)
    .fetch_all(&mut *tx)
    .await?;
    for job in &waiting {
        let data = json!({
            "code": TOKENS_SPENT,
            "message": "the tokens that its key may use today are spent; it goes on after midnight UTC",
        });
        events::append(&mut tx, *job, EventKind::Warning, data).await?;
    }
    tx.commit().await?;
    Ok(waiting.len() as u64)
}
