//! Benchmarks: immutable versions of items that no corpus may hold.

use hornbook_types::{Pinned, Reference, Slug};
use time::OffsetDateTime;

use crate::convert::{from_sql, from_sql32, name, page_rows, to_sql, to_sql32};
use crate::version::Latest;
use crate::{Db, DbError, Expect, Stored};

/// One stored version of a benchmark; its items are a file in the corpus store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Benchmark {
    /// Name and version.
    pub pinned: Pinned,
    /// What it holds.
    pub content: BenchmarkContent,
    /// When it was stored.
    pub created_at: OffsetDateTime,
}

/// The items of a benchmark, as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BenchmarkContent {
    /// SHA-256 of the file, 64 hex digits.
    pub sha256: String,
    /// Number of items.
    pub items: u64,
    /// Size of the file.
    pub bytes: u64,
    /// Where the file lies in the corpus store; the same for the same content.
    pub location: String,
}

#[derive(sqlx::FromRow)]
struct Row {
    name: String,
    version: i32,
    sha256: String,
    items: i64,
    bytes: i64,
    location: String,
    created_at: OffsetDateTime,
}

impl Row {
    fn into_benchmark(self) -> Result<Benchmark, DbError> {
        Ok(Benchmark {
            pinned: Pinned {
                slug: name(&self.name, "benchmark")?,
                version: from_sql32(self.version),
            },
            content: BenchmarkContent {
                sha256: self.sha256,
                items: from_sql(self.items),
                bytes: from_sql(self.bytes),
                location: self.location,
            },
            created_at: self.created_at,
        })
    }
}

/// Stores the next version of a benchmark, whose file is in the store already.
///
/// Content equal to the latest version's gives that one and writes nothing.
pub async fn put(
    db: &Db,
    name: &Slug,
    content: &BenchmarkContent,
    expect: Expect,
) -> Result<(Pinned, Stored), DbError> {
    let mut tx = db.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('benchmark ' || $1, 0))")
        .bind(name.as_str())
        .execute(&mut *tx)
        .await?;
    let latest: Option<Latest> = sqlx::query_as(
        "SELECT version, sha256, 'user' AS origin FROM benchmarks WHERE name = $1
          ORDER BY version DESC LIMIT 1",
    )
    .bind(name.as_str())
    .fetch_optional(&mut *tx)
    .await?;
    let pinned = |version: i32| Pinned { slug: name.clone(), version: from_sql32(version) };
    let Some(next) = expect.next(latest.as_ref(), &content.sha256)? else {
        let version = latest.map_or(1, |latest| latest.version);
        return Ok((pinned(version), Stored { version: from_sql32(version), created: false }));
    };
    sqlx::query(
        "INSERT INTO benchmarks (name, version, sha256, items, bytes, location)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(name.as_str())
    .bind(next)
    .bind(&content.sha256)
    .bind(to_sql(content.items))
    .bind(to_sql(content.bytes))
    .bind(&content.location)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok((pinned(next), Stored { version: from_sql32(next), created: true }))
}

/// The version asked for, or the latest.
pub async fn get(db: &Db, reference: &Reference) -> Result<Benchmark, DbError> {
    sqlx::query_as::<_, Row>(
        "SELECT name, version, sha256, items, bytes, location, created_at
           FROM benchmarks WHERE name = $1 AND ($2::int IS NULL OR version = $2)
          ORDER BY version DESC LIMIT 1",
    )
    .bind(reference.slug.as_str())
    .bind(reference.version.map(to_sql32))
    .fetch_optional(db.pool())
    .await?
    .ok_or(DbError::NotFound("benchmark"))?
    .into_benchmark()
}

/// The latest version of each benchmark, by name; `after` is the name that the previous page ended with.
pub async fn list(db: &Db, after: Option<&Slug>, limit: u32) -> Result<Vec<Benchmark>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT DISTINCT ON (name) name, version, sha256, items, bytes, location, created_at
           FROM benchmarks WHERE $1::text IS NULL OR name > $1
          ORDER BY name, version DESC LIMIT $2",
    )
    .bind(after.map(Slug::as_str))
    .bind(page_rows(limit))
    .fetch_all(db.pool())
    .await?;
    rows.into_iter().map(Row::into_benchmark).collect()
}
