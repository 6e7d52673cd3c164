//! Configuring endpoints: a key stays only with the server that it was given for.

use hornbook_types::{
    EndpointKind, EndpointPreset, EndpointSpec, EndpointState, LOCAL_ENDPOINT, Slug,
};
use sqlx::PgConnection;
use url::{Origin, Url};
use uuid::Uuid;

use super::Endpoint;
use crate::convert::json;
use crate::notifier::announce_endpoints;
use crate::{Conflict, Db, DbError};

/// What to do with an endpoint's key when it is configured; shows nothing of the key.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// Keep the stored one, if scheme, host and port stay what they were.
    Keep,
    /// Store this one.
    Set(String),
    /// Store none.
    Clear,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Keep => "Keep",
            Self::Set(_) => "Set(..)",
            Self::Clear => "Clear",
        })
    }
}

/// Creates or replaces an endpoint; it is ready again, whatever it was before.
///
/// The flag is true when it was created.
pub async fn put(
    db: &Db,
    name: &Slug,
    spec: &EndpointSpec,
    secret: Secret,
) -> Result<(Endpoint, bool), DbError> {
    let mut tx = db.begin().await?;
    // Made first if need be, so that there is an id to seal with and a row to lock.
    let created = insert(&mut tx, name, spec, EndpointState::Ready, None).await?;
    let (id, base_url): (Uuid, String) =
        sqlx::query_as("SELECT id, base_url FROM endpoints WHERE name = $1 FOR UPDATE")
            .bind(name.as_str())
            .fetch_one(&mut *tx)
            .await?;
    let keeps = secret == Secret::Keep && same_server(&base_url, &spec.base_url);
    let sealed = match &secret {
        Secret::Set(secret) => Some(db.secret_key()?.seal(id, secret)?),
        Secret::Keep | Secret::Clear => None,
    };
    let updated = sqlx::query(
        "UPDATE endpoints SET kind = $2, base_url = $3, model = $4, limits = $5, price = $6,
                options = $7, secret = CASE WHEN $8 THEN secret ELSE $9 END,
                state = 'ready', message = NULL, revision = revision + CASE WHEN $10 THEN 0 ELSE 1 END,
                updated_at = now(), preset = $11
          WHERE id = $1",
    )
    .bind(id)
    .bind(spec.kind.as_str())
    .bind(&spec.base_url)
    .bind(&spec.model)
    .bind(json(&spec.limits))
    .bind(json(spec.price))
    .bind(json(&spec.options))
    .bind(keeps)
    .bind(sealed)
    .bind(created)
    .bind(spec.preset.map(EndpointPreset::as_str))
    .execute(&mut *tx)
    .await?;
    DbError::expect_one(updated.rows_affected(), "endpoint")?;
    announce_endpoints(&mut tx).await?;
    tx.commit().await?;
    Ok((super::get(db, name).await?, created))
}

/// Makes the endpoint `local` if there is none yet; true when it was made.
pub async fn ensure_local(
    db: &Db,
    state: EndpointState,
    message: Option<&str>,
) -> Result<bool, DbError> {
    let name: Slug = crate::convert::name(LOCAL_ENDPOINT, "endpoint")?;
    let spec = EndpointSpec {
        kind: EndpointKind::Local,
        preset: None,
        base_url: String::new(),
        model: String::new(),
        limits: Default::default(),
        price: Default::default(),
        options: Default::default(),
    };
    let mut tx = db.begin().await?;
    let created = insert(&mut tx, &name, &spec, state, message).await?;
    tx.commit().await?;
    Ok(created)
}

async fn insert(
    tx: &mut PgConnection,
    name: &Slug,
    spec: &EndpointSpec,
    state: EndpointState,
    message: Option<&str>,
) -> Result<bool, DbError> {
    let inserted = sqlx::query(
        "INSERT INTO endpoints (name, kind, base_url, model, limits, price, options, state, message,
                                preset)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (name) DO NOTHING",
    )
    .bind(name.as_str())
    .bind(spec.kind.as_str())
    .bind(&spec.base_url)
    .bind(&spec.model)
    .bind(json(&spec.limits))
    .bind(json(spec.price))
    .bind(json(&spec.options))
    .bind(state.as_str())
    .bind(message)
    .bind(spec.preset.map(EndpointPreset::as_str))
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Removes an endpoint that no unended job names.
pub async fn delete(db: &Db, name: &Slug) -> Result<(), DbError> {
    let mut tx = db.begin().await?;
    let deleted = sqlx::query(
        "DELETE FROM endpoints WHERE name = $1 AND NOT EXISTS (
             SELECT FROM jobs WHERE endpoints @> ARRAY[$1]
                AND state IN ('queued', 'running', 'paused', 'cancelling', 'assembling'))",
    )
    .bind(name.as_str())
    .execute(&mut *tx)
    .await?;
    if deleted.rows_affected() == 1 {
        announce_endpoints(&mut tx).await?;
        tx.commit().await?;
        return Ok(());
    }
    drop(tx);
    super::get(db, name).await?;
    Err(Conflict::InUse.into())
}

/// True when both URLs name the same scheme, host and port, as a client would read them.
fn same_server(one: &str, other: &str) -> bool {
    match (Url::parse(one), Url::parse(other)) {
        (Ok(one), Ok(other)) => {
            matches!(one.origin(), Origin::Tuple(..)) && one.origin() == other.origin()
        }
        _ => one.is_empty() && other.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::same_server;

    #[test]
    fn a_server_is_scheme_host_and_port() {
        let base = "https://one.example/v1";
        for same in ["https://one.example:443/v1", "https://ONE.example/other", base] {
            assert!(same_server(base, same), "{same}");
        }
        for other in [
            "http://one.example/v1",
            "https://one.example:8443/v1",
            "https://two.example/v1",
            "https://one.example@two.example/v1",
            "https:///two.example/v1",
            "https://one.example\\@two.example:1/",
            "",
            "not a url",
        ] {
            assert_eq!(
                same_server(base, other),
                other.starts_with("https://one.example\\"),
                "{other}"
            );
        }
        assert!(!same_server("https:///one.example/", "https:///two.example/"));
        assert!(!same_server("data:x", "data:x"), "an opaque origin is like no other");
    }
}
