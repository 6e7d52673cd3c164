//! Queries times keys, and weights times values: sums of sixteen that stay in registers.

use std::ops::Range;

use crate::kernel::lanes::{Kernel, LANES, Lanes};

use super::pages::Block;

/// Most queries in a tile.
const TILE_QUERIES: usize = 12;

/// A product of queries (or their weights) and stored blocks that is computed in tiles: `QUERIES`
/// of one by `COLUMNS` vectors of the other.
pub(super) trait Product {
    fn tile<L: Lanes, const QUERIES: usize, const COLUMNS: usize>(
        &mut self,
        lanes: L,
        query: usize,
        column: usize,
    );
}

/// `sums += left * right` for some of the blocks' sixteen steps, in their order.
#[inline(always)]
pub(super) fn add_block<L: Lanes, const QUERIES: usize, const COLUMNS: usize>(
    lanes: L,
    left: &[[f32; LANES]; QUERIES],
    right: [&Block; COLUMNS],
    steps: Range<usize>,
    sums: &mut [[L::Vector; COLUMNS]; QUERIES],
) {
    for step in steps {
        // Closures, such as those of arrays' own functions, are not always inlined, and what is
        // not inlined is not compiled for the instruction set: here are plain loops. The remainder
        // tells the compiler that nothing here can panic; with a bounds check in the loop it would
        // store all sums at every turn.
        let step = step % LANES;
        let mut vectors = [lanes.splat(0.0); COLUMNS];
        for column in 0..COLUMNS {
            vectors[column] = lanes.widen(&right[column][step]);
        }
        for query in 0..QUERIES {
            let number = lanes.splat(left[query][step]);
            for column in 0..COLUMNS {
                sums[query][column] = lanes.fused(number, vectors[column], sums[query][column]);
            }
        }
    }
}

/// Computes all tiles of `queries` by `columns`.
#[inline(always)]
pub(super) fn cover<L: Lanes>(
    lanes: L,
    product: &mut impl Product,
    queries: Range<usize>,
    columns: usize,
) {
    let most = TILE_QUERIES.min(L::SUMS);
    let tiles = queries.len().div_ceil(most).max(1);
    let size = queries.len().div_ceil(tiles);
    let mut query = queries.start;
    while query < queries.end {
        let count = size.min(queries.end - query);
        match count {
            1 => cover_columns::<L, 1>(lanes, product, query, columns),
            2 => cover_columns::<L, 2>(lanes, product, query, columns),
            3 => cover_columns::<L, 3>(lanes, product, query, columns),
            4 => cover_columns::<L, 4>(lanes, product, query, columns),
            5 => cover_columns::<L, 5>(lanes, product, query, columns),
            6 => cover_columns::<L, 6>(lanes, product, query, columns),
            7 => cover_columns::<L, 7>(lanes, product, query, columns),
            8 => cover_columns::<L, 8>(lanes, product, query, columns),
            9 => cover_columns::<L, 9>(lanes, product, query, columns),
            10 => cover_columns::<L, 10>(lanes, product, query, columns),
            11 => cover_columns::<L, 11>(lanes, product, query, columns),
            _ => cover_columns::<L, TILE_QUERIES>(lanes, product, query, columns),
        }
        query += count;
    }
}

#[inline(always)]
fn cover_columns<L: Lanes, const QUERIES: usize>(
    lanes: L,
    product: &mut impl Product,
    query: usize,
    columns: usize,
) {
    let mut column = 0;
    while L::SUMS >= 4 * QUERIES && column + 4 <= columns {
        lanes.run(Tile::<_, QUERIES, 4> { product, query, column });
        column += 4;
    }
    while L::SUMS >= 2 * QUERIES && column + 2 <= columns {
        lanes.run(Tile::<_, QUERIES, 2> { product, query, column });
        column += 2;
    }
    while L::SUMS >= QUERIES && column < columns {
        lanes.run(Tile::<_, QUERIES, 1> { product, query, column });
        column += 1;
    }
}

/// One tile, a kernel of its own so that it has all registers to itself.
struct Tile<'a, P, const QUERIES: usize, const COLUMNS: usize> {
    product: &'a mut P,
    query: usize,
    column: usize,
}

impl<P: Product, const QUERIES: usize, const COLUMNS: usize> Kernel
    for Tile<'_, P, QUERIES, COLUMNS>
{
    type Output = ();

    #[inline(always)]
    fn call<L: Lanes>(self, lanes: L) {
        self.product.tile::<L, QUERIES, COLUMNS>(lanes, self.query, self.column);
    }
}
