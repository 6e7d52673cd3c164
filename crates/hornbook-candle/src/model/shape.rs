//! A model's sizes, read from the metadata and checked against each other.

use crate::LoadError;
use crate::gguf::{Metadata, MetadataExt, Value};

const RUNS: &str = "Llama-family models with full rotary embedding and no scaling of it";
const LAYERS_MAX: u64 = 256;
const HIDDEN_MAX: u64 = 16_384;
const FEED_FORWARD_MAX: u64 = 131_072;
const HEADS_MAX: u64 = 256;
const HEAD_DIM_MAX: u64 = 512;
const CONTEXT_TOKENS_MAX: u64 = 16 * 1024 * 1024;

/// The sizes that the forward pass computes with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ModelShape {
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
}

impl ModelShape {
    /// Reads the sizes; anything that would be computed wrongly is refused by name.
    pub(crate) fn read(metadata: &Metadata) -> Result<Self, LoadError> {
        let architecture = metadata.text("general.architecture")?;
        if architecture != "llama" {
            return Err(unsupported(format!("the architecture {architecture:?}")));
        }
        refuse_variants(metadata)?;
        let hidden = metadata.count("llama.embedding_length", HIDDEN_MAX)?;
        let heads = metadata.count("llama.attention.head_count", HEADS_MAX)?;
        let kv_heads = match metadata.get("llama.attention.head_count_kv") {
            None => heads,
            Some(_) => metadata.count("llama.attention.head_count_kv", HEADS_MAX)?,
        };
        let head_dim = match metadata.get("llama.attention.key_length") {
            None if hidden.is_multiple_of(heads) => hidden / heads,
            None => return Err(unsupported(format!("{hidden} hidden numbers over {heads} heads"))),
            Some(_) => metadata.count("llama.attention.key_length", HEAD_DIM_MAX)?,
        };
        if !heads.is_multiple_of(kv_heads) {
            return Err(unsupported(format!("{heads} heads over {kv_heads} key heads")));
        }
        if !head_dim.is_multiple_of(2) || head_dim as u64 > HEAD_DIM_MAX {
            return Err(unsupported(format!("heads of {head_dim} numbers")));
        }
        for (key, wanted) in
            [("llama.rope.dimension_count", head_dim), ("llama.attention.value_length", head_dim)]
        {
            if let Some(found) = metadata.integer(key)
                && found != wanted as i64
            {
                return Err(unsupported(format!("{key} = {found} with heads of {wanted}")));
            }
        }
        let rope_base = match metadata.get("llama.rope.freq_base") {
            None => 10_000.0,
            Some(_) => metadata.positive("llama.rope.freq_base")?,
        };
        Ok(Self {
            layers: metadata.count("llama.block_count", LAYERS_MAX)?,
            hidden,
            feed_forward: metadata.count("llama.feed_forward_length", FEED_FORWARD_MAX)?,
            heads,
            kv_heads,
            head_dim,
            context_tokens: metadata.count("llama.context_length", CONTEXT_TOKENS_MAX)?,
            norm_epsilon: metadata.positive("llama.attention.layer_norm_rms_epsilon")?,
            rope_base,
        })
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

/// Variants of the architecture that share its name but compute something else.
fn refuse_variants(metadata: &Metadata) -> Result<(), LoadError> {
    if metadata.integer("llama.expert_count").is_some_and(|experts| experts > 0) {
        return Err(unsupported("mixtures of experts".to_owned()));
    }
    if let Some(Value::Text(scaling)) = metadata.get("llama.rope.scaling.type")
        && scaling != "none"
    {
        return Err(unsupported(format!("{scaling} scaling of the rotary embedding")));
    }
    Ok(())
}
