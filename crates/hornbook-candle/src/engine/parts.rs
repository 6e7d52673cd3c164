//! What a model file becomes.

use std::sync::Arc;

use crate::LoadError;
use crate::config::{CONTEXT_TOKENS_MIN, DEFAULT_KV_BYTES, EngineConfig, KV_BYTES_MAX};
use crate::gguf::GgufFile;
use crate::kernel::{Crew, Isa, PAGE_POSITIONS, PageId, Team};
use crate::model::{Attention, ComputeError, Holding, Model, ModelShape, Pass, Scratch};
use crate::schedule::Forward;
use crate::text::{ChatTemplate, TextTokenizer};

/// What a model file becomes.
pub(super) struct Parts {
    pub(super) model: Model,
    pub(super) tokenizer: TextTokenizer,
    pub(super) chat: ChatTemplate,
    pub(super) context_tokens: usize,
    pub(super) kv: KvSize,
}

/// How much memory keys and values get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KvSize {
    pub(super) pages: usize,
    pub(super) bytes: u64,
}

impl Parts {
    pub(super) fn read(
        bytes: &[u8],
        config: &EngineConfig,
        team: &Team,
        holding: &Holding,
    ) -> Result<Self, LoadError> {
        let file = GgufFile::parse(bytes)?;
        let shape = ModelShape::read(&file.metadata)?;
        let context_tokens = config.context_tokens.min(shape.context_tokens);
        if context_tokens < CONTEXT_TOKENS_MIN {
            return Err(LoadError::Unsupported {
                what: format!("a context of {context_tokens} tokens"),
                runs: "models with room for a prompt and an answer",
            });
        }
        let page_bytes = shape.heads().bytes_per_page().unwrap_or(u64::MAX);
        let kv = KvSize::new(config, context_tokens, page_bytes)?;
        let tokenizer = TextTokenizer::read(&file.metadata)?;
        let chat = ChatTemplate::read(&file.metadata)?;
        let model =
            Model::load(&file, shape, tokenizer.vocabulary(), context_tokens, team, holding)?;
        Ok(Self { model, tokenizer, chat, context_tokens, kv })
    }
}

impl KvSize {
    /// At least one whole context, so that every prompt that is taken can be answered.
    fn new(
        config: &EngineConfig,
        context_tokens: usize,
        page_bytes: u64,
    ) -> Result<Self, LoadError> {
        let per_context = context_tokens.div_ceil(PAGE_POSITIONS) as u64;
        let least = per_context.saturating_mul(page_bytes);
        LoadError::check_limit(
            "the memory for one context's keys and values, in bytes,",
            least,
            KV_BYTES_MAX,
        )?;
        let bytes = match config.kv_memory_bytes {
            Some(bytes) if bytes < least => {
                return Err(LoadError::Config {
                    field: "kv_memory_bytes",
                    value: usize::try_from(bytes).unwrap_or(usize::MAX),
                    detail: format!("a context of {context_tokens} tokens needs {least}"),
                });
            }
            Some(bytes) => bytes,
            None => least.saturating_mul(config.slots as u64).min(DEFAULT_KV_BYTES).max(least),
        };
        let pages = bytes / page_bytes.max(1);
        let bytes = pages * page_bytes;
        LoadError::check_limit("the memory for keys and values, in bytes,", bytes, KV_BYTES_MAX)?;
        let pages = u32::try_from(pages).unwrap_or(u32::MAX) as usize;
        Ok(Self { pages, bytes })
    }
}

/// A model with its keys and values, and what computes with them.
pub(super) struct Machine {
    pub(super) model: Model,
    pub(super) attention: Box<dyn Attention>,
    pub(super) team: Arc<Team>,
    pub(super) isa: Isa,
    pub(super) scratch: Scratch,
}

impl Forward for Machine {
    fn vocabulary(&self) -> usize {
        self.model.vocabulary()
    }

    fn forward(&mut self, pass: Pass<'_>) -> Result<&mut [f32], ComputeError> {
        let crew = Crew { team: &self.team, isa: self.isa };
        self.model.forward(crew, self.attention.as_mut(), pass, &mut self.scratch)
    }

    fn copy_page(
        &mut self,
        from: PageId,
        to: PageId,
        positions: usize,
    ) -> Result<(), ComputeError> {
        self.attention.copy_page(from, to, positions)
    }
}
