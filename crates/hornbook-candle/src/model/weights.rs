//! The weights under the names that GGUF gives them.

use std::collections::BTreeSet;

use candle_core::Device;

use crate::LoadError;
use crate::gguf::GgufFile;
use crate::kernel::{PackedMatrix, Team};

use super::ModelShape;
use super::candle_linear::{Blocks, CandleLinear};
use super::holding::Holding;
use super::linear::{ComputeError, Linear};
use super::panels::Panels;
use super::rope::RopeTable;
use super::shape::Architecture;

/// Most memory that the weights may take once they are loaded.
pub(crate) const WEIGHT_BYTES_MAX: u64 = 32 * 1024 * 1024 * 1024;

/// One layer's weights.
pub(super) struct Layer {
    pub(super) attention_norm: Vec<f32>,
    pub(super) query: Box<dyn Linear>,
    pub(super) key: Box<dyn Linear>,
    pub(super) value: Box<dyn Linear>,
    /// Added to queries, keys and values; empty where the architecture has none.
    pub(super) query_bias: Vec<f32>,
    pub(super) key_bias: Vec<f32>,
    pub(super) value_bias: Vec<f32>,
    /// Norms of single heads, before they are turned; empty where the architecture has none.
    pub(super) query_norm: Vec<f32>,
    pub(super) key_norm: Vec<f32>,
    pub(super) attention_output: Box<dyn Linear>,
    pub(super) feed_forward_norm: Vec<f32>,
    pub(super) gate: Box<dyn Linear>,
    pub(super) up: Box<dyn Linear>,
    pub(super) down: Box<dyn Linear>,
}

/// A model that is ready to compute.
pub(crate) struct Model {
    pub(super) shape: ModelShape,
    pub(super) layers: Vec<Layer>,
    pub(super) embedding: Box<dyn Linear>,
    pub(super) output_norm: Vec<f32>,
    /// `None`: the embedding is the output matrix too.
    pub(super) output: Option<Box<dyn Linear>>,
    pub(super) rope: RopeTable,
    pub(super) vocabulary: usize,
}

impl Model {
    /// Packs all weights; `positions` is the longest sequence that will be asked for.
    pub(crate) fn load(
        file: &GgufFile<'_>,
        shape: ModelShape,
        vocabulary: usize,
        positions: usize,
        team: &Team,
        holding: &Holding,
    ) -> Result<Self, LoadError> {
        let bytes =
            file.tensors.values().map(|info| holding.bytes(info)).fold(0, u64::saturating_add);
        LoadError::check_limit("the memory for weights, in bytes,", bytes, WEIGHT_BYTES_MAX)?;
        let mut loader = Loader { file, team, holding, used: BTreeSet::new() };
        let layers = (0..shape.layers)
            .map(|number| loader.layer(&shape, number))
            .collect::<Result<_, _>>()?;
        let embedding = loader.linear(EMBEDDING, vocabulary, shape.hidden)?;
        let output_norm = loader.list("output_norm.weight", shape.hidden)?;
        let output = match file.tensors.contains_key("output.weight") {
            true => Some(loader.linear("output.weight", vocabulary, shape.hidden)?),
            false => None,
        };
        let rope = RopeTable::new(positions, &shape, &loader.rope_factors(&shape)?)?;
        loader.refuse_unused()?;
        Ok(Self { shape, layers, embedding, output_norm, output, rope, vocabulary })
    }

    /// The model's sizes.
    pub(crate) fn shape(&self) -> &ModelShape {
        &self.shape
    }

    /// Memory that the matrices take, in bytes; all else is small beside them.
    pub(crate) fn bytes(&self) -> u64 {
        let of_layers = self.layers.iter().flat_map(|layer| {
            let Layer { query, key, value, attention_output, gate, up, down, .. } = layer;
            [query, key, value, attention_output, gate, up, down]
        });
        let others = std::iter::once(&self.embedding).chain(&self.output);
        of_layers.chain(others).map(|matrix| matrix.bytes() as u64).sum()
    }

    /// Tokens that there are; also the length of one row of logits.
    pub(crate) fn vocabulary(&self) -> usize {
        self.vocabulary
    }
}

/// The matrix that tokens' embeddings are looked up in.
const EMBEDDING: &str = "token_embd.weight";

/// Puts a matrix on a device.
fn tensor(name: &str, blocks: Blocks<'_>, device: &Device) -> Result<CandleLinear, LoadError> {
    let matrix = CandleLinear::new(blocks, device);
    let matrix = match name {
        EMBEDDING => matrix.and_then(|matrix| matrix.with_table(blocks)),
        _ => matrix,
    };
    matrix.map_err(|error| LoadError::BadTensor {
        name: name.to_owned(),
        detail: format!("cannot go to the device: {}", ComputeError::from(error)),
    })
}

struct Loader<'a> {
    file: &'a GgufFile<'a>,
    team: &'a Team,
    holding: &'a Holding,
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

    fn linear(
        &mut self,
        name: &str,
        outputs: usize,
        inputs: usize,
    ) -> Result<Box<dyn Linear>, LoadError> {
        self.used.insert(name.to_owned());
        let (dtype, blocks) = self.file.blocks(name, &[outputs, inputs])?;
        if !self.holding.packs(dtype) {
            // For tensors too: this is where numbers that are not finite are refused.
            let weights = self.file.floats(name, &[outputs, inputs])?;
            return match self.holding {
                Holding::Tensors(device) => {
                    let blocks = Blocks { dtype, bytes: blocks, outputs, inputs };
                    Ok(Box::new(tensor(name, blocks, device)?))
                }
                _ => Ok(Box::new(Panels::new(self.team, &weights, inputs))),
            };
        }
        let packed = PackedMatrix::pack(self.team, dtype, blocks, outputs, inputs);
        let packed = packed.map_err(|error| LoadError::BadTensor {
            name: name.to_owned(),
            detail: error.to_string(),
        })?;
        Ok(Box::new(packed))
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
