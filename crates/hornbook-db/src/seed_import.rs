//! Importing a seed set: batches in, one immutable version out, or nothing at all.

use std::collections::BTreeMap;

use hornbook_types::limits::{SEED_BYTES, SEED_FIELDS, SEEDS_PER_SET};
use hornbook_types::{Pinned, Slug};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use sqlx::{Postgres, Transaction};

use crate::convert::{from_sql32, json, json_text, to_sql};
use crate::version::Latest;
use crate::{Db, DbError, Expect, Origin, Stored};

/// Different field names that all records of one set may have together; each is kept and counted.
const SEED_SET_FIELDS: usize = 4_096;
/// Longest name of a field.
const FIELD_NAME_BYTES: usize = 256;

/// An import under way; dropping it keeps nothing.
pub struct Import {
    tx: Transaction<'static, Postgres>,
    id: i64,
    slug: Slug,
    version: i32,
    latest: Option<Latest>,
    count: u64,
    fields: BTreeMap<String, u64>,
    content: Sha256,
}

impl std::fmt::Debug for Import {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Import").field("slug", &self.slug).field("count", &self.count).finish()
    }
}

impl Import {
    pub(crate) async fn begin(
        db: &Db,
        slug: &Slug,
        license: &str,
        source: Option<&str>,
        origin: Origin,
    ) -> Result<Self, DbError> {
        let mut tx = db.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('seed set ' || $1, 0))")
            .bind(slug.as_str())
            .execute(&mut *tx)
            .await?;
        let latest: Option<Latest> = sqlx::query_as(
            "SELECT version, sha256, origin FROM seed_sets WHERE slug = $1
              ORDER BY version DESC LIMIT 1",
        )
        .bind(slug.as_str())
        .fetch_optional(&mut *tx)
        .await?;
        let version = latest.as_ref().map_or(1, |latest| latest.version + 1);
        let id = sqlx::query_scalar(
            "INSERT INTO seed_sets (slug, version, license, source, origin)
             VALUES ($1, $2, $3, $4, $5) RETURNING id",
        )
        .bind(slug.as_str())
        .bind(version)
        .bind(license)
        .bind(source)
        .bind(origin.as_str())
        .fetch_one(&mut *tx)
        .await?;
        // The licence is part of the content: the same records under another one are another version.
        let content = Sha256::new_with_prefix(json_text(&license)?);
        let fields = BTreeMap::new();
        Ok(Self { tx, id, slug: slug.clone(), version, latest, count: 0, fields, content })
    }

    /// Records pushed so far; the number that the next one gets.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Who wrote the version before this one.
    pub(crate) fn latest_origin(&self) -> Option<Origin> {
        self.latest.as_ref().map(|latest| Origin::parse(&latest.origin))
    }

    /// Adds records, numbered on from the last; a refused record is named by its number from 0.
    pub async fn push(&mut self, batch: &[Map<String, Value>]) -> Result<(), DbError> {
        let first = self.count;
        let mut texts = Vec::with_capacity(batch.len());
        for record in batch {
            let text = json_text(record)?;
            check(record, &text, self.count)?;
            for field in record.keys() {
                if let Some(count) = self.fields.get_mut(field) {
                    *count += 1;
                    continue;
                }
                if self.fields.len() >= SEED_SET_FIELDS {
                    return refuse(
                        self.count,
                        &format!("brings the set's fields above {SEED_SET_FIELDS}"),
                    );
                }
                self.fields.insert(field.clone(), 1);
            }
            self.content.update(text.as_bytes());
            self.content.update(b"\n");
            texts.push(text);
            self.count += 1;
        }
        sqlx::query(
            "INSERT INTO seeds (seed_set_id, seq, data)
             SELECT $1, $2 + r.ordinal - 1, r.data::jsonb
               FROM unnest($3::text[]) WITH ORDINALITY AS r (data, ordinal)",
        )
        .bind(self.id)
        .bind(to_sql(first))
        .bind(texts)
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Makes the version visible; an import equal to the latest version gives that one and keeps nothing.
    pub async fn finish(mut self) -> Result<(Pinned, Stored), DbError> {
        if self.count == 0 {
            return Err(DbError::BadData("a seed set needs at least one record".to_owned()));
        }
        let sha256 = hex::encode(self.content.finalize());
        let slug = self.slug;
        if Expect::Any.next(self.latest.as_ref(), &sha256)?.is_none() {
            self.tx.rollback().await?;
            let version = from_sql32(self.version - 1);
            return Ok((Pinned { slug, version }, Stored { version, created: false }));
        }
        let updated =
            sqlx::query("UPDATE seed_sets SET count = $2, fields = $3, sha256 = $4 WHERE id = $1")
                .bind(self.id)
                .bind(to_sql(self.count))
                .bind(json(&self.fields))
                .bind(sha256)
                .execute(&mut *self.tx)
                .await?;
        DbError::expect_one(updated.rows_affected(), "seed set")?;
        self.tx.commit().await?;
        let version = from_sql32(self.version);
        Ok((Pinned { slug, version }, Stored { version, created: true }))
    }

    /// Ends the import at once and keeps nothing; dropping it does the same a little later.
    pub async fn abandon(self) -> Result<(), DbError> {
        Ok(self.tx.rollback().await?)
    }
}

fn refuse<T>(seq: u64, what: &str) -> Result<T, DbError> {
    Err(DbError::BadData(format!("record {seq} {what}")))
}

fn check(record: &Map<String, Value>, text: &str, seq: u64) -> Result<(), DbError> {
    let refuse = |what: &str| refuse(seq, what);
    if seq >= SEEDS_PER_SET {
        return refuse(&format!("is beyond the limit of {SEEDS_PER_SET}"));
    }
    if text.len() > SEED_BYTES {
        return refuse(&format!("is {} bytes; at most {SEED_BYTES} are allowed", text.len()));
    }
    if record.len() > SEED_FIELDS {
        return refuse(&format!("has {} fields; at most {SEED_FIELDS} are allowed", record.len()));
    }
    if record.keys().any(|field| field.len() > FIELD_NAME_BYTES) {
        return refuse(&format!("has a field's name of more than {FIELD_NAME_BYTES} bytes"));
    }
    // The cheap look first: nearly no record spells the escape at all.
    if text.contains("\\u0000") && object_holds_nul(record) {
        return refuse("holds U+0000");
    }
    Ok(())
}

fn object_holds_nul(object: &Map<String, Value>) -> bool {
    object.iter().any(|(key, value)| key.contains('\0') || holds_nul(value))
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(object) => object_holds_nul(object),
        _ => false,
    }
}
