//! A loaded embedding model: texts in, vectors out.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hornbook_inference::{CompletionError, Embedder, Embedding, EmbeddingRequest, Provenance};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::encoder::{Encoder, Scratch};
use super::pooling::{Pooling, normalised};
use super::settings::Settings;
use super::tokenizer::{EMBEDDING_TEXT_BYTES_MAX, Pieces};
use super::weights::{self, Weights};
use super::{EmbedError, EmbeddingLoadError, files};
use crate::config::THREADS_MAX;
use crate::kernel::{Crew, InstructionSet, Isa, Team};

/// Tokens of a pass, from which on it is full; a single text may have more.
const PASS_TOKENS: usize = 256;
/// Text of one request, in bytes, after which another request has its turn: a few passes. A single
/// text may have more.
const TURN_BYTES: usize = 4 * 1024;

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
/// there are, on one instruction set. Clones share the weights.
#[derive(Clone)]
pub struct EmbeddingModel {
    inner: Arc<Inner>,
    /// One request computes at a time; the others wait in their callers' futures, and each has a
    /// turn before any has a second one.
    turn: Arc<Semaphore>,
}

struct Inner {
    name: String,
    pieces: Pieces,
    encoder: Encoder,
    pooling: Pooling,
    dimensions: usize,
    tokens_max: usize,
    team: Team,
    isa: Isa,
    /// Whoever holds it computes.
    scratch: Mutex<Scratch>,
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
        Self::load_with(directory, threads, None)
    }

    /// As [`load`](Self::load), for so many threads and with kernels for `instruction_set`;
    /// `None` takes the best that this processor has.
    pub fn load_with(
        directory: impl AsRef<Path>,
        threads: NonZeroUsize,
        instruction_set: Option<InstructionSet>,
    ) -> Result<Self, EmbeddingLoadError> {
        let isa = match instruction_set {
            None => Isa::detect(),
            Some(set) => Isa::new(set).ok_or_else(|| EmbeddingLoadError::Start {
                detail: format!("this processor does not have the instruction set {set}"),
            })?,
        };
        let directory = directory.as_ref();
        let settings = Settings::read(directory)?;
        let pieces = Pieces::read(directory, &settings)?;
        let bytes = files::needed(directory, weights::FILE, weights::FILE_BYTES_MAX)?;
        let sha256 = hex::encode(Sha256::digest(&bytes));
        let team = Team::new(threads.get().min(THREADS_MAX))
            .map_err(|error| EmbeddingLoadError::Start { detail: error.to_string() })?;
        let weights = Weights::read(&bytes, &settings, &team)?;
        drop(bytes);
        let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        tracing::info!(
            model = name,
            dimensions = settings.hidden,
            tokens_max = settings.tokens_max,
            threads = team.threads(),
            "embedding model loaded"
        );
        let inner = Inner {
            name,
            pieces,
            pooling: settings.pooling,
            dimensions: settings.hidden,
            tokens_max: settings.tokens_max,
            encoder: Encoder::new(weights, &settings),
            team,
            isa,
            scratch: Mutex::default(),
            provenance: Provenance {
                model_sha256: Some(sha256),
                instruction_set: Some(isa.set().name().to_owned()),
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

    /// Computes one vector per text, in the order of the texts; blocks, also while another call
    /// computes.
    ///
    /// A text without a vector fails the call. Cancellation is seen between passes of a few texts.
    pub fn embed_texts(
        &self,
        texts: &[impl AsRef<str>],
        overlong: Overlong,
        cancel: &CancellationToken,
    ) -> Result<Vec<TextEmbedding>, EmbedError> {
        let mut scratch = self.inner.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::with_capacity(texts.len());
        let mut pass = Vec::new();
        let mut tokens = 0;
        for text in texts {
            if cancel.is_cancelled() {
                return Err(EmbedError::Cancelled);
            }
            let text = self.inner.prepare(text.as_ref(), overlong)?;
            if tokens + text.tokens.len() > PASS_TOKENS {
                self.inner.pass(&mut pass, &mut scratch, &mut found)?;
                tokens = 0;
            }
            tokens += text.tokens.len();
            pass.push(text);
        }
        self.inner.pass(&mut pass, &mut scratch, &mut found)?;
        Ok(found)
    }

    /// Embeds some of a request's texts, once nobody else computes.
    async fn take_turn(
        &self,
        texts: &Arc<Vec<String>>,
        range: Range<usize>,
        cancel: &CancellationToken,
    ) -> Result<Vec<Embedding>, EmbedError> {
        let turn = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(EmbedError::Cancelled),
            turn = Arc::clone(&self.turn).acquire_owned() => turn.map_err(failed)?,
        };
        // The thread does not see this future dropped, but this token cancelled.
        let dropped = cancel.child_token();
        let _guard = dropped.clone().drop_guard();
        let (model, texts) = (self.clone(), Arc::clone(texts));
        let found = tokio::task::spawn_blocking(move || {
            let found = model.embed_texts(&texts[range], Overlong::Refuse, &dropped);
            drop(turn);
            found
        });
        let found = found.await.map_err(failed)??.into_iter();
        Ok(found
            .map(|text| Embedding { vector: text.vector, tokens: text.tokens as u64 })
            .collect())
    }
}

fn failed(error: impl std::fmt::Display) -> EmbedError {
    EmbedError::Failed { detail: error.to_string() }
}

/// The texts from `start` on that one turn computes.
fn turn_of(texts: &[String], start: usize) -> Range<usize> {
    let mut bytes = 0;
    let taken = texts[start..].iter().take_while(|text| {
        let is_room = bytes < TURN_BYTES;
        bytes += text.len();
        is_room
    });
    start..start + taken.count()
}

/// A text that is to be embedded.
struct Prepared {
    tokens: Vec<u32>,
    is_cut: bool,
}

impl Inner {
    fn prepare(&self, text: &str, overlong: Overlong) -> Result<Prepared, EmbedError> {
        let (mut tokens, is_cut) = self.tokens(text, overlong)?;
        self.pieces.cut(&mut tokens, self.tokens_max);
        Ok(Prepared { tokens, is_cut })
    }

    /// Embeds some texts and forgets them.
    fn pass(
        &self,
        texts: &mut Vec<Prepared>,
        scratch: &mut Scratch,
        found: &mut Vec<TextEmbedding>,
    ) -> Result<(), EmbedError> {
        let crew = Crew { team: &self.team, isa: self.isa };
        let tokens: Vec<&[u32]> = texts.iter().map(|text| text.tokens.as_slice()).collect();
        let mut rows = self
            .encoder
            .forward(crew, &tokens, scratch)
            .map_err(|error| EmbedError::Failed { detail: error.to_string() })?;
        for Prepared { tokens, is_cut } in texts.drain(..) {
            let (own, others) = rows.split_at(tokens.len() * self.dimensions);
            rows = others;
            let vector = normalised(self.pooling.apply(own, self.dimensions));
            let vector = vector.ok_or(EmbedError::NotFinite)?;
            found.push(TextEmbedding { vector, tokens: tokens.len(), is_cut });
        }
        Ok(())
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
            let texts = Arc::new(texts);
            let mut found = Vec::with_capacity(texts.len());
            while found.len() < texts.len() {
                let turn = turn_of(&texts, found.len());
                found.extend(model.take_turn(&texts, turn, &cancel).await?);
            }
            Ok(found)
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
