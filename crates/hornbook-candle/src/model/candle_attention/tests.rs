use proptest::prelude::*;

use crate::kernel::{Isa, RopePairs, Team, Turns};
use crate::model::attention::HostAttention;

use super::*;

/// What sums in another order may differ by, with values of magnitude 1.
const TOLERANCE: f32 = 1e-4;
const PAGES: usize = 64;
const LAYERS: usize = 2;

/// Numbers that look random, from -1 to 1.
fn number(kind: usize, row: Position, index: usize) -> f32 {
    let mut mixed = (kind * 31 + row.sequence) * 1_009 + row.position * 613 + index * 97 + 1;
    mixed = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^= mixed >> 29;
    mixed = mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 40) as f32 / (1 << 23) as f32 - 1.0
}

/// Where everything of a test is the same for both kinds of attention.
struct Bench {
    team: Team,
    shape: HeadShape,
    tables: Vec<Vec<PageId>>,
    turns: Turns,
    bias: Vec<f32>,
    norm: Vec<f32>,
}

impl Bench {
    fn new(shape: HeadShape, sequences: usize, stride: usize) -> Self {
        // Pages lie anywhere: an odd stride meets each of 64 once.
        let each = PAGES / sequences;
        let page = |number: usize| PageId((number * stride % PAGES) as u32);
        let tables = (0..sequences)
            .map(|sequence| (0..each).map(|place| page(sequence * each + place)).collect())
            .collect();
        let turn = |index: usize| (index as f32 * 0.3).sin_cos();
        Self {
            team: Team::new(2).expect("threads start"),
            shape,
            tables,
            turns: Turns::new(
                RopePairs::Halves,
                shape.head_dim,
                (0..PAGES * PAGE_POSITIONS * shape.head_dim / 2).map(turn),
            ),
            bias: (0..shape.query_width()).map(|index| index as f32 / 50.0).collect(),
            norm: (0..shape.head_dim).map(|index| 1.0 + index as f32 / 30.0).collect(),
        }
    }

    /// All layers of one pass, `[layers, rows, heads, head_dim]`.
    fn pass(&self, attention: &mut dyn Attention, rows: &[Position], scale: f32) -> Vec<Vec<f32>> {
        let crew = Crew { team: &self.team, isa: Isa::detect() };
        let tables: Vec<&[PageId]> = self.tables.iter().map(Vec::as_slice).collect();
        attention.begin(rows, &tables).expect("it begins");
        let positions: Vec<usize> = rows.iter().map(|row| row.position).collect();
        let preparation = HeadPreparation {
            shape: self.shape,
            query_bias: &self.bias,
            key_bias: &[],
            value_bias: &self.bias[..self.shape.kv_width()],
            query_norm: &[],
            key_norm: &self.norm,
            norm_epsilon: 1e-5,
            positions: &positions,
            turns: &self.turns,
        };
        let layer = |layer| {
            let numbers = |kind: usize, width: usize, scale: f32| -> Vec<f32> {
                let of = |row: &Position| {
                    let row = *row;
                    (0..width).map(move |index| number(layer * 3 + kind, row, index) * scale)
                };
                rows.iter().flat_map(of).collect()
            };
            let mut queries = numbers(0, self.shape.query_width(), 1.0);
            let mut keys = numbers(1, self.shape.kv_width(), 1.0);
            let mut values = numbers(2, self.shape.kv_width(), scale);
            let heads = HeadRows { queries: &mut queries, keys: &mut keys, values: &mut values };
            let mut output = vec![f32::NAN; rows.len() * self.shape.query_width()];
            attention.attend(crew, layer, &preparation, heads, &mut output).expect("it attends");
            output
        };
        (0..LAYERS).map(layer).collect()
    }

    fn candle(&self) -> CandleAttention {
        CandleAttention::new(self.shape, PAGES, &Device::Cpu).expect("there is room")
    }

    /// The rows of a sequence from one position up to another.
    fn rows(sequence: usize, positions: std::ops::Range<usize>) -> Vec<Position> {
        positions.map(|position| Position { sequence, position }).collect()
    }
}

fn shapes() -> impl Strategy<Value = HeadShape> {
    (1_usize..4, 1_usize..4, prop::sample::select(vec![2_usize, 6, 16, 20, 64])).prop_map(
        |(kv_heads, group, head_dim)| HeadShape {
            layers: LAYERS,
            heads: kv_heads * group,
            kv_heads,
            head_dim,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn it_is_the_kernels_and_a_row_the_same_bits_in_any_company(
        shape in shapes(),
        lengths in prop::collection::vec(1_usize..100, 1..5),
        tail in 1_usize..20,
        stride in (0_usize..32).prop_map(|half| 2 * half + 1),
    ) {
        let bench = Bench::new(shape, lengths.len(), stride);
        let mut host = HostAttention::new(shape, PAGES).expect("there is memory");
        let (mut together, mut alone) = (bench.candle(), bench.candle());
        let part = |from_end: bool| -> Vec<Position> {
            let of = |(sequence, length): (usize, &usize)| {
                let tail = length.saturating_sub(tail);
                Bench::rows(sequence, if from_end { tail..*length } else { 0..tail })
            };
            lengths.iter().enumerate().flat_map(of).collect()
        };
        for rows in [part(false), part(true)].iter().filter(|rows| !rows.is_empty()) {
            let expected = bench.pass(&mut host, rows, 1.0);
            let found = bench.pass(&mut together, rows, 1.0);
            for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
                prop_assert!((found - expected).abs() < TOLERANCE, "{found} is not {expected}");
            }
            let width = shape.query_width();
            for (number, row) in rows.iter().enumerate() {
                let single = bench.pass(&mut alone, &[*row], 1.0);
                for (single, found) in single.iter().zip(&found) {
                    prop_assert_eq!(single, &found[number * width..][..width], "bit for bit");
                }
            }
        }
    }
}

const SHAPE: HeadShape = HeadShape { layers: LAYERS, heads: 4, kv_heads: 2, head_dim: 8 };

#[test]
fn a_copied_page_goes_on_by_itself() {
    let mut bench = Bench::new(SHAPE, 2, 1);
    let mut attention = bench.candle();
    bench.pass(&mut attention, &Bench::rows(0, 0..25), 1.0);
    // The second sequence begins with the first one's 20 positions: its first page, and a copy
    // of a part of the second.
    let copy = bench.tables[1][1];
    attention.copy_page(bench.tables[0][1], copy, 20 - PAGE_POSITIONS).expect("it copies");
    bench.tables[1][0] = bench.tables[0][0];
    let next = [Position { sequence: 1, position: 20 }];
    let found = bench.pass(&mut attention, &next, 1.0);
    let kept = bench.pass(&mut attention, &Bench::rows(0, 25..26), 1.0);

    let mut untouched = bench.candle();
    bench.pass(&mut untouched, &Bench::rows(0, 0..25), 1.0);
    assert_eq!(kept, bench.pass(&mut untouched, &Bench::rows(0, 25..26), 1.0));
    let mut host = HostAttention::new(SHAPE, PAGES).expect("there is memory");
    bench.pass(&mut host, &Bench::rows(0, 0..25), 1.0);
    host.copy_page(bench.tables[0][1], copy, 20 - PAGE_POSITIONS).expect("it copies");
    let expected = bench.pass(&mut host, &next, 1.0);
    for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
        assert!((found - expected).abs() < TOLERANCE, "{found} is not {expected}");
    }
}

#[test]
fn what_a_page_held_before_is_not_read() {
    let bench = Bench::new(SHAPE, 1, 1);
    let mut attention = bench.candle();
    let full = bench.pass(&mut attention, &Bench::rows(0, 0..2 * PAGE_POSITIONS), f32::NAN);
    assert!(full.iter().flatten().any(|number| !number.is_finite()));
    let rows = Bench::rows(0, 0..3);
    let found = bench.pass(&mut attention, &rows, 1.0);
    assert_eq!(found, bench.pass(&mut bench.candle(), &rows, 1.0));
    assert!(found.iter().flatten().all(|number| number.is_finite()));
}

#[test]
fn values_beyond_16_bits_are_the_largest_there_as_in_the_kernels() {
    let bench = Bench::new(SHAPE, 1, 1);
    let rows = Bench::rows(0, 0..5);
    let found = bench.pass(&mut bench.candle(), &rows, 1e9);
    let expected =
        bench.pass(&mut HostAttention::new(SHAPE, PAGES).expect("there is memory"), &rows, 1e9);
    for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
        assert!((found - expected).abs() < 65_504.0 * TOLERANCE, "{found} is not {expected}");
    }
}

#[test]
fn more_rows_than_are_gathered_at_once_are_all_computed() {
    let shape = HeadShape { layers: LAYERS, heads: 1, kv_heads: 1, head_dim: 2 };
    let bench = Bench::new(shape, 1, 1);
    let (mut attention, mut alone) = (bench.candle(), bench.candle());
    let positions = PAGES * PAGE_POSITIONS;
    let rows = Bench::rows(0, 0..positions);
    // 1,024 rows attend to 16 to 1,024 positions; the same rows again in another grouping.
    let found = bench.pass(&mut attention, &rows, 1.0);
    for rows in rows.chunks(100) {
        let part = bench.pass(&mut alone, rows, 1.0);
        let start = rows[0].position * 2;
        for (part, found) in part.iter().zip(&found) {
            assert_eq!(part, &found[start..start + rows.len() * 2]);
        }
    }
}
