//! Writing down what is to be imported, or was.

use hornbook_types::{ImportState, Pinned, Redistribution, Slug};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Postgres, Transaction};
use uuid::Uuid;

use super::{COLUMNS, Import, ImportContent, NewImport, Row, location};
use crate::convert::{to_sql, to_sql32};
use crate::{Db, DbError, Stored};

/// Stores an upload whose files lie complete under the id's [`location`]; gives the version that
/// holds it.
///
/// Where the latest version has the same files under the same licence and source, that one is given;
/// the files under `id` are nobody's then.
pub async fn store(
    db: &Db,
    id: Uuid,
    slug: &Slug,
    new: &NewImport,
    content: &ImportContent,
) -> Result<(Pinned, Stored), DbError> {
    let (mut tx, latest) = lock(db, slug).await?;
    if let Some(latest) = &latest
        && latest.state == ImportState::Ready
        && latest.content.sha256 == content.sha256
        && latest.license == new.license
        && latest.source == new.source
    {
        let version = latest.pinned.version;
        return Ok((latest.pinned.clone(), Stored { version, created: false }));
    }
    let version = make_room(&mut tx, latest.as_ref()).await?;
    insert(&mut tx, id, slug, version, new, Some(content)).await?;
    tx.commit().await?;
    Ok((Pinned { slug: slug.clone(), version }, Stored { version, created: true }))
}

/// Notes what a worker is to import; gives the version that it will be.
///
/// The same asked again while it is under way changes nothing.
pub async fn request(
    db: &Db,
    id: Uuid,
    slug: &Slug,
    new: &NewImport,
) -> Result<(Pinned, Stored), DbError> {
    let (mut tx, latest) = lock(db, slug).await?;
    if let Some(latest) = &latest
        && latest.state == ImportState::Importing
        && super::same_request(latest, new)
    {
        let version = latest.pinned.version;
        return Ok((latest.pinned.clone(), Stored { version, created: false }));
    }
    let version = make_room(&mut tx, latest.as_ref()).await?;
    insert(&mut tx, id, slug, version, new, None).await?;
    tx.commit().await?;
    Ok((Pinned { slug: slug.clone(), version }, Stored { version, created: true }))
}

/// Keeps other writers of that name waiting, and gives its latest version.
async fn lock(
    db: &Db,
    slug: &Slug,
) -> Result<(Transaction<'static, Postgres>, Option<Import>), DbError> {
    let mut tx = db.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('import ' || $1, 0))")
        .bind(slug.as_str())
        .execute(&mut *tx)
        .await?;
    let latest: Option<Row> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM imports WHERE slug = $1 AND deleting_at IS NULL
          ORDER BY version DESC LIMIT 1"
    )))
    .bind(slug.as_str())
    .fetch_optional(&mut *tx)
    .await?;
    Ok((tx, latest.map(Row::into_import).transpose()?))
}

/// The number of the next version; a version that failed gives its number up.
async fn make_room(
    tx: &mut Transaction<'static, Postgres>,
    latest: Option<&Import>,
) -> Result<u32, DbError> {
    let Some(latest) = latest else { return Ok(1) };
    if latest.state != ImportState::Failed {
        return Ok(latest.pinned.version + 1);
    }
    let gone = sqlx::query(
        "UPDATE imports SET deleting_at = now() WHERE id = $1 AND state = 'failed'
            AND deleting_at IS NULL",
    )
    .bind(latest.id)
    .execute(&mut **tx)
    .await?;
    DbError::expect_one(gone.rows_affected(), "import")?;
    Ok(latest.pinned.version)
}

async fn insert(
    tx: &mut Transaction<'static, Postgres>,
    id: Uuid,
    slug: &Slug,
    version: u32,
    new: &NewImport,
    content: Option<&ImportContent>,
) -> Result<(), DbError> {
    let state = if content.is_some() { ImportState::Ready } else { ImportState::Importing };
    let nothing = ImportContent::default();
    let held = content.unwrap_or(&nothing);
    sqlx::query(
        "INSERT INTO imports (id, slug, version, state, kind, origin, license, redistribution, source,
                text_column, sha256, row_count, text_bytes, tokens, files, location, finished_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
                CASE WHEN $4 = 'ready' THEN now() END)",
    )
    .bind(id)
    .bind(slug.as_str())
    .bind(to_sql32(version))
    .bind(state.as_str())
    .bind(new.origin.kind().as_str())
    .bind(Json(&new.origin))
    .bind(&new.license)
    .bind(Redistribution::of_license(&new.license).as_str())
    .bind(&new.source)
    .bind(&new.text_column)
    .bind(&held.sha256)
    .bind(to_sql(held.rows))
    .bind(to_sql(held.text_bytes))
    .bind(to_sql(held.tokens))
    .bind(Json(&held.files))
    .bind(location(id))
    .execute(&mut **tx)
    .await?;
    Ok(())
}
