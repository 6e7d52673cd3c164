//! Metadata values, as far as an engine needs them.

use crate::LoadError;

use super::reader::Reader;
use super::{ARRAY_ELEMENTS_MAX, Metadata};

/// One metadata value. Integers of every width are one kind, floats another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Integer(i64),
    Float(f64),
    Flag(bool),
    Text(String),
    Integers(Vec<i64>),
    Texts(Vec<String>),
    /// An array of floats or flags, which nothing here needs; only its bounds were checked.
    Unused,
}

const WHAT: &str = "a metadata value";
const UNSIGNED_8: u32 = 0;
const SIGNED_8: u32 = 1;
const UNSIGNED_16: u32 = 2;
const SIGNED_16: u32 = 3;
const UNSIGNED_32: u32 = 4;
const SIGNED_32: u32 = 5;
const FLOAT_32: u32 = 6;
const FLAG: u32 = 7;
const TEXT: u32 = 8;
const ARRAY: u32 = 9;
const UNSIGNED_64: u32 = 10;
const SIGNED_64: u32 = 11;
const FLOAT_64: u32 = 12;

/// Bytes that one value of the type takes at least; `None` for an unknown type.
fn least_bytes(kind: u32) -> Option<u64> {
    Some(match kind {
        UNSIGNED_8 | SIGNED_8 | FLAG => 1,
        UNSIGNED_16 | SIGNED_16 => 2,
        UNSIGNED_32 | SIGNED_32 | FLOAT_32 => 4,
        UNSIGNED_64 | SIGNED_64 | FLOAT_64 | TEXT => 8,
        ARRAY => 12,
        _ => return None,
    })
}

impl Value {
    pub(super) fn read(reader: &mut Reader<'_>, kind: u32) -> Result<Self, LoadError> {
        Ok(match kind {
            FLOAT_32 => Self::Float(f32::from_bits(reader.u32(WHAT)?).into()),
            FLOAT_64 => Self::Float(f64::from_bits(reader.u64(WHAT)?)),
            FLAG => match reader.u8(WHAT)? {
                0 => Self::Flag(false),
                1 => Self::Flag(true),
                other => {
                    return Err(LoadError::malformed(WHAT, format!("{other} is no truth value")));
                }
            },
            TEXT => Self::Text(reader.text(WHAT)?.to_owned()),
            ARRAY => Self::read_array(reader)?,
            integer => Self::Integer(read_integer(reader, integer)?),
        })
    }

    fn read_array(reader: &mut Reader<'_>) -> Result<Self, LoadError> {
        let kind = reader.u32(WHAT)?;
        let elements = reader.u64(WHAT)?;
        let Some(each_bytes) = least_bytes(kind) else {
            return Err(LoadError::malformed(WHAT, format!("unknown type {kind}")));
        };
        // Before anything is allocated: a count that the file cannot hold is cut off or forged.
        reader.expect(elements.saturating_mul(each_bytes), WHAT)?;
        LoadError::check_limit(
            "an array in the metadata, in elements,",
            elements,
            ARRAY_ELEMENTS_MAX,
        )?;
        match kind {
            TEXT => {
                let read = (0..elements).map(|_| reader.text(WHAT).map(str::to_owned));
                Ok(Self::Texts(read.collect::<Result<_, _>>()?))
            }
            FLOAT_32 | FLOAT_64 | FLAG => {
                reader.take(elements * each_bytes, WHAT)?;
                Ok(Self::Unused)
            }
            ARRAY => Err(LoadError::Unsupported {
                what: "arrays of arrays in the metadata".to_owned(),
                runs: "files with flat metadata",
            }),
            _ => {
                let read = (0..elements).map(|_| read_integer(reader, kind));
                Ok(Self::Integers(read.collect::<Result<_, _>>()?))
            }
        }
    }
}

fn read_integer(reader: &mut Reader<'_>, kind: u32) -> Result<i64, LoadError> {
    Ok(match kind {
        UNSIGNED_8 => reader.u8(WHAT)?.into(),
        SIGNED_8 => i64::from(reader.u8(WHAT)? as i8),
        UNSIGNED_16 => reader.u16(WHAT)?.into(),
        SIGNED_16 => i64::from(reader.u16(WHAT)? as i16),
        UNSIGNED_32 => reader.u32(WHAT)?.into(),
        SIGNED_32 => i64::from(reader.u32(WHAT)? as i32),
        SIGNED_64 => reader.u64(WHAT)? as i64,
        UNSIGNED_64 => {
            let value = reader.u64(WHAT)?;
            i64::try_from(value)
                .map_err(|_| LoadError::malformed(WHAT, format!("{value} is over 2^63")))?
        }
        _ => return Err(LoadError::malformed(WHAT, format!("unknown type {kind}"))),
    })
}

/// Reading named values, each with the error that names it.
pub(crate) trait MetadataExt {
    /// A count that must be there, between 1 and `limit`.
    fn count(&self, key: &str, limit: u64) -> Result<usize, LoadError>;
    /// A number that must be there, be finite and above zero.
    fn positive(&self, key: &str) -> Result<f32, LoadError>;
    /// A text that must be there.
    fn text(&self, key: &str) -> Result<&str, LoadError>;
    /// A list of texts that must be there.
    fn texts(&self, key: &str) -> Result<&[String], LoadError>;
    /// An integer, where there is one.
    fn integer(&self, key: &str) -> Option<i64>;
}

impl MetadataExt for Metadata {
    fn count(&self, key: &str, limit: u64) -> Result<usize, LoadError> {
        let missing = || LoadError::Metadata { key: key.to_owned(), expected: "a count above 0" };
        let count = self.integer(key).ok_or_else(missing)?;
        let count = u64::try_from(count).ok().filter(|count| *count > 0).ok_or_else(missing)?;
        LoadError::check_limit(key, count, limit)?;
        usize::try_from(count).map_err(|_| missing())
    }

    fn positive(&self, key: &str) -> Result<f32, LoadError> {
        match self.get(key) {
            Some(Value::Float(value)) if *value > 0.0 && (*value as f32).is_finite() => {
                Ok(*value as f32)
            }
            _ => Err(LoadError::Metadata { key: key.to_owned(), expected: "a number above 0" }),
        }
    }

    fn text(&self, key: &str) -> Result<&str, LoadError> {
        match self.get(key) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(LoadError::Metadata { key: key.to_owned(), expected: "a text" }),
        }
    }

    fn texts(&self, key: &str) -> Result<&[String], LoadError> {
        match self.get(key) {
            Some(Value::Texts(texts)) => Ok(texts),
            _ => Err(LoadError::Metadata { key: key.to_owned(), expected: "a list of texts" }),
        }
    }

    fn integer(&self, key: &str) -> Option<i64> {
        match self.get(key) {
            Some(Value::Integer(value)) => Some(*value),
            _ => None,
        }
    }
}
