use candle_core::Device;
use candle_core::quantized::ggml_file::qtensor_from_ggml;

use super::*;

/// The types that have tiles, and where their blocks have 16-bit floats.
pub(in super::super) const TYPES: [(GgmlDType, &[usize]); 8] = [
    (GgmlDType::Q4_0, &[0]),
    (GgmlDType::Q4_1, &[0, 2]),
    (GgmlDType::Q5_0, &[0]),
    (GgmlDType::Q5_1, &[0, 2]),
    (GgmlDType::Q8_0, &[0]),
    (GgmlDType::Q4K, &[0, 2]),
    (GgmlDType::Q5K, &[0, 2]),
    (GgmlDType::Q6K, &[208]),
];

/// Numbers that look random.
pub(in super::super) struct Random(pub(in super::super) u64);

impl Random {
    pub(in super::super) fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 32) as u32
    }

    /// From -1 to 1.
    pub(in super::super) fn float(&mut self) -> f32 {
        self.next() as f32 / (1_u64 << 31) as f32 - 1.0
    }

    pub(in super::super) fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.float()).collect()
    }
}

/// Blocks of any bits, with scales from 2^-9 to 2^-6 in magnitude.
pub(in super::super) fn random_blocks(
    dtype: GgmlDType,
    elements: usize,
    random: &mut Random,
) -> Vec<u8> {
    let count = elements / dtype.block_size() * dtype.type_size();
    let mut blocks: Vec<u8> = (0..count).map(|_| random.next() as u8).collect();
    let halves = TYPES.iter().find(|(found, _)| *found == dtype).expect("it has tiles").1;
    for block in blocks.chunks_exact_mut(dtype.type_size()) {
        for at in halves {
            let exponent = 15 - 9 + random.next() % 3;
            let half = (random.next() & 0x83ff) as u16 | (exponent << 10) as u16;
            block[*at..at + 2].copy_from_slice(&half.to_le_bytes());
        }
    }
    blocks
}

/// What candle makes of the blocks.
pub(in super::super) fn dequantised(dtype: GgmlDType, blocks: &[u8], dims: [usize; 2]) -> Vec<f32> {
    // Candle casts bytes to blocks in place.
    let mut aligned = vec![Line::ZERO; blocks.len().div_ceil(64)];
    bytes_of_mut(&mut aligned)[..blocks.len()].copy_from_slice(blocks);
    let bytes = &bytes_of(&aligned)[..blocks.len()];
    qtensor_from_ggml(dtype, bytes, dims.to_vec(), &Device::Cpu)
        .and_then(|tensor| tensor.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1())
        .expect("candle reads the blocks")
}

fn team() -> Team {
    Team::new(2).expect("threads start")
}

#[test]
fn gives_back_the_weights_that_candle_sees() {
    let mut random = Random(7);
    for (dtype, _) in TYPES {
        for (outputs, blocks) in [(1, 1), (16, 2), (17, 3), (70, 1)] {
            let inputs = blocks * dtype.block_size();
            let bytes = random_blocks(dtype, outputs * inputs, &mut random);
            let packed = PackedMatrix::pack(&team(), dtype, &bytes, outputs, inputs);
            let packed = packed.expect("sound blocks");
            assert_eq!((packed.outputs(), packed.inputs()), (outputs, inputs));
            let expected = dequantised(dtype, &bytes, [outputs, inputs]);
            for (index, expected) in expected.chunks_exact(inputs).enumerate() {
                let mut row = vec![0.0; inputs];
                packed.copy_row(index, &mut row);
                assert_eq!(row, expected, "{dtype:?}, row {index} of {outputs}");
            }
        }
    }
}

#[test]
fn takes_the_memory_that_its_weights_need() {
    let bits = |dtype| {
        let bytes = random_blocks(dtype, 64 * 512, &mut Random(1));
        let packed = PackedMatrix::pack(&team(), dtype, &bytes, 64, 512);
        let bytes = packed.expect("sound blocks").bytes();
        bytes as f64 * 8.0 / (64.0 * 512.0)
    };
    let found = TYPES.map(|(dtype, _)| bits(dtype));
    assert_eq!(found, [4.5, 5.0, 8.5, 10.0, 8.5, 6.0, 10.0, 10.0]);
}

#[test]
fn refuses_what_it_cannot_hold() {
    let pack = |dtype, bytes: &[u8], inputs| {
        PackedMatrix::pack(&team(), dtype, bytes, 3, inputs).map(|packed| packed.outputs())
    };
    for (dtype, halves) in TYPES {
        let inputs = dtype.block_size();
        let sound = random_blocks(dtype, 3 * inputs, &mut Random(2));
        assert_eq!(pack(dtype, &sound, inputs), Ok(3));
        for at in halves {
            for half in [0x7c00_u16, 0xfc00, 0x7e01] {
                let mut bad = sound.clone();
                bad[dtype.type_size() + at..][..2].copy_from_slice(&half.to_le_bytes());
                assert_eq!(pack(dtype, &bad, inputs), Err(PackError::NotFinite), "{dtype:?}");
            }
        }
        let cut = &sound[1..];
        let length = PackError::Length { found: cut.len(), needed: sound.len() };
        assert_eq!(pack(dtype, cut, inputs), Err(length));
    }
    assert_eq!(pack(GgmlDType::F32, &[0; 3 * 32 * 4], 32), Err(PackError::Type));
    assert!(!PackedMatrix::packs(GgmlDType::F16) && PackedMatrix::packs(GgmlDType::Q4_1));
}
