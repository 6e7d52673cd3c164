//! Keys and values in pages of sixteen positions.

use std::ops::Range;

use crate::kernel::lanes::{Half16, Kernel, LANES, Lanes};
use crate::kernel::memory::Memory;
use crate::kernel::rows::{HeadPreparation, HeadRows, ROWS_PER_THREAD, SharedHeads};
use crate::kernel::shared::SharedSlice;
use crate::kernel::{Crew, lanes};

use super::plan::{Place, Plan};

/// Positions in a page: one vector of a key's numbers.
pub(crate) const PAGE_POSITIONS: usize = LANES;

/// Number of a page: all layers' keys and values of sixteen positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PageId(pub(crate) u32);

/// Sixteen vectors. Of keys: sixteen numbers of a head, each at the page's positions. Of values:
/// the page's positions, each with sixteen numbers of the head. So both products of attention
/// read blocks from front to back, and every vector is one step of sixteen sums.
pub(super) type Block = [Half16; LANES];
const BLOCK_HALVES: usize = LANES * LANES;

/// Sizes of a model's attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeadShape {
    pub(crate) layers: usize,
    /// Query heads.
    pub(crate) heads: usize,
    /// Key and value heads; each serves `heads / kv_heads` query heads.
    pub(crate) kv_heads: usize,
    /// Numbers of a head.
    pub(crate) head_dim: usize,
}

impl HeadShape {
    /// Query heads that share one key head.
    pub(crate) fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Numbers of all query heads of one row.
    pub(crate) fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Numbers of all key (or value) heads of one row.
    pub(crate) fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Bytes of one page, all layers; `None` when that overflows.
    pub(crate) fn bytes_per_page(&self) -> Option<u64> {
        let factors = [2, BLOCK_HALVES, self.head_blocks(), 2, self.kv_heads, self.layers];
        factors.iter().try_fold(1_u64, |bytes, factor| bytes.checked_mul(*factor as u64))
    }

    /// Blocks that hold a head's numbers; what the last one has too many stays zero.
    pub(super) fn head_blocks(&self) -> usize {
        self.head_dim.div_ceil(LANES)
    }
}

/// Keys and values of all pages: 16-bit floats, `[pages, layers, kv_heads, keys then values]`,
/// the last in blocks.
///
/// The memory is asked for at once; the operating system commits it when it is first written. All
/// layers of a page lie together, so that no more is committed than the pages in use.
pub(crate) struct KvPages {
    blocks: Memory<Block>,
    shape: HeadShape,
    pages: usize,
}

impl KvPages {
    /// Room for `pages` pages, all zero; an error where there is no such room.
    pub(crate) fn new(shape: HeadShape, pages: usize) -> std::io::Result<Self> {
        let blocks = Memory::new(pages * shape.layers * shape.kv_heads * 2 * shape.head_blocks())?;
        Ok(Self { blocks, shape, pages })
    }

    /// The sizes that it was made for.
    pub(crate) fn shape(&self) -> &HeadShape {
        &self.shape
    }

    /// Copies the first `positions` positions of a page to another, all layers: what follows them
    /// can then be written there without touching the first page.
    pub(crate) fn copy_page(&mut self, from: PageId, to: PageId, positions: usize) {
        let positions = positions.min(PAGE_POSITIONS);
        let head_blocks = self.shape.head_blocks();
        for layer in 0..self.shape.layers {
            for kv_head in 0..self.shape.kv_heads {
                let from = self.head(layer, from, kv_head).start;
                let to = self.head(layer, to, kv_head).start;
                let blocks = self.blocks.as_mut_slice();
                for block in 0..head_blocks {
                    let keys = blocks[from + block];
                    for (to, from) in blocks[to + block].iter_mut().zip(&keys) {
                        to[..positions].copy_from_slice(&from[..positions]);
                    }
                    let values = blocks[from + head_blocks + block];
                    blocks[to + head_blocks + block][..positions]
                        .copy_from_slice(&values[..positions]);
                }
            }
        }
    }

    /// Prepares every row's heads, then stores its keys and values where the plan has its place.
    pub(crate) fn store(
        &mut self,
        crew: Crew<'_>,
        layer: usize,
        plan: &Plan,
        preparation: &HeadPreparation<'_>,
        heads: HeadRows<'_>,
    ) {
        let places = plan.places();
        let start = |place: &Place| self.head(layer, place.page, 0).start * BLOCK_HALVES;
        let starts: Vec<usize> = places.iter().map(start).collect();
        let heads = SharedHeads::new(&self.shape, heads);
        assert_eq!(heads.rows(), places.len(), "a plan is made for its rows");
        let shape = self.shape;
        let halves = self.blocks.as_mut_slice().as_flattened_mut().as_flattened_mut();
        let halves = &SharedSlice::new(halves);
        crew.team.run(places.len(), ROWS_PER_THREAD, |rows| {
            lanes::run(
                crew.isa,
                Store {
                    shape: &shape,
                    halves,
                    starts: &starts,
                    places,
                    preparation,
                    heads: &heads,
                    rows,
                },
            );
        });
    }

    /// One head's keys in a page, `[head_blocks]`.
    #[inline(always)]
    pub(super) fn keys(&self, layer: usize, page: PageId, kv_head: usize) -> &[Block] {
        let head = self.head(layer, page, kv_head);
        &self.blocks.as_slice()[head][..self.shape.head_blocks()]
    }

    /// One head's values in a page, `[head_blocks]`.
    #[inline(always)]
    pub(super) fn values(&self, layer: usize, page: PageId, kv_head: usize) -> &[Block] {
        let head = self.head(layer, page, kv_head);
        &self.blocks.as_slice()[head][self.shape.head_blocks()..]
    }

    /// Which blocks are a page's keys and values of one layer and head.
    #[inline(always)]
    fn head(&self, layer: usize, page: PageId, kv_head: usize) -> Range<usize> {
        let page = page.0 as usize;
        assert!(page < self.pages, "page {page} of {}", self.pages);
        let blocks = 2 * self.shape.head_blocks();
        let start = ((page * self.shape.layers + layer) * self.shape.kv_heads + kv_head) * blocks;
        start..start + blocks
    }
}

/// Preparing and storing some rows.
struct Store<'a> {
    shape: &'a HeadShape,
    halves: &'a SharedSlice<'a, u16>,
    /// Where each row's page has the first head's keys.
    starts: &'a [usize],
    places: &'a [Place],
    preparation: &'a HeadPreparation<'a>,
    heads: &'a SharedHeads<'a>,
    rows: Range<usize>,
}

impl Kernel for Store<'_> {
    type Output = ();

    #[inline(always)]
    fn call<L: Lanes>(self, lanes: L) {
        let head_blocks = self.shape.head_blocks();
        for row in self.rows.clone() {
            // SAFETY: the team gives each row to one thread, once.
            #[expect(unsafe_code, reason = "rows do not overlap")]
            let mut heads = unsafe { self.heads.row(row) };
            self.preparation.prepare(lanes, row, &mut heads);
            let offset = self.places[row].offset;
            for kv_head in 0..self.shape.kv_heads {
                let numbers = kv_head * self.shape.head_dim..(kv_head + 1) * self.shape.head_dim;
                let start = self.starts[row] + kv_head * 2 * head_blocks * BLOCK_HALVES;
                let keys = heads.keys[numbers.clone()].chunks(LANES);
                let values = heads.values[numbers].chunks(LANES);
                for (block, (keys, values)) in keys.zip(values).enumerate() {
                    let mut narrowed = [0; LANES];
                    lanes.narrow(lanes.load_some(keys), &mut narrowed);
                    let key = start + block * BLOCK_HALVES + offset;
                    // SAFETY: no two places of a plan are the same and the team gives each row to
                    // one thread: nobody else writes this place's numbers, and nobody reads pages
                    // while they are borrowed for storing.
                    #[expect(unsafe_code, reason = "places do not overlap")]
                    unsafe {
                        self.halves.write_apart(key, LANES, narrowed);
                    }
                    lanes.narrow(lanes.load_some(values), &mut narrowed);
                    let value = start + (head_blocks + block) * BLOCK_HALVES + offset * LANES;
                    // SAFETY: as above.
                    #[expect(unsafe_code, reason = "places do not overlap")]
                    unsafe {
                        self.halves.write_apart(value, 1, narrowed);
                    }
                }
            }
        }
    }
}
