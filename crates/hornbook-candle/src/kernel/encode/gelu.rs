//! The Gaussian error linear unit (Hendrycks and Gimpel, 2016).

use crate::kernel::lanes::{Kernel, Lanes};
use crate::kernel::rows::ROWS_PER_THREAD;
use crate::kernel::{Crew, lanes};

/// `x = (x + bias) * Phi(x + bias)`, where `Phi` is the normal distribution's; `rows` are as wide
/// as `bias`.
pub(crate) fn add_and_gelu(crew: Crew<'_>, rows: &mut [f32], bias: &[f32]) {
    crew.team.run_chunks(rows, bias.len(), ROWS_PER_THREAD, |_, row| {
        lanes::run(crew.isa, Gelu { row, bias });
    });
}

struct Gelu<'a> {
    row: &'a mut [f32],
    bias: &'a [f32],
}

impl Kernel for Gelu<'_> {
    type Output = ();

    #[inline(always)]
    fn call<L: Lanes>(self, lanes: L) {
        let (row, row_rest) = self.row.as_chunks_mut();
        let (bias, bias_rest) = self.bias.as_chunks();
        for (numbers, bias) in row.iter_mut().zip(bias) {
            let sum = lanes.add(lanes.load(numbers), lanes.load(bias));
            lanes.store(gelu(lanes, sum), numbers);
        }
        if !row_rest.is_empty() {
            let sum = lanes.add(lanes.load_some(row_rest), lanes.load_some(bias_rest));
            lanes.store_some(gelu(lanes, sum), row_rest);
        }
    }
}

/// `max(x, 0) - |x| / 2 * erfc(|x| / sqrt(2))`, which cancels nothing for either sign.
///
/// The complementary error function is 7.1.26 of Abramowitz and Stegun, 1.5e-7 off at most.
#[inline(always)]
fn gelu<L: Lanes>(lanes: L, x: L::Vector) -> L::Vector {
    const SLOPE: f32 = 0.327_591_1;
    const POLYNOMIAL: [f32; 5] = [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6, 0.0];
    let (zero, one) = (lanes.splat(0.0), lanes.splat(1.0));
    let magnitude = lanes.max(x, lanes.subtract(zero, x));
    let z = lanes.multiply(magnitude, lanes.splat(std::f32::consts::FRAC_1_SQRT_2));
    let t = lanes.divide(one, lanes.fused(z, lanes.splat(SLOPE), one));
    let mut tail = lanes.splat(1.061_405_4);
    for coefficient in POLYNOMIAL {
        tail = lanes.fused(tail, t, lanes.splat(coefficient));
    }
    let fall = lanes.exp(lanes.subtract(zero, lanes.multiply(z, z)));
    let half = lanes.multiply(magnitude, lanes.splat(0.5));
    let less = lanes.multiply(half, lanes.multiply(tail, fall));
    lanes.subtract(lanes.max(x, zero), less)
}
