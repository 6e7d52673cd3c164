//! HumanEval as its authors publish it, as items.

use std::fs::File;
use std::path::Path;

use hornbook_records::{RecordFormat, read_records};
use serde_json::{Value, json};

use crate::exit::{Context as _, Failure};

/// One `{item_id, text}` a line: a task's prompt with its solution, which is how it would stand in a text.
pub(super) fn items(path: &Path) -> Result<Vec<u8>, Failure> {
    let doing = format!("reading {}", path.display());
    let file = File::open(path).map_err(|error| Failure::usage(format!("{doing}: {error}")))?;
    let mut items = Vec::new();
    let records = read_records(RecordFormat::Ndjson, file)
        .map_err(|error| Failure::usage(format!("{doing}: {error}")))?;
    for (number, record) in (1..).zip(records) {
        let record = record.map_err(|error| Failure::usage(format!("{doing}: {error}")))?;
        let field = |name: &str| {
            record.get(name).and_then(Value::as_str).ok_or_else(|| {
                Failure::usage(format!(
                    "{doing}: record {number} has no '{name}'; is it HumanEval?"
                ))
            })
        };
        let text = format!("{}{}", field("prompt")?, field("canonical_solution")?);
        let item = json!({ "item_id": field("task_id")?, "text": text });
        serde_json::to_writer(&mut items, &item).context(&doing)?;
        items.push(b'\n');
    }
    Ok(items)
}
