//! One pass of many rows through all layers.

use crate::kernel::{
    Crew, Filling, HeadPreparation, HeadRows, Norm, PageId, Position, gate as gated,
};

use super::attention::Attention;
use super::linear::{ComputeError, Multiplication, Rows};
use super::weights::{Layer, Model};

/// One token of one sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Which of the pass's page tables belongs to its sequence.
    pub(crate) sequence: usize,
    /// Place in the sequence, from 0.
    pub(crate) position: usize,
    /// The token there.
    pub(crate) token: u32,
}

/// What one pass computes.
#[derive(Clone, Copy)]
pub(crate) struct Pass<'a> {
    /// Rows of one sequence come in rising positions without a gap after those that are stored;
    /// sequences mix freely. Tokens are below the vocabulary.
    pub(crate) rows: &'a [Row],
    /// Every sequence's pages, those for its rows included.
    pub(crate) tables: &'a [&'a [PageId]],
    /// Numbers of the rows whose logits are asked for.
    pub(crate) wanted: &'a [usize],
}

/// Memory between layers, kept from one pass to the next.
#[derive(Default)]
pub(crate) struct Scratch {
    positions: Vec<usize>,
    hidden: Vec<f32>,
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    mixed: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    logits: Vec<f32>,
    inputs: Rows,
}

impl Model {
    /// Computes a pass and gives the wanted rows' logits in their order, `[wanted, vocabulary]`.
    pub(crate) fn forward<'a>(
        &self,
        crew: Crew<'_>,
        attention: &mut dyn Attention,
        pass: Pass<'_>,
        scratch: &'a mut Scratch,
    ) -> Result<&'a mut [f32], ComputeError> {
        scratch.resize(self, pass.rows.len(), pass.wanted.len());
        self.begin(attention, pass, scratch)?;
        for (number, layer) in self.layers.iter().enumerate() {
            self.attend(crew, (number, layer), attention, scratch)?;
            self.feed_forward(crew, layer, scratch)?;
        }
        self.output(crew, pass.wanted, scratch)?;
        Ok(&mut scratch.logits)
    }

    /// Tokens become embeddings; attention learns where the rows belong.
    fn begin(
        &self,
        attention: &mut dyn Attention,
        pass: Pass<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), ComputeError> {
        let embeddings = scratch.hidden.chunks_exact_mut(self.shape.hidden);
        for (row, embedding) in pass.rows.iter().zip(embeddings) {
            self.embedding.copy_row(row.token as usize, embedding)?;
        }
        scratch.positions.clear();
        scratch.positions.extend(pass.rows.iter().map(|row| row.position));
        let place = |row: &Row| Position { sequence: row.sequence, position: row.position };
        let rows: Vec<Position> = pass.rows.iter().map(place).collect();
        attention.begin(&rows, pass.tables)
    }

    fn attend(
        &self,
        crew: Crew<'_>,
        (number, layer): (usize, &Layer),
        attention: &mut dyn Attention,
        scratch: &mut Scratch,
    ) -> Result<(), ComputeError> {
        let Scratch { hidden, queries, keys, values, mixed, inputs, positions, .. } = scratch;
        let width = self.shape.hidden;
        let whole_rows = Filling::whole_rows(hidden.len() / width, width);
        let norm = self.norm(&layer.attention_norm);
        inputs.multiply_made(
            crew,
            whole_rows,
            |row, _, place| norm.row(crew.isa, &hidden[row * width..][..width], place),
            &mut [
                Multiplication { matrix: &*layer.query, output: queries, add: false },
                Multiplication { matrix: &*layer.key, output: keys, add: false },
                Multiplication { matrix: &*layer.value, output: values, add: false },
            ],
        )?;
        let preparation = HeadPreparation {
            shape: self.shape.heads(),
            query_bias: &layer.query_bias,
            key_bias: &layer.key_bias,
            value_bias: &layer.value_bias,
            query_norm: &layer.query_norm,
            key_norm: &layer.key_norm,
            norm_epsilon: self.shape.norm_epsilon,
            positions,
            turns: self.rope.turns(),
        };
        let heads = HeadRows { queries, keys, values };
        attention.attend(crew, number, &preparation, heads, mixed)?;
        let filling = Filling::of(positions.len(), self.shape.query_width());
        let output = Multiplication { matrix: &*layer.attention_output, output: hidden, add: true };
        inputs.multiply_given(crew, filling, mixed, &mut [output])
    }

    fn feed_forward(
        &self,
        crew: Crew<'_>,
        layer: &Layer,
        scratch: &mut Scratch,
    ) -> Result<(), ComputeError> {
        let Scratch { hidden, gate, up, inputs, .. } = scratch;
        let width = self.shape.hidden;
        let rows = hidden.len() / width;
        let norm = self.norm(&layer.feed_forward_norm);
        inputs.multiply_made(
            crew,
            Filling::whole_rows(rows, width),
            |row, _, place| norm.row(crew.isa, &hidden[row * width..][..width], place),
            &mut [
                Multiplication { matrix: &*layer.gate, output: gate, add: false },
                Multiplication { matrix: &*layer.up, output: up, add: false },
            ],
        )?;
        let width = self.shape.feed_forward;
        let make = |row: usize, part: usize, place: &mut [f32]| {
            let start = row * width + part * place.len();
            let range = start..start + place.len();
            gated(crew.isa, &gate[range.clone()], &up[range], place);
        };
        let output = Multiplication { matrix: &*layer.down, output: hidden, add: true };
        inputs.multiply_made(crew, Filling::of(rows, width), make, &mut [output])
    }

    /// The wanted rows' logits.
    fn output(
        &self,
        crew: Crew<'_>,
        wanted: &[usize],
        scratch: &mut Scratch,
    ) -> Result<(), ComputeError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let Scratch { hidden, inputs, logits, .. } = scratch;
        let width = self.shape.hidden;
        let norm = self.norm(&self.output_norm);
        let make = |row: usize, _: usize, place: &mut [f32]| {
            norm.row(crew.isa, &hidden[wanted[row] * width..][..width], place);
        };
        let matrix = &**self.output.as_ref().unwrap_or(&self.embedding);
        let output = Multiplication { matrix, output: logits, add: false };
        inputs.multiply_made(crew, Filling::whole_rows(wanted.len(), width), make, &mut [output])
    }

    fn norm<'a>(&self, weight: &'a [f32]) -> Norm<'a> {
        Norm { weight, epsilon: self.shape.norm_epsilon }
    }
}

impl Scratch {
    fn resize(&mut self, model: &Model, rows: usize, wanted: usize) {
        let shape = &model.shape;
        for (buffer, width) in [
            (&mut self.hidden, shape.hidden),
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
