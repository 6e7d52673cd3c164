//! The BERT encoder: tokens of some texts to one vector per token.

use std::ops::Range;

use crate::kernel::{Crew, LayerNorm, TextHeads, add_and_gelu, add_to_rows, attend_all};
use crate::model::{ComputeError, Linear, Panels};

use super::settings::Settings;
use super::weights::{Affine, Layer, Norm, Weights};

/// A BERT encoder.
pub(super) struct Encoder {
    weights: Weights,
    hidden: usize,
    heads: usize,
    norm_epsilon: f32,
}

/// Memory between layers.
#[derive(Default)]
pub(super) struct Scratch {
    rows: Vec<f32>,
    /// Queries, keys and values beside each other.
    heads: Vec<f32>,
    mixed: Vec<f32>,
    added: Vec<f32>,
    wide: Vec<f32>,
}

impl Encoder {
    pub(super) fn new(weights: Weights, settings: &Settings) -> Self {
        Self {
            weights,
            hidden: settings.hidden,
            heads: settings.heads,
            norm_epsilon: settings.norm_epsilon as f32,
        }
    }

    /// Vectors of the texts' tokens, `[tokens of all texts, hidden]`.
    ///
    /// Every token is below the vocabulary, and no text has more of them than positions. A text's
    /// vectors do not depend on the others.
    pub(super) fn forward<'a>(
        &self,
        crew: Crew<'_>,
        texts: &[&[u32]],
        scratch: &'a mut Scratch,
    ) -> Result<&'a [f32], ComputeError> {
        let mut next = 0;
        let ranges: Vec<Range<usize>> = texts
            .iter()
            .map(|text| {
                next += text.len();
                next - text.len()..next
            })
            .collect();
        scratch.rows.clear();
        for text in texts {
            self.embed(text, &mut scratch.rows);
        }
        self.norm(&self.weights.norm).run(crew, &mut scratch.rows, &[], &[]);
        for layer in &self.weights.layers {
            self.layer(crew, layer, &ranges, scratch)?;
        }
        Ok(&scratch.rows)
    }

    /// Adds every token's vector and its position's.
    fn embed(&self, text: &[u32], rows: &mut Vec<f32>) {
        let positions = self.weights.positions.chunks_exact(self.hidden);
        for (token, position) in text.iter().zip(positions) {
            let word = &self.weights.words[*token as usize * self.hidden..][..self.hidden];
            rows.extend(word.iter().zip(position).map(|(word, position)| word + position));
        }
    }

    fn layer(
        &self,
        crew: Crew<'_>,
        layer: &Layer,
        texts: &[Range<usize>],
        scratch: &mut Scratch,
    ) -> Result<(), ComputeError> {
        let Scratch { rows, heads, mixed, added, wide } = scratch;
        multiply(crew, &layer.attention, rows, heads)?;
        add_to_rows(crew, heads, &layer.attention.bias);
        mixed.resize(rows.len(), 0.0);
        let head_dim = self.hidden / self.heads;
        attend_all(crew, TextHeads { rows: heads, texts, heads: self.heads, head_dim }, mixed);
        multiply(crew, &layer.attention_output, mixed, added)?;
        self.norm(&layer.attention_norm).run(crew, rows, added, &layer.attention_output.bias);
        multiply(crew, &layer.up, rows, wide)?;
        add_and_gelu(crew, wide, &layer.up.bias);
        multiply(crew, &layer.down, wide, added)?;
        self.norm(&layer.norm).run(crew, rows, added, &layer.down.bias);
        Ok(())
    }

    fn norm<'a>(&self, norm: &'a Norm) -> LayerNorm<'a> {
        LayerNorm { weight: &norm.weight, bias: &norm.bias, epsilon: self.norm_epsilon }
    }
}

/// Rows times a matrix, without its bias.
fn multiply(
    crew: Crew<'_>,
    affine: &Affine,
    rows: &[f32],
    output: &mut Vec<f32>,
) -> Result<(), ComputeError> {
    let matrix: &Panels = &affine.weights;
    output.resize(rows.len() / matrix.inputs() * matrix.outputs(), 0.0);
    matrix.apply(crew, rows, output)
}
