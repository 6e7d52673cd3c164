//! Where a model's weights, keys and values are held.

use candle_core::Device;
use candle_core::quantized::GgmlDType;

use crate::gguf::TensorInfo;
use crate::kernel::PackedMatrix;
use crate::{ComputeDevice, LoadError};

use super::attention::{Attention, HostAttention};
use super::candle_attention::CandleAttention;
use super::linear::ComputeError;
use super::shape::ModelShape;

/// Where and how weights, keys and values are held.
#[derive(Clone, Debug)]
pub(crate) enum Holding {
    /// In this process, matrices in tiles where their type has them, else as floats.
    Tiles,
    /// As candle's tensors on a device.
    Tensors(Device),
    /// In this process, matrices as floats: what tiles are measured against.
    #[cfg(test)]
    Floats,
}

impl Holding {
    /// What a device asks for.
    pub(crate) fn on(device: ComputeDevice) -> Result<Self, LoadError> {
        Ok(device.open()?.map_or(Self::Tiles, Self::Tensors))
    }

    /// Whether matrices of that type are packed in tiles.
    pub(super) fn packs(&self, dtype: GgmlDType) -> bool {
        matches!(self, Self::Tiles) && PackedMatrix::packs(dtype)
    }

    /// Most memory that a tensor takes once it is loaded; no tile has more than 10 bits a weight.
    pub(super) fn bytes(&self, info: &TensorInfo) -> u64 {
        let elements = info.dims.iter().product::<usize>() as u64;
        if self.packs(info.dtype) { elements.div_ceil(8) * 10 } else { elements * 4 }
    }

    /// Attention with room for `pages` pages.
    pub(crate) fn attention(
        &self,
        shape: &ModelShape,
        pages: usize,
    ) -> Result<Box<dyn Attention>, LoadError> {
        let no_room = |detail: String| LoadError::Start {
            detail: format!("no room for keys and values: {detail}"),
        };
        let Self::Tensors(device) = self else {
            let attention = HostAttention::new(shape.heads(), pages);
            return Ok(Box::new(attention.map_err(|error| no_room(error.to_string()))?));
        };
        let attention = CandleAttention::new(shape.heads(), pages, device);
        let attention =
            attention.map_err(|error| no_room(ComputeError::from(error).to_string()))?;
        Ok(Box::new(attention))
    }
}
