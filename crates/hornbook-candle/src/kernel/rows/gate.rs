//! The gate of the feed-forward part.

use crate::kernel::lanes::{Kernel, Lanes};
use crate::kernel::{Isa, lanes};

/// `output = up * gate / (1 + exp(-gate))`, number by number.
pub(crate) fn gate(isa: Isa, gate: &[f32], up: &[f32], output: &mut [f32]) {
    assert!(gate.len() == output.len() && up.len() == output.len(), "as many of each");
    lanes::run(isa, Gate { gate, up, output });
}

struct Gate<'a> {
    gate: &'a [f32],
    up: &'a [f32],
    output: &'a mut [f32],
}

impl Kernel for Gate<'_> {
    type Output = ();

    #[inline(always)]
    fn call<L: Lanes>(self, lanes: L) {
        let (gates, gates_rest) = self.gate.as_chunks();
        let (ups, ups_rest) = self.up.as_chunks();
        let (outputs, outputs_rest) = self.output.as_chunks_mut();
        for ((output, gate), up) in outputs.iter_mut().zip(gates).zip(ups) {
            lanes.store(gated(lanes, lanes.load(gate), lanes.load(up)), output);
        }
        if !gates_rest.is_empty() {
            let (gate, up) = (lanes.load_some(gates_rest), lanes.load_some(ups_rest));
            lanes.store_some(gated(lanes, gate, up), outputs_rest);
        }
    }
}

#[inline(always)]
fn gated<L: Lanes>(lanes: L, gate: L::Vector, up: L::Vector) -> L::Vector {
    let opposite = lanes.exp(lanes.subtract(lanes.splat(0.0), gate));
    let share = lanes.divide(gate, lanes.add(lanes.splat(1.0), opposite));
    lanes.multiply(share, up)
}
