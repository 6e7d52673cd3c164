//! Seed sets: immutable, numbered versions of input records, with licence and source.

use std::collections::BTreeMap;

use hornbook_types::{Pinned, Reference, Slug};
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::convert::{from_sql, from_sql32, name, page_rows, to_sql32};
use crate::{Db, DbError, Origin};

pub use crate::seed_import::Import;

/// One stored version of a seed set; its records are in [`crate::seeds`].
#[derive(Clone, Debug, PartialEq)]
pub struct SeedSet {
    /// Name and version.
    pub pinned: Pinned,
    /// Licence of the records.
    pub license: String,
    /// Where they came from, in the importer's words.
    pub source: Option<String>,
    /// Number of records.
    pub count: u64,
    /// How many records have each field; a field that `count` records have can be relied on.
    pub fields: BTreeMap<String, u64>,
    /// Who imported it.
    pub origin: Origin,
    /// SHA-256 over licence and records, 64 hex digits.
    pub sha256: String,
    /// When it was stored.
    pub created_at: OffsetDateTime,
}

#[derive(sqlx::FromRow)]
struct Row {
    slug: String,
    version: i32,
    license: String,
    source: Option<String>,
    count: i64,
    fields: Json<BTreeMap<String, u64>>,
    origin: String,
    sha256: String,
    created_at: OffsetDateTime,
}

impl Row {
    fn into_seed_set(self) -> Result<SeedSet, DbError> {
        Ok(SeedSet {
            pinned: Pinned {
                slug: name(&self.slug, "seed set")?,
                version: from_sql32(self.version),
            },
            license: self.license,
            source: self.source,
            count: from_sql(self.count),
            fields: self.fields.0,
            origin: Origin::parse(&self.origin),
            sha256: self.sha256,
            created_at: self.created_at,
        })
    }
}

/// Opens an import of the next version of `slug`; nothing is kept of it unless it is finished.
///
/// It holds one transaction and keeps other imports of the same name waiting, so records must
/// come from something fast: spool an upload to a file first.
pub async fn begin(
    db: &Db,
    slug: &Slug,
    license: &str,
    source: Option<&str>,
) -> Result<Import, DbError> {
    Import::begin(db, slug, license, source, Origin::User).await
}

/// The version asked for, or the latest.
pub async fn get(db: &Db, reference: &Reference) -> Result<SeedSet, DbError> {
    sqlx::query_as::<_, Row>(
        "SELECT slug, version, license, source, count, fields, origin, sha256, created_at
           FROM seed_sets WHERE slug = $1 AND ($2::int IS NULL OR version = $2)
          ORDER BY version DESC LIMIT 1",
    )
    .bind(reference.slug.as_str())
    .bind(reference.version.map(to_sql32))
    .fetch_optional(db.pool())
    .await?
    .ok_or(DbError::NotFound("seed set"))?
    .into_seed_set()
}

/// The latest version of each seed set, by name; `after` is the name that the previous page ended with.
pub async fn list(db: &Db, after: Option<&Slug>, limit: u32) -> Result<Vec<SeedSet>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT DISTINCT ON (slug) slug, version, license, source, count, fields, origin, sha256, created_at
           FROM seed_sets WHERE $1::text IS NULL OR slug > $1
          ORDER BY slug, version DESC LIMIT $2",
    )
    .bind(after.map(Slug::as_str))
    .bind(page_rows(limit))
    .fetch_all(db.pool())
    .await?;
    rows.into_iter().map(Row::into_seed_set).collect()
}

/// Every version of one seed set, newest first.
pub async fn versions(db: &Db, slug: &Slug) -> Result<Vec<SeedSet>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT slug, version, license, source, count, fields, origin, sha256, created_at
           FROM seed_sets WHERE slug = $1 ORDER BY version DESC",
    )
    .bind(slug.as_str())
    .fetch_all(db.pool())
    .await?;
    if rows.is_empty() {
        return Err(DbError::NotFound("seed set"));
    }
    rows.into_iter().map(Row::into_seed_set).collect()
}
