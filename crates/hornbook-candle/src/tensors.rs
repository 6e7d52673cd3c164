//! Candle's tensors, with sums in an order of our own choice.

use candle_core::{D, Device, Result, Tensor};

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
        let stretches = stretches(inputs, weights.device())
            .map(|(start, length)| weights.narrow(1, start, length)?.t()?.contiguous())
            .collect::<Result<_>>()?;
        Ok(Self { stretches })
    }

    /// `rows` is `[rows, inputs]`, the result `[rows, outputs]`.
    ///
    /// A row's bits depend on how many rows there are: `gemm` adds differently for one row, and
    /// for few outputs. Callers fix that number, or let it follow from what the row belongs to.
    pub(crate) fn multiply(&self, rows: &Tensor) -> Result<Tensor> {
        let mut start = 0;
        let parts = self.stretches.iter().map(|stretch| {
            let inputs = stretch.dim(0)?;
            start += inputs;
            rows.narrow(1, start - inputs, inputs)?.matmul(stretch)
        });
        sum_in_order(parts)
    }
}

/// `left`, `[.., rows, inputs]`, times `right`, `[.., inputs, columns]`, batch by batch.
///
/// What [`Dense::multiply`] says of a row's bits holds here too.
pub(crate) fn matmul(left: &Tensor, right: &Tensor) -> Result<Tensor> {
    let inputs = left.dim(D::Minus1)?;
    sum_in_order(stretches(inputs, left.device()).map(|(start, length)| {
        let left = left.narrow(D::Minus1, start, length)?.contiguous()?;
        left.matmul(&right.narrow(D::Minus2, start, length)?.contiguous()?)
    }))
}

/// Shares that rise with the scores and add up to 1 in every row.
pub(crate) fn softmax(scores: &Tensor) -> Result<Tensor> {
    let highest = scores.max_keepdim(D::Minus1)?;
    let weights = scores.broadcast_sub(&highest)?.exp()?;
    weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)
}

/// Start and length of the stretches that a sum over `inputs` is made of.
fn stretches(inputs: usize, device: &Device) -> impl Iterator<Item = (usize, usize)> {
    let longest = match device {
        Device::Cpu => UNBROKEN_INPUTS,
        // No cache decides there, and strides must fit the whole.
        Device::Cuda(_) | Device::Metal(_) => inputs,
    };
    (0..inputs).step_by(longest.max(1)).map(move |start| (start, longest.min(inputs - start)))
}

fn sum_in_order(parts: impl Iterator<Item = Result<Tensor>>) -> Result<Tensor> {
    let sum = parts.reduce(|sum, part| sum?.add(&part?));
    sum.unwrap_or_else(|| candle_core::bail!("a product over no inputs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|index| ((index * 37 + seed * 11) % 101) as f32 / 50.0 - 1.0).collect()
    }

    /// The formula in doubles.
    fn exact(rows: &[f32], weights: &[f32], inputs: usize) -> Vec<f64> {
        let dot = |row: &[f32], weights: &[f32]| {
            row.iter().zip(weights).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum::<f64>()
        };
        rows.chunks(inputs)
            .flat_map(|row| weights.chunks(inputs).map(move |weights| dot(row, weights)))
            .collect()
    }

    #[test]
    fn products_in_stretches_are_the_formula_s() -> Result<()> {
        for (rows, inputs, outputs) in
            [(1, 1, 1), (3, 511, 5), (2, 512, 7), (5, 513, 3), (16, 1_537, 33)]
        {
            let (left, weights) = (numbers(rows * inputs, 1), numbers(outputs * inputs, 2));
            let exact = exact(&left, &weights, inputs);
            let left = Tensor::from_vec(left, (rows, inputs), &Device::Cpu)?;
            let weights = Tensor::from_vec(weights, (outputs, inputs), &Device::Cpu)?;
            let dense = Dense::new(&weights)?.multiply(&left)?;
            let batch = matmul(&left.unsqueeze(0)?, &weights.t()?.unsqueeze(0)?)?;
            for product in [dense, batch] {
                let found = product.flatten_all()?.to_vec1::<f32>()?;
                assert_eq!(found.len(), exact.len());
                for (found, exact) in found.iter().zip(&exact) {
                    assert!((f64::from(*found) - exact).abs() < 1e-3, "{found} is not {exact}");
                }
            }
        }
        Ok(())
    }
}
