//! Matrices as candle's tensors, so that weights can lie on another device.

use candle_core::quantized::ggml_file::qtensor_from_ggml;
use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{Device, Module, Tensor};

use crate::kernel::{Crew, PackedMatrix};
use crate::tensors::Dense;

use super::linear::{ComputeError, Linear};

/// Rows of every product on a CPU.
const CPU_ROWS: usize = 16;
/// Rows of every product elsewhere, where fewer take as long.
const DEVICE_ROWS: usize = 64;

/// A weight matrix on any device that candle has.
///
/// Rows cross over and their products back. Every product has the same number of rows, the last
/// one filled up with zeros: libraries choose the order of their sums by it (candle's product of
/// floats adds in another one for a single row, its product with Q6_K too), and a row's bits
/// must not depend on its company. Where among those rows a row stands does not matter to
/// candle's CPU products (a property test); of GPU libraries nobody promises it.
pub(crate) struct CandleLinear {
    weights: Weights,
    device: Device,
    inputs: usize,
    outputs: usize,
    rows: usize,
    bytes: usize,
    /// The matrix in the host's memory, where single rows of it are asked for.
    table: Option<QTensor>,
}

enum Weights {
    /// 32-bit floats. On a CPU they are many times faster than candle's products with blocks,
    /// most of which are scalar, and add no error of their own; and some of those products panic
    /// for rows of an odd number of blocks.
    Floats(Dense),
    /// Blocks as the file has them, by which candle multiplies 8-bit activations on a CPU, and
    /// floats or 8-bit ones on a GPU.
    Blocks(QMatMul),
}

/// A matrix as a GGUF file has it.
#[derive(Clone, Copy)]
pub(crate) struct Blocks<'a> {
    pub(crate) dtype: GgmlDType,
    /// Aligned to 8 bytes.
    pub(crate) bytes: &'a [u8],
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
}

impl Blocks<'_> {
    fn on(&self, device: &Device) -> candle_core::Result<QTensor> {
        qtensor_from_ggml(self.dtype, self.bytes, vec![self.outputs, self.inputs], device)
    }
}

impl CandleLinear {
    /// Puts a matrix on a device: as floats on a CPU, as the file has it elsewhere.
    pub(crate) fn new(blocks: Blocks<'_>, device: &Device) -> candle_core::Result<Self> {
        match device {
            Device::Cpu => Self::floats(blocks, device),
            Device::Cuda(_) | Device::Metal(_) => Self::blocks(blocks, device),
        }
    }

    /// Puts a matrix on a device as floats.
    fn floats(blocks: Blocks<'_>, device: &Device) -> candle_core::Result<Self> {
        let floats = blocks.on(&Device::Cpu)?.dequantize(&Device::Cpu)?.to_device(device)?;
        let bytes = floats.elem_count() * size_of::<f32>();
        Ok(Self::with(blocks, device, Weights::Floats(Dense::new(&floats)?), bytes))
    }

    /// Puts a matrix on a device as the file has it; types of floats become 32-bit ones.
    fn blocks(blocks: Blocks<'_>, device: &Device) -> candle_core::Result<Self> {
        match blocks.dtype {
            GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16 => Self::floats(blocks, device),
            _ => {
                let weights = Weights::Blocks(QMatMul::from_qtensor(blocks.on(device)?)?);
                Ok(Self::with(blocks, device, weights, blocks.bytes.len()))
            }
        }
    }

    fn with(blocks: Blocks<'_>, device: &Device, weights: Weights, bytes: usize) -> Self {
        let Blocks { outputs, inputs, .. } = blocks;
        let rows = match device {
            Device::Cpu => CPU_ROWS,
            Device::Cuda(_) | Device::Metal(_) => DEVICE_ROWS,
        };
        Self { weights, device: device.clone(), inputs, outputs, rows, bytes, table: None }
    }

    /// Keeps the matrix in the host's memory too, for [`Linear::copy_row`].
    pub(crate) fn with_table(mut self, blocks: Blocks<'_>) -> candle_core::Result<Self> {
        let table = blocks.on(&Device::Cpu)?;
        self.bytes += table.storage_size_in_bytes();
        self.table = Some(table);
        Ok(self)
    }

    /// One product of the fixed number of rows.
    fn multiply(&self, rows: Vec<f32>) -> candle_core::Result<Vec<f32>> {
        let rows = Tensor::from_vec(rows, (self.rows, self.inputs), &self.device)?;
        let product = match &self.weights {
            Weights::Floats(dense) => dense.multiply(&rows)?,
            Weights::Blocks(blocks) => blocks.forward(&rows)?,
        };
        product.flatten_all()?.to_vec1()
    }
}

impl Linear for CandleLinear {
    fn outputs(&self) -> usize {
        self.outputs
    }

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn copy_row(&self, index: usize, output: &mut [f32]) -> Result<(), ComputeError> {
        let Some(table) = &self.table else {
            return Err(ComputeError { detail: "the matrix keeps no rows".to_owned() });
        };
        let row = table.embedding(&Tensor::new(&[index as u32], &Device::Cpu)?)?;
        output.copy_from_slice(&row.flatten_all()?.to_vec1()?);
        Ok(())
    }

    fn packed(&self) -> Option<&PackedMatrix> {
        None
    }

    fn apply(&self, _: Crew<'_>, input: &[f32], output: &mut [f32]) -> Result<(), ComputeError> {
        let inputs = input.chunks(self.rows * self.inputs);
        for (input, output) in inputs.zip(output.chunks_mut(self.rows * self.outputs)) {
            let mut rows = input.to_vec();
            rows.resize(self.rows * self.inputs, 0.0);
            let product = self.multiply(rows)?;
            output.copy_from_slice(&product[..output.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
