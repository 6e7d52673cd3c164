//! A loaded embedding model: texts in, vectors out.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use candle_core::Device;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hornbook_inference::{CompletionError, Embedder, Embedding, EmbeddingRequest, Provenance};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::encoder::Encoder;
use super::pooling::{Pooling, normalised};
use super::settings::Settings;
use super::tokenizer::{EMBEDDING_TEXT_BYTES_MAX, Pieces};
use super::weights::{self, Weights};
use super::{EmbedError, EmbeddingLoadError, files};
use crate::config::THREADS_MAX;

/// What becomes of a text that is longer than the model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlong {
    /// It is an error.
    Refuse,
    /// Its first tokens are embedded, and the result says so.
    Cut,
}

/// One text's vector and what it was made of.
#[derive(Clone, Debug, PartialEq)]
pub struct TextEmbedding {
    /// [`EmbeddingModel::dimensions`] finite numbers of length 1.
    pub vector: Vec<f32>,
    /// Tokens that were embedded, the model's two marks included.
    pub tokens: usize,
    /// Whether the text had more than that.
    pub is_cut: bool,
}

/// A BERT model that turns texts into vectors in this process.
///
/// The same text gives the same bits whatever it is sent together with and however many threads
/// there are, on one kind of processor. Clones share the weights.
#[derive(Clone)]
pub struct EmbeddingModel {
    inner: Arc<Inner>,
    /// One request computes at a time; the others wait in their callers' futures.
    turn: Arc<Semaphore>,
}

struct Inner {
    name: String,
    pieces: Pieces,
    encoder: Encoder,
    pooling: Pooling,
    dimensions: usize,
    tokens_max: usize,
    pool: rayon::ThreadPool,
    provenance: Provenance,
}

impl EmbeddingModel {
    /// Reads a model's directory as sentence-transformers keeps it, for one thread per core.
    ///
    /// `config.json`, `tokenizer.json` and `model.safetensors` must be there;
    /// `sentence_bert_config.json`, `modules.json` and `1_Pooling/config.json` are heeded where
    /// they are. This takes a part of a second and blocks.
    pub fn load(directory: impl AsRef<Path>) -> Result<Self, EmbeddingLoadError> {
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self::load_with(directory, threads)
    }

    /// As [`load`](Self::load), for so many threads.
    pub fn load_with(
        directory: impl AsRef<Path>,
        threads: NonZeroUsize,
    ) -> Result<Self, EmbeddingLoadError> {
        let directory = directory.as_ref();
        let settings = Settings::read(directory)?;
        let pieces = Pieces::read(directory, &settings)?;
        let bytes = files::needed(directory, weights::FILE, weights::FILE_BYTES_MAX)?;
        let sha256 = hex::encode(Sha256::digest(&bytes));
        let weights = Weights::read(&bytes, &settings, &Device::Cpu)?;
        drop(bytes);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.get().min(THREADS_MAX))
            .thread_name(|number| format!("embed-{number}"))
            .build()
            .map_err(|error| EmbeddingLoadError::Start { detail: error.to_string() })?;
        let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        tracing::info!(
            model = name,
            dimensions = settings.hidden,
            tokens_max = settings.tokens_max,
            threads = pool.current_num_threads(),
            "embedding model loaded"
        );
        let inner = Inner {
            name,
            pieces,
            pooling: settings.pooling,
            dimensions: settings.hidden,
            tokens_max: settings.tokens_max,
            encoder: Encoder::new(weights, &settings, Device::Cpu),
            pool,
            provenance: Provenance {
                model_sha256: Some(sha256),
                instruction_set: Some(instruction_set().to_owned()),
            },
        };
        Ok(Self { inner: Arc::new(inner), turn: Arc::new(Semaphore::new(1)) })
    }

    /// Most tokens of a text, the model's two marks included.
    pub fn tokens_max(&self) -> usize {
        self.inner.tokens_max
    }

    /// Numbers in each vector.
    pub fn dimensions(&self) -> usize {
        self.inner.dimensions
    }

    /// Computes one vector per text, in the order of the texts; blocks.
    ///
    /// The first text without a vector fails the call. Cancellation is seen between texts.
    pub fn embed_texts(
        &self,
        texts: &[impl AsRef<str> + Sync],
        overlong: Overlong,
        cancel: &CancellationToken,
    ) -> Result<Vec<TextEmbedding>, EmbedError> {
        let inner = &*self.inner;
        inner.pool.install(|| {
            // Which error is first does not depend on which thread was: all results are there.
            let found: Vec<_> = texts
                .par_iter()
                .with_max_len(1)
                .map(|text| inner.embed(text.as_ref(), overlong, cancel))
                .collect();
            found.into_iter().collect()
        })
    }
}

impl Inner {
    fn embed(
        &self,
        text: &str,
        overlong: Overlong,
        cancel: &CancellationToken,
    ) -> Result<TextEmbedding, EmbedError> {
        if cancel.is_cancelled() {
            return Err(EmbedError::Cancelled);
        }
        let (mut tokens, is_cut) = self.tokens(text, overlong)?;
        self.pieces.cut(&mut tokens, self.tokens_max);
        let vector = self
            .encoder
            .forward(&tokens)
            .and_then(|rows| self.pooling.apply(&rows)?.to_vec1())
            .map_err(|error| EmbedError::Failed { detail: error.to_string() })?;
        let vector = normalised(vector).ok_or(EmbedError::NotFinite)?;
        Ok(TextEmbedding { vector, tokens: tokens.len(), is_cut })
    }

    /// All tokens of the text, or of as much of it as is taken, and whether that is too much.
    fn tokens(&self, text: &str, overlong: Overlong) -> Result<(Vec<u32>, bool), EmbedError> {
        let taken = &text[..text.floor_char_boundary(EMBEDDING_TEXT_BYTES_MAX)];
        let is_too_long = taken.len() < text.len();
        if is_too_long && overlong == Overlong::Refuse {
            return Err(EmbedError::TooManyBytes {
                bytes: text.len(),
                bytes_max: EMBEDDING_TEXT_BYTES_MAX,
            });
        }
        let tokens = self.pieces.encode(taken).map_err(|detail| EmbedError::Failed { detail })?;
        let is_too_many = tokens.len() > self.tokens_max;
        if is_too_many && overlong == Overlong::Refuse {
            let tokens_max = self.tokens_max;
            return Err(EmbedError::TooManyTokens { tokens: tokens.len(), tokens_max });
        }
        Ok((tokens, is_too_long || is_too_many))
    }
}

impl Embedder for EmbeddingModel {
    fn embed(
        &self,
        request: EmbeddingRequest,
    ) -> BoxFuture<'_, Result<Vec<Embedding>, CompletionError>> {
        let model = self.clone();
        async move {
            let EmbeddingRequest { texts, cancel } = request;
            let turn = Arc::clone(&model.turn).acquire_owned();
            let turn = tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(EmbedError::Cancelled.into()),
                turn = turn => turn.map_err(|error| EmbedError::Failed { detail: error.to_string() })?,
            };
            // The thread does not see this future dropped, but this token cancelled.
            let dropped = cancel.child_token();
            let _guard = dropped.clone().drop_guard();
            let found = tokio::task::spawn_blocking(move || {
                let found = model.embed_texts(&texts, Overlong::Refuse, &dropped);
                drop(turn);
                found
            });
            let found = found
                .await
                .map_err(|error| EmbedError::Failed { detail: error.to_string() })??;
            Ok(found
                .into_iter()
                .map(|text| Embedding { vector: text.vector, tokens: text.tokens as u64 })
                .collect())
        }
        .boxed()
    }

    fn model(&self) -> &str {
        &self.inner.name
    }

    fn dimensions(&self) -> usize {
        self.inner.dimensions
    }

    fn provenance(&self) -> Provenance {
        self.inner.provenance.clone()
    }
}

/// What candle's products of 32-bit floats are computed with; candle chooses it by itself.
fn instruction_set() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        let has_fma = std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("fma");
        if has_fma { "candle f32 x86-64-v3" } else { "candle f32 x86-64" }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        "candle f32"
    }
}
