//! Queries and keys before attention: biases, norms of heads, rotary embedding.

use std::ops::Range;

use crate::kernel::attend::HeadShape;
use crate::kernel::lanes::{Kernel, Lanes};
use crate::kernel::shared::SharedSlice;
use crate::kernel::{Crew, lanes};

use super::norm::scale_to_norm;
use super::turns::Turns;
use super::{ROWS_PER_THREAD, add};

/// Queries, keys and values, `[rows, heads, head_dim]` and `[rows, kv_heads, head_dim]` twice.
pub(crate) struct HeadRows<'a> {
    pub(crate) queries: &'a mut [f32],
    pub(crate) keys: &'a mut [f32],
    pub(crate) values: &'a mut [f32],
}

impl HeadRows<'_> {
    /// The same rows, lent for a shorter time.
    pub(crate) fn reborrow(&mut self) -> HeadRows<'_> {
        HeadRows { queries: &mut *self.queries, keys: &mut *self.keys, values: &mut *self.values }
    }
}

/// What happens to a layer's queries, keys and values between their products and attention.
pub(crate) struct HeadPreparation<'a> {
    pub(crate) shape: HeadShape,
    /// Added to all numbers of a row; empty for none.
    pub(crate) query_bias: &'a [f32],
    pub(crate) key_bias: &'a [f32],
    pub(crate) value_bias: &'a [f32],
    /// Weights of the norm of every single head, `[head_dim]`; empty for none.
    pub(crate) query_norm: &'a [f32],
    pub(crate) key_norm: &'a [f32],
    pub(crate) norm_epsilon: f32,
    /// Each row's place in its sequence.
    pub(crate) positions: &'a [usize],
    /// The rotary embedding.
    pub(crate) turns: &'a Turns,
}

impl HeadPreparation<'_> {
    /// Prepares all rows in place, for attention that is not on the processor.
    pub(crate) fn run(&self, crew: Crew<'_>, heads: HeadRows<'_>) {
        let heads = SharedHeads::new(&self.shape, heads);
        crew.team.run(heads.rows(), ROWS_PER_THREAD, |rows| {
            lanes::run(crew.isa, Prepare { preparation: self, heads: &heads, rows });
        });
    }

    /// Prepares row number `row`.
    #[inline(always)]
    pub(in crate::kernel) fn prepare<L: Lanes>(
        &self,
        lanes: L,
        row: usize,
        heads: &mut HeadRows<'_>,
    ) {
        let HeadRows { queries, keys, values } = heads;
        add(lanes, queries, self.query_bias);
        add(lanes, keys, self.key_bias);
        add(lanes, values, self.value_bias);
        for (heads, weight) in [(&mut **queries, self.query_norm), (&mut **keys, self.key_norm)] {
            if !weight.is_empty() {
                for head in heads.chunks_exact_mut(weight.len()) {
                    scale_to_norm(lanes, head, weight, self.norm_epsilon);
                }
            }
        }
        for heads in [&mut **queries, &mut **keys] {
            self.turns.turn(lanes, heads, self.positions[row]);
        }
    }
}

struct Prepare<'a> {
    preparation: &'a HeadPreparation<'a>,
    heads: &'a SharedHeads<'a>,
    rows: Range<usize>,
}

impl Kernel for Prepare<'_> {
    type Output = ();

    #[inline(always)]
    fn call<L: Lanes>(self, lanes: L) {
        for row in self.rows {
            // SAFETY: the team gives each row to one thread, once.
            #[expect(unsafe_code, reason = "rows do not overlap")]
            let mut heads = unsafe { self.heads.row(row) };
            self.preparation.prepare(lanes, row, &mut heads);
        }
    }
}

/// [`HeadRows`] whose rows go to several threads.
pub(in crate::kernel) struct SharedHeads<'a> {
    queries: SharedSlice<'a, f32>,
    keys: SharedSlice<'a, f32>,
    values: SharedSlice<'a, f32>,
    query_width: usize,
    kv_width: usize,
    rows: usize,
}

impl<'a> SharedHeads<'a> {
    pub(in crate::kernel) fn new(shape: &HeadShape, heads: HeadRows<'a>) -> Self {
        let rows = heads.queries.len() / shape.query_width();
        Self {
            queries: SharedSlice::new(heads.queries),
            keys: SharedSlice::new(heads.keys),
            values: SharedSlice::new(heads.values),
            query_width: shape.query_width(),
            kv_width: shape.kv_width(),
            rows,
        }
    }

    pub(in crate::kernel) fn rows(&self) -> usize {
        self.rows
    }

    /// One row's heads.
    ///
    /// # Safety
    /// While they are in use, nobody may ask for the same row.
    #[expect(unsafe_code, reason = "rows do not overlap")]
    pub(in crate::kernel) unsafe fn row(&self, row: usize) -> HeadRows<'_> {
        let (query, kv) = (row * self.query_width, row * self.kv_width);
        // SAFETY: rows do not overlap, and the caller promises to ask for none twice.
        unsafe {
            HeadRows {
                queries: self.queries.part(query..query + self.query_width),
                keys: self.keys.part(kv..kv + self.kv_width),
                values: self.values.part(kv..kv + self.kv_width),
            }
        }
    }
}
