//! What a worker is made of; the binary hands it over.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use hornbook_db::documents::CommitMeter;
use hornbook_db::{Db, Notifier};
use hornbook_inference::SharedBackend;
use hornbook_types::{Clock, Slug};
use object_store::ObjectStore;
use uuid::Uuid;

use crate::imports::Datasets;

/// Makes the backend of an endpoint by name, with its stored secret; the words say why it cannot.
pub type BackendFactory =
    Arc<dyn Fn(Slug) -> BoxFuture<'static, Result<SharedBackend, String>> + Send + Sync>;

/// Everything that a worker needs.
#[derive(Clone)]
pub struct WorkerConfig {
    /// The database.
    pub db: Db,
    /// Wakes the worker when jobs change.
    pub notifier: Arc<Notifier>,
    /// Where corpora are published.
    pub store: Arc<dyn ObjectStore>,
    /// A directory of this worker's own for segments and unpublished corpora.
    pub scratch: PathBuf,
    /// Directories in which an assembly's tokenizer is looked for.
    pub tokenizers: Vec<PathBuf>,
    /// The time of day, for manifests; leases use the database's.
    pub clock: Arc<dyn Clock>,
    /// This worker's id, new with every start.
    pub id: Uuid,
    /// A name that only one process can bear at a time, or nothing; a successor of that name takes
    /// over its predecessor's leases at once instead of waiting for them to run out.
    pub name: String,
    /// Makes backends.
    pub backends: BackendFactory,
    /// True when the endpoint `local` is in this process.
    pub has_local: bool,
    /// Directory below which files of this machine may be imported; without it, others do that.
    pub import_root: Option<PathBuf>,
    /// Where datasets come from; without it, others fetch them.
    pub datasets: Option<Arc<dyn Datasets>>,
    /// Counts how long documents wait to be stored.
    pub commits: Arc<CommitMeter>,
}
