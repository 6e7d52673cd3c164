use candle_core::quantized::GgmlDType;
use proptest::prelude::*;

use super::super::Team;
use super::super::pack::tests::{Random, TYPES, dequantised, random_blocks};
use super::super::quantise::Filling;
use super::*;

fn sets() -> impl Iterator<Item = Isa> {
    InstructionSet::ALL.into_iter().filter_map(Isa::new)
}

fn quantised(isa: Isa, inputs: usize, numbers: &[f32]) -> QuantisedRows {
    let team = Team::new(1).expect("threads start");
    let mut rows = QuantisedRows::default();
    let filling = Filling { rows: numbers.len() / inputs, inputs, parts: 1, grain: 1 };
    rows.copy(Crew { team: &team, isa }, filling, numbers);
    rows
}

fn product(team: &Team, isa: Isa, matrix: &PackedMatrix, rows: &QuantisedRows) -> Vec<f32> {
    let mut output = vec![f32::NAN; rows.rows() * matrix.outputs()];
    let product = Product { matrix, output: &mut output, add: false };
    multiply(Crew { team, isa }, rows, &mut [product]);
    output
}

/// A matrix, its weights as candle sees them, and rows.
struct Case {
    matrix: PackedMatrix,
    weights: Vec<f32>,
    numbers: Vec<f32>,
}

impl Case {
    fn new(dtype: GgmlDType, outputs: usize, inputs: usize, rows: usize, seed: u64) -> Self {
        let mut random = Random(seed);
        let blocks = random_blocks(dtype, outputs * inputs, &mut random);
        let team = Team::new(1).expect("threads start");
        let matrix = PackedMatrix::pack(&team, dtype, &blocks, outputs, inputs);
        let matrix = matrix.expect("sound blocks");
        let weights = dequantised(dtype, &blocks, [outputs, inputs]);
        let numbers = random.floats(rows * inputs);
        Self { matrix, weights, numbers }
    }

    /// Compares with sums in 64 bits: of the quantised rows, where only the order of 32-bit sums
    /// may differ; and of the rows as they were, where every number is off by up to half a step
    /// of its block.
    fn check(&self, isa: Isa) -> Result<(), TestCaseError> {
        let (outputs, inputs) = (self.matrix.outputs(), self.matrix.inputs());
        let rows = quantised(isa, inputs, &self.numbers);
        let team = Team::new(2).expect("threads start");
        let found = product(&team, isa, &self.matrix, &rows);
        for (row, found) in found.chunks_exact(outputs).enumerate() {
            let (near, numbers) = (rows.row(row), &self.numbers[row * inputs..][..inputs]);
            for (output, found) in found.iter().enumerate() {
                let weights = &self.weights[output * inputs..][..inputs];
                let (mut sum, mut size, mut whole, mut step) = (0.0, 0.0, 0.0, 0.0);
                for index in 0..inputs {
                    let weight = f64::from(weights[index]);
                    sum += weight * f64::from(near[index]);
                    size += (weight * f64::from(near[index])).abs();
                    whole += weight * f64::from(numbers[index]);
                    let block = &numbers[index / 32 * 32..][..32];
                    let most = block.iter().fold(0.0_f32, |most, number| most.max(number.abs()));
                    step += weight.abs() * f64::from(most) / 254.0;
                }
                let found = f64::from(*found);
                prop_assert!((found - sum).abs() <= 1e-5 * size + 1e-9, "{found} is not {sum}");
                let most = step * 1.001 + 1e-5 * size + 1e-9;
                prop_assert!((found - whole).abs() <= most, "{found} is far from {whole}");
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_sums_in_64_bits(
        outputs in 1_usize..90,
        blocks in 1_usize..5,
        rows in 1_usize..20,
        seed in any::<u64>(),
    ) {
        for (dtype, _) in TYPES {
            let case = Case::new(dtype, outputs, blocks * dtype.block_size(), rows, seed);
            for isa in sets() {
                case.check(isa)?;
            }
        }
    }
}

/// AVX2 adds pairs of products in 16 bits, which the largest of them must not overflow.
#[test]
fn the_largest_products_are_exact() {
    let team = Team::new(1).expect("threads start");
    let (outputs, inputs) = (32, 256);
    for (dtype, quants) in
        [(GgmlDType::Q4_0, 2..18), (GgmlDType::Q4_1, 4..20), (GgmlDType::Q8_0, 2..34)]
    {
        for byte in [0x00, 0x7f, 0x80, 0xff] {
            let mut blocks = random_blocks(dtype, outputs * inputs, &mut Random(9));
            for block in blocks.chunks_exact_mut(dtype.type_size()) {
                block[quants.clone()].fill(byte);
            }
            let matrix = PackedMatrix::pack(&team, dtype, &blocks, outputs, inputs);
            let matrix = matrix.expect("sound blocks");
            let weights = dequantised(dtype, &blocks, [outputs, inputs]);
            let mut case = Case { matrix, weights, numbers: Vec::new() };
            for number in [1.0, -1.0] {
                case.numbers = vec![number; 7 * inputs];
                for isa in sets() {
                    case.check(isa).expect("exact sums");
                }
            }
        }
    }
}

#[test]
fn a_row_s_bits_do_not_depend_on_its_neighbours_or_on_threads() {
    let teams = [1, 2, 3].map(|threads| Team::new(threads).expect("threads start"));
    for (dtype, _) in TYPES {
        let (outputs, inputs, rows) = (77, 512, 25);
        let case = Case::new(dtype, outputs, inputs, rows, 3);
        for isa in sets() {
            let alone: Vec<f32> = case
                .numbers
                .chunks_exact(inputs)
                .flat_map(|row| product(&teams[0], isa, &case.matrix, &quantised(isa, inputs, row)))
                .collect();
            for together in 1..=rows {
                let numbers = &case.numbers[..together * inputs];
                let rows = quantised(isa, inputs, numbers);
                let found = product(&teams[together % 3], isa, &case.matrix, &rows);
                assert_eq!(found, alone[..together * outputs], "{dtype:?} {isa:?} {together}");
            }
        }
    }
}

#[test]
fn sets_with_fused_multiplication_agree_bit_for_bit() {
    let team = Team::new(1).expect("threads start");
    let fused = || sets().filter(|isa| isa.set() != InstructionSet::Portable);
    for (dtype, _) in TYPES {
        let case = Case::new(dtype, 40, 768, 9, 11);
        let mut found = fused()
            .map(|isa| product(&team, isa, &case.matrix, &quantised(isa, 768, &case.numbers)));
        if let Some(first) = found.next() {
            assert!(found.all(|other| other == first), "{dtype:?}");
        }
    }
}

#[test]
fn several_matrices_share_a_call_and_add_or_replace() {
    let team = Team::new(2).expect("threads start");
    let isa = Isa::detect();
    let first = Case::new(GgmlDType::Q4_1, 50, 256, 8, 5);
    let second = Case::new(GgmlDType::Q6K, 33, 256, 8, 6);
    let rows = quantised(isa, 256, &first.numbers);
    let expected = [&first, &second].map(|case| product(&team, isa, &case.matrix, &rows));
    let mut added: Vec<f32> = (0..8 * 50).map(|number| number as f32).collect();
    let mut replaced = vec![7.0; 8 * 33];
    multiply(
        Crew { team: &team, isa },
        &rows,
        &mut [
            Product { matrix: &first.matrix, output: &mut added, add: true },
            Product { matrix: &second.matrix, output: &mut replaced, add: false },
        ],
    );
    let sums: Vec<f32> = expected[0].iter().zip(0..).map(|(x, n)| n as f32 + x).collect();
    assert_eq!(added, sums);
    assert_eq!(replaced, expected[1]);
}

#[test]
fn no_rows_give_no_products() {
    let case = Case::new(GgmlDType::Q8_0, 20, 64, 0, 1);
    let rows = quantised(Isa::detect(), 64, &[]);
    let team = Team::new(2).expect("threads start");
    assert!(product(&team, Isa::detect(), &case.matrix, &rows).is_empty());
}
