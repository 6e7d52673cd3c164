use proptest::prelude::*;

use crate::kernel::rows::{HeadPreparation, HeadRows, RopePairs, Turns};
use crate::kernel::{Crew, InstructionSet, Isa, Team};

use super::*;

/// Sequences that begin alike, with made-up queries, keys and values.
#[derive(Clone, Debug)]
struct World {
    shape: HeadShape,
    /// Each sequence's positions, and how many leading pages are the first sequence's.
    sequences: Vec<(usize, usize)>,
    /// Rows at each sequence's end that one pass attends to together.
    tail: usize,
    /// Where pages lie; any odd number.
    stride: usize,
    /// A sequence whose own numbers are none.
    bad: Option<usize>,
}

const PAGES: usize = 256;

impl World {
    /// A number that depends on everything, exactly a 16-bit float.
    fn number(&self, kind: usize, sequence: usize, position: usize, index: usize) -> f32 {
        let shared = position < self.sequences[sequence].1 * PAGE_POSITIONS && kind != 0;
        let sequence = if shared { 0 } else { sequence };
        if self.bad == Some(sequence) {
            return f32::NAN;
        }
        let mut mixed = (kind * 31 + sequence) * 1_009 + position * 613 + index * 97 + 1;
        mixed = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^= mixed >> 29;
        mixed = mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed >> 40) % 1_025) as f32 / 256.0 - 2.0
    }

    fn tables(&self) -> Vec<Vec<PageId>> {
        let mut next = 0;
        let mut fresh = || {
            next += 1;
            PageId((next * self.stride % PAGES) as u32)
        };
        let pages = |positions: usize| positions.div_ceil(PAGE_POSITIONS);
        let first: Vec<_> = (0..pages(self.sequences[0].0)).map(|_| fresh()).collect();
        let of = |(positions, shared): &(usize, usize)| {
            let own = (*shared..pages(*positions)).map(|_| fresh());
            first[..*shared].iter().copied().chain(own).collect()
        };
        let others: Vec<Vec<PageId>> = self.sequences[1..].iter().map(of).collect();
        std::iter::once(first.clone()).chain(others).collect()
    }

    fn numbers(&self, kind: usize, rows: &[Position], width: usize) -> Vec<f32> {
        let number = |row: &Position, index| self.number(kind, row.sequence, row.position, index);
        rows.iter().flat_map(|row| (0..width).map(move |index| number(row, index))).collect()
    }

    /// Stores and attends to some rows in one pass; all layers have the same numbers.
    fn pass(
        &self,
        crew: Crew<'_>,
        pages: &mut KvPages,
        tables: &[Vec<PageId>],
        rows: &[Position],
    ) -> Vec<f32> {
        let shape = self.shape;
        let tables: Vec<&[PageId]> = tables.iter().map(Vec::as_slice).collect();
        let plan = Plan::new(&shape, rows, &tables);
        let queries = self.numbers(0, rows, shape.query_width());
        let keys = self.numbers(1, rows, shape.kv_width());
        let values = self.numbers(2, rows, shape.kv_width());
        let positions = vec![0; rows.len()];
        let preparation = HeadPreparation {
            shape,
            query_bias: &[],
            key_bias: &[],
            value_bias: &[],
            query_norm: &[],
            key_norm: &[],
            norm_epsilon: 1e-5,
            positions: &positions,
            turns: &Turns::new(
                RopePairs::Neighbours,
                shape.head_dim,
                std::iter::repeat_n((1.0, 0.0), shape.head_dim / 2),
            ),
        };
        for layer in 0..shape.layers {
            let (mut queries, mut keys, mut values) =
                (queries.clone(), keys.clone(), values.clone());
            let heads = HeadRows { queries: &mut queries, keys: &mut keys, values: &mut values };
            pages.store(crew, layer, &plan, &preparation, heads);
        }
        // Only now, so that a layer that was stored over another would be noticed.
        let mut outputs = (0..shape.layers).map(|layer| {
            let mut output = vec![f32::INFINITY; queries.len()];
            attend(crew, pages, layer, &plan, &queries, &mut output);
            output
        });
        let output = outputs.next().expect("there is a layer");
        for other in outputs {
            assert_eq!(bits(&other), bits(&output), "every layer");
        }
        output
    }

    /// The rows before the tails, then the tails.
    fn parts(&self) -> (Vec<Position>, Vec<Position>) {
        let (mut before, mut tails) = (Vec::new(), Vec::new());
        for (sequence, (positions, shared)) in self.sequences.iter().enumerate() {
            let skipped = if sequence == 0 { 0 } else { shared * PAGE_POSITIONS };
            let tail = positions.saturating_sub(self.tail).max(skipped);
            let row = |position| Position { sequence, position };
            before.extend((skipped..tail).map(row));
            tails.extend((tail..*positions).map(row));
        }
        // The first sequence's pages are stored before others use them.
        (before, tails)
    }

    /// One row's result by the formula, in doubles.
    fn exact(&self, row: Position) -> Vec<f64> {
        let dim = self.shape.head_dim;
        let number =
            |kind, position, index| f64::from(self.number(kind, row.sequence, position, index));
        let mut output = Vec::new();
        for head in 0..self.shape.heads {
            let kv = head / self.shape.group() * dim;
            let weights: Vec<f64> = (0..=row.position)
                .map(|position| {
                    let products = (0..dim).map(|i| {
                        number(0, row.position, head * dim + i) * number(1, position, kv + i)
                    });
                    (products.sum::<f64>() / (dim as f64).sqrt()).exp()
                })
                .collect();
            let sum: f64 = weights.iter().sum();
            for index in 0..dim {
                let weighted = weights.iter().zip(0..).map(|(w, p)| w * number(2, p, kv + index));
                output.push(weighted.sum::<f64>() / sum);
            }
        }
        output
    }
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

fn worlds() -> impl Strategy<Value = World> {
    let dims = prop::sample::select(vec![2, 4, 16, 24, 64, 80, 96, 128]);
    let sequences = prop::collection::vec((1..90_usize, 0..6_usize), 1..9);
    (1..3_usize, 1..16_usize, dims, sequences, 1..6_usize, 0..100_usize).prop_map(
        |(kv_heads, group, head_dim, mut sequences, tail, stride)| {
            sequences[0].1 = 0;
            // What is shared was stored by earlier passes, and every sequence has a row of its own.
            let whole = sequences[0].0.saturating_sub(tail) / PAGE_POSITIONS;
            for (positions, shared) in &mut sequences[1..] {
                *shared = (*shared).min(whole).min((*positions - 1) / PAGE_POSITIONS);
            }
            let shape = HeadShape { layers: 1, heads: group * kv_heads, kv_heads, head_dim };
            World { shape, sequences, tail, stride: stride * 2 + 1, bad: None }
        },
    )
}

fn available() -> impl Iterator<Item = Isa> {
    InstructionSet::ALL.into_iter().filter_map(Isa::new)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn attention_is_the_formula_and_the_same_bits_in_any_company(world in worlds()) {
        let (team, alone) = (Team::new(3).unwrap(), Team::new(1).unwrap());
        let (before, tails) = world.parts();
        for isa in available() {
            let crew = Crew { team: &team, isa };
            let mut pages = KvPages::new(world.shape, PAGES).expect("there is memory");
            let tables = world.tables();
            world.pass(crew, &mut pages, &tables, &before);
            let together = world.pass(crew, &mut pages, &tables, &tails);
            for (row, found) in tails.iter().zip(together.chunks(world.shape.query_width())) {
                for (found, exact) in found.iter().zip(world.exact(*row)) {
                    prop_assert!((f64::from(*found) - exact).abs() < 2e-5, "{found} is not {exact}");
                }
            }
            // The same rows one by one, all pages elsewhere, one thread.
            let elsewhere = World { stride: world.stride + 2, ..world.clone() };
            let tables = elsewhere.tables();
            let crew = Crew { team: &alone, isa };
            let mut pages = KvPages::new(world.shape, PAGES).expect("there is memory");
            for row in &before {
                elsewhere.pass(crew, &mut pages, &tables, &[*row]);
            }
            for (row, together) in tails.iter().zip(together.chunks(world.shape.query_width())) {
                let single = elsewhere.pass(crew, &mut pages, &tables, &[*row]);
                prop_assert_eq!(&single[..], together, "bit for bit");
            }
        }
    }
}

#[test]
fn wider_vectors_change_no_bit() {
    let shape = HeadShape { layers: 1, heads: 6, kv_heads: 2, head_dim: 24 };
    let world = World { shape, sequences: vec![(70, 0), (65, 3)], tail: 3, stride: 7, bad: None };
    let team = Team::new(1).expect("threads start");
    let (before, tails) = world.parts();
    let fused = available().filter(|isa| isa.set() != InstructionSet::Portable);
    let found: Vec<Vec<f32>> = fused
        .map(|isa| {
            let crew = Crew { team: &team, isa };
            let mut pages = KvPages::new(shape, PAGES).expect("there is memory");
            world.pass(crew, &mut pages, &world.tables(), &before);
            world.pass(crew, &mut pages, &world.tables(), &tails)
        })
        .collect();
    for other in found.iter().skip(1) {
        assert_eq!(*other, found[0]);
    }
}

#[test]
fn rows_that_share_pages_are_attended_together() {
    let shape = HeadShape { layers: 1, heads: 9, kv_heads: 3, head_dim: 64 };
    let sequences = vec![(100, 0), (90, 2), (40, 2), (64, 2), (17, 0)];
    let world = World { shape, sequences, tail: 1, stride: 1, bad: None };
    let tables = world.tables();
    let tables: Vec<&[PageId]> = tables.iter().map(Vec::as_slice).collect();
    let (_, tails) = world.parts();
    let plan = Plan::new(&shape, &tails, &tables);
    let members: Vec<usize> = plan.gangs().iter().map(|gang| gang.members.len()).collect();
    assert_eq!(members, [4, 1], "three queries of a group, twelve at once");
    let gang = &plan.gangs()[0];
    assert_eq!(gang.value_runs[0].members, 0..4);
    assert_eq!(gang.value_runs[0].positions, 0..2 * PAGE_POSITIONS);
    let own: usize = gang.value_runs[1..].iter().map(|run| run.positions.len()).sum();
    assert_eq!(own, 100 + 90 + 40 + 64 - 4 * 32, "each position once");
    let rows: Vec<Position> = (20..30).map(|position| Position { sequence: 0, position }).collect();
    let plan = Plan::new(&shape, &rows, &tables);
    let members: Vec<usize> = plan.gangs().iter().map(|gang| gang.members.len()).collect();
    assert_eq!(members, [4, 4, 2], "a chunk of a prompt");
    assert_eq!(plan.gangs()[0].value_runs[0].positions, 0..21);
}

#[test]
#[should_panic(expected = "one row for one place")]
fn no_two_rows_have_one_place() {
    let shape = HeadShape { layers: 1, heads: 1, kv_heads: 1, head_dim: 16 };
    let rows = [Position { sequence: 0, position: 3 }, Position { sequence: 1, position: 3 }];
    Plan::new(&shape, &rows, &[&[PageId(5)], &[PageId(5)]]);
}

#[test]
fn copied_positions_are_attended_to_and_no_others() {
    let shape = HeadShape { layers: 3, heads: 2, kv_heads: 2, head_dim: 24 };
    let team = Team::new(1).expect("threads start");
    let crew = Crew { team: &team, isa: Isa::detect() };
    // Two sequences that are alike for 20 positions, in pages of their own.
    for shared in [1, 4, 15, 16] {
        let length = PAGE_POSITIONS + shared;
        let world =
            World { shape, sequences: vec![(60, 0), (60, 3)], tail: 1, stride: 1, bad: None };
        let mut pages = KvPages::new(shape, PAGES).expect("there is memory");
        let row = |sequence, position| Position { sequence, position };
        let first: Vec<PageId> = [9, 8, 7, 6].map(PageId).into();
        let rows: Vec<Position> = (0..48).map(|position| row(0, position)).collect();
        world.pass(crew, &mut pages, &[first.clone(), Vec::new()], &rows);
        let before = pages.keys(2, PageId(8), 1).to_vec();
        // The second sequence has the first page in common and a copy of a part of the next.
        let second: Vec<PageId> = [9, 3, 2, 1].map(PageId).into();
        pages.copy_page(PageId(8), PageId(3), shared);
        let tables = [first, second];
        let copied = world.pass(crew, &mut pages, &tables, &[row(1, length)]);
        let exact = world.exact(row(1, length));
        for (found, exact) in copied.iter().zip(exact) {
            assert!((f64::from(*found) - exact).abs() < 2e-5, "{shared}: {found} is not {exact}");
        }
        assert!(pages.keys(2, PageId(8), 1) == before, "what was copied stays as it was");
        let next = pages.values(2, PageId(3), 1)[0].get(shared + 1);
        assert!(next.is_none_or(|vector| *vector == [0; 16]), "no more than asked for");
    }
}

#[test]
fn what_is_no_number_stays_its_own_sequence_s() {
    let shape = HeadShape { layers: 2, heads: 6, kv_heads: 2, head_dim: 24 };
    let sound = World { shape, sequences: vec![(60, 0), (50, 2)], tail: 1, stride: 3, bad: None };
    let bad = World { bad: Some(1), ..sound.clone() };
    let team = Team::new(2).expect("threads start");
    let (before, tails) = sound.parts();
    let tables = sound.tables();
    for isa in available() {
        let crew = Crew { team: &team, isa };
        let pass = |world: &World, pages: &mut KvPages| {
            world.pass(crew, pages, &tables, &before);
            world.pass(crew, pages, &tables, &tails)
        };
        let mut pages = KvPages::new(shape, PAGES).expect("there is memory");
        let expected = pass(&sound, &mut pages);
        let mut pages = KvPages::new(shape, PAGES).expect("there is memory");
        let found = pass(&bad, &mut pages);
        let (first, second) = found.split_at(shape.query_width());
        assert_eq!(bits(first), bits(&expected[..shape.query_width()]), "they share two pages");
        assert!(second.iter().all(|number| number.is_nan()), "{second:?}");
        // The pages, given to a shorter sequence, hold what is no number behind its end.
        let row = |position| Position { sequence: 1, position };
        let rows: Vec<Position> = (32..41).map(row).collect();
        let again = sound.pass(crew, &mut pages, &tables, &rows);
        let last = again.rchunks_exact(shape.query_width()).next().expect("a row");
        for (found, exact) in last.iter().zip(sound.exact(row(40))) {
            assert!((f64::from(*found) - exact).abs() < 2e-5, "{found} is not {exact}");
        }
    }
}
