//! Who assembles a job's corpus: one leased, fenced request at a time per job.

use hornbook_types::limits::LEASE_SECONDS;
use hornbook_types::{AssemblySpec, EventKind, JobState};
use serde_json::json;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::jobs::{self, ASSEMBLY_FAILED};
use crate::{Db, DbError, events, limits};

/// The right to assemble one job's corpus, for as long as heartbeats keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AssemblyKey {
    /// The job.
    pub job_id: Uuid,
    /// Names this lease and no other.
    pub token: i64,
}

/// A claimed assembly.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// What heartbeats and the publication must name.
    pub key: AssemblyKey,
    /// Where the job stood when it was claimed.
    pub state: JobState,
    /// How to assemble, when a user asked for something else than the job's own spec.
    pub assembly: Option<AssemblySpec>,
}

/// Asks for an assembly of what is accepted now, in any state of the job.
pub async fn request(db: &Db, job: Uuid, assembly: Option<&AssemblySpec>) -> Result<(), DbError> {
    let asked = sqlx::query(
        "WITH asked AS (
             UPDATE jobs SET assembly_request = assembly_request + 1, assembly_spec = $2, assembly_deaths = 0
              WHERE id = $1 AND deleting_at IS NULL RETURNING id
         )
         SELECT pg_notify($3, id::text) FROM asked",
    )
    .bind(job)
    .bind(assembly.map(Json))
    .bind(crate::notifier::CHANNEL)
    .execute(db.pool())
    .await?;
    DbError::expect_one(asked.rows_affected(), "job")
}

/// Leases an assembly that is wanted and that nobody works on; jobs that wait for it go first.
///
/// A request on which several assemblers died is failed here instead of being tried for ever.
pub async fn claim(db: &Db, worker: Uuid) -> Result<Option<Claimed>, DbError> {
    loop {
        let mut tx = db.begin().await?;
        let Some((id, deaths)) = pick(&mut tx).await? else {
            return Ok(None);
        };
        if deaths > limits::ASSEMBLY_DEATHS {
            let message = format!("{deaths} assemblers in a row died on it");
            end_failed(&mut tx, id, &message).await?;
            tx.commit().await?;
            continue;
        }
        let (token, state, assembly): (i64, String, Option<Json<AssemblySpec>>) = sqlx::query_as(
            "UPDATE jobs SET assembly_token = nextval('lease_tokens'), assembly_owner = $2,
                    assembly_expires_at = clock_timestamp() + make_interval(secs => $3),
                    assembly_claimed = assembly_request, assembly_deaths = $4
              WHERE id = $1 RETURNING assembly_token, state, assembly_spec",
        )
        .bind(id)
        .bind(worker)
        .bind(LEASE_SECONDS as f64)
        .bind(deaths)
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        return Ok(Some(Claimed {
            key: AssemblyKey { job_id: id, token },
            state: jobs::parse_state(&state)?,
            assembly: assembly.map(|assembly| assembly.0),
        }));
    }
}

/// Locks a job whose assembly is wanted; with it, the owners that died on this request so far.
async fn pick(tx: &mut PgConnection) -> Result<Option<(Uuid, i32)>, DbError> {
    Ok(sqlx::query_as(
        "SELECT id, assembly_deaths + CASE WHEN assembly_token IS NULL THEN 0 ELSE 1 END FROM jobs
          WHERE assembly_request > assembly_done AND deleting_at IS NULL
            AND (assembly_token IS NULL OR assembly_expires_at < clock_timestamp())
          ORDER BY (state = 'assembling') DESC, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED",
    )
    .fetch_optional(tx)
    .await?)
}

/// Extends the lease; [`DbError::Fenced`] when it is held no longer.
pub async fn heartbeat(db: &Db, key: &AssemblyKey) -> Result<(), DbError> {
    let extended = sqlx::query(
        "UPDATE jobs SET assembly_expires_at = clock_timestamp() + make_interval(secs => $3)
          WHERE id = $1 AND assembly_token = $2 AND assembly_expires_at > clock_timestamp()
            AND deleting_at IS NULL",
    )
    .bind(key.job_id)
    .bind(key.token)
    .bind(LEASE_SECONDS as f64)
    .execute(db.pool())
    .await?;
    if extended.rows_affected() == 1 { Ok(()) } else { Err(DbError::Fenced) }
}

/// Hands the assembly back for anyone to take, without counting it as a death.
pub async fn release(db: &Db, key: &AssemblyKey) -> Result<(), DbError> {
    let released = sqlx::query(
        "WITH released AS (
             UPDATE jobs SET assembly_token = NULL, assembly_owner = NULL, assembly_expires_at = NULL
              WHERE id = $1 AND assembly_token = $2 RETURNING id
         )
         SELECT pg_notify($3, id::text) FROM released",
    )
    .bind(key.job_id)
    .bind(key.token)
    .bind(crate::notifier::CHANNEL)
    .execute(db.pool())
    .await?;
    if released.rows_affected() == 1 { Ok(()) } else { Err(DbError::Fenced) }
}

/// Notes that the corpus could not be assembled.
///
/// A job that waited for it fails with [`ASSEMBLY_FAILED`]; any other gets a warning and goes on.
pub async fn fail(db: &Db, key: &AssemblyKey, message: &str) -> Result<JobState, DbError> {
    let mut tx = db.begin().await?;
    lock_claimed(&mut tx, key).await?;
    let state = end_failed(&mut tx, key.job_id, message).await?;
    tx.commit().await?;
    Ok(state)
}

/// A job under lock whose assembly lease is held.
pub(crate) struct LockedClaim {
    pub(crate) state: JobState,
    /// True when some prompts failed or did not end, or too few documents were accepted.
    pub(crate) has_errors: bool,
    /// Why it ended early, if it did.
    pub(crate) error: Option<(String, String)>,
    /// True when nothing was asked since, so that what was claimed decides how the job ends.
    pub(crate) newest: bool,
}

pub(crate) async fn lock_claimed(
    tx: &mut PgConnection,
    key: &AssemblyKey,
) -> Result<LockedClaim, DbError> {
    type Row = (String, bool, i64, i64, Option<String>, Option<String>, bool);
    let (state, has_errors, met, wanted, code, message, newest): Row = sqlx::query_as(
        "SELECT state, failed > 0 OR accepted + rejected + failed + skipped < total, q.met, q.wanted,
                error_code, error_message, assembly_claimed = assembly_request
           FROM jobs CROSS JOIN LATERAL (
                SELECT coalesce(sum(least(u.a, u.q)), 0)::bigint AS met, coalesce(sum(u.q), 0)::bigint AS wanted
                  FROM unnest(jobs.quotas, jobs.line_accepted) AS u (q, a)) AS q
          WHERE id = $1 AND assembly_token = $2 AND assembly_expires_at > clock_timestamp()
            AND deleting_at IS NULL FOR NO KEY UPDATE OF jobs",
    )
    .bind(key.job_id)
    .bind(key.token)
    .fetch_optional(tx)
    .await?
    .ok_or(DbError::Fenced)?;
    let short = (met < wanted).then(|| {
        let message = format!("{met} of {wanted} documents that were asked for were accepted");
        (jobs::QUOTA_SHORT.to_owned(), message)
    });
    Ok(LockedClaim {
        state: jobs::parse_state(&state)?,
        has_errors: has_errors || short.is_some(),
        error: code.zip(message).or(short),
        newest,
    })
}

/// Ends the request that was claimed last; the job's row is locked.
pub(crate) async fn end_request(tx: &mut PgConnection, job: Uuid) -> Result<(), DbError> {
    let ended = sqlx::query(
        "UPDATE jobs SET assembly_done = assembly_claimed, assembly_deaths = 0, assembly_token = NULL,
                assembly_owner = NULL, assembly_expires_at = NULL WHERE id = $1",
    )
    .bind(job)
    .execute(tx)
    .await?;
    DbError::expect_one(ended.rows_affected(), "job")
}

async fn end_failed(tx: &mut PgConnection, id: Uuid, message: &str) -> Result<JobState, DbError> {
    end_request(tx, id).await?;
    let job = jobs::lock(tx, id).await?;
    let wanted_again: bool =
        sqlx::query_scalar("SELECT assembly_request > assembly_done FROM jobs WHERE id = $1")
            .bind(id)
            .fetch_one(&mut *tx)
            .await?;
    if job.state == JobState::Assembling && !wanted_again {
        let error = Some((ASSEMBLY_FAILED, message));
        jobs::enter(tx, id, job.state, JobState::Failed, error).await?;
        return Ok(JobState::Failed);
    }
    let data = json!({ "code": ASSEMBLY_FAILED, "message": message });
    events::append(tx, id, EventKind::Warning, data).await?;
    Ok(job.state)
}
