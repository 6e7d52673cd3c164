//! The forms of tiles: how wide their quants are and what scales belong to them.

use candle_core::quantized::GgmlDType;

use super::{BLOCK_INPUTS, TILE_OUTPUTS};

/// What a tile's second scale field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Second {
    /// There is none.
    None,
    /// What is added to every weight of the block.
    Min,
    /// The scale of inputs 16 to 31; the first field is that of 0 to 15.
    Scale,
}

/// A form of tiles; a weight in it is `scale * (quant - offset) + min`.
///
/// Scales are 16-bit floats where the file has them so. The products of a K type's super-scales
/// and scales need more bits than such a float has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 4 bits, offset, 16-bit scale: Q4_0.
    Nibbles,
    /// 4 bits, 16-bit scale and min: Q4_1.
    NibblesMin,
    /// 4 bits, 32-bit scale and min: Q4_K.
    NibblesWideMin,
    /// 8 bits, offset, 16-bit scale: Q8_0, Q5_0.
    Bytes,
    /// 8 bits, 32-bit scale and min: Q5_1, Q5_K.
    BytesWideMin,
    /// 8 bits, offset, a 32-bit scale for each half of the block: Q6_K.
    BytesSplit,
}

impl Kind {
    /// The form of that type's tiles.
    pub(super) fn of(dtype: GgmlDType) -> Option<Self> {
        Some(match dtype {
            GgmlDType::Q4_0 => Self::Nibbles,
            GgmlDType::Q4_1 => Self::NibblesMin,
            GgmlDType::Q4K => Self::NibblesWideMin,
            GgmlDType::Q8_0 | GgmlDType::Q5_0 => Self::Bytes,
            GgmlDType::Q5_1 | GgmlDType::Q5K => Self::BytesWideMin,
            GgmlDType::Q6K => Self::BytesSplit,
            _ => return None,
        })
    }

    /// Whether two quants share a byte.
    pub(crate) const fn nibbles(self) -> bool {
        matches!(self, Self::Nibbles | Self::NibblesMin | Self::NibblesWideMin)
    }

    /// Whether scales are 16-bit floats.
    pub(crate) const fn half(self) -> bool {
        matches!(self, Self::Nibbles | Self::NibblesMin | Self::Bytes)
    }

    /// What the second scale field is.
    pub(crate) const fn second(self) -> Second {
        match self {
            Self::Nibbles | Self::Bytes => Second::None,
            Self::NibblesMin | Self::NibblesWideMin | Self::BytesWideMin => Second::Min,
            Self::BytesSplit => Second::Scale,
        }
    }

    /// The binary logarithm of what is taken from every quant; `None` for nothing.
    pub(crate) const fn offset_bits(self) -> Option<u32> {
        match self {
            Self::Nibbles => Some(3),
            Self::Bytes => Some(7),
            Self::BytesSplit => Some(5),
            Self::NibblesMin | Self::NibblesWideMin | Self::BytesWideMin => None,
        }
    }

    /// Bytes of one tile's quants.
    pub(crate) const fn quant_bytes(self) -> usize {
        TILE_OUTPUTS * BLOCK_INPUTS / if self.nibbles() { 2 } else { 1 }
    }

    /// Bytes of one tile's scales.
    pub(crate) const fn scale_bytes(self) -> usize {
        TILE_OUTPUTS * self.fields() * self.field_bytes()
    }

    /// Scale fields of one output.
    pub(crate) const fn fields(self) -> usize {
        if matches!(self.second(), Second::None) { 1 } else { 2 }
    }

    /// Bytes of one scale.
    pub(crate) const fn field_bytes(self) -> usize {
        if self.half() { 2 } else { 4 }
    }
}

/// A [`Kind`] as a type, which inner loops are compiled for.
pub(crate) trait Form {
    const KIND: Kind;
}

pub(crate) struct Nibbles;
pub(crate) struct NibblesMin;
pub(crate) struct NibblesWideMin;
pub(crate) struct Bytes;
pub(crate) struct BytesWideMin;
pub(crate) struct BytesSplit;

impl Form for Nibbles {
    const KIND: Kind = Kind::Nibbles;
}
impl Form for NibblesMin {
    const KIND: Kind = Kind::NibblesMin;
}
impl Form for NibblesWideMin {
    const KIND: Kind = Kind::NibblesWideMin;
}
impl Form for Bytes {
    const KIND: Kind = Kind::Bytes;
}
impl Form for BytesWideMin {
    const KIND: Kind = Kind::BytesWideMin;
}
impl Form for BytesSplit {
    const KIND: Kind = Kind::BytesSplit;
}
