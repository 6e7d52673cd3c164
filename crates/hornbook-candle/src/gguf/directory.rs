//! The header and the directory of tensors.

use std::collections::BTreeMap;

use candle_core::quantized::GgmlDType;

use crate::LoadError;

use super::reader::Reader;
use super::{
    DIMENSIONS_MAX, METADATA_ENTRIES_MAX, Metadata, TENSOR_ELEMENTS_MAX, TENSORS_MAX, Value,
};

const MAGIC: &[u8; 4] = b"GGUF";
/// Version 3 as a big-endian machine writes it.
const BIG_ENDIAN_VERSION: u32 = 3 << 24;
const VERSIONS: [u32; 2] = [2, 3];
const DEFAULT_ALIGNMENT_BYTES: i64 = 32;
const ALIGNMENT_BYTES_MAX: i64 = 65_536;

/// Where one tensor lies and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TensorInfo {
    /// Outermost first: a matrix is `[rows, columns]`.
    pub(crate) dims: Vec<usize>,
    pub(crate) dtype: GgmlDType,
    /// First byte within the data.
    pub(super) start: usize,
    /// Bytes of the tensor.
    pub(super) bytes: usize,
}

/// A parsed file; tensors are slices of it, all within bounds.
#[derive(Debug)]
pub(crate) struct GgufFile<'a> {
    pub(crate) metadata: Metadata,
    pub(crate) tensors: BTreeMap<String, TensorInfo>,
    pub(super) data: &'a [u8],
}

impl<'a> GgufFile<'a> {
    /// Parses the whole header and checks that every tensor lies within the file.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, LoadError> {
        let mut reader = Reader::new(bytes);
        check_magic(&mut reader)?;
        let tensor_count = reader.u64("the number of tensors")?;
        let entry_count = reader.u64("the number of metadata entries")?;
        LoadError::check_limit("the number of tensors", tensor_count, TENSORS_MAX)?;
        LoadError::check_limit(
            "the number of metadata entries",
            entry_count,
            METADATA_ENTRIES_MAX,
        )?;
        let metadata = read_metadata(&mut reader, entry_count)?;
        let alignment = alignment(&metadata)?;
        let mut tensors = BTreeMap::new();
        for _ in 0..tensor_count {
            let (name, info) = read_tensor_info(&mut reader, alignment)?;
            if tensors.contains_key(&name) {
                return Err(LoadError::malformed("the tensor directory", format!("{name} twice")));
            }
            tensors.insert(name, info);
        }
        let header_bytes = reader.position().next_multiple_of(alignment);
        let data = bytes.get(header_bytes..).unwrap_or_default();
        check_extents(&tensors, data.len())?;
        Ok(Self { metadata, tensors, data })
    }
}

fn check_magic(reader: &mut Reader<'_>) -> Result<(), LoadError> {
    let magic = reader.take(4, "the magic number")?;
    if magic != MAGIC {
        return Err(LoadError::NotGguf {
            detail: format!("it begins with {:?}", magic.escape_ascii().to_string()),
        });
    }
    let version = reader.u32("the version")?;
    if version == BIG_ENDIAN_VERSION {
        return Err(LoadError::Unsupported {
            what: "big-endian GGUF files".to_owned(),
            runs: "little-endian ones",
        });
    }
    if !VERSIONS.contains(&version) {
        return Err(LoadError::Unsupported {
            what: format!("GGUF version {version}"),
            runs: "versions 2 and 3",
        });
    }
    Ok(())
}

fn read_metadata(reader: &mut Reader<'_>, entries: u64) -> Result<Metadata, LoadError> {
    let mut metadata = Metadata::new();
    for _ in 0..entries {
        let key = reader.text("a metadata key")?.to_owned();
        let kind = reader.u32("the type of a metadata value")?;
        let value = Value::read(reader, kind)?;
        if metadata.contains_key(&key) {
            return Err(LoadError::malformed("the metadata", format!("{key} twice")));
        }
        metadata.insert(key, value);
    }
    Ok(metadata)
}

fn alignment(metadata: &Metadata) -> Result<usize, LoadError> {
    let alignment = match metadata.get("general.alignment") {
        None => DEFAULT_ALIGNMENT_BYTES,
        Some(Value::Integer(bytes)) => *bytes,
        Some(_) => 0,
    };
    // The format wants a multiple of 8; a power of two is what every writer makes of it.
    if !(8..=ALIGNMENT_BYTES_MAX).contains(&alignment) || alignment & (alignment - 1) != 0 {
        return Err(LoadError::malformed(
            "general.alignment",
            "needs a power of two from 8 to 65536",
        ));
    }
    Ok(alignment as usize)
}

fn read_tensor_info(
    reader: &mut Reader<'_>,
    alignment: usize,
) -> Result<(String, TensorInfo), LoadError> {
    const WHAT: &str = "the tensor directory";
    let name = reader.text(WHAT)?.to_owned();
    let rank = reader.u32(WHAT)?;
    LoadError::check_limit("the rank of a tensor", rank.into(), DIMENSIONS_MAX.into())?;
    let mut elements = 1_u64;
    let mut dims = Vec::new();
    for _ in 0..rank {
        let size = reader.u64(WHAT)?;
        elements = elements.saturating_mul(size);
        LoadError::check_limit("a tensor, in elements,", elements, TENSOR_ELEMENTS_MAX)?;
        dims.push(size as usize);
    }
    if elements == 0 {
        return Err(LoadError::BadTensor { name, detail: "is empty".to_owned() });
    }
    let dtype = dtype(reader.u32(WHAT)?, &name)?;
    let start = reader.u64(WHAT)?;
    let block = dtype.block_size() as u64;
    // The file lists the innermost dimension first; blocks run along it.
    if !(dims.first().copied().unwrap_or(1) as u64).is_multiple_of(block) {
        return Err(LoadError::BadTensor {
            name,
            detail: format!("has rows that are no multiple of its block of {block}"),
        });
    }
    if !start.is_multiple_of(alignment as u64) {
        return Err(LoadError::BadTensor { name, detail: format!("begins unaligned at {start}") });
    }
    dims.reverse();
    // Below 4e9 elements of at most 8 bytes each: no overflow in 64 bits.
    let bytes = (elements / block) as usize * dtype.type_size();
    let start = usize::try_from(start)
        .map_err(|_| LoadError::malformed(WHAT, format!("{name} begins at {start}")))?;
    Ok((name, TensorInfo { dims, dtype, start, bytes }))
}

/// Every tensor within the data, and together no more than the data: overlapping tensors
/// would let a small file ask for any amount of memory.
fn check_extents(
    tensors: &BTreeMap<String, TensorInfo>,
    data_bytes: usize,
) -> Result<(), LoadError> {
    let mut total_bytes = 0_u64;
    for (name, info) in tensors {
        let end = info.start.checked_add(info.bytes).ok_or_else(|| {
            LoadError::malformed("the tensor directory", format!("{name} ends past any file"))
        })?;
        if end > data_bytes {
            return Err(LoadError::Truncated {
                what: "the tensor data",
                needed_bytes: end as u64,
                left_bytes: data_bytes as u64,
            });
        }
        total_bytes += info.bytes as u64;
    }
    if total_bytes > data_bytes as u64 {
        return Err(LoadError::malformed("the tensor directory", "tensors overlap"));
    }
    Ok(())
}

fn dtype(code: u32, name: &str) -> Result<GgmlDType, LoadError> {
    Ok(match code {
        0 => GgmlDType::F32,
        1 => GgmlDType::F16,
        2 => GgmlDType::Q4_0,
        3 => GgmlDType::Q4_1,
        6 => GgmlDType::Q5_0,
        7 => GgmlDType::Q5_1,
        8 => GgmlDType::Q8_0,
        10 => GgmlDType::Q2K,
        11 => GgmlDType::Q3K,
        12 => GgmlDType::Q4K,
        13 => GgmlDType::Q5K,
        14 => GgmlDType::Q6K,
        30 => GgmlDType::BF16,
        other => {
            return Err(LoadError::Unsupported {
                what: format!("the tensor `{name}` of ggml type {other}"),
                runs: "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 and Q2_K to Q6_K",
            });
        }
    })
}
