//! API keys: only the SHA-256 of each secret is known here.

use hornbook_types::Scope;
use time::OffsetDateTime;

use crate::convert::{from_sql, page_rows};
use crate::{Db, DbError, limits};

/// A stored key; its secret was shown once and is not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The public part of the key.
    pub id: String,
    /// Name shown to people.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
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

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    name: String,
    sha256: Vec<u8>,
    scopes: Vec<String>,
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
) -> Result<ApiKey, DbError> {
    let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let row: Row = sqlx::query_as(
        "INSERT INTO api_keys (id, name, sha256, scopes) VALUES ($1, $2, $3, $4)
         RETURNING id, name, sha256, scopes, created_at, last_used_at, revoked_at",
    )
    .bind(id)
    .bind(name)
    .bind(sha256.as_slice())
    .bind(scopes)
    .fetch_one(db.pool())
    .await?;
    Ok(row.into_key()?.key)
}

/// The key of that id, revoked or not; check both the secret and `revoked_at`.
pub async fn find(db: &Db, id: &str) -> Result<Option<KeyToCheck>, DbError> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, name, sha256, scopes, created_at, last_used_at, revoked_at FROM api_keys
          WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(db.pool())
    .await?;
    row.map(Row::into_key).transpose()
}

/// Keys by id, revoked ones included; `after` is the id that the previous page ended with.
pub async fn list(db: &Db, after: Option<&str>, limit: u32) -> Result<Vec<ApiKey>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, name, sha256, scopes, created_at, last_used_at, revoked_at FROM api_keys
          WHERE $1::text IS NULL OR id > $1 ORDER BY id LIMIT $2",
    )
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
