use crate::kernel::InstructionSet;

use super::*;

/// Every instruction set that this machine has.
fn everywhere(check: impl Fn(Isa)) {
    for isa in InstructionSet::ALL.into_iter().filter_map(Isa::new) {
        eprintln!("on {}", isa.set());
        check(isa);
    }
}

/// A closure over plain numbers as a kernel.
struct Exp<'a>(&'a mut [[f32; LANES]]);

impl Kernel for Exp<'_> {
    type Output = ();

    #[inline(always)]
    fn call<L: Lanes>(self, lanes: L) {
        for numbers in self.0 {
            lanes.store(lanes.exp(lanes.load(numbers)), numbers);
        }
    }
}

fn exp(isa: Isa, numbers: &[f32]) -> Vec<f32> {
    let mut padded = numbers.to_vec();
    padded.resize(numbers.len().next_multiple_of(LANES), 0.0);
    run(isa, Exp(padded.as_chunks_mut().0));
    padded.truncate(numbers.len());
    padded
}

#[test]
fn exp_is_within_two_units_in_the_last_place() {
    let numbers: Vec<f32> = (-870_000..=880_000).map(|step| step as f32 / 10_000.0).collect();
    everywhere(|isa| {
        let mut worst = 0.0_f64;
        for (number, found) in numbers.iter().zip(exp(isa, &numbers)) {
            let exact = f64::from(*number).exp();
            worst = worst.max((f64::from(found) / exact - 1.0).abs());
        }
        // One unit is between 2^-24 and 2^-23 of the number.
        assert!(worst < 2.0_f64.powi(-22), "a relative error of {worst:e}");
        let special = exp(isa, &[0.0, -0.0, -1e30, f32::NEG_INFINITY, 1e30, f32::NAN]);
        assert_eq!(special[..2], [1.0, 1.0]);
        assert_eq!(special[2], special[3]);
        assert!(special[2] > 0.0 && special[2] < 2e-38, "{}", special[2]);
        assert!(special[4] > 1e38 && special[4].is_finite());
        assert!(special[5].is_nan());
    });
}

struct Widen<'a>(&'a [Half16], &'a mut [[f32; LANES]]);

impl Kernel for Widen<'_> {
    type Output = ();

    #[inline(always)]
    fn call<L: Lanes>(self, lanes: L) {
        for (halves, numbers) in self.0.iter().zip(self.1) {
            lanes.store(lanes.widen(halves), numbers);
        }
    }
}

struct Narrow<'a>(&'a [[f32; LANES]], &'a mut [Half16]);

impl Kernel for Narrow<'_> {
    type Output = ();

    #[inline(always)]
    fn call<L: Lanes>(self, lanes: L) {
        for (numbers, halves) in self.0.iter().zip(self.1) {
            lanes.narrow(lanes.load(numbers), halves);
        }
    }
}

fn narrow(isa: Isa, numbers: &[f32]) -> Vec<u16> {
    let mut padded = numbers.to_vec();
    padded.resize(numbers.len().next_multiple_of(LANES), 0.0);
    let mut halves = vec![0; padded.len()];
    run(isa, Narrow(padded.as_chunks().0, halves.as_chunks_mut().0));
    halves.truncate(numbers.len());
    halves
}

/// The value of a 16-bit float, from the definition.
fn value(half: u16) -> f64 {
    let sign = if half >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(half >> 10 & 31), f64::from(half & 1_023));
    match exponent {
        0 => sign * fraction * 2.0_f64.powi(-24),
        31 if fraction == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        _ => sign * (1_024.0 + fraction) * 2.0_f64.powi(exponent - 25),
    }
}

#[test]
fn every_half_is_widened_exactly() {
    let halves: Vec<u16> = (0..=u16::MAX).collect();
    everywhere(|isa| {
        let mut numbers = vec![[0.0; LANES]; halves.len() / LANES];
        run(isa, Widen(halves.as_chunks().0, &mut numbers));
        for (half, number) in halves.iter().zip(numbers.as_flattened()) {
            let exact = value(*half);
            let is_same = f64::from(*number) == exact || number.is_nan() && exact.is_nan();
            assert!(is_same, "{half:#06x} is {exact}, not {number}");
            assert_eq!(number.is_sign_negative(), half >> 15 == 1, "{half:#06x}");
        }
    });
}

#[test]
fn numbers_are_narrowed_to_the_nearest_half() {
    let finite = (0..0x7c00_u16).chain(0x8000..0xfc00);
    let halves: Vec<u16> = finite.collect();
    let exact: Vec<f32> = halves.iter().map(|half| value(*half) as f32).collect();
    // Midway between a half and the next: the even one of both.
    let neighbours = halves.iter().filter(|half| **half & 0x7fff != 0x7bff);
    let middles: Vec<(f32, u16)> = neighbours
        .map(|half| (((value(*half) + value(half + 1)) / 2.0) as f32, half + (half & 1)))
        .collect();
    let (numbers, evens): (Vec<f32>, Vec<u16>) = middles.into_iter().unzip();
    // A little beside the middle: the nearer one.
    let above: Vec<f32> = numbers.iter().map(|number| number * (1.0 + 1e-6)).collect();
    everywhere(|isa| {
        assert!(narrow(isa, &exact) == halves);
        assert!(narrow(isa, &numbers) == evens);
        for ((number, found), even) in above.iter().zip(narrow(isa, &above)).zip(&evens) {
            let nearest = (f64::from(*number) - value(found)).abs();
            let other = if found == *even { even.wrapping_sub(1) } else { *even };
            assert!(nearest <= (f64::from(*number) - value(other)).abs(), "{number}: {found:#06x}");
        }
        let wild = narrow(isa, &[1e9, f32::INFINITY, -65_520.0, f32::NEG_INFINITY, 1e-9, f32::NAN]);
        assert_eq!(wild[..5], [0x7bff, 0x7bff, 0xfbff, 0xfbff, 0]);
        assert!(value(wild[5]).is_nan());
    });
}

struct Reductions([f32; LANES], usize);

impl Kernel for Reductions {
    type Output = (f32, f32, [f32; LANES]);

    #[inline(always)]
    fn call<L: Lanes>(self, lanes: L) -> Self::Output {
        let vector = lanes.load(&self.0);
        let mut mixed = [0.0; LANES];
        lanes.store(lanes.first(self.1, vector, lanes.splat(-1.0)), &mut mixed);
        (lanes.sum(vector), lanes.highest(vector), mixed)
    }
}

#[test]
fn lanes_are_summed_compared_and_chosen() {
    let numbers: [f32; LANES] = std::array::from_fn(|lane| (lane as f32 - 4.0) * 1.5);
    everywhere(|isa| {
        for count in 0..=LANES {
            let (sum, highest, mixed) = run(isa, Reductions(numbers, count));
            assert_eq!((sum, highest), (numbers.iter().sum(), 16.5));
            assert_eq!(mixed[..count], numbers[..count]);
            assert_eq!(mixed[count..], [-1.0; LANES][count..]);
        }
        let only_bad = run(isa, Reductions([f32::NAN; LANES], 0));
        assert!(only_bad.1.is_nan());
    });
}

struct Choices([f32; LANES], [f32; LANES]);

impl Kernel for Choices {
    type Output = [[f32; LANES]; 2];

    #[inline(always)]
    fn call<L: Lanes>(self, lanes: L) -> Self::Output {
        let (left, right) = (lanes.load(&self.0), lanes.load(&self.1));
        let mut chosen = [[0.0; LANES]; 2];
        lanes.store(lanes.max(left, right), &mut chosen[0]);
        lanes.store(lanes.min(left, right), &mut chosen[1]);
        chosen
    }
}

#[test]
fn the_right_one_is_chosen_where_either_is_no_number() {
    let lefts: [f32; LANES] = std::array::from_fn(|lane| [1.0, -2.0, f32::NAN, 4.0][lane % 4]);
    let rights: [f32; LANES] = std::array::from_fn(|lane| [3.0, -5.0, 7.0, f32::NAN][lane % 4]);
    everywhere(|isa| {
        let [larger, smaller] = run(isa, Choices(lefts, rights));
        for lane in (0..LANES).step_by(4) {
            assert_eq!(larger[lane..lane + 3], [3.0, -2.0, 7.0]);
            assert_eq!(smaller[lane..lane + 3], [1.0, -5.0, 7.0]);
            assert!(larger[lane + 3].is_nan() && smaller[lane + 3].is_nan());
        }
    });
}

struct Turned([f32; LANES], [f32; LANES]);

impl Kernel for Turned {
    type Output = [f32; LANES];

    #[inline(always)]
    fn call<L: Lanes>(self, lanes: L) -> Self::Output {
        let mut turned = [0.0; LANES];
        lanes.store(lanes.turn(lanes.load(&self.0), lanes.load(&self.1)), &mut turned);
        turned
    }
}

#[test]
fn neighbours_are_multiplied_as_complex_numbers() {
    // Whole numbers, so that no instruction set rounds anything.
    let left: [f32; LANES] = std::array::from_fn(|lane| lane as f32 * 3.0 - 20.0);
    let right: [f32; LANES] = std::array::from_fn(|lane| 7.0 - lane as f32);
    everywhere(|isa| {
        let turned = run(isa, Turned(left, right));
        for lane in (0..LANES).step_by(2) {
            let ([a, b], [c, d]) = ([left[lane], left[lane + 1]], [right[lane], right[lane + 1]]);
            assert_eq!(turned[lane..lane + 2], [a * c - b * d, b * c + a * d]);
        }
    });
}
