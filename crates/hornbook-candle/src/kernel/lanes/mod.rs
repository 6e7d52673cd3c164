//! Vectors of sixteen numbers: one source for every instruction set.
//!
//! A kernel is written once, generically over [`Lanes`], and compiled once per instruction set by
//! [`Lanes::run`]. A value of a type that implements `Lanes` proves that the machine has the
//! instructions, so everything built on it is safe code. All instruction sets compute the same
//! operations in the same order; only the portable one rounds a product before it is added.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

#[cfg(target_arch = "x86_64")]
use avx2::Avx2Lanes;
#[cfg(target_arch = "x86_64")]
use avx512::Avx512Lanes;
use portable::PortableLanes;

use super::Isa;

/// Numbers in a vector.
pub(crate) const LANES: usize = 16;

/// Sixteen 16-bit floats as they are stored.
pub(crate) type Half16 = [u16; LANES];

/// Stored vectors in a line of the cache.
#[cfg(target_arch = "x86_64")]
const LINE_VECTORS: usize = 64 / size_of::<Half16>();

/// Largest number that a 16-bit float holds.
const HALF_MAX: f32 = 65_504.0;

/// Proof of an instruction set, and its operations on vectors of [`LANES`] numbers.
pub(crate) trait Lanes: Copy {
    /// Sixteen numbers.
    type Vector: Copy;
    /// Vectors that fit into registers beside what a product of tiles needs for its operands.
    const SUMS: usize;

    /// Runs a kernel compiled for this instruction set.
    fn run<K: Kernel>(self, kernel: K) -> K::Output;

    fn splat(self, number: f32) -> Self::Vector;
    fn load(self, numbers: &[f32; LANES]) -> Self::Vector;
    fn store(self, vector: Self::Vector, numbers: &mut [f32; LANES]);
    /// Widens stored numbers; exact.
    fn widen(self, halves: &Half16) -> Self::Vector;
    /// Rounds to the nearest 16-bit floats, ties to even; what is too large becomes the largest
    /// finite one, so that one wild number does not make infinities of a whole sequence.
    fn narrow(self, vector: Self::Vector, halves: &mut Half16);
    fn add(self, left: Self::Vector, right: Self::Vector) -> Self::Vector;
    fn subtract(self, left: Self::Vector, right: Self::Vector) -> Self::Vector;
    fn multiply(self, left: Self::Vector, right: Self::Vector) -> Self::Vector;
    fn divide(self, left: Self::Vector, right: Self::Vector) -> Self::Vector;
    /// `left * right + addend`.
    fn fused(self, left: Self::Vector, right: Self::Vector, addend: Self::Vector) -> Self::Vector;
    /// The larger of each two; `right` where either is not a number.
    fn max(self, left: Self::Vector, right: Self::Vector) -> Self::Vector;
    /// The smaller of each two; `right` where either is not a number.
    fn min(self, left: Self::Vector, right: Self::Vector) -> Self::Vector;
    /// Adds the low nine bits of `exponent`'s representation to the exponents of `vector`.
    fn raise(self, vector: Self::Vector, exponent: Self::Vector) -> Self::Vector;
    /// Multiplies neighbours as complex numbers: lanes 2i and 2i + 1 of `left` are `a + bi` and of
    /// `right` `c + di`; they become `ac - bd` and `bc + ad`.
    fn turn(self, left: Self::Vector, right: Self::Vector) -> Self::Vector;
    /// Asks for memory that will be read soon.
    fn prefetch(self, lines: &[Half16]);
    /// The first `count` lanes of `vector`, then those of `other`.
    fn first(self, count: usize, vector: Self::Vector, other: Self::Vector) -> Self::Vector;

    /// `e` to the power of each lane, clamped to `-87..=88`; within two units in the last place.
    ///
    /// `2^n * p(x - n ln 2)` with a polynomial of degree six for `p` (largest relative error of the
    /// polynomial itself 2e-9); 0 gives exactly 1, and what is no number stays so.
    #[inline(always)]
    fn exp(self, x: Self::Vector) -> Self::Vector {
        /// Adding it rounds to a whole number and leaves that in the lowest bits.
        const ROUNDER: f32 = 12_582_912.0;
        const LN_2_HIGH: f32 = 0.693_359_4;
        const LN_2_LOW: f32 = -2.121_944_4e-4;
        const POLYNOMIAL: [f32; 6] =
            [8.374_824e-3, 4.166_822_6e-2, 0.166_664_2, 0.499_999_9, 1.0, 1.0];
        let x = self.max(self.splat(-87.0), x);
        let x = self.min(self.splat(88.0), x);
        let rounded = self.fused(x, self.splat(std::f32::consts::LOG2_E), self.splat(ROUNDER));
        let whole = self.subtract(rounded, self.splat(ROUNDER));
        let rest = self.fused(whole, self.splat(-LN_2_HIGH), x);
        let rest = self.fused(whole, self.splat(-LN_2_LOW), rest);
        let mut power = self.splat(1.383_683_5e-3);
        for coefficient in POLYNOMIAL {
            power = self.fused(power, rest, self.splat(coefficient));
        }
        self.raise(power, rounded)
    }

    /// Sum of all lanes: halves are added onto each other until one number is left.
    #[inline(always)]
    fn sum(self, vector: Self::Vector) -> f32 {
        let mut lanes = [0.0; LANES];
        self.store(vector, &mut lanes);
        add_half::<8>(&mut lanes);
        add_half::<4>(&mut lanes);
        add_half::<2>(&mut lanes);
        add_half::<1>(&mut lanes);
        lanes[0]
    }

    /// The largest lane; where some are no numbers, it may be one of them.
    #[inline(always)]
    fn highest(self, vector: Self::Vector) -> f32 {
        let mut lanes = [0.0; LANES];
        self.store(vector, &mut lanes);
        max_half::<8>(&mut lanes);
        max_half::<4>(&mut lanes);
        max_half::<2>(&mut lanes);
        max_half::<1>(&mut lanes);
        lanes[0]
    }

    /// Loads at most sixteen numbers; zeros follow them.
    #[inline(always)]
    fn load_some(self, numbers: &[f32]) -> Self::Vector {
        if let Ok(whole) = numbers.try_into() {
            return self.load(whole);
        }
        let mut lanes = [0.0; LANES];
        lanes[..numbers.len()].copy_from_slice(numbers);
        self.load(&lanes)
    }

    /// Stores as many lanes as `numbers` has room for, at most sixteen.
    #[inline(always)]
    fn store_some(self, vector: Self::Vector, numbers: &mut [f32]) {
        if let Ok(whole) = numbers.try_into() {
            return self.store(vector, whole);
        }
        let mut lanes = [0.0; LANES];
        self.store(vector, &mut lanes);
        numbers.copy_from_slice(&lanes[..numbers.len()]);
    }
}

/// Adds the second half of the first `2 * HALF` lanes to the first half.
#[inline(always)]
fn add_half<const HALF: usize>(lanes: &mut [f32; LANES]) {
    for lane in 0..HALF {
        lanes[lane] += lanes[lane + HALF];
    }
}

/// Leaves the larger of both halves of the first `2 * HALF` lanes in the first half.
#[inline(always)]
fn max_half<const HALF: usize>(lanes: &mut [f32; LANES]) {
    for lane in 0..HALF {
        let (left, right) = (lanes[lane], lanes[lane + HALF]);
        lanes[lane] = if left > right { left } else { right };
    }
}

/// Runs a kernel compiled for `isa`.
pub(crate) fn run<K: Kernel>(isa: Isa, kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(lanes) = Avx512Lanes::of(isa) {
            return lanes.run(kernel);
        }
        if let Some(lanes) = Avx2Lanes::of(isa) {
            return lanes.run(kernel);
        }
    }
    let _ = isa;
    PortableLanes.run(kernel)
}

/// Work that is compiled for each instruction set; implementors mark `call` `#[inline(always)]`,
/// and so everything that it calls with the proof.
pub(crate) trait Kernel {
    /// What it gives.
    type Output;

    fn call<L: Lanes>(self, lanes: L) -> Self::Output;
}

#[cfg(test)]
mod tests;
