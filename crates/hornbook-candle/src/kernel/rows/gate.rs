//! The gate of the feed-forward part.

use crate::kernel::lanes::{Kernel, Lanes};
use crate::kernel::{Crew, lanes};

/// Numbers that a thread takes at least.
const NUMBERS_PER_THREAD: usize = 1_024;

/// `gate = up * gate / (1 + exp(-gate))`, number by number.
pub(crate) fn gate(crew: Crew<'_>, gate: &mut [f32], up: &[f32]) {
    crew.team.run_chunks(gate, NUMBERS_PER_THREAD, 1, |part, gate| {
        let up = &up[part * NUMBERS_PER_THREAD..][..gate.len()];
        lanes::run(crew.isa, Gate { gate, up });
    });
}

struct Gate<'a> {
    gate: &'a mut [f32],
    up: &'a [f32],
}

impl Kernel for Gate<'_> {
    type Output = ();

    #[inline(always)]
    fn call<L: Lanes>(self, lanes: L) {
        let (gates, gates_rest) = self.gate.as_chunks_mut();
        let (ups, ups_rest) = self.up.as_chunks();
        for (gate, up) in gates.iter_mut().zip(ups) {
            lanes.store(gated(lanes, lanes.load(gate), lanes.load(up)), gate);
        }
        if !gates_rest.is_empty() {
            let (gate, up) = (lanes.load_some(gates_rest), lanes.load_some(ups_rest));
            lanes.store_some(gated(lanes, gate, up), gates_rest);
        }
    }
}

#[inline(always)]
fn gated<L: Lanes>(lanes: L, gate: L::Vector, up: L::Vector) -> L::Vector {
    let opposite = lanes.exp(lanes.subtract(lanes.splat(0.0), gate));
    let share = lanes.divide(gate, lanes.add(lanes.splat(1.0), opposite));
    lanes.multiply(share, up)
}
