//! Where datasets come from: the one place that knows what each namespace is made of.

use hornbook_db::corpora::mixed::{self, MixedRevision};
use hornbook_db::corpora::{self, Corpus, StoredFile};
use hornbook_db::jobs;
use time::OffsetDateTime;

use super::dataset::{Asked, Dataset, Namespace, X_ERROR_CODE, no_dataset, no_entry, no_revision};
use crate::v1::version::found;
use crate::v1::{corpora as mixed_corpora, corpus};
use crate::{AppState, Problem};

/// One revision of a dataset.
#[derive(Debug)]
pub(super) struct Revision {
    /// Its commit.
    pub(super) commit: String,
    /// Its number, from 1.
    pub(super) number: u32,
    /// True unless everything that was asked for is in it.
    pub(super) partial: bool,
    /// When it was published.
    pub(super) published_at: OffsetDateTime,
}

impl From<Corpus> for Revision {
    fn from(corpus: Corpus) -> Self {
        Self {
            commit: corpus.commit,
            number: corpus.revision,
            partial: corpus.partial,
            published_at: corpus.created_at,
        }
    }
}

impl From<MixedRevision> for Revision {
    fn from(corpus: MixedRevision) -> Self {
        Self {
            commit: corpus.commit,
            number: corpus.revision,
            partial: corpus.partial,
            published_at: corpus.created_at,
        }
    }
}

/// What people call the dataset.
pub(super) async fn title(state: &AppState, dataset: Dataset) -> Result<String, Problem> {
    match dataset.namespace {
        Namespace::Jobs => {
            Ok(found(jobs::get(&state.db, dataset.id).await)?.ok_or_else(no_dataset)?.name)
        }
        Namespace::Corpora => {
            Ok(found(mixed::get(&state.db, dataset.id).await)?.ok_or_else(no_dataset)?.name)
        }
    }
}

/// The revision that is asked for; 409 while there is none at all.
pub(super) async fn revision(
    state: &AppState,
    dataset: Dataset,
    asked: &Asked,
) -> Result<Revision, Problem> {
    let (db, id) = (&state.db, dataset.id);
    let looked_up: Option<Revision> = match (dataset.namespace, asked) {
        (Namespace::Jobs, Asked::Main) => found(corpora::by_job(db, id).await)?.map(Into::into),
        (Namespace::Jobs, Asked::Commit(commit)) => {
            found(corpora::revision(db, id, commit).await)?.map(Into::into)
        }
        (Namespace::Corpora, Asked::Main) => found(mixed::by_id(db, id).await)?.map(Into::into),
        (Namespace::Corpora, Asked::Commit(commit)) => {
            found(mixed::revision(db, id, commit).await)?.map(Into::into)
        }
    };
    match looked_up {
        Some(revision) => Ok(revision),
        None => Err(why_not(state, dataset).await?),
    }
}

/// Every file of a revision.
pub(super) async fn files(
    state: &AppState,
    dataset: Dataset,
    commit: &str,
) -> Result<Vec<StoredFile>, Problem> {
    Ok(corpora::files(&state.db, dataset, Some(commit)).await?)
}

/// One file, by its exact path: looked up, never joined to a directory.
///
/// Streaming clients ask for hundreds of ranges, so a hit takes one small query.
pub(super) async fn file(
    state: &AppState,
    dataset: Dataset,
    asked: &Asked,
    path: &str,
) -> Result<StoredFile, Problem> {
    match found(corpora::file(&state.db, dataset, asked.commit(), path).await)? {
        Some(stored) => Ok(stored),
        None => Err(no_entry(&revision(state, dataset, asked).await?.commit)),
    }
}

/// Why a revision is not there: no such dataset, nothing published yet, or another commit.
async fn why_not(state: &AppState, dataset: Dataset) -> Result<Problem, Problem> {
    match dataset.namespace {
        Namespace::Jobs => {
            let job = found(jobs::get(&state.db, dataset.id).await)?.ok_or_else(no_dataset)?;
            Ok(match job.corpus {
                Some(_) => no_revision(),
                None => corpus::not_ready(&job).header(X_ERROR_CODE, "NotReady"),
            })
        }
        Namespace::Corpora => {
            let mix = found(mixed::get(&state.db, dataset.id).await)?.ok_or_else(no_dataset)?;
            Ok(match mix.published {
                Some(_) => no_revision(),
                None => mixed_corpora::not_ready(&mix).header(X_ERROR_CODE, "NotReady"),
            })
        }
    }
}
