//! One record from one stretch of JSON.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::RecordFault;
use crate::check::check_record;

/// Parses a JSON object; the line within `bytes`, from 1, comes with the fault.
pub(crate) fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, (u64, RecordFault)> {
    let Object(record) = serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let full = error.to_string();
        let place = format!(" at line {line} column {column}");
        let message = full.strip_suffix(&place).unwrap_or(&full);
        let fault = RecordFault::Json(format!("{message} at column {column}"));
        (line.max(1) as u64, fault)
    })?;
    check_record(&record).map_err(|fault| (1, fault))?;
    Ok(record)
}

/// A JSON object no two of whose fields share a name.
struct Object(Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor).map(Self)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Map<String, Value>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut record = Map::new();
        while let Some((name, value)) = fields.next_entry::<String, Value>()? {
            if record.contains_key(&name) {
                return Err(A::Error::custom(format_args!("duplicate field '{name}'")));
            }
            record.insert(name, value);
        }
        Ok(record)
    }
}
