//! 16-bit floats.

/// 2^112: what lifts a half's exponent, written where a float has its own, to its true value.
const LIFT: f32 = f32::from_bits(0x7780_0000);
/// The exponent that infinities and NaN have.
const NOT_FINITE: u16 = 0x7c00;

/// The value of a finite half, exactly; subnormals too.
#[inline(always)]
pub(super) fn to_float(half: u16) -> f32 {
    let magnitude = f32::from_bits(u32::from(half & 0x7fff) << 13) * LIFT;
    f32::from_bits(magnitude.to_bits() | u32::from(half & 0x8000) << 16)
}

/// Whether it is a number.
pub(super) fn is_finite(half: u16) -> bool {
    half & NOT_FINITE != NOT_FINITE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finite_half_has_its_value() {
        for half in (0..=u16::MAX).filter(|half| is_finite(*half)) {
            let (exponent, fraction) = (i32::from(half >> 10 & 31), f64::from(half & 1023));
            let magnitude = match exponent {
                0 => fraction * 2_f64.powi(-24),
                _ => (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
            };
            let value = if half >> 15 == 1 { -magnitude } else { magnitude };
            assert_eq!(f64::from(to_float(half)).to_bits(), value.to_bits(), "{half:#x}");
        }
        assert_eq!((0..=u16::MAX).filter(|half| is_finite(*half)).count(), 65_536 - 2 * 1_024);
    }
}
