//! The one seam for arithmetic on weights: rows times a matrix.

use rayon::prelude::*;

use super::kernel::{PANEL, Panel, interleave, multiply};

/// A weight matrix that rows are multiplied by. Another kernel replaces the inside of this type
/// and nothing else.
///
/// Outputs lie in panels of `PANEL`, each `[inputs, PANEL]`: a product reads a panel from
/// front to back once for every few rows and packs nothing, where candle's own product packs all
/// weights anew at every call and counts the machine's cores in a file each time. Every output is
/// one sum over the inputs in their order, so a row's result does not depend on its neighbours or
/// on the number of threads.
pub(crate) struct Linear {
    panels: Vec<Panel>,
    inputs: usize,
    outputs: usize,
}

/// Memory that products reuse.
#[derive(Default)]
pub(crate) struct ProductScratch {
    packed: Vec<f32>,
    sums: Vec<Panel>,
}

impl Linear {
    /// Packs a matrix of `[outputs, inputs]`.
    pub(crate) fn new(weights: &[f32], inputs: usize) -> Self {
        let outputs = weights.len() / inputs;
        let mut panels = vec![[0.0; PANEL]; outputs.div_ceil(PANEL) * inputs];
        panels.par_chunks_mut(inputs).zip(weights.par_chunks(PANEL * inputs)).for_each(
            |(panel, rows)| {
                for (output, row) in rows.chunks_exact(inputs).enumerate() {
                    for (lanes, weight) in panel.iter_mut().zip(row) {
                        lanes[output] = *weight;
                    }
                }
            },
        );
        Self { panels, inputs, outputs }
    }

    /// Multiplies whole rows: `input` is `[rows, inputs]`, `output` becomes `[rows, outputs]`.
    pub(crate) fn apply(&self, input: &[f32], scratch: &mut ProductScratch, output: &mut [f32]) {
        let ProductScratch { packed, sums } = scratch;
        let rows = input.len() / self.inputs;
        interleave(input, self.inputs, packed);
        sums.resize(self.outputs.div_ceil(PANEL) * rows, [0.0; PANEL]);
        let per_panel = sums.par_chunks_mut(rows).zip(self.panels.par_chunks(self.inputs));
        per_panel.for_each(|(sums, panel)| multiply(panel, packed, sums));
        let sums = &*sums;
        let per_row = output.par_chunks_mut(self.outputs).with_min_len(4).enumerate();
        per_row.for_each(|(row, output)| {
            let sums = sums.iter().skip(row).step_by(rows);
            for (lanes, sums) in output.chunks_mut(PANEL).zip(sums) {
                lanes.copy_from_slice(&sums[..lanes.len()]);
            }
        });
    }

    /// Copies row `index` of the matrix, which is how a token becomes its embedding.
    pub(crate) fn copy_row(&self, index: usize, output: &mut [f32]) {
        let panel = &self.panels[index / PANEL * self.inputs..][..self.inputs];
        for (number, lanes) in output.iter_mut().zip(panel) {
            *number = lanes[index % PANEL];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|index| ((index * 37 + seed * 11) % 101) as f32 / 50.0 - 1.0).collect()
    }

    #[test]
    fn multiplies_every_shape_the_same_way_alone_and_together() {
        let shapes = [(1, 1, 1), (2, 3, 5), (16, 16, 6), (17, 40, 7), (33, 9, 13), (64, 576, 25)];
        for (outputs, inputs, rows) in shapes {
            let weights = numbers(outputs * inputs, 1);
            let input = numbers(rows * inputs, 2);
            let linear = Linear::new(&weights, inputs);
            let mut together = vec![0.0; rows * outputs];
            linear.apply(&input, &mut ProductScratch::default(), &mut together);
            for row in 0..rows {
                let input = &input[row * inputs..][..inputs];
                let mut alone = vec![0.0; outputs];
                linear.apply(input, &mut ProductScratch::default(), &mut alone);
                assert_eq!(alone, together[row * outputs..][..outputs], "bit for bit");
                for (output, sum) in alone.iter().enumerate() {
                    let weights = &weights[output * inputs..][..inputs];
                    let exact: f64 =
                        input.iter().zip(weights).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
                    assert!((f64::from(*sum) - exact).abs() < 1e-3, "{sum} is not {exact}");
                }
            }
        }
    }

    #[test]
    fn gives_back_its_rows() {
        let weights = numbers(19 * 5, 3);
        let linear = Linear::new(&weights, 5);
        for index in 0..19 {
            let mut row = [0.0; 5];
            linear.copy_row(index, &mut row);
            assert_eq!(row, weights[index * 5..][..5]);
        }
    }
}
