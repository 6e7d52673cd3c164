//! Where batches are noted: one endpoint's part of the database.

use std::time::Duration;

use futures_util::future::BoxFuture;
use hornbook_db::{Db, batches};
use hornbook_inference::BatchJournal;
use hornbook_inference::batch::{OpenBatch, RequestId};
use uuid::Uuid;

/// The journal of one endpoint.
pub(crate) struct Journal {
    db: Db,
    endpoint: Uuid,
}

impl Journal {
    /// The journal of the endpoint of that id.
    pub(crate) fn new(db: Db, endpoint: Uuid) -> Self {
        Self { db, endpoint }
    }
}

fn bytes(requests: &[RequestId]) -> Vec<Vec<u8>> {
    requests.iter().map(|request| request.0.to_vec()).collect()
}

impl BatchJournal for Journal {
    fn begin<'a>(
        &'a self,
        key: &'a str,
        requests: &'a [RequestId],
    ) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let requests = bytes(requests);
            let noted = batches::begin(&self.db, self.endpoint, key, &requests).await;
            noted.map_err(|error| error.to_string())
        })
    }

    fn claim<'a>(
        &'a self,
        key: &'a str,
        passed: &'a [String],
    ) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(async move {
            let claimed = batches::claim(&self.db, self.endpoint, key, passed).await;
            claimed.map_err(|error| error.to_string())
        })
    }

    fn give_up<'a>(
        &'a self,
        key: &'a str,
        uploading: Duration,
        making: Duration,
    ) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(async move {
            let gone = batches::give_up(&self.db, self.endpoint, key, uploading, making).await;
            gone.map_err(|error| error.to_string())
        })
    }

    fn created<'a>(&'a self, key: &'a str, batch_id: &'a str) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let noted = batches::created(&self.db, self.endpoint, key, batch_id).await;
            noted.map_err(|error| error.to_string())
        })
    }

    fn forget<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let forgotten = batches::forget(&self.db, self.endpoint, key).await;
            forgotten.map_err(|error| error.to_string())
        })
    }

    fn find<'a>(
        &'a self,
        requests: &'a [RequestId],
    ) -> BoxFuture<'a, Result<Vec<OpenBatch>, String>> {
        Box::pin(async move {
            let found = batches::find(&self.db, self.endpoint, &bytes(requests)).await;
            let found = found.map_err(|error| error.to_string())?;
            Ok(found
                .into_iter()
                .map(|batch| OpenBatch {
                    key: batch.key,
                    batch_id: batch.batch_id,
                    age: batch.age,
                    requests: batch
                        .requests
                        .iter()
                        .filter_map(|id| id.as_slice().try_into().ok().map(RequestId))
                        .collect(),
                })
                .collect())
        })
    }
}
