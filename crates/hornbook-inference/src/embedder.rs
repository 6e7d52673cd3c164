//! The seam between whoever wants texts as vectors and whatever computes them.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::{CompletionError, Provenance};

/// Texts to turn into vectors.
#[derive(Clone, Debug)]
pub struct EmbeddingRequest {
    /// The texts; an embedder computes them together where it can.
    pub texts: Vec<String>,
    /// Cancelled when the vectors are not wanted any more: stop soon and answer `Cancelled`.
    pub cancel: CancellationToken,
}

/// One text's vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// [`Embedder::dimensions`] finite numbers.
    pub vector: Vec<f32>,
    /// Tokens that the text has for this model, its marks included.
    pub tokens: u64,
}

/// Something that turns texts into vectors.
///
/// The same text gives the same vector, whatever it is sent together with. A text that is longer
/// than the model's context is an error of class `TooLong` with code `context_length`, never cut.
pub trait Embedder: Send + Sync {
    /// One vector per text, in the order of the texts; dropping the future also gives them up.
    fn embed(
        &self,
        request: EmbeddingRequest,
    ) -> BoxFuture<'_, Result<Vec<Embedding>, CompletionError>>;

    /// Name of the model.
    fn model(&self) -> &str;

    /// Numbers in each vector.
    fn dimensions(&self) -> usize;

    /// SHA-256 of the model file and the kernels in use, where the embedder knows them.
    fn provenance(&self) -> Provenance {
        Provenance::default()
    }
}

/// An embedder shared between tasks.
pub type SharedEmbedder = Arc<dyn Embedder>;
