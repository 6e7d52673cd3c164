//! The BERT encoder: tokens of one text to one vector per token.

use candle_core::{D, Device, Result, Tensor};

use super::settings::Settings;
use super::weights::{Affine, Layer, Norm, Weights};
use crate::tensors::{matmul, softmax};

/// A BERT encoder with its weights on a device.
pub(super) struct Encoder {
    weights: Weights,
    heads: usize,
    norm_epsilon: f64,
    device: Device,
}

impl Encoder {
    pub(super) fn new(weights: Weights, settings: &Settings, device: Device) -> Self {
        Self { weights, heads: settings.heads, norm_epsilon: settings.norm_epsilon, device }
    }

    /// Vectors of one text's tokens, `[tokens, hidden]`.
    ///
    /// There are at least two tokens (with one row candle sums in another order), each below the
    /// vocabulary, and no more than positions.
    pub(super) fn forward(&self, tokens: &[u32]) -> Result<Tensor> {
        let Weights { words, positions, norm, layers } = &self.weights;
        let ids = Tensor::new(tokens, &self.device)?;
        let rows = words.index_select(&ids, 0)?.add(&positions.narrow(0, 0, tokens.len())?)?;
        let mut rows = self.norm(&rows, norm)?;
        for layer in layers {
            rows = self.layer(layer, &rows)?;
        }
        Ok(rows)
    }

    fn layer(&self, layer: &Layer, rows: &Tensor) -> Result<Tensor> {
        let mixed = product(&self.attention(&layer.attention, rows)?, &layer.attention_output)?;
        let rows = self.norm(&mixed.add(rows)?, &layer.attention_norm)?;
        let wide = product(&rows, &layer.up)?.gelu_erf()?;
        let narrow = product(&wide, &layer.down)?;
        self.norm(&narrow.add(&rows)?, &layer.norm)
    }

    /// Every token attends to every token; queries, keys and values come from one product.
    fn attention(&self, weights: &Affine, rows: &Tensor) -> Result<Tensor> {
        let (tokens, hidden) = rows.dims2()?;
        let head_dim = hidden / self.heads;
        let parts = product(rows, weights)?.reshape((tokens, 3, self.heads, head_dim))?;
        // [3, heads, tokens, head_dim]
        let parts = parts.permute((1, 2, 0, 3))?.contiguous()?;
        let scale = 1.0 / (head_dim as f64).sqrt();
        let scores = matmul(&parts.get(0)?, &parts.get(1)?.t()?)?.affine(scale, 0.0)?;
        let mixed = matmul(&softmax(&scores)?, &parts.get(2)?)?;
        mixed.transpose(0, 1)?.reshape((tokens, hidden))
    }

    fn norm(&self, rows: &Tensor, norm: &Norm) -> Result<Tensor> {
        let centred = rows.broadcast_sub(&rows.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let spread = variance.affine(1.0, self.norm_epsilon)?.sqrt()?;
        let scaled = centred.broadcast_div(&spread)?.broadcast_mul(&norm.weight)?;
        scaled.broadcast_add(&norm.bias)
    }
}

fn product(rows: &Tensor, affine: &Affine) -> Result<Tensor> {
    affine.weights.multiply(rows)?.broadcast_add(&affine.bias)
}
