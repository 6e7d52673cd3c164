//! A tensor's blocks, and turning them into 32-bit floats.

use candle_core::Device;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::ggml_file::qtensor_from_ggml;

use crate::LoadError;

use super::GgufFile;

impl GgufFile<'_> {
    /// The blocks of the tensor of that name, as the file has them; its shape must be `dims`.
    pub(crate) fn blocks(
        &self,
        name: &str,
        dims: &[usize],
    ) -> Result<(GgmlDType, &[u8]), LoadError> {
        let info = self
            .tensors
            .get(name)
            .ok_or_else(|| LoadError::MissingTensor { name: name.to_owned() })?;
        if info.dims != dims {
            let detail = format!("has shape {:?}, not {dims:?}", info.dims);
            return Err(LoadError::BadTensor { name: name.to_owned(), detail });
        }
        Ok((info.dtype, &self.data[info.start..info.start + info.bytes]))
    }

    /// The tensor of that name as floats, outermost dimension first.
    ///
    /// Its shape must be `dims`, and every number must be finite: one NaN scale would poison
    /// every answer.
    pub(crate) fn floats(&self, name: &str, dims: &[usize]) -> Result<Vec<f32>, LoadError> {
        let (dtype, bytes) = self.blocks(name, dims)?;
        let bad = |detail: String| LoadError::BadTensor { name: name.to_owned(), detail };
        // Candle casts these bytes to blocks in place. Tensors start at multiples of 8 within the
        // file, so this holds for every allocator that aligns a large buffer to 8 bytes.
        if !bytes.as_ptr().addr().is_multiple_of(8) {
            return Err(bad("lies unaligned in memory".to_owned()));
        }
        let floats: Vec<f32> = qtensor_from_ggml(dtype, bytes, dims.to_vec(), &Device::Cpu)
            .and_then(|tensor| tensor.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1())
            .map_err(|error| bad(format!("cannot be read: {error}")))?;
        if !floats.iter().all(|number| number.is_finite()) {
            return Err(bad("holds a number that is not finite".to_owned()));
        }
        Ok(floats)
    }
}
