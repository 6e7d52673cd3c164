//! Audiences: immutable versions of whom texts are written for.

use hornbook_types::{AudienceSpec, Pinned, Reference, Slug};
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::convert::{digest, from_sql32, json, name, page_rows, to_sql32};
use crate::version::Latest;
use crate::{Db, DbError, Expect, Origin, Stored};

/// One stored version of an audience.
#[derive(Clone, Debug, PartialEq)]
pub struct Audience {
    /// Name and version.
    pub pinned: Pinned,
    /// The content.
    pub spec: AudienceSpec,
    /// Who wrote it.
    pub origin: Origin,
    /// SHA-256 of the content as JSON, 64 hex digits.
    pub sha256: String,
    /// When it was stored.
    pub created_at: OffsetDateTime,
}

#[derive(sqlx::FromRow)]
struct Row {
    slug: String,
    version: i32,
    spec: Json<AudienceSpec>,
    origin: String,
    sha256: String,
    created_at: OffsetDateTime,
}

impl Row {
    fn into_audience(self) -> Result<Audience, DbError> {
        Ok(Audience {
            pinned: Pinned {
                slug: name(&self.slug, "audience")?,
                version: from_sql32(self.version),
            },
            spec: self.spec.0,
            origin: Origin::parse(&self.origin),
            sha256: self.sha256,
            created_at: self.created_at,
        })
    }
}

/// Writes version 1, or the next version after the one expected.
pub async fn put(
    db: &Db,
    slug: &Slug,
    spec: &AudienceSpec,
    expect: Expect,
) -> Result<Stored, DbError> {
    let mut tx = db.begin().await?;
    let stored = put_in(&mut tx, slug, spec, expect, Origin::User).await?;
    tx.commit().await?;
    Ok(stored)
}

pub(crate) async fn put_in(
    tx: &mut PgConnection,
    slug: &Slug,
    spec: &AudienceSpec,
    expect: Expect,
    origin: Origin,
) -> Result<Stored, DbError> {
    let sha256 = digest(spec)?;
    let latest = lock_latest(tx, slug).await?;
    let Some(version) = expect.next(latest.as_ref(), &sha256)? else {
        let version = latest.map_or(0, |latest| from_sql32(latest.version));
        return Ok(Stored { version, created: false });
    };
    sqlx::query(
        "INSERT INTO audiences (slug, version, rank, spec, origin, sha256)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(slug.as_str())
    .bind(version)
    .bind(spec.rank)
    .bind(json(spec))
    .bind(origin.as_str())
    .bind(sha256)
    .execute(tx)
    .await?;
    Ok(Stored { version: from_sql32(version), created: true })
}

/// Keeps other writers of this name out until the transaction ends, and finds the latest version.
pub(crate) async fn lock_latest(
    tx: &mut PgConnection,
    slug: &Slug,
) -> Result<Option<Latest>, DbError> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('audience ' || $1, 0))")
        .bind(slug.as_str())
        .execute(&mut *tx)
        .await?;
    Ok(sqlx::query_as(
        "SELECT version, sha256, origin FROM audiences WHERE slug = $1
          ORDER BY version DESC LIMIT 1",
    )
    .bind(slug.as_str())
    .fetch_optional(tx)
    .await?)
}

/// The version asked for, or the latest.
pub async fn get(db: &Db, reference: &Reference) -> Result<Audience, DbError> {
    sqlx::query_as::<_, Row>(
        "SELECT slug, version, spec, origin, sha256, created_at FROM audiences
          WHERE slug = $1 AND ($2::int IS NULL OR version = $2)
          ORDER BY version DESC LIMIT 1",
    )
    .bind(reference.slug.as_str())
    .bind(reference.version.map(to_sql32))
    .fetch_optional(db.pool())
    .await?
    .ok_or(DbError::NotFound("audience"))?
    .into_audience()
}

/// The latest version of each audience, up the ladder, then those off it by name.
///
/// `after` is the name that the previous page ended with.
pub async fn list(db: &Db, after: Option<&Slug>, limit: u32) -> Result<Vec<Audience>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "WITH latest AS (
             SELECT DISTINCT ON (slug) * FROM audiences ORDER BY slug, version DESC
         )
         SELECT slug, version, spec, origin, sha256, created_at FROM latest
          WHERE $1::text IS NULL OR (coalesce(rank, 32767::smallint), slug) >
                (SELECT coalesce(p.rank, 32767::smallint), p.slug FROM latest AS p WHERE p.slug = $1)
          ORDER BY coalesce(rank, 32767::smallint), slug LIMIT $2",
    )
    .bind(after.map(Slug::as_str))
    .bind(page_rows(limit))
    .fetch_all(db.pool())
    .await?;
    rows.into_iter().map(Row::into_audience).collect()
}

/// Every version of one audience, newest first.
pub async fn versions(db: &Db, slug: &Slug) -> Result<Vec<Audience>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT slug, version, spec, origin, sha256, created_at FROM audiences
          WHERE slug = $1 ORDER BY version DESC",
    )
    .bind(slug.as_str())
    .fetch_all(db.pool())
    .await?;
    if rows.is_empty() {
        return Err(DbError::NotFound("audience"));
    }
    rows.into_iter().map(Row::into_audience).collect()
}
