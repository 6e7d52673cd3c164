//! The weights of a BERT encoder, from a safetensors file.

use std::collections::BTreeMap;

use candle_core::safetensors::SliceSafetensors;
use candle_core::{DType, Device};

use super::EmbeddingLoadError as Error;
use super::settings::Settings;
use crate::kernel::Team;
use crate::model::Panels;

/// The file.
pub(super) const FILE: &str = "model.safetensors";
/// Largest file; the encoders in use have a tenth of it.
pub(super) const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// Longest list of tensors at the head of the file.
const HEADER_BYTES_MAX: u64 = 1024 * 1024;
/// Parts of a BERT file that no text's vector needs.
const UNUSED: [&str; 3] = ["embeddings.position_ids", "pooler.dense.bias", "pooler.dense.weight"];
/// What whole models call the encoder within them.
const PREFIX: &str = "bert.";

/// Weights and bias of a product.
pub(super) struct Affine {
    pub(super) weights: Panels,
    pub(super) bias: Vec<f32>,
}

/// Scale and shift after a layer norm.
pub(super) struct Norm {
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

/// One layer's weights.
pub(super) struct Layer {
    /// Queries, keys and values beside each other: `[3 x hidden, hidden]`.
    pub(super) attention: Affine,
    pub(super) attention_output: Affine,
    pub(super) attention_norm: Norm,
    pub(super) up: Affine,
    pub(super) down: Affine,
    pub(super) norm: Norm,
}

/// All weights, as 32-bit floats.
pub(super) struct Weights {
    /// `[vocabulary, hidden]`.
    pub(super) words: Vec<f32>,
    /// What is added at each position, `[positions, hidden]`; the type of all tokens is in it.
    pub(super) positions: Vec<f32>,
    pub(super) norm: Norm,
    pub(super) layers: Vec<Layer>,
}

impl Weights {
    /// Reads and checks every tensor that the encoder has.
    pub(super) fn read(bytes: &[u8], settings: &Settings, team: &Team) -> Result<Self, Error> {
        let Settings { hidden, feed_forward, positions, token_types, vocabulary, .. } = *settings;
        let mut reader = Reader::open(bytes, team)?;
        let words = reader.take("embeddings.word_embeddings.weight", &[vocabulary, hidden])?;
        let mut positions =
            reader.take("embeddings.position_embeddings.weight", &[positions, hidden])?;
        let types =
            reader.take("embeddings.token_type_embeddings.weight", &[token_types, hidden])?;
        for position in positions.chunks_exact_mut(hidden) {
            for (number, of_type) in position.iter_mut().zip(&types) {
                *number += of_type;
            }
        }
        let norm = reader.norm("embeddings.LayerNorm", hidden)?;
        let layers = (0..settings.layers)
            .map(|number| reader.layer(number, hidden, feed_forward))
            .collect::<Result<_, _>>()?;
        reader.refuse_unused()?;
        Ok(Self { words, positions, norm, layers })
    }
}

fn failed(name: &str) -> impl FnOnce(candle_core::Error) -> Error {
    let name = name.to_owned();
    move |error| Error::BadTensor { name, detail: format!("cannot be read: {error}") }
}

struct Reader<'a> {
    file: SliceSafetensors<'a>,
    team: &'a Team,
    /// Shapes of the tensors that were not taken yet, by name without prefix.
    left: BTreeMap<String, Vec<usize>>,
    prefix: &'static str,
}

impl<'a> Reader<'a> {
    fn open(bytes: &'a [u8], team: &'a Team) -> Result<Self, Error> {
        // The library would take a hundred times as much.
        let head = bytes.first_chunk().map_or(0, |head| u64::from_le_bytes(*head));
        Error::check_limit("the head of model.safetensors, in bytes,", head, HEADER_BYTES_MAX)?;
        let file = SliceSafetensors::new(bytes)
            .map_err(|error| Error::malformed(FILE, error.to_string()))?;
        let tensors = file.tensors();
        let is_within = tensors.iter().any(|(name, _)| name.starts_with(PREFIX));
        let prefix = if is_within { PREFIX } else { "" };
        let left = tensors
            .iter()
            .map(|(name, view)| {
                (name.strip_prefix(prefix).unwrap_or(name).to_owned(), view.shape().to_vec())
            })
            .collect();
        Ok(Self { file, team, left, prefix })
    }

    /// A tensor's numbers as 32-bit floats. Its shape is checked before anything is copied, and every
    /// number is finite: one that is not would poison every vector.
    fn take(&mut self, name: &str, dims: &[usize]) -> Result<Vec<f32>, Error> {
        let bad = |detail: String| Error::BadTensor { name: name.to_owned(), detail };
        let found = self.left.remove(name).ok_or_else(|| bad("is absent".to_owned()))?;
        if found != dims {
            return Err(bad(format!("has shape {found:?}, not {dims:?}")));
        }
        let tensor = self
            .file
            .load(&format!("{}{name}", self.prefix), &Device::Cpu)
            .map_err(failed(name))?;
        if !matches!(tensor.dtype(), DType::F32 | DType::F16 | DType::BF16) {
            return Err(bad(format!("holds {:?}, not floats", tensor.dtype())));
        }
        let numbers: Vec<f32> = tensor
            .to_dtype(DType::F32)
            .and_then(|tensor| tensor.flatten_all()?.to_vec1())
            .map_err(failed(name))?;
        if !numbers.iter().all(|number| number.is_finite()) {
            return Err(bad("holds a number that is not finite".to_owned()));
        }
        Ok(numbers)
    }

    fn norm(&mut self, name: &str, width: usize) -> Result<Norm, Error> {
        let weight = self.take(&format!("{name}.weight"), &[width])?;
        Ok(Norm { weight, bias: self.take(&format!("{name}.bias"), &[width])? })
    }

    /// Several products of the same rows, beside each other.
    fn affine(&mut self, names: &[String], outputs: usize, inputs: usize) -> Result<Affine, Error> {
        let (mut weights, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            weights.extend(self.take(&format!("{name}.weight"), &[outputs, inputs])?);
            bias.extend(self.take(&format!("{name}.bias"), &[outputs])?);
        }
        Ok(Affine { weights: Panels::new(self.team, &weights, inputs), bias })
    }

    fn layer(&mut self, number: usize, hidden: usize, wide: usize) -> Result<Layer, Error> {
        let name = |part: &str| format!("encoder.layer.{number}.{part}");
        let attention =
            ["query", "key", "value"].map(|part| name(&format!("attention.self.{part}")));
        Ok(Layer {
            attention: self.affine(&attention, hidden, hidden)?,
            attention_output: self.affine(&[name("attention.output.dense")], hidden, hidden)?,
            attention_norm: self.norm(&name("attention.output.LayerNorm"), hidden)?,
            up: self.affine(&[name("intermediate.dense")], wide, hidden)?,
            down: self.affine(&[name("output.dense")], hidden, wide)?,
            norm: self.norm(&name("output.LayerNorm"), hidden)?,
        })
    }

    /// A tensor that nothing used is a part of the model that would be left out in silence.
    fn refuse_unused(&self) -> Result<(), Error> {
        // A model with the encoder within it may have a head, which has no part in vectors.
        let is_head = |name: &str| !self.prefix.is_empty() && name.starts_with("cls.");
        match self.left.keys().find(|name| !UNUSED.contains(&name.as_str()) && !is_head(name)) {
            None => Ok(()),
            Some(name) => Err(Error::unsupported(format!("the tensor `{name}`"))),
        }
    }
}
