//! Products with matrices of 32-bit floats through candle, with sums in an order of our own choice.

use candle_core::{Device, Result, Tensor};

/// Inputs that candle's product on a CPU adds up without a break.
///
/// Its library (`gemm`) splits longer sums where the processor's caches suggest; this much it
/// never splits, so the bits are the same on every processor with the same vector instructions.
pub(crate) const UNBROKEN_INPUTS: usize = 512;

/// A matrix on a device that rows are multiplied by.
///
/// Weights lie as `[inputs, outputs]`, which `gemm` reads in place; `[outputs, inputs]` it would
/// pack anew at every product, for two to five times the time at a few rows.
pub(crate) struct Dense {
    /// Stretches of at most [`UNBROKEN_INPUTS`] inputs each; a single one on other devices.
    stretches: Vec<Tensor>,
}

impl Dense {
    /// Takes a matrix of `[outputs, inputs]`, both above 0.
    pub(crate) fn new(weights: &Tensor) -> Result<Self> {
        let (_, inputs) = weights.dims2()?;
        let longest = match weights.device() {
            Device::Cpu => UNBROKEN_INPUTS,
            // There strides must fit the whole, and no cache decides.
            Device::Cuda(_) | Device::Metal(_) => inputs,
        };
        let stretches = (0..inputs)
            .step_by(longest)
            .map(|start| weights.narrow(1, start, longest.min(inputs - start))?.t()?.contiguous())
            .collect::<Result<_>>()?;
        Ok(Self { stretches })
    }

    /// `rows` is `[rows, inputs]`, the result `[rows, outputs]`.
    ///
    /// A row's bits depend on how many rows there are: `gemm` adds differently for one row, and
    /// for few outputs. Callers fix that number, or let it follow from what the row belongs to.
    pub(crate) fn multiply(&self, rows: &Tensor) -> Result<Tensor> {
        let mut start = 0;
        let mut total: Option<Tensor> = None;
        for stretch in &self.stretches {
            let inputs = stretch.dim(0)?;
            let part = rows.narrow(1, start, inputs)?.matmul(stretch)?;
            total = Some(match total {
                None => part,
                Some(total) => total.add(&part)?,
            });
            start += inputs;
        }
        // A matrix without inputs was refused where its shape was read.
        total.ok_or_else(|| candle_core::Error::Msg("a product over no inputs".to_owned()))
    }
}
