//! What holds for every record, whatever file it came from.

use hornbook_types::limits::{SEED_BYTES, SEED_FIELDS};
use serde_json::{Map, Value};

use crate::RecordFault;

/// Checks size, number of fields and characters of one record.
pub(crate) fn check_record(record: &Map<String, Value>) -> Result<(), RecordFault> {
    if record.len() > SEED_FIELDS {
        return Err(RecordFault::TooManyFields);
    }
    let mut bytes = 2;
    for (name, value) in record {
        if name.contains('\0') {
            return Err(RecordFault::Nul("a field's name".to_owned()));
        }
        bytes += name.len() + 4 + measure(name, value)?;
    }
    if bytes > SEED_BYTES { Err(RecordFault::TooLarge) } else { Ok(()) }
}

/// Bytes of a value as JSON, less escapes; refuses U+0000 anywhere within.
///
/// The recursion is as deep as the parser allowed, which is 128 levels.
fn measure(field: &str, value: &Value) -> Result<usize, RecordFault> {
    match value {
        Value::String(text) if text.contains('\0') => {
            Err(RecordFault::Nul(format!("field '{field}'")))
        }
        Value::String(text) => Ok(text.len() + 2),
        Value::Array(items) => {
            let mut bytes = 2;
            for item in items {
                bytes += 1 + measure(field, item)?;
            }
            Ok(bytes)
        }
        Value::Object(fields) => {
            let mut bytes = 2;
            for (name, inner) in fields {
                if name.contains('\0') {
                    return Err(RecordFault::Nul(format!("a name within field '{field}'")));
                }
                bytes += name.len() + 4 + measure(field, inner)?;
            }
            Ok(bytes)
        }
        Value::Number(number) => Ok(number.as_u64().map_or_else(
            || number.to_string().len(),
            |whole| whole.checked_ilog10().map_or(1, |digits| digits as usize + 1),
        )),
        Value::Null | Value::Bool(_) => Ok(5),
    }
}
