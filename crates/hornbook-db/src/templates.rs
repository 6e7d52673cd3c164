//! Templates: immutable versions of what is asked for.

use hornbook_types::{OutputKind, Pinned, Reference, Slug, TemplateSpec};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::convert::{digest, from_sql32, name, page_rows, to_sql32};
use crate::version::Latest;
use crate::{Db, DbError, Expect, Origin, Stored};

/// One stored version of a template.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// Name and version.
    pub pinned: Pinned,
    /// The content.
    pub spec: TemplateSpec,
    /// Who wrote it.
    pub origin: Origin,
    /// SHA-256 of the content as JSON, 64 hex digits.
    pub sha256: String,
    /// When it was stored.
    pub created_at: OffsetDateTime,
}

/// Which templates to list; an absent field filters nothing.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only this format.
    pub format: Option<Slug>,
    /// Only those whose name, description or body holds this text, whatever its case.
    pub text: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    slug: String,
    version: i32,
    format: String,
    output: String,
    body: String,
    description: Option<String>,
    origin: String,
    sha256: String,
    created_at: OffsetDateTime,
}

impl Row {
    fn into_template(self) -> Result<Template, DbError> {
        let output = [
            OutputKind::Text,
            OutputKind::List,
            OutputKind::Score,
            OutputKind::Messages,
            OutputKind::Json,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == self.output)
        .ok_or_else(|| DbError::Other("stored output kind is unknown".to_owned()))?;
        Ok(Template {
            pinned: Pinned {
                slug: name(&self.slug, "template")?,
                version: from_sql32(self.version),
            },
            spec: TemplateSpec {
                format: name(&self.format, "format")?,
                output,
                body: self.body,
                description: self.description,
            },
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
    spec: &TemplateSpec,
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
    spec: &TemplateSpec,
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
        "INSERT INTO templates (slug, version, format, output, body, description, origin, sha256)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(slug.as_str())
    .bind(version)
    .bind(spec.format.as_str())
    .bind(spec.output.as_str())
    .bind(&spec.body)
    .bind(&spec.description)
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
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('template ' || $1, 0))")
        .bind(slug.as_str())
        .execute(&mut *tx)
        .await?;
    Ok(sqlx::query_as(
        "SELECT version, sha256, origin FROM templates WHERE slug = $1
          ORDER BY version DESC LIMIT 1",
    )
    .bind(slug.as_str())
    .fetch_optional(tx)
    .await?)
}

/// The version asked for, or the latest.
pub async fn get(db: &Db, reference: &Reference) -> Result<Template, DbError> {
    sqlx::query_as::<_, Row>(
        "SELECT slug, version, format, output, body, description, origin, sha256, created_at
           FROM templates WHERE slug = $1 AND ($2::int IS NULL OR version = $2)
          ORDER BY version DESC LIMIT 1",
    )
    .bind(reference.slug.as_str())
    .bind(reference.version.map(to_sql32))
    .fetch_optional(db.pool())
    .await?
    .ok_or(DbError::NotFound("template"))?
    .into_template()
}

/// The latest version of each template, by name; `after` is the name that the previous page ended with.
pub async fn list(
    db: &Db,
    filter: &Filter,
    after: Option<&Slug>,
    limit: u32,
) -> Result<Vec<Template>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "WITH latest AS (
             SELECT DISTINCT ON (slug) * FROM templates ORDER BY slug, version DESC
         )
         SELECT slug, version, format, output, body, description, origin, sha256, created_at
           FROM latest
          WHERE ($1::text IS NULL OR slug > $1) AND ($2::text IS NULL OR format = $2)
            AND ($3::text IS NULL OR strpos(lower(concat_ws(' ', slug, description, body)), lower($3)) > 0)
          ORDER BY slug LIMIT $4",
    )
    .bind(after.map(Slug::as_str))
    .bind(filter.format.as_ref().map(Slug::as_str))
    .bind(&filter.text)
    .bind(page_rows(limit))
    .fetch_all(db.pool())
    .await?;
    rows.into_iter().map(Row::into_template).collect()
}

/// Every version of one template, newest first.
pub async fn versions(db: &Db, slug: &Slug) -> Result<Vec<Template>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT slug, version, format, output, body, description, origin, sha256, created_at
           FROM templates WHERE slug = $1 ORDER BY version DESC",
    )
    .bind(slug.as_str())
    .fetch_all(db.pool())
    .await?;
    if rows.is_empty() {
        return Err(DbError::NotFound("template"));
    }
    rows.into_iter().map(Row::into_template).collect()
}
