//! One pass of many rows through all layers.

use rayon::prelude::*;

use super::KvCache;
use super::attention::attention;
use super::linear::ProductScratch;
use super::norm::{norm_heads, rms_norm};
use super::weights::{Layer, Model};

/// One token of one sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Which stretch of the cache holds its sequence.
    pub(crate) slot: usize,
    /// Place in the sequence, from 0.
    pub(crate) position: usize,
    /// The token there.
    pub(crate) token: u32,
}

/// Memory between layers, kept from one pass to the next.
#[derive(Default)]
pub(crate) struct Scratch {
    hidden: Vec<f32>,
    normed: Vec<f32>,
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    mixed: Vec<f32>,
    added: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    logits: Vec<f32>,
    products: ProductScratch,
}

impl Model {
    /// Computes `rows` and gives the logits of the rows numbered in `wanted`, in that order, as
    /// `[wanted, vocabulary]`.
    ///
    /// Rows of one slot come in rising positions without a gap after what the cache has of that
    /// slot; slots mix freely. Positions must be below what the cache and the model were made
    /// for, tokens below the vocabulary.
    pub(crate) fn forward<'a>(
        &self,
        cache: &mut KvCache,
        rows: &[Row],
        wanted: &[usize],
        scratch: &'a mut Scratch,
    ) -> &'a mut [f32] {
        let hidden = self.shape.hidden;
        scratch.resize(self, rows.len(), wanted.len());
        for (row, embedding) in rows.iter().zip(scratch.hidden.chunks_exact_mut(hidden)) {
            self.embedding.copy_row(row.token as usize, embedding);
        }
        for (layer, cache) in self.layers.iter().zip(&mut cache.layers) {
            self.attend(layer, cache, rows, scratch);
            self.feed_forward(layer, scratch);
        }
        for (place, row) in wanted.iter().enumerate() {
            let from = &scratch.hidden[row * hidden..(row + 1) * hidden];
            scratch.added[place * hidden..(place + 1) * hidden].copy_from_slice(from);
        }
        let last = wanted.len() * hidden;
        let normed = &mut scratch.normed[..last];
        rms_norm(&scratch.added[..last], &self.output_norm, self.shape.norm_epsilon, normed);
        if !wanted.is_empty() {
            let output = self.output.as_ref().unwrap_or(&self.embedding);
            output.apply(normed, &mut scratch.products, &mut scratch.logits);
        }
        &mut scratch.logits
    }

    fn attend(
        &self,
        layer: &Layer,
        cache: &mut super::cache::LayerCache,
        rows: &[Row],
        scratch: &mut Scratch,
    ) {
        let shape = &self.shape;
        let Scratch { hidden, normed, queries, keys, values, mixed, added, products, .. } = scratch;
        rms_norm(hidden, &layer.attention_norm, shape.norm_epsilon, normed);
        layer.query.apply(normed, products, queries);
        layer.key.apply(normed, products, keys);
        layer.value.apply(normed, products, values);
        for (numbers, bias) in [
            (&mut *queries, &layer.query_bias),
            (&mut *keys, &layer.key_bias),
            (&mut *values, &layer.value_bias),
        ] {
            if !bias.is_empty() {
                numbers.chunks_exact_mut(bias.len()).for_each(|numbers| add(numbers, bias));
            }
        }
        for (heads, norm) in [(&mut *queries, &layer.query_norm), (&mut *keys, &layer.key_norm)] {
            if !norm.is_empty() {
                norm_heads(heads, norm, shape.norm_epsilon);
            }
        }
        let per_row = queries
            .chunks_exact_mut(shape.query_width())
            .zip(keys.chunks_exact_mut(shape.kv_width()))
            .zip(values.chunks_exact(shape.kv_width()));
        for (row, ((query, key), value)) in rows.iter().zip(per_row) {
            self.rope.turn(query, row.position);
            self.rope.turn(key, row.position);
            cache.write(row.slot, row.position, key, value);
        }
        attention(shape, cache, rows, queries, mixed);
        layer.attention_output.apply(mixed, products, added);
        add(hidden, added);
    }

    fn feed_forward(&self, layer: &Layer, scratch: &mut Scratch) {
        let Scratch { hidden, normed, added, gate, up, products, .. } = scratch;
        rms_norm(hidden, &layer.feed_forward_norm, self.shape.norm_epsilon, normed);
        layer.gate.apply(normed, products, gate);
        layer.up.apply(normed, products, up);
        let width = self.shape.feed_forward;
        gate.par_chunks_mut(width).zip(up.par_chunks(width)).for_each(|(gate, up)| {
            for (gate, up) in gate.iter_mut().zip(up) {
                *gate *= up / (1.0 + (-*gate).exp());
            }
        });
        layer.down.apply(gate, products, added);
        add(hidden, added);
    }
}

impl Scratch {
    fn resize(&mut self, model: &Model, rows: usize, wanted: usize) {
        let shape = &model.shape;
        for (buffer, width) in [
            (&mut self.hidden, shape.hidden),
            (&mut self.normed, shape.hidden),
            (&mut self.added, shape.hidden),
            (&mut self.queries, shape.query_width()),
            (&mut self.mixed, shape.query_width()),
            (&mut self.keys, shape.kv_width()),
            (&mut self.values, shape.kv_width()),
            (&mut self.gate, shape.feed_forward),
            (&mut self.up, shape.feed_forward),
        ] {
            buffer.resize(rows * width, 0.0);
        }
        self.logits.resize(wanted * model.vocabulary, 0.0);
    }
}

fn add(sum: &mut [f32], addend: &[f32]) {
    for (sum, addend) in sum.iter_mut().zip(addend) {
        *sum += addend;
    }
}
