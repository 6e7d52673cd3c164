//! Loading the built-in catalog: each changed file becomes one version, once, and users' edits stay.

use std::collections::BTreeMap;

use hornbook_types::{AudienceSpec, Slug, TemplateSpec};
use serde_json::{Map, Value};
use sqlx::PgConnection;

use crate::convert::digest;
use crate::seed_sets::Import;
use crate::version::Latest;
use crate::{Db, DbError, Expect, Origin, audiences, templates};

/// Records that one statement of a built-in import carries.
const SEED_BATCH: usize = 1_000;

/// A built-in seed set, whole.
#[derive(Clone, Debug)]
pub struct BuiltinSeedSet {
    /// Its name.
    pub slug: Slug,
    /// Licence of its records.
    pub license: String,
    /// Where they came from.
    pub source: Option<String>,
    /// The records, in order.
    pub records: Vec<Map<String, Value>>,
}

/// Everything that comes with the software.
#[derive(Clone, Debug, Default)]
pub struct Builtin {
    /// Audiences by name.
    pub audiences: BTreeMap<Slug, AudienceSpec>,
    /// Templates by name.
    pub templates: BTreeMap<Slug, TemplateSpec>,
    /// Seed sets.
    pub seed_sets: Vec<BuiltinSeedSet>,
}

/// What a load changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// Versions written.
    pub written: u32,
    /// Changed built-in things that were left alone because a user's edit is the latest version.
    pub kept: u32,
}

/// Loads the catalog; a thing whose latest version a user wrote is left alone.
///
/// The content last loaded is remembered per name, so that a start with unchanged files writes
/// nothing, and so that a user's edit is not buried under the same file again and again.
pub async fn sync(db: &Db, builtin: &Builtin) -> Result<Synced, DbError> {
    let mut synced = Synced::default();
    for (slug, spec) in &builtin.audiences {
        let mut tx = db.begin().await?;
        let latest = audiences::lock_latest(&mut tx, slug).await?;
        if is_due(&mut tx, "audience", slug, &digest(spec)?, latest, &mut synced).await? {
            audiences::put_in(&mut tx, slug, spec, Expect::Any, Origin::Builtin).await?;
        }
        tx.commit().await?;
    }
    for (slug, spec) in &builtin.templates {
        let mut tx = db.begin().await?;
        let latest = templates::lock_latest(&mut tx, slug).await?;
        if is_due(&mut tx, "template", slug, &digest(spec)?, latest, &mut synced).await? {
            templates::put_in(&mut tx, slug, spec, Expect::Any, Origin::Builtin).await?;
        }
        tx.commit().await?;
    }
    for set in &builtin.seed_sets {
        sync_seed_set(db, set, &mut synced).await?;
    }
    Ok(synced)
}

/// Notes that this content was looked at, and says whether it must be written as a new version.
async fn is_due(
    tx: &mut PgConnection,
    kind: &str,
    slug: &Slug,
    sha256: &str,
    latest: Option<Latest>,
    synced: &mut Synced,
) -> Result<bool, DbError> {
    if !note(tx, kind, slug, sha256).await? {
        return Ok(false);
    }
    match latest {
        Some(latest) if Origin::parse(&latest.origin) == Origin::User => {
            synced.kept += 1;
            Ok(false)
        }
        Some(latest) if latest.sha256 == sha256 => Ok(false),
        _ => {
            synced.written += 1;
            Ok(true)
        }
    }
}

/// Seed sets are imported in a transaction of their own, so what was loaded is noted after it: a
/// crash between the two imports again, finds the same content and writes nothing.
async fn sync_seed_set(db: &Db, set: &BuiltinSeedSet, synced: &mut Synced) -> Result<(), DbError> {
    let sha256 = digest(&(&set.license, &set.source, &set.records))?;
    let loaded: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM catalog_loaded
                         WHERE kind = 'seed_set' AND slug = $1 AND sha256 = $2)",
    )
    .bind(set.slug.as_str())
    .bind(&sha256)
    .fetch_one(db.pool())
    .await?;
    if loaded {
        return Ok(());
    }
    let source = set.source.as_deref();
    let mut import = Import::begin(db, &set.slug, &set.license, source, Origin::Builtin).await?;
    if import.latest_origin() == Some(Origin::User) {
        import.abandon().await?;
        synced.kept += 1;
    } else {
        for batch in set.records.chunks(SEED_BATCH) {
            import.push(batch).await?;
        }
        let (_, stored) = import.finish().await?;
        synced.written += u32::from(stored.created);
    }
    let mut tx = db.begin().await?;
    note(&mut tx, "seed_set", &set.slug, &sha256).await?;
    tx.commit().await?;
    Ok(())
}

/// Notes that this content was looked at; false when it was noted before.
async fn note(
    tx: &mut PgConnection,
    kind: &str,
    slug: &Slug,
    sha256: &str,
) -> Result<bool, DbError> {
    let changed = sqlx::query(
        "INSERT INTO catalog_loaded (kind, slug, sha256) VALUES ($1, $2, $3)
         ON CONFLICT (kind, slug) DO UPDATE SET sha256 = excluded.sha256, loaded_at = now()
          WHERE catalog_loaded.sha256 <> excluded.sha256",
    )
    .bind(kind)
    .bind(slug.as_str())
    .bind(sha256)
    .execute(tx)
    .await?;
    Ok(changed.rows_affected() == 1)
}
