//! Who assembles a mixed corpus: one leased, fenced request at a time.

use hornbook_types::CorpusSpec;
use hornbook_types::limits::LEASE_SECONDS;
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Db, DbError, limits};

/// Code of a corpus that killed its assemblers.
const ASSEMBLER_LOST: &str = "worker_lost";

/// The right to assemble one mixed corpus, for as long as heartbeats keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MixedKey {
    /// The corpus.
    pub id: Uuid,
    /// Names this lease and no other.
    pub token: i64,
}

/// A claimed assembly.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// What heartbeats and the publication must name.
    pub key: MixedKey,
    /// What is asked for.
    pub spec: CorpusSpec,
    /// When it was submitted.
    pub created_at: OffsetDateTime,
}

/// Leases the oldest assembly that is wanted and that nobody works on.
///
/// One on which several assemblers died is failed here instead of being tried for ever.
pub async fn claim(db: &Db, worker: Uuid) -> Result<Option<Claimed>, DbError> {
    loop {
        let mut tx = db.begin().await?;
        let picked: Option<(Uuid, i32)> = sqlx::query_as(
            "SELECT id, assembly_deaths + CASE WHEN assembly_token IS NULL THEN 0 ELSE 1 END
               FROM mixed_corpora
              WHERE assembly_request > assembly_done AND deleting_at IS NULL
                AND (assembly_token IS NULL OR assembly_expires_at < clock_timestamp())
              ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED",
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some((id, deaths)) = picked else { return Ok(None) };
        if deaths > limits::ASSEMBLY_DEATHS {
            let message = format!("{deaths} assemblers in a row died on it");
            end_failed(&mut tx, id, ASSEMBLER_LOST, &message).await?;
            tx.commit().await?;
            continue;
        }
        let (token, spec, created_at): (i64, Json<CorpusSpec>, OffsetDateTime) = sqlx::query_as(
            "UPDATE mixed_corpora SET assembly_token = nextval('lease_tokens'), assembly_owner = $2,
                    assembly_expires_at = clock_timestamp() + make_interval(secs => $3),
                    assembly_claimed = assembly_request, assembly_deaths = $4, state = 'assembling',
                    started_at = CASE WHEN state = 'assembling' THEN started_at ELSE now() END,
                    finished_at = NULL, revision = revision + 1
              WHERE id = $1 RETURNING assembly_token, spec, created_at",
        )
        .bind(id)
        .bind(worker)
        .bind(LEASE_SECONDS as f64)
        .bind(deaths)
        .fetch_one(&mut *tx)
        .await?;
        notify(&mut tx, id).await?;
        tx.commit().await?;
        return Ok(Some(Claimed { key: MixedKey { id, token }, spec: spec.0, created_at }));
    }
}

/// Extends the lease; [`DbError::Fenced`] when it is held no longer.
pub async fn heartbeat(db: &Db, key: &MixedKey) -> Result<(), DbError> {
    let extended = sqlx::query(
        "UPDATE mixed_corpora SET assembly_expires_at = clock_timestamp() + make_interval(secs => $3)
          WHERE id = $1 AND assembly_token = $2 AND assembly_expires_at > clock_timestamp()
            AND deleting_at IS NULL",
    )
    .bind(key.id)
    .bind(key.token)
    .bind(LEASE_SECONDS as f64)
    .execute(db.pool())
    .await?;
    if extended.rows_affected() == 1 { Ok(()) } else { Err(DbError::Fenced) }
}

/// Hands the assembly back for anyone to take, without counting it as a death.
pub async fn release(db: &Db, key: &MixedKey) -> Result<(), DbError> {
    let released = sqlx::query(
        "WITH released AS (
             UPDATE mixed_corpora SET assembly_token = NULL, assembly_owner = NULL,
                    assembly_expires_at = NULL, state = 'queued', revision = revision + 1
              WHERE id = $1 AND assembly_token = $2 RETURNING id
         )
         SELECT pg_notify($3, id::text) FROM released",
    )
    .bind(key.id)
    .bind(key.token)
    .bind(crate::notifier::CHANNEL)
    .execute(db.pool())
    .await?;
    if released.rows_affected() == 1 { Ok(()) } else { Err(DbError::Fenced) }
}

/// Notes that the corpus could not be assembled, with a code for programs and words for people.
pub async fn fail(db: &Db, key: &MixedKey, code: &str, message: &str) -> Result<(), DbError> {
    let mut tx = db.begin().await?;
    lock_claimed(&mut tx, key).await?;
    end_failed(&mut tx, key.id, code, message).await?;
    tx.commit().await.map_err(DbError::from)
}

/// Locks the row of a corpus whose lease is held.
pub(super) async fn lock_claimed(tx: &mut PgConnection, key: &MixedKey) -> Result<(), DbError> {
    let held: Option<(Uuid,)> = sqlx::query_as(
        "SELECT id FROM mixed_corpora
          WHERE id = $1 AND assembly_token = $2 AND assembly_expires_at > clock_timestamp()
            AND deleting_at IS NULL FOR NO KEY UPDATE",
    )
    .bind(key.id)
    .bind(key.token)
    .fetch_optional(tx)
    .await?;
    held.map(drop).ok_or(DbError::Fenced)
}

/// Ends the request that was claimed last; what was asked since is still wanted. The row is locked.
pub(super) async fn end_request(
    tx: &mut PgConnection,
    id: Uuid,
    error: Option<(&str, &str)>,
) -> Result<(), DbError> {
    let state = if error.is_some() { "failed" } else { "ready" };
    let ended = sqlx::query(
        "UPDATE mixed_corpora SET assembly_done = assembly_claimed, assembly_deaths = 0,
                assembly_token = NULL, assembly_owner = NULL, assembly_expires_at = NULL,
                state = CASE WHEN assembly_request > assembly_claimed THEN 'queued' ELSE $2 END,
                error_code = $3, error_message = $4, finished_at = now(), revision = revision + 1
          WHERE id = $1",
    )
    .bind(id)
    .bind(state)
    .bind(error.map(|(code, _)| code))
    .bind(error.map(|(_, message)| message))
    .execute(&mut *tx)
    .await?;
    DbError::expect_one(ended.rows_affected(), "corpus")?;
    notify(tx, id).await
}

async fn end_failed(
    tx: &mut PgConnection,
    id: Uuid,
    code: &str,
    message: &str,
) -> Result<(), DbError> {
    end_request(tx, id, Some((code, message))).await
}

async fn notify(tx: &mut PgConnection, id: Uuid) -> Result<(), DbError> {
    sqlx::query("SELECT pg_notify($2, $1::text)")
        .bind(id)
        .bind(crate::notifier::CHANNEL)
        .execute(tx)
        .await?;
    Ok(())
}
