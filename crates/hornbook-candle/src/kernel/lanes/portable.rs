//! Plain Rust, which the compiler turns into whatever vectors the target always has.

use super::{HALF_MAX, Half16, Kernel, LANES, Lanes};

/// Needs nothing of the machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PortableLanes;

/// True where every machine of the architecture has fused multiplication and addition.
const ALWAYS_FUSED: bool = cfg!(target_arch = "aarch64");

type Vector = [f32; LANES];

#[inline(always)]
fn pairwise(left: Vector, right: Vector, compute: impl Fn(f32, f32) -> f32) -> Vector {
    let mut result = [0.0; LANES];
    for lane in 0..LANES {
        result[lane] = compute(left[lane], right[lane]);
    }
    result
}

impl Lanes for PortableLanes {
    type Vector = Vector;
    const SUMS: usize = 4;

    #[inline]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.call(self)
    }

    #[inline(always)]
    fn splat(self, number: f32) -> Vector {
        [number; LANES]
    }

    #[inline(always)]
    fn load(self, numbers: &[f32; LANES]) -> Vector {
        *numbers
    }

    #[inline(always)]
    fn store(self, vector: Vector, numbers: &mut [f32; LANES]) {
        *numbers = vector;
    }

    #[inline(always)]
    fn widen(self, halves: &Half16) -> Vector {
        let mut vector = [0.0; LANES];
        for (number, half) in vector.iter_mut().zip(halves) {
            *number = widen(*half);
        }
        vector
    }

    #[inline(always)]
    fn narrow(self, vector: Vector, halves: &mut Half16) {
        for (half, number) in halves.iter_mut().zip(vector) {
            *half = narrow(number);
        }
    }

    #[inline(always)]
    fn add(self, left: Vector, right: Vector) -> Vector {
        pairwise(left, right, |left, right| left + right)
    }

    #[inline(always)]
    fn subtract(self, left: Vector, right: Vector) -> Vector {
        pairwise(left, right, |left, right| left - right)
    }

    #[inline(always)]
    fn multiply(self, left: Vector, right: Vector) -> Vector {
        pairwise(left, right, |left, right| left * right)
    }

    #[inline(always)]
    fn divide(self, left: Vector, right: Vector) -> Vector {
        pairwise(left, right, |left, right| left / right)
    }

    #[inline(always)]
    fn fused(self, left: Vector, right: Vector, addend: Vector) -> Vector {
        let mut sums = [0.0; LANES];
        for lane in 0..LANES {
            sums[lane] = if ALWAYS_FUSED {
                left[lane].mul_add(right[lane], addend[lane])
            } else {
                left[lane] * right[lane] + addend[lane]
            };
        }
        sums
    }

    #[inline(always)]
    fn max(self, left: Vector, right: Vector) -> Vector {
        pairwise(left, right, |left, right| if left > right { left } else { right })
    }

    #[inline(always)]
    fn min(self, left: Vector, right: Vector) -> Vector {
        pairwise(left, right, |left, right| if left < right { left } else { right })
    }

    #[inline(always)]
    fn raise(self, vector: Vector, exponent: Vector) -> Vector {
        pairwise(vector, exponent, |number, exponent| {
            f32::from_bits(number.to_bits().wrapping_add(exponent.to_bits() << 23))
        })
    }

    #[inline(always)]
    fn turn(self, left: Vector, right: Vector) -> Vector {
        let mut turned = [0.0; LANES];
        for lane in (0..LANES).step_by(2) {
            turned[lane] = left[lane] * right[lane] - left[lane + 1] * right[lane + 1];
            turned[lane + 1] = left[lane + 1] * right[lane] + left[lane] * right[lane + 1];
        }
        turned
    }

    #[inline(always)]
    fn prefetch(self, _lines: &[Half16]) {}

    #[inline(always)]
    fn first(self, count: usize, vector: Vector, other: Vector) -> Vector {
        let mut mixed = other;
        for lane in 0..LANES {
            mixed[lane] = if lane < count { vector[lane] } else { other[lane] };
        }
        mixed
    }
}

/// A 16-bit float's value.
#[inline(always)]
fn widen(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let bits = u32::from(half & 0x7fff) << 13;
    // Read with the exponent of a 32-bit float, every finite number is 2^112 too small.
    let finite = f32::from_bits(bits) * f32::from_bits((127 + 112) << 23);
    let magnitude = if bits >= 0x7c00 << 13 { bits | 0x7f80_0000 } else { finite.to_bits() };
    f32::from_bits(magnitude | sign)
}

/// The nearest finite 16-bit float, ties to even.
#[inline(always)]
fn narrow(number: f32) -> u16 {
    let sign = ((number.to_bits() >> 16) & 0x8000) as u16;
    let magnitude = number.abs();
    if magnitude.is_nan() {
        return sign | 0x7e00;
    }
    let magnitude = magnitude.min(HALF_MAX);
    // Adding 2^k rounds to 2^k's last bit, which k makes the last bit that a half has there; the
    // smallest halves, without a leading one, have the same last bit as the smallest with one.
    let exponent = (magnitude.to_bits() >> 23).max(127 - 14);
    let rounder = f32::from_bits((exponent + 13) << 23);
    let rounded = (magnitude + rounder).to_bits() - rounder.to_bits();
    // `rounded` has the leading one at bit 10; below the smallest exponent there is none.
    sign | (((exponent - 113) << 10) + rounded) as u16
}
