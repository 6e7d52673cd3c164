//! One gang's attention over one key head.

use std::ops::Range;

use crate::kernel::lanes::{Kernel, LANES, Lanes};
use crate::kernel::shared::SharedSlice;

use super::pages::{Block, HeadShape, KvPages, PAGE_POSITIONS, PageId};
use super::plan::{Gang, Plan, Run};
use super::softmax::weigh;
use super::tile::{Product, add_block, cover};

/// Pages that are asked for before they are used: pages lie anywhere in memory, so that no machine
/// guesses the next one.
const PAGES_AHEAD: usize = 4;

/// One layer's attention of a pass.
pub(super) struct Attending<'a> {
    pub(super) pages: &'a KvPages,
    pub(super) layer: usize,
    pub(super) plan: &'a Plan,
    /// `[rows, heads, head_dim]`.
    pub(super) queries: &'a [f32],
    /// Like `queries`.
    pub(super) output: SharedSlice<'a, f32>,
}

/// Memory of one thread between units.
#[derive(Default)]
pub(super) struct Scratch {
    /// The gang's queries, `[head_blocks, queries, LANES]`.
    queries: Vec<[f32; LANES]>,
    /// Scores, then weights, `[pages, queries, PAGE_POSITIONS]`.
    scores: Vec<[f32; LANES]>,
    /// Sums of weighted values, `[head_blocks, queries, LANES]`.
    mixed: Vec<[f32; LANES]>,
    /// What each query's sums are multiplied by in the end.
    shares: Vec<f32>,
}

/// Some units of a pass's attention: unit `n` is gang `n % gangs` over key head `n / gangs`, so
/// that those who read the same pages come one after the other.
pub(super) struct Units<'a> {
    pub(super) attending: &'a Attending<'a>,
    pub(super) units: Range<usize>,
    pub(super) scratch: &'a mut Scratch,
}

impl Kernel for Units<'_> {
    type Output = ();

    #[inline(always)]
    fn call<L: Lanes>(self, lanes: L) {
        let gangs = self.attending.plan.gangs();
        for unit in self.units.clone() {
            let (gang, kv_head) = (&gangs[unit % gangs.len()], unit / gangs.len());
            let next = (unit + 1 < self.units.end).then_some(unit + 1);
            let next = next.map(|next| (&gangs[next % gangs.len()], next / gangs.len()));
            attend(lanes, self.attending, (gang, kv_head), next, self.scratch);
        }
    }
}

/// Scores of all queries, then their weights, then their sums of values: what several queries
/// share is done together, and each query's own numbers come in the order of its positions.
#[inline(always)]
fn attend<L: Lanes>(
    lanes: L,
    attending: &Attending<'_>,
    (gang, kv_head): (&Gang, usize),
    next: Option<(&Gang, usize)>,
    scratch: &mut Scratch,
) {
    let shape = attending.pages.shape();
    let (group, head_blocks) = (shape.group(), shape.head_blocks());
    let count = gang.members.len() * group;
    let Scratch { queries, scores, mixed, shares } = scratch;
    queries.resize(head_blocks * count, [0.0; LANES]);
    scores.resize(gang.length.div_ceil(PAGE_POSITIONS) * count, [0.0; LANES]);
    mixed.clear();
    mixed.resize(head_blocks * count, [0.0; LANES]);
    shares.resize(count, 0.0);
    gather(lanes, attending, gang, kv_head, queries);
    for run in &gang.key_runs {
        let common = Common { attending, run, kv_head, count };
        let columns = run.positions.len() / PAGE_POSITIONS;
        cover(lanes, &mut Scoring { common, queries, scores }, run.queries(group), columns);
    }
    if let Some((gang, kv_head)) = next
        && let Some(run) = gang.key_runs.first()
    {
        let common = Common { attending, run, kv_head, count };
        for page in 0..PAGES_AHEAD {
            common.prefetch_keys(lanes, page, 0..head_blocks);
        }
    }
    let scale = 1.0 / (shape.head_dim as f32).sqrt();
    for (query, share) in shares.iter_mut().enumerate() {
        let length = gang.members[query / group].length;
        *share = weigh(lanes, scores, (query, count), length, scale);
    }
    for run in &gang.value_runs {
        let common = Common { attending, run, kv_head, count };
        cover(lanes, &mut Mixing { common, scores, mixed }, run.queries(group), head_blocks);
    }
    scatter(lanes, attending, gang, kv_head, (mixed, shares));
}

/// Brings a gang's queries together.
#[inline(always)]
fn gather<L: Lanes>(
    lanes: L,
    attending: &Attending<'_>,
    gang: &Gang,
    kv_head: usize,
    queries: &mut [[f32; LANES]],
) {
    let shape = attending.pages.shape();
    let count = gang.members.len() * shape.group();
    for query in 0..count {
        let from = head_range(shape, gang, kv_head, query);
        for (block, numbers) in attending.queries[from].chunks(LANES).enumerate() {
            lanes.store(lanes.load_some(numbers), &mut queries[block * count + query]);
        }
    }
}

/// Writes what a gang's queries came to.
#[inline(always)]
fn scatter<L: Lanes>(
    lanes: L,
    attending: &Attending<'_>,
    gang: &Gang,
    kv_head: usize,
    (mixed, shares): (&[[f32; LANES]], &[f32]),
) {
    let shape = attending.pages.shape();
    for (query, share) in shares.iter().enumerate() {
        let to = head_range(shape, gang, kv_head, query);
        // SAFETY: every row is in one gang once, and every gang and key head is one unit, which
        // one thread has: nobody else has this head of this row.
        #[expect(unsafe_code, reason = "heads of rows do not overlap")]
        let to = unsafe { attending.output.part(to) };
        for (block, numbers) in to.chunks_mut(LANES).enumerate() {
            let mixed = lanes.load(&mixed[block * shares.len() + query]);
            lanes.store_some(lanes.multiply(mixed, lanes.splat(*share)), numbers);
        }
    }
}

/// Where a gang's query lies in the pass's queries.
fn head_range(shape: &HeadShape, gang: &Gang, kv_head: usize, query: usize) -> Range<usize> {
    let group = shape.group();
    let head = kv_head * group + query % group;
    let start = (gang.members[query / group].row * shape.heads + head) * shape.head_dim;
    start..start + shape.head_dim
}

/// What both products of a run know.
struct Common<'a> {
    attending: &'a Attending<'a>,
    run: &'a Run,
    kv_head: usize,
    /// Queries of the gang.
    count: usize,
}

impl Common<'_> {
    /// Asks for a page's keys, or for values from the first page on where the run has no such page.
    #[inline(always)]
    fn prefetch_keys<L: Lanes>(&self, lanes: L, page: usize, blocks: Range<usize>) {
        let Self { attending, run, kv_head, .. } = *self;
        let pages = run.positions.len() / PAGE_POSITIONS;
        let first = run.positions.start / PAGE_POSITIONS;
        let keys = if page < pages {
            attending.pages.keys(attending.layer, self.page(first + page), kv_head)
        } else if page - pages < pages.min(PAGES_AHEAD) {
            attending.pages.values(attending.layer, self.page(first + page - pages), kv_head)
        } else {
            return;
        };
        lanes.prefetch(keys[blocks].as_flattened());
    }

    #[inline(always)]
    fn page(&self, page: usize) -> PageId {
        self.attending.plan.table(self.run)[page]
    }
}

/// The queries of one tile among a gang's.
#[inline(always)]
fn tile_of<const QUERIES: usize>(
    vectors: &[[f32; LANES]],
    start: usize,
) -> &[[f32; LANES]; QUERIES] {
    let Some(tile) = vectors[start..].first_chunk() else {
        unreachable!("a tile lies within its gang");
    };
    tile
}

/// Queries times keys; a column is a page.
struct Scoring<'a> {
    common: Common<'a>,
    queries: &'a [[f32; LANES]],
    scores: &'a mut [[f32; LANES]],
}

impl Product for Scoring<'_> {
    #[inline(always)]
    fn tile<L: Lanes, const QUERIES: usize, const COLUMNS: usize>(
        &mut self,
        lanes: L,
        query: usize,
        column: usize,
    ) {
        let Common { attending, run, kv_head, count } = self.common;
        let first = run.positions.start / PAGE_POSITIONS + column;
        let mut keys: [&[Block]; COLUMNS] = [&[]; COLUMNS];
        for (page, keys) in (first..).zip(&mut keys) {
            *keys = attending.pages.keys(attending.layer, self.common.page(page), kv_head);
        }
        let mut sums = [[lanes.splat(0.0); COLUMNS]; QUERIES];
        for (block, queries) in self.queries.chunks_exact(count).enumerate() {
            let queries = tile_of::<QUERIES>(queries, query);
            let mut blocks = [&keys[0][block]; COLUMNS];
            for column in 1..COLUMNS {
                blocks[column] = &keys[column][block];
            }
            if query == run.queries(attending.pages.shape().group()).start {
                for ahead in column + COLUMNS..column + 2 * COLUMNS {
                    self.common.prefetch_keys(lanes, ahead, block..block + 1);
                }
            }
            add_block(lanes, queries, blocks, 0..LANES, &mut sums);
        }
        for (of_query, sums) in sums.iter().enumerate() {
            for (of_column, sum) in sums.iter().enumerate() {
                let place = (first + of_column) * count + query + of_query;
                lanes.store(*sum, &mut self.scores[place]);
            }
        }
    }
}

/// Weights times values; a column is a block of sixteen numbers of the head.
struct Mixing<'a> {
    common: Common<'a>,
    /// Weights by now.
    scores: &'a [[f32; LANES]],
    mixed: &'a mut [[f32; LANES]],
}

impl Product for Mixing<'_> {
    #[inline(always)]
    fn tile<L: Lanes, const QUERIES: usize, const COLUMNS: usize>(
        &mut self,
        lanes: L,
        query: usize,
        column: usize,
    ) {
        let Common { attending, run, kv_head, count } = self.common;
        let mut sums = [[lanes.splat(0.0); COLUMNS]; QUERIES];
        for (of_query, sums) in sums.iter_mut().enumerate() {
            for (of_column, sum) in sums.iter_mut().enumerate() {
                let place = (column + of_column) * count + query + of_query;
                *sum = lanes.load(&self.mixed[place]);
            }
        }
        let Range { start, end } = run.positions;
        for page in start / PAGE_POSITIONS..end.div_ceil(PAGE_POSITIONS) {
            let values = attending.pages.values(attending.layer, self.common.page(page), kv_head);
            let mut blocks = [&values[column]; COLUMNS];
            for of_column in 1..COLUMNS {
                blocks[of_column] = &values[column + of_column];
            }
            let weights = tile_of::<QUERIES>(self.scores, page * count + query);
            let ahead = page + PAGES_AHEAD;
            if ahead < end.div_ceil(PAGE_POSITIONS) {
                let page = self.common.page(ahead);
                let values = attending.pages.values(attending.layer, page, kv_head);
                lanes.prefetch(values[column..column + COLUMNS].as_flattened());
            }
            let begin = page * PAGE_POSITIONS;
            if start <= begin && begin + PAGE_POSITIONS <= end {
                add_block(lanes, weights, blocks, 0..PAGE_POSITIONS, &mut sums);
            } else {
                let steps = start.max(begin) - begin..end.min(begin + PAGE_POSITIONS) - begin;
                add_block(lanes, weights, blocks, steps, &mut sums);
            }
        }
        for (of_query, sums) in sums.iter().enumerate() {
            for (of_column, sum) in sums.iter().enumerate() {
                let place = (column + of_column) * count + query + of_query;
                lanes.store(*sum, &mut self.mixed[place]);
            }
        }
    }
}
