//! Attention of every token of a text to all of its tokens.

use std::cell::RefCell;
use std::ops::Range;

use crate::kernel::attend::weigh;
use crate::kernel::lanes::{Kernel, LANES, Lanes};
use crate::kernel::shared::SharedSlice;
use crate::kernel::{Crew, lanes};

/// Queries that are computed side by side, so that their sums need not wait for each other.
const QUERIES: usize = 4;

thread_local! {
    /// Each thread's memory, kept from one head to the next.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Queries, keys and values of several texts' tokens.
#[derive(Clone, Copy)]
pub(crate) struct TextHeads<'a> {
    /// `[tokens, 3, heads, head_dim]`: queries, keys, values.
    pub(crate) rows: &'a [f32],
    /// Each text's tokens, one text after the other; no two texts share one.
    pub(crate) texts: &'a [Range<usize>],
    pub(crate) heads: usize,
    pub(crate) head_dim: usize,
}

/// One head of one text, widened to whole vectors.
#[derive(Default)]
struct Scratch {
    /// `[key vectors, head_dim]`: one number of sixteen keys in each.
    keys: Vec<[f32; LANES]>,
    /// `[tokens, vectors of a head]`.
    values: Vec<[f32; LANES]>,
    /// `[QUERIES, key vectors]`.
    scores: Vec<[f32; LANES]>,
}

/// `softmax(queries x keys / sqrt(head_dim)) x values` for every head and text by itself; `output`
/// is `[tokens, heads, head_dim]`.
///
/// # Panics
/// If texts share a token or do not follow each other.
pub(crate) fn attend_all(crew: Crew<'_>, heads: TextHeads<'_>, output: &mut [f32]) {
    // Writing from several threads relies on this for its soundness.
    assert!(
        heads.texts.is_sorted_by(|left, right| left.start <= left.end && left.end <= right.start),
        "texts share no token"
    );
    let output = &SharedSlice::new(output);
    crew.team.run(heads.texts.len() * heads.heads, 1, |units| {
        SCRATCH.with_borrow_mut(|scratch| {
            for unit in units {
                let text = heads.texts[unit / heads.heads].clone();
                let head = unit % heads.heads;
                lanes::run(crew.isa, Head { all: &heads, text, head, scratch, output });
            }
        });
    });
}

struct Head<'a> {
    all: &'a TextHeads<'a>,
    text: Range<usize>,
    head: usize,
    scratch: &'a mut Scratch,
    output: &'a SharedSlice<'a, f32>,
}

impl Kernel for Head<'_> {
    type Output = ();

    #[inline(always)]
    fn call<L: Lanes>(mut self, lanes: L) {
        self.widen();
        let mut next = self.text.start;
        while next < self.text.end {
            let count = QUERIES.min(self.text.end - next);
            match count {
                1 => self.queries::<L, 1>(lanes, next),
                2 => self.queries::<L, 2>(lanes, next),
                3 => self.queries::<L, 3>(lanes, next),
                _ => self.queries::<L, QUERIES>(lanes, next),
            }
            next += count;
        }
    }
}

impl Head<'_> {
    /// The head's part of a token's queries (0), keys (1) or values (2).
    #[inline(always)]
    fn part(&self, token: usize, which: usize) -> &[f32] {
        let TextHeads { rows, heads, head_dim, .. } = *self.all;
        &rows[((token * 3 + which) * heads + self.head) * head_dim..][..head_dim]
    }

    /// Copies keys and values to where whole vectors of them lie side by side.
    #[inline(always)]
    fn widen(&mut self) {
        let head_dim = self.all.head_dim;
        let (key_vectors, value_vectors) =
            (self.text.len().div_ceil(LANES), head_dim.div_ceil(LANES));
        let mut keys = std::mem::take(&mut self.scratch.keys);
        let mut values = std::mem::take(&mut self.scratch.values);
        keys.clear();
        keys.resize(key_vectors * head_dim, [0.0; LANES]);
        values.clear();
        values.resize(self.text.len() * value_vectors, [0.0; LANES]);
        for (place, token) in self.text.clone().enumerate() {
            let vector = &mut keys[place / LANES * head_dim..][..head_dim];
            for (lanes, number) in vector.iter_mut().zip(self.part(token, 1)) {
                lanes[place % LANES] = *number;
            }
            let vectors = values[place * value_vectors..][..value_vectors].iter_mut();
            for (vector, numbers) in vectors.zip(self.part(token, 2).chunks(LANES)) {
                vector[..numbers.len()].copy_from_slice(numbers);
            }
        }
        (self.scratch.keys, self.scratch.values) = (keys, values);
    }

    /// Some queries, from token `first` on.
    #[inline(always)]
    fn queries<L: Lanes, const COUNT: usize>(&mut self, lanes: L, first: usize) {
        let TextHeads { heads, head_dim, .. } = *self.all;
        let tokens = self.text.len();
        let key_vectors = tokens.div_ceil(LANES);
        let mut scores = std::mem::take(&mut self.scratch.scores);
        scores.resize(QUERIES * key_vectors, [0.0; LANES]);
        let queries: [&[f32]; COUNT] = std::array::from_fn(|query| self.part(first + query, 0));
        for (vector, keys) in self.scratch.keys.chunks_exact(head_dim).enumerate() {
            let mut sums = [lanes.splat(0.0); COUNT];
            for (index, keys) in keys.iter().enumerate() {
                let keys = lanes.load(keys);
                for query in 0..COUNT {
                    let number = lanes.splat(queries[query][index]);
                    sums[query] = lanes.fused(number, keys, sums[query]);
                }
            }
            for (query, sum) in sums.into_iter().enumerate() {
                lanes.store(sum, &mut scores[query * key_vectors + vector]);
            }
        }
        let scale = 1.0 / (head_dim as f32).sqrt();
        let mut shares = [0.0; COUNT];
        for (query, share) in shares.iter_mut().enumerate() {
            *share = weigh(lanes, &mut scores, (query * key_vectors, 1), tokens, scale);
        }
        let weights: [&[f32]; COUNT] = std::array::from_fn(|query| {
            &scores[query * key_vectors..][..key_vectors].as_flattened()[..tokens]
        });
        let value_vectors = head_dim.div_ceil(LANES);
        for vector in 0..value_vectors {
            let mut sums = [lanes.splat(0.0); COUNT];
            let values = self.scratch.values.chunks_exact(value_vectors);
            for (token, values) in values.enumerate() {
                let value = lanes.load(&values[vector]);
                for query in 0..COUNT {
                    let weight = lanes.splat(weights[query][token]);
                    sums[query] = lanes.fused(weight, value, sums[query]);
                }
            }
            let from = vector * LANES;
            let width = LANES.min(head_dim - from);
            for (query, sum) in sums.into_iter().enumerate() {
                let start = ((first + query) * heads + self.head) * head_dim + from;
                // SAFETY: no two texts share a token, as was checked, and the team gives each head of a text to
                // one thread: nobody else has these numbers.
                #[expect(unsafe_code, reason = "heads of tokens do not overlap")]
                let place = unsafe { self.output.part(start..start + width) };
                lanes.store_some(lanes.multiply(sum, lanes.splat(shares[query])), place);
            }
        }
        self.scratch.scores = scores;
    }
}
