use proptest::prelude::*;

use crate::kernel::{Isa, Team};

use super::*;

/// Every type of a GGUF file that candle reads; the ones of 256 numbers a block last.
const TYPES: [GgmlDType; 13] = [
    GgmlDType::F32,
    GgmlDType::F16,
    GgmlDType::BF16,
    GgmlDType::Q4_0,
    GgmlDType::Q4_1,
    GgmlDType::Q5_0,
    GgmlDType::Q5_1,
    GgmlDType::Q8_0,
    GgmlDType::Q2K,
    GgmlDType::Q3K,
    GgmlDType::Q4K,
    GgmlDType::Q5K,
    GgmlDType::Q6K,
];

/// What candle's 8-bit activations move a product by, of the products' spread; a block of them
/// has 256 numbers for some types and one scale.
const BLOCKS: f64 = 0.02;
/// What 8-bit activations in blocks of 32 do.
const TILES: f64 = 0.02;
const FLOATS: f64 = 1e-5;

/// Numbers that look random, from -1 to 1.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
        })
        .collect()
}

/// A matrix in that type's blocks, and the numbers that they stand for.
fn quantised(dtype: GgmlDType, outputs: usize, inputs: usize) -> (QTensor, Vec<f32>) {
    let weights = Tensor::from_vec(numbers(outputs * inputs, 1), (outputs, inputs), &Device::Cpu);
    let tensor = QTensor::quantize(&weights.expect("a matrix"), dtype).expect("it quantises");
    let floats = tensor.dequantize(&Device::Cpu).and_then(|floats| floats.flatten_all()?.to_vec1());
    (tensor, floats.expect("floats"))
}

/// Largest distance from the products in doubles, of their spread.
fn worst(found: &[f32], rows: &[f32], weights: &[f32], inputs: usize) -> f64 {
    let dot = |row: &[f32], weights: &[f32]| {
        row.iter().zip(weights).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum::<f64>()
    };
    let exact: Vec<f64> = rows
        .chunks(inputs)
        .flat_map(|row| weights.chunks(inputs).map(move |weights| dot(row, weights)))
        .collect();
    assert_eq!(found.len(), exact.len());
    let spread = (exact.iter().map(|x| x * x).sum::<f64>() / exact.len() as f64).sqrt();
    let distances =
        found.iter().zip(&exact).map(|(found, exact)| (f64::from(*found) - exact).abs());
    distances.fold(0.0, f64::max) / spread
}

fn apply(team: &Team, matrix: &dyn Linear, rows: &[f32]) -> Vec<f32> {
    let mut output = vec![f32::NAN; rows.len() / matrix.inputs() * matrix.outputs()];
    let crew = Crew { team, isa: Isa::detect() };
    matrix.apply(crew, rows, &mut output).expect("it computes");
    output
}

/// Both ways of holding a matrix.
fn both(blocks: Blocks<'_>) -> [(CandleLinear, f64); 2] {
    let floats = CandleLinear::floats(blocks, &Device::Cpu).expect("floats");
    let held = CandleLinear::blocks(blocks, &Device::Cpu).expect("blocks");
    let error = match held.weights {
        Weights::Floats(_) => FLOATS,
        Weights::Blocks(_) => BLOCKS,
    };
    [(floats, FLOATS), (held, error)]
}

#[test]
fn every_type_is_the_formula_and_near_the_tiles() {
    let team = Team::new(2).expect("threads start");
    for dtype in TYPES {
        for (outputs, inputs, rows) in [(50, 768, 1), (33, 256, 17), (64, 512, 40)] {
            let (tensor, floats) = quantised(dtype, outputs, inputs);
            let bytes = tensor.data().expect("bytes");
            let blocks = Blocks { dtype, bytes: &bytes, outputs, inputs };
            let input = numbers(rows * inputs, 2);
            for (matrix, tolerance) in both(blocks) {
                let error = worst(&apply(&team, &matrix, &input), &input, &floats, inputs);
                println!("{dtype:?} {outputs} x {inputs}, {rows} rows: {error:.1e}");
                assert!(error < tolerance, "{dtype:?}: {error:.1e}");
            }
            if PackedMatrix::packs(dtype) {
                let tiles = PackedMatrix::pack(&team, dtype, &bytes, outputs, inputs);
                let tiles = tiles.expect("tiles");
                let error = worst(&apply(&team, &tiles, &input), &input, &floats, inputs);
                println!("{dtype:?} {outputs} x {inputs}, {rows} rows, tiles: {error:.1e}");
                assert!(error < TILES, "{dtype:?}: {error:.1e}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_row_is_the_same_bits_in_any_company(
        dtype in prop::sample::select(TYPES.to_vec()),
        outputs in prop_oneof![1_usize..80, Just(300)],
        blocks in 1_usize..12,
        rows in 1_usize..40,
    ) {
        let team = Team::new(2).expect("threads start");
        // Lengths with and without a rest, and beyond one stretch of a sum. Of 32 numbers each,
        // candle's own products want an even number of blocks.
        let inputs = match dtype.block_size() {
            1 => blocks * 101,
            256 => blocks.div_ceil(3) * 256,
            size => blocks * 2 * size,
        };
        let (tensor, _) = quantised(dtype, outputs, inputs);
        let bytes = tensor.data().expect("bytes");
        let input = numbers(rows * inputs, 3);
        for (matrix, _) in both(Blocks { dtype, bytes: &bytes, outputs, inputs }) {
            let together = apply(&team, &matrix, &input);
            for row in 0..rows {
                let alone = apply(&team, &matrix, &input[row * inputs..][..inputs]);
                prop_assert_eq!(&alone, &together[row * outputs..][..outputs], "row {}", row);
            }
        }
    }
}

#[test]
fn rows_are_copied_where_they_are_kept() {
    for dtype in TYPES {
        let (tensor, floats) = quantised(dtype, 7, 256);
        let bytes = tensor.data().expect("bytes");
        let blocks = Blocks { dtype, bytes: &bytes, outputs: 7, inputs: 256 };
        let matrix = CandleLinear::new(blocks, &Device::Cpu).expect("a matrix");
        let mut row = [0.0; 256];
        let error = matrix.copy_row(3, &mut row).expect_err("no rows are kept");
        assert_eq!(error.to_string(), "cannot compute: the matrix keeps no rows");
        let matrix = matrix.with_table(blocks).expect("a table");
        matrix.copy_row(3, &mut row).expect("a row");
        assert_eq!(row, floats[3 * 256..4 * 256]);
        let error = matrix.copy_row(7, &mut row).expect_err("no such row").to_string();
        assert!(error.contains("out of range") && !error.contains('\n'), "{error}");
    }
}
