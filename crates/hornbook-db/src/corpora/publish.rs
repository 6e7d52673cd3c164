//! Publishing a corpus: the files are complete, one transaction makes them the job's corpus.

use hornbook_types::limits::CORPUS_REVISIONS;
use hornbook_types::{CorpusFile, EventKind, JobState, Manifest};
use serde_json::json;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::Owner;
use crate::assembly::{AssemblyKey, end_request, lock_claimed};
use crate::convert::{from_sql32, to_sql};
use crate::{Db, DbError, events, jobs};

/// What publishing did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Number of the revision.
    pub revision: u32,
    /// The state that the job is in now.
    pub state: JobState,
    /// Old revisions that are gone from the database and whose files are to be deleted.
    pub pruned: Vec<Pruned>,
}

/// A revision that nobody can name any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// Its commit.
    pub commit: String,
    /// Where its files lie.
    pub location: String,
}

/// Makes complete files the job's current corpus and ends the assembly that `key` was leased for.
///
/// `files` are all files, the manifest's own included; `location` must be the same for the same
/// job and commit. A job that waited for this assembly succeeds; any other stays where it is. A
/// commit that is there already becomes the current one again.
pub async fn publish(
    db: &Db,
    key: &AssemblyKey,
    manifest: &Manifest,
    files: &[CorpusFile],
    location: &str,
) -> Result<Published, DbError> {
    let mut tx = db.begin().await?;
    let claim = lock_claimed(&mut tx, key).await?;
    let (id, revision) = store(&mut tx, key.job_id, manifest, location).await?;
    store_files(&mut tx, id, files).await?;
    sqlx::query("UPDATE jobs SET corpus_id = $2 WHERE id = $1")
        .bind(key.job_id)
        .bind(id)
        .execute(&mut *tx)
        .await?;
    end_request(&mut tx, key.job_id).await?;
    let state = if claim.state == JobState::Assembling && claim.newest {
        let end = match claim.has_errors {
            false => JobState::Succeeded,
            true => JobState::SucceededWithErrors,
        };
        let error = claim.error.as_ref().map(|(code, message)| (code.as_str(), message.as_str()));
        jobs::enter(&mut tx, key.job_id, claim.state, end, error).await?;
        end
    } else {
        let name = claim.state.as_str();
        let data = json!({ "from": name, "to": name, "corpus": manifest.content.commit });
        events::append(&mut tx, key.job_id, EventKind::State, data).await?;
        claim.state
    };
    let pruned = prune(&mut tx, Owner::Job(key.job_id)).await?;
    tx.commit().await?;
    Ok(Published { revision: from_sql32(revision), state, pruned })
}

async fn store(
    tx: &mut PgConnection,
    job: Uuid,
    manifest: &Manifest,
    location: &str,
) -> Result<(i64, i32), DbError> {
    Ok(sqlx::query_as(
        "INSERT INTO corpora (job_id, commit_id, revision, partial, manifest, location)
         SELECT $1, $2, coalesce(max(revision), 0) + 1, $3, $4, $5 FROM corpora WHERE job_id = $1
         ON CONFLICT (job_id, commit_id) DO UPDATE
            SET revision = excluded.revision, partial = excluded.partial, manifest = excluded.manifest,
                location = excluded.location, created_at = now()
         RETURNING id, revision",
    )
    .bind(job)
    .bind(&manifest.content.commit)
    .bind(manifest.content.partial)
    .bind(Json(manifest))
    .bind(location)
    .fetch_one(tx)
    .await?)
}

pub(super) async fn store_files(
    tx: &mut PgConnection,
    id: i64,
    files: &[CorpusFile],
) -> Result<(), DbError> {
    sqlx::query("DELETE FROM corpus_files WHERE corpus_id = $1").bind(id).execute(&mut *tx).await?;
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let bytes: Vec<i64> = files.iter().map(|file| to_sql(file.bytes)).collect();
    let sha256: Vec<&str> = files.iter().map(|file| file.sha256.as_str()).collect();
    let rows: Vec<Option<i64>> = files.iter().map(|file| file.rows.map(to_sql)).collect();
    sqlx::query(
        "INSERT INTO corpus_files (corpus_id, path, bytes, sha256, rows)
         SELECT $1, f.path, f.bytes, f.sha256, f.row_count
           FROM unnest($2::text[], $3::bigint[], $4::text[], $5::bigint[])
             AS f (path, bytes, sha256, row_count)",
    )
    .bind(id)
    .bind(paths)
    .bind(bytes)
    .bind(sha256)
    .bind(rows)
    .execute(tx)
    .await?;
    Ok(())
}

/// Forgets all but the current revision and the few kept beside it.
pub(super) async fn prune(tx: &mut PgConnection, owner: Owner) -> Result<Vec<Pruned>, DbError> {
    let column = owner.column();
    let rows: Vec<(String, String)> = sqlx::query_as(AssertSqlSafe(format!(
        "DELETE FROM corpora WHERE id IN (
             SELECT id FROM corpora WHERE {column} = $1 ORDER BY revision DESC OFFSET $2)
         RETURNING commit_id, location",
    )))
    .bind(owner.id())
    .bind(1 + to_sql(CORPUS_REVISIONS as u64))
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|(commit, location)| Pruned { commit, location }).collect())
}
