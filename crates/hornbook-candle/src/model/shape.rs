//! A model's sizes, read from the metadata and checked against each other.

use crate::LoadError;
use crate::gguf::{Metadata, MetadataExt, Value};
use crate::kernel::{HeadShape, RopePairs};

const RUNS: &str = "llama, qwen2 and qwen3 models with full rotary embedding and no scaling of it";
const LAYERS_MAX: u64 = 256;
const HIDDEN_MAX: u64 = 16_384;
const FEED_FORWARD_MAX: u64 = 131_072;
const HEADS_MAX: u64 = 256;
const HEAD_DIM_MAX: u64 = 512;
const CONTEXT_TOKENS_MAX: u64 = 16 * 1024 * 1024;

/// Which family's forward pass a file asks for, by the name that GGUF has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Architecture {
    /// Llama, Mistral, SmolLM: the plain pass; frequencies may have factors (Llama 3.1 and later).
    Llama,
    /// Qwen 2 and 2.5: query, key and value have biases.
    Qwen2,
    /// Qwen 3: query and key heads are normed before they are turned.
    Qwen3,
}

impl Architecture {
    fn read(metadata: &Metadata) -> Result<Self, LoadError> {
        match metadata.text("general.architecture")? {
            "llama" => Ok(Self::Llama),
            "qwen2" => Ok(Self::Qwen2),
            "qwen3" => Ok(Self::Qwen3),
            other => Err(unsupported(format!("the architecture {other:?}"))),
        }
    }

    /// The name in the file, which also begins the keys of the model's sizes.
    fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        }
    }

    fn rope_pairs(self) -> RopePairs {
        match self {
            Self::Llama => RopePairs::Neighbours,
            Self::Qwen2 | Self::Qwen3 => RopePairs::Halves,
        }
    }
}

/// The sizes that the forward pass computes with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ModelShape {
    pub(crate) architecture: Architecture,
    pub(crate) layers: usize,
    /// Numbers that stand for one token between layers.
    pub(crate) hidden: usize,
    pub(crate) feed_forward: usize,
    /// Query heads.
    pub(crate) heads: usize,
    /// Key and value heads; each serves `heads / kv_heads` query heads.
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
    /// Longest sequence that the model was trained for, in tokens.
    pub(crate) context_tokens: usize,
    pub(crate) norm_epsilon: f32,
    pub(crate) rope_base: f32,
    pub(crate) rope_pairs: RopePairs,
}

impl ModelShape {
    /// Reads the sizes; anything that would be computed wrongly is refused by name.
    pub(crate) fn read(metadata: &Metadata) -> Result<Self, LoadError> {
        let architecture = Architecture::read(metadata)?;
        let key = |part: &str| format!("{}.{part}", architecture.name());
        let count = |part: &str, limit| metadata.count(&key(part), limit);
        refuse_variants(metadata, architecture)?;
        let hidden = count("embedding_length", HIDDEN_MAX)?;
        let heads = count("attention.head_count", HEADS_MAX)?;
        let kv_heads = match metadata.get(&key("attention.head_count_kv")) {
            None => heads,
            Some(_) => count("attention.head_count_kv", HEADS_MAX)?,
        };
        let head_dim = match metadata.get(&key("attention.key_length")) {
            None if hidden.is_multiple_of(heads) => hidden / heads,
            None => return Err(unsupported(format!("{hidden} hidden numbers over {heads} heads"))),
            Some(_) => count("attention.key_length", HEAD_DIM_MAX)?,
        };
        if !heads.is_multiple_of(kv_heads) {
            return Err(unsupported(format!("{heads} heads over {kv_heads} key heads")));
        }
        if !head_dim.is_multiple_of(2) || head_dim as u64 > HEAD_DIM_MAX {
            return Err(unsupported(format!("heads of {head_dim} numbers")));
        }
        for part in ["rope.dimension_count", "attention.value_length"] {
            let key = key(part);
            if let Some(found) = metadata.integer(&key)
                && found != head_dim as i64
            {
                return Err(unsupported(format!("{key} = {found} with heads of {head_dim}")));
            }
        }
        let rope_base = match metadata.get(&key("rope.freq_base")) {
            None => 10_000.0,
            Some(_) => metadata.positive(&key("rope.freq_base"))?,
        };
        Ok(Self {
            architecture,
            layers: count("block_count", LAYERS_MAX)?,
            hidden,
            feed_forward: count("feed_forward_length", FEED_FORWARD_MAX)?,
            heads,
            kv_heads,
            head_dim,
            context_tokens: count("context_length", CONTEXT_TOKENS_MAX)?,
            norm_epsilon: metadata.positive(&key("attention.layer_norm_rms_epsilon"))?,
            rope_base,
            rope_pairs: architecture.rope_pairs(),
        })
    }

    /// The sizes of attention.
    pub(crate) fn heads(&self) -> HeadShape {
        HeadShape {
            layers: self.layers,
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
        }
    }

    /// Numbers of all query heads of one row.
    pub(crate) fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Numbers of all key (or value) heads of one row.
    pub(crate) fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }
}

fn unsupported(what: String) -> LoadError {
    LoadError::Unsupported { what, runs: RUNS }
}

/// Sizes that the pass computes with, and facts that change nothing in it.
const KNOWN: [&str; 18] = [
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_rms_epsilon",
    "attention.value_length",
    "block_count",
    "context_length",
    "embedding_length",
    "expert_count",
    "expert_used_count",
    "feed_forward_length",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "rope.scaling.type",
    "tensor_data_layout",
    "vocab_size",
];
/// Where a scale of 1 leaves the rotary embedding as it is.
const ROPE_SCALES: [&str; 3] =
    ["rope.scaling.factor", "rope.scale_linear", "rope.scaling.attn_factor"];

/// Variants of the architecture that share its name but compute something else.
///
/// Converters say every deviation by an entry under the architecture's name (a sliding window, a
/// scale of attention, experts), so an entry that nobody here knows is one.
fn refuse_variants(metadata: &Metadata, architecture: Architecture) -> Result<(), LoadError> {
    let prefix = format!("{}.", architecture.name());
    for (key, value) in metadata.range(prefix.clone()..) {
        let Some(part) = key.strip_prefix(&prefix) else { break };
        match (part, value) {
            ("expert_count", Value::Integer(0)) | ("attention.causal", Value::Flag(true)) => (),
            ("expert_count", _) => return Err(unsupported("mixtures of experts".to_owned())),
            ("rope.scaling.type", Value::Text(scaling)) if scaling != "none" => {
                return Err(unsupported(format!("{scaling} scaling of the rotary embedding")));
            }
            (part, Value::Float(1.0)) if ROPE_SCALES.contains(&part) => (),
            (part, _) if KNOWN.contains(&part) => (),
            _ => return Err(unsupported(format!("models with the metadata entry `{key}`"))),
        }
    }
    Ok(())
}
