//! Where corpora are kept: a directory, or a bucket.

use std::path::Path;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use url::Url;

use crate::config::StorageConfig;
use crate::exit::{Context as _, Failure};

/// Name of the directory of corpora below the data directory.
const CORPORA_DIR: &str = "corpora";

/// Opens the corpus store that the configuration names.
///
/// Credentials for `s3://` come from the usual `AWS_*` variables, never from the URL.
pub(crate) fn open(storage: &StorageConfig) -> Result<Arc<dyn ObjectStore>, Failure> {
    match storage.corpus_store.as_deref() {
        None => open_directory(&storage.data_dir.join(CORPORA_DIR)),
        Some(place) if place.starts_with("s3://") => open_bucket(place),
        Some(place) if place.contains("://") => Err(Failure::usage(format!(
            "the corpus store is a directory or s3://BUCKET/PREFIX, not '{place}'"
        ))),
        Some(place) => open_directory(Path::new(place)),
    }
}

fn open_directory(directory: &Path) -> Result<Arc<dyn ObjectStore>, Failure> {
    let doing = format!("opening the corpus store {}", directory.display());
    std::fs::create_dir_all(directory).context(&doing)?;
    let store = LocalFileSystem::new_with_prefix(directory).context(&doing)?;
    Ok(Arc::new(store.with_fsync(true)))
}

fn open_bucket(place: &str) -> Result<Arc<dyn ObjectStore>, Failure> {
    let url = Url::parse(place).map_err(|error| Failure::usage(format!("'{place}': {error}")))?;
    let bucket =
        url.host_str().ok_or_else(|| Failure::usage(format!("'{place}' names no bucket")))?;
    let store = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .build()
        .context("opening the corpus store")?;
    Ok(Arc::new(PrefixStore::new(store, url.path().trim_matches('/'))))
}
