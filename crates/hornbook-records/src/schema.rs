//! The one declaration of a corpus's columns.

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Schema, SchemaRef};

/// Name, type and meaning of a column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Name in Parquet and JSON alike.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
    /// True when values repeat so often that a dictionary of them pays.
    pub repeats: bool,
    /// What it means, in a phrase.
    pub meaning: &'static str,
}

/// Types that columns of a corpus have; no column has nulls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// UTF-8.
    Text,
    /// 64-bit whole number.
    Int64,
}

const fn text(name: &'static str, repeats: bool, meaning: &'static str) -> Column {
    Column { name, kind: ColumnKind::Text, repeats, meaning }
}

const fn int64(name: &'static str, meaning: &'static str) -> Column {
    Column { name, kind: ColumnKind::Int64, repeats: false, meaning }
}

/// Every column of a corpus, in order; the first six are those that Cosmopedia v2 published.
pub const COLUMNS: [Column; 14] = [
    text("prompt", false, "the prompt as sent"),
    text("text", false, "the document"),
    int64("token_length", "completion tokens as the endpoint counted them"),
    text("audience", true, "whom the text is for"),
    text("format", true, "kind of text"),
    text("seed_data", false, "the seed record as JSON"),
    text("id", false, "first 32 hex digits of SHA-256(spec digest, seq)"),
    int64("seq", "number of the prompt within its job, from 0"),
    text("template", true, "prompt template, name@version"),
    text("endpoint", true, "endpoint that answered"),
    text("model", true, "model that the endpoint said it was"),
    text("sampling_seed", false, "seed that the prompt drew with, as a decimal string"),
    text("finish_reason", true, "why generation stopped: stop, length or the endpoint's own word"),
    text("scores", false, "numbers that the gates measured, as JSON"),
];

/// The columns as an Arrow schema.
pub fn arrow_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let fields: Vec<Field> = COLUMNS
            .iter()
            .map(|column| {
                let kind = match column.kind {
                    ColumnKind::Text => DataType::Utf8,
                    ColumnKind::Int64 => DataType::Int64,
                };
                Field::new(column.name, kind, false)
            })
            .collect();
        Arc::new(Schema::new(fields))
    });
    SCHEMA.clone()
}
