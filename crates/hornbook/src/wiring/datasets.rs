//! Datasets of the Hub, for workers that import them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use hornbook_hub::{DatasetSpec, PullError, list_dataset, pull_model};
use hornbook_inference::Secret;
use hornbook_inference::http::{Client, HttpError};
use hornbook_worker::{DatasetFault, DatasetFound, DatasetWanted, Datasets};

use super::Backends;
use crate::config::ImportingConfig;
use crate::environment::Environment;

/// The Hub, asked through the guarded client.
struct Hub {
    client: Client,
    endpoint: String,
    token: Option<Secret>,
}

/// The Hub as it is configured, reached as endpoints are; the token comes from the environment alone.
pub(crate) fn hub(
    importing: &ImportingConfig,
    backends: &Backends,
    environment: &Environment,
) -> Arc<dyn Datasets> {
    Arc::new(Hub {
        client: backends.client(),
        endpoint: importing.hub_endpoint.clone(),
        token: environment.hub_token.as_deref().map(Secret::new),
    })
}

impl Hub {
    fn spec(&self, wanted: &DatasetWanted) -> DatasetSpec {
        DatasetSpec {
            endpoint: self.endpoint.clone(),
            token: self.token.clone(),
            repo: wanted.hub.clone(),
            revision: wanted.revision.clone(),
            config: wanted.config.clone(),
            split: wanted.split.clone(),
        }
    }
}

impl Datasets for Hub {
    fn find<'a>(
        &'a self,
        wanted: &'a DatasetWanted,
    ) -> BoxFuture<'a, Result<DatasetFound, DatasetFault>> {
        Box::pin(async move {
            let found = list_dataset(&self.client, &self.spec(wanted)).await.map_err(fault)?;
            let files = found.files.into_iter().map(|file| file.path).collect();
            Ok(DatasetFound { commit: found.commit, files })
        })
    }

    fn pull<'a>(
        &'a self,
        wanted: &'a DatasetWanted,
        commit: &'a str,
        file: &'a str,
        dir: &'a Path,
    ) -> BoxFuture<'a, Result<PathBuf, DatasetFault>> {
        Box::pin(async move {
            let spec = self.spec(wanted).file(commit, file, dir);
            pull_model(&self.client, &spec, &|_| {}).await.map_err(fault)
        })
    }
}

/// Whether trying again may help.
fn fault(error: PullError) -> DatasetFault {
    let words = error.to_string();
    match error {
        PullError::Throttled { .. }
        | PullError::Interrupted { .. }
        | PullError::Unexpected(_)
        | PullError::Busy(_)
        | PullError::WrongHash { .. } => DatasetFault::Later(words),
        PullError::Http(HttpError::AddressRefused(_) | HttpError::BadUrl(_)) => {
            DatasetFault::Never(words)
        }
        PullError::Http(_) => DatasetFault::Later(words),
        PullError::BadSpec(_)
        | PullError::NotFound { .. }
        | PullError::NotAllowed { .. }
        | PullError::Io { .. } => DatasetFault::Never(words),
    }
}
