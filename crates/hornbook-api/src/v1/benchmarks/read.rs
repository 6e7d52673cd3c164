//! From an upload to checked items, as one file whose bytes depend on the items alone.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Seek as _, Write as _};
use std::path::Path;

use hornbook_records::{RecordError, RecordFault, RecordFormat, read_placed_records};
use hornbook_types::limits::{BENCHMARK_BYTES, BENCHMARK_ITEM_ID_BYTES, BENCHMARK_ITEMS};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// Items that are in order.
pub(super) struct Items {
    /// One `{item_id, text}` a line; to be read from its start.
    pub(super) file: File,
    pub(super) items: u64,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// Why an upload is no benchmark.
pub(super) enum NoBenchmark {
    /// A record is wrong.
    Record(RecordError),
    /// The whole is wrong.
    Whole(String),
    /// There is no room to write the items.
    Io(io::Error),
}

impl From<RecordError> for NoBenchmark {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl From<io::Error> for NoBenchmark {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[derive(Serialize)]
struct Item {
    item_id: String,
    text: String,
}

/// Reads every item of `upload` and writes it to an unnamed file in `dir`.
pub(super) fn read_items(
    format: RecordFormat,
    upload: File,
    name: &str,
    dir: &Path,
) -> Result<Items, NoBenchmark> {
    let mut out = BufWriter::new(tempfile::tempfile_in(dir)?);
    let mut seen: HashMap<String, (u64, Option<u64>)> = HashMap::new();
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    for record in read_placed_records(format, upload)? {
        let (line, fields) = record?;
        let number = seen.len() as u64 + 1;
        let wrong =
            |what: String| RecordError { record: number, line, fault: RecordFault::Json(what) };
        let item = item_of(fields, name).map_err(wrong)?;
        let mut json = serde_json::to_vec(&item).map_err(|error| wrong(error.to_string()))?;
        json.push(b'\n');
        bytes += json.len() as u64;
        if number > BENCHMARK_ITEMS {
            return Err(wrong(format!("is beyond the limit of {BENCHMARK_ITEMS} items")).into());
        }
        if bytes > BENCHMARK_BYTES {
            let what = format!("brings the benchmark above its limit of {BENCHMARK_BYTES} bytes");
            return Err(wrong(what).into());
        }
        if let Some((number, line)) = seen.get(&item.item_id) {
            let place = match line {
                Some(line) => format!("line {line}"),
                None => format!("record {number}"),
            };
            return Err(wrong(format!("item_id '{}' is that of {place} too", item.item_id)).into());
        }
        seen.insert(item.item_id, (number, line));
        hash.update(&json);
        out.write_all(&json)?;
    }
    if seen.is_empty() {
        return Err(NoBenchmark::Whole("the upload has no items".to_owned()));
    }
    let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.rewind()?;
    Ok(Items { file, items: seen.len() as u64, bytes, sha256: hex::encode(hash.finalize()) })
}

/// An item, or what is wrong with it.
fn item_of(mut fields: Map<String, Value>, name: &str) -> Result<Item, String> {
    let item_id = match fields.remove("item_id") {
        Some(Value::String(id)) => id,
        Some(Value::Number(id)) => id.to_string(),
        Some(Value::Null) | None => return Err("there is no 'item_id'".to_owned()),
        Some(_) => return Err("'item_id' is neither a string nor a number".to_owned()),
    };
    if item_id.is_empty() || item_id.len() > BENCHMARK_ITEM_ID_BYTES {
        return Err(format!("'item_id' needs 1 to {BENCHMARK_ITEM_ID_BYTES} bytes"));
    }
    let text = match fields.remove("text") {
        Some(Value::String(text)) => text,
        Some(Value::Null) | None => return Err("there is no 'text'".to_owned()),
        Some(_) => return Err("'text' is not a string".to_owned()),
    };
    if text.trim().is_empty() {
        return Err("the item's text is empty".to_owned());
    }
    // Files for 'hornbook corpus build' say it on every line.
    match fields.remove("benchmark") {
        None | Some(Value::Null) => {}
        Some(Value::String(theirs)) if theirs == name => {}
        Some(theirs) => return Err(format!("the item belongs to {theirs} and not to '{name}'")),
    }
    match fields.keys().next() {
        None => Ok(Item { item_id, text }),
        Some(field) => Err(format!("unknown field '{field}'; an item has item_id and text")),
    }
}
