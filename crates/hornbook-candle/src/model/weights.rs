//! The weights, as 32-bit floats, under the names that GGUF gives them.

use std::collections::BTreeSet;

use crate::LoadError;
use crate::gguf::GgufFile;

use super::ModelShape;
use super::linear::Linear;
use super::rope::RopeTable;
use super::shape::Architecture;

/// Most memory that the weights may take as 32-bit floats.
pub(crate) const WEIGHT_BYTES_MAX: u64 = 32 * 1024 * 1024 * 1024;

/// One layer's weights.
pub(super) struct Layer {
    pub(super) attention_norm: Vec<f32>,
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    /// Added to queries, keys and values; empty where the architecture has none.
    pub(super) query_bias: Vec<f32>,
    pub(super) key_bias: Vec<f32>,
    pub(super) value_bias: Vec<f32>,
    /// Norms of single heads, before they are turned; empty where the architecture has none.
    pub(super) query_norm: Vec<f32>,
    pub(super) key_norm: Vec<f32>,
    pub(super) attention_output: Linear,
    pub(super) feed_forward_norm: Vec<f32>,
    pub(super) gate: Linear,
    pub(super) up: Linear,
    pub(super) down: Linear,
}

/// A model that is ready to compute.
pub(crate) struct Model {
    pub(super) shape: ModelShape,
    pub(super) layers: Vec<Layer>,
    pub(super) embedding: Linear,
    pub(super) output_norm: Vec<f32>,
    /// `None`: the embedding is the output matrix too.
    pub(super) output: Option<Linear>,
    pub(super) rope: RopeTable,
    pub(super) vocabulary: usize,
}

impl Model {
    /// Dequantises all weights; `positions` is the longest sequence that will be asked for.
    pub(crate) fn load(
        file: &GgufFile<'_>,
        shape: ModelShape,
        vocabulary: usize,
        positions: usize,
    ) -> Result<Self, LoadError> {
        let elements: u64 =
            file.tensors.values().map(|info| info.dims.iter().product::<usize>() as u64).sum();
        LoadError::check_limit(
            "the memory for weights, in bytes,",
            elements.saturating_mul(4),
            WEIGHT_BYTES_MAX,
        )?;
        let mut loader = Loader { file, used: BTreeSet::new() };
        let layers = (0..shape.layers)
            .map(|number| loader.layer(&shape, number))
            .collect::<Result<_, _>>()?;
        let embedding = loader.linear("token_embd.weight", vocabulary, shape.hidden)?;
        let output_norm = loader.list("output_norm.weight", shape.hidden)?;
        let output = match file.tensors.contains_key("output.weight") {
            true => Some(loader.linear("output.weight", vocabulary, shape.hidden)?),
            false => None,
        };
        let rope = RopeTable::new(positions, &shape, &loader.rope_factors(&shape)?);
        loader.refuse_unused()?;
        Ok(Self { shape, layers, embedding, output_norm, output, rope, vocabulary })
    }

    /// The model's sizes.
    pub(crate) fn shape(&self) -> &ModelShape {
        &self.shape
    }

    /// Tokens that there are; also the length of one row of logits.
    pub(crate) fn vocabulary(&self) -> usize {
        self.vocabulary
    }
}

struct Loader<'a> {
    file: &'a GgufFile<'a>,
    used: BTreeSet<String>,
}

impl Loader<'_> {
    fn layer(&mut self, shape: &ModelShape, number: usize) -> Result<Layer, LoadError> {
        let name = |part: &str| format!("blk.{number}.{part}.weight");
        let (hidden, wide) = (shape.hidden, shape.feed_forward);
        let (query, kv) = (shape.query_width(), shape.kv_width());
        let (biased, normed) = match shape.architecture {
            Architecture::Llama => (false, false),
            Architecture::Qwen2 => (true, false),
            Architecture::Qwen3 => (false, true),
        };
        let bias = |part: &str| format!("blk.{number}.{part}.bias");
        Ok(Layer {
            query_bias: self.list_if(biased, &bias("attn_q"), query)?,
            key_bias: self.list_if(biased, &bias("attn_k"), kv)?,
            value_bias: self.list_if(biased, &bias("attn_v"), kv)?,
            query_norm: self.list_if(normed, &name("attn_q_norm"), shape.head_dim)?,
            key_norm: self.list_if(normed, &name("attn_k_norm"), shape.head_dim)?,
            attention_norm: self.list(&name("attn_norm"), hidden)?,
            query: self.linear(&name("attn_q"), query, hidden)?,
            key: self.linear(&name("attn_k"), kv, hidden)?,
            value: self.linear(&name("attn_v"), kv, hidden)?,
            attention_output: self.linear(&name("attn_output"), hidden, query)?,
            feed_forward_norm: self.list(&name("ffn_norm"), hidden)?,
            gate: self.linear(&name("ffn_gate"), wide, hidden)?,
            up: self.linear(&name("ffn_up"), wide, hidden)?,
            down: self.linear(&name("ffn_down"), hidden, wide)?,
        })
    }

    fn linear(&mut self, name: &str, outputs: usize, inputs: usize) -> Result<Linear, LoadError> {
        self.used.insert(name.to_owned());
        Ok(Linear::new(&self.file.floats(name, &[outputs, inputs])?, inputs))
    }

    fn list(&mut self, name: &str, length: usize) -> Result<Vec<f32>, LoadError> {
        self.used.insert(name.to_owned());
        self.file.floats(name, &[length])
    }

    fn list_if(
        &mut self,
        is_there: bool,
        name: &str,
        length: usize,
    ) -> Result<Vec<f32>, LoadError> {
        if is_there { self.list(name, length) } else { Ok(Vec::new()) }
    }

    /// What divides each frequency of the rotary embedding, since Llama 3.1; empty for all ones.
    fn rope_factors(&mut self, shape: &ModelShape) -> Result<Vec<f32>, LoadError> {
        const NAME: &str = "rope_freqs.weight";
        let is_there =
            shape.architecture == Architecture::Llama && self.file.tensors.contains_key(NAME);
        let factors = self.list_if(is_there, NAME, shape.head_dim / 2)?;
        if factors.iter().any(|factor| *factor <= 0.0) {
            let detail = "holds a factor that is not above 0".to_owned();
            return Err(LoadError::BadTensor { name: NAME.to_owned(), detail });
        }
        Ok(factors)
    }

    /// A tensor that nothing used is a part of the model that would be left out in silence, such
    /// as a bias that its architecture does not have.
    fn refuse_unused(&self) -> Result<(), LoadError> {
        match self.file.tensors.keys().find(|name| !self.used.contains(*name)) {
            None => Ok(()),
            Some(name) => Err(LoadError::Unsupported {
                what: format!("models with the tensor `{name}`"),
                runs: "the tensors that llama, qwen2 and qwen3 models have in common practice",
            }),
        }
    }
}
