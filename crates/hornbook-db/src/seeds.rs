//! The records of seed sets.

use hornbook_types::{Pinned, SeedRecord};
use serde_json::{Map, Value};
use sqlx::types::Json;

use crate::convert::{from_sql, page_rows, to_sql, to_sql32};
use crate::{Db, DbError};

#[derive(sqlx::FromRow)]
struct Row {
    seq: i64,
    data: Json<Map<String, Value>>,
}

impl From<Row> for SeedRecord {
    fn from(row: Row) -> Self {
        Self { seq: from_sql(row.seq), data: row.data.0 }
    }
}

/// Up to `limit` records from number `from_seq` on.
pub async fn page(
    db: &Db,
    set: &Pinned,
    from_seq: u64,
    limit: u32,
) -> Result<Vec<SeedRecord>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT s.seq, s.data FROM seeds AS s
          WHERE s.seed_set_id = (SELECT id FROM seed_sets WHERE slug = $1 AND version = $2)
            AND s.seq >= $3 ORDER BY s.seq LIMIT $4",
    )
    .bind(set.slug.as_str())
    .bind(to_sql32(set.version))
    .bind(to_sql(from_seq))
    .bind(page_rows(limit))
    .fetch_all(db.pool())
    .await?;
    Ok(rows.into_iter().map(SeedRecord::from).collect())
}

/// The records of these numbers, in the order of their numbers, each once; numbers that are not there are left out.
pub async fn by_seqs(db: &Db, set: &Pinned, seqs: &[u64]) -> Result<Vec<SeedRecord>, DbError> {
    let seqs: Vec<i64> = seqs.iter().copied().map(to_sql).collect();
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT s.seq, s.data FROM seeds AS s
          WHERE s.seed_set_id = (SELECT id FROM seed_sets WHERE slug = $1 AND version = $2)
            AND s.seq = ANY($3) ORDER BY s.seq",
    )
    .bind(set.slug.as_str())
    .bind(to_sql32(set.version))
    .bind(seqs)
    .fetch_all(db.pool())
    .await?;
    Ok(rows.into_iter().map(SeedRecord::from).collect())
}
