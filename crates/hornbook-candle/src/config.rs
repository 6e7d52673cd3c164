//! How an engine is set up.

use std::path::PathBuf;

use crate::{ComputeDevice, InstructionSet, LoadError};

/// Most sequences at once.
pub const SLOTS_MAX: usize = 256;
/// Most threads.
pub const THREADS_MAX: usize = 256;
/// Shortest context that leaves room for a prompt and an answer.
pub const CONTEXT_TOKENS_MIN: usize = 16;
/// Most memory for keys and values.
pub const KV_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;
/// Prompts that wait for a slot; one more waits in its caller's future.
pub const QUEUE_PROMPTS: usize = 64;

/// Most memory for keys and values where none is named, unless one context needs more.
pub(crate) const DEFAULT_KV_BYTES: u64 = 4 * 1024 * 1024 * 1024;

const DEFAULT_SLOTS: usize = 24;
const DEFAULT_CONTEXT_TOKENS: usize = 2_048;

/// How an engine is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// The model, a GGUF file.
    pub model_path: PathBuf,
    /// Sequences that are written at once. Default 24.
    pub slots: usize,
    /// Longest prompt and answer together, in tokens; the model's own limit if that is lower.
    /// Default 2048.
    pub context_tokens: usize,
    /// Threads that compute; `None` is one per core.
    pub threads: Option<usize>,
    /// Memory for keys and values; `None` is enough for all slots with a whole context each, but
    /// at most 4 GiB. It holds at least one context. With less than all slots could use, prompts
    /// wait for pages instead of slots; with more, more stays for prompts that begin alike.
    pub kv_memory_bytes: Option<u64>,
    /// Whether prompts that begin alike are computed once. Default true; false is for measuring,
    /// and changes no answer.
    pub share_prefixes: bool,
    /// What holds the weights, the keys and the values. Default: the processor.
    pub device: ComputeDevice,
    /// Instruction set of the inner loops; `None` is the best that this machine has. Answers are
    /// the same bytes on the same one only.
    pub instruction_set: Option<InstructionSet>,
}

impl EngineConfig {
    /// The defaults for a model file.
    pub fn new(model_path: impl Into<PathBuf>) -> Self {
        Self {
            model_path: model_path.into(),
            slots: DEFAULT_SLOTS,
            context_tokens: DEFAULT_CONTEXT_TOKENS,
            threads: None,
            kv_memory_bytes: None,
            share_prefixes: true,
            device: ComputeDevice::Cpu,
            instruction_set: None,
        }
    }

    /// Checks every field against its limit.
    pub(crate) fn check(&self) -> Result<(), LoadError> {
        let range = |field, value: usize, least: usize, most: usize| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            Err(LoadError::Config { field, value, detail: format!("needs {least} to {most}") })
        };
        range("slots", self.slots, 1, SLOTS_MAX)?;
        range("context_tokens", self.context_tokens, CONTEXT_TOKENS_MIN, usize::MAX)?;
        range("threads", self.threads.unwrap_or(1), 1, THREADS_MAX)
    }
}
