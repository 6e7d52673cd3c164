//! Matrices of floats: types that have no tiles.

use std::sync::{Mutex, PoisonError};

use crate::kernel::{Crew, PANEL, PackedMatrix, Panel, Team, interleave, multiply_panel};

use super::linear::{ComputeError, Linear};

/// Fewest panels that one thread packs or multiplies at once.
const PANEL_GRAIN: usize = 2;
/// Fewest rows that one thread copies at once.
const ROW_GRAIN: usize = 16;

/// A weight matrix of floats.
///
/// Outputs lie in panels of `PANEL`, each `[inputs, PANEL]`: a product reads a panel from
/// front to back once for every few rows and packs nothing, where candle's own product packs all
/// weights anew at every call and counts the machine's cores in a file each time. Every output is
/// one sum over the inputs in their order, so a row's result does not depend on its neighbours or
/// on the number of threads.
pub(crate) struct Panels {
    panels: Vec<Panel>,
    inputs: usize,
    outputs: usize,
    /// One pass computes at a time.
    scratch: Mutex<ProductScratch>,
}

/// Memory that products reuse.
#[derive(Default)]
struct ProductScratch {
    packed: Vec<f32>,
    sums: Vec<Panel>,
}

impl Panels {
    /// Packs a matrix of `[outputs, inputs]`.
    pub(crate) fn new(team: &Team, weights: &[f32], inputs: usize) -> Self {
        let outputs = weights.len() / inputs;
        let mut panels = vec![[0.0; PANEL]; outputs.div_ceil(PANEL) * inputs];
        team.run_chunks(&mut panels, inputs, PANEL_GRAIN, |number, panel| {
            let rows = weights[number * PANEL * inputs..].chunks_exact(inputs).take(PANEL);
            for (output, row) in rows.enumerate() {
                for (lanes, weight) in panel.iter_mut().zip(row) {
                    lanes[output] = *weight;
                }
            }
        });
        Self { panels, inputs, outputs, scratch: Mutex::default() }
    }
}

impl Linear for Panels {
    fn outputs(&self) -> usize {
        self.outputs
    }

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn bytes(&self) -> usize {
        size_of_val(self.panels.as_slice())
    }

    fn copy_row(&self, index: usize, output: &mut [f32]) -> Result<(), ComputeError> {
        let panel = &self.panels[index / PANEL * self.inputs..][..self.inputs];
        for (number, lanes) in output.iter_mut().zip(panel) {
            *number = lanes[index % PANEL];
        }
        Ok(())
    }

    fn packed(&self) -> Option<&PackedMatrix> {
        None
    }

    fn apply(&self, crew: Crew<'_>, input: &[f32], output: &mut [f32]) -> Result<(), ComputeError> {
        let mut scratch = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let ProductScratch { packed, sums } = &mut *scratch;
        let rows = input.len() / self.inputs;
        if rows == 0 {
            return Ok(());
        }
        interleave(input, self.inputs, packed);
        sums.resize(self.outputs.div_ceil(PANEL) * rows, [0.0; PANEL]);
        crew.team.run_chunks(sums, rows, PANEL_GRAIN, |number, sums| {
            let panel = &self.panels[number * self.inputs..][..self.inputs];
            multiply_panel(crew.isa, panel, packed, sums);
        });
        let sums = &*sums;
        crew.team.run_chunks(output, self.outputs, ROW_GRAIN, |row, output| {
            let sums = sums.iter().skip(row).step_by(rows);
            for (lanes, sums) in output.chunks_mut(PANEL).zip(sums) {
                lanes.copy_from_slice(&sums[..lanes.len()]);
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{InstructionSet, Isa};

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|index| ((index * 37 + seed * 11) % 101) as f32 / 50.0 - 1.0).collect()
    }

    #[test]
    fn multiplies_every_shape_the_same_way_alone_and_together() {
        let team = Team::new(2).expect("threads start");
        let shapes = [(1, 1, 1), (2, 3, 5), (16, 16, 6), (17, 40, 7), (33, 9, 13), (64, 576, 25)];
        let crews = InstructionSet::ALL.into_iter().filter_map(Isa::new);
        let crews: Vec<_> = crews.map(|isa| Crew { team: &team, isa }).collect();
        for ((outputs, inputs, rows), crew) in
            shapes.into_iter().flat_map(|shape| crews.iter().map(move |crew| (shape, *crew)))
        {
            let weights = numbers(outputs * inputs, 1);
            let input = numbers(rows * inputs, 2);
            let linear = Panels::new(&team, &weights, inputs);
            let mut together = vec![0.0; rows * outputs];
            linear.apply(crew, &input, &mut together).expect("it computes");
            for row in 0..rows {
                let input = &input[row * inputs..][..inputs];
                let mut alone = vec![0.0; outputs];
                linear.apply(crew, input, &mut alone).expect("it computes");
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
        let linear = Panels::new(&Team::new(2).expect("threads start"), &weights, 5);
        for index in 0..19 {
            let mut row = [0.0; 5];
            linear.copy_row(index, &mut row).expect("it is there");
            assert_eq!(row, weights[index * 5..][..5]);
        }
    }
}
