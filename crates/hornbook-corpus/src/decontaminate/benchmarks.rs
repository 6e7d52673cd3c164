//! Benchmarks as JSONL, one `{benchmark?, item_id, text}` a line.

use std::io::{self, BufRead};

use serde::Deserialize;
use serde_json::Value;

use super::limits::{
    BENCHMARK_ITEMS_MAX, BENCHMARK_LINE_BYTES_MAX, BENCHMARK_NAME_BYTES_MAX,
    BENCHMARK_TEXT_BYTES_MAX,
};

/// UTF-8's byte order mark, which some editors put first.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// One question, problem or passage that a model is tested with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BenchmarkItem {
    /// The benchmark that it belongs to.
    pub benchmark: String,
    /// Its id there.
    pub item_id: String,
    /// What must not stand in a corpus.
    pub text: String,
}

/// Items of any number of benchmarks, in the order they came.
#[derive(Clone, Debug, Default)]
pub struct Benchmarks {
    items: Vec<BenchmarkItem>,
    text_bytes: usize,
}

/// Why a benchmark cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum BenchmarkError {
    /// A line of the file cannot be taken.
    #[error("benchmark '{benchmark}', line {line}: {fault}")]
    Line {
        /// The benchmark, as the caller calls it.
        benchmark: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        fault: BenchmarkFault,
    },
    /// The file holds no item.
    #[error("benchmark '{0}' has no items")]
    NoItems(String),
}

/// What is wrong with an item.
#[derive(Debug, thiserror::Error)]
pub enum BenchmarkFault {
    /// Not JSON, or not an object with those fields.
    #[error("{0}")]
    Json(String),
    /// There is nothing in its text but white space.
    #[error("the item's text is empty")]
    EmptyText,
    /// The field has nothing in it or more than [`BENCHMARK_NAME_BYTES_MAX`] bytes.
    #[error("'{0}' needs 1 to {BENCHMARK_NAME_BYTES_MAX} bytes")]
    Name(&'static str),
    /// The line has more than [`BENCHMARK_LINE_BYTES_MAX`] bytes.
    #[error("the line is larger than {BENCHMARK_LINE_BYTES_MAX} bytes")]
    TooLarge,
    /// More than [`BENCHMARK_ITEMS_MAX`] items.
    #[error("there are more than {BENCHMARK_ITEMS_MAX} items in all benchmarks together")]
    TooManyItems,
    /// More than [`BENCHMARK_TEXT_BYTES_MAX`] bytes of text.
    #[error("all items together have more than {BENCHMARK_TEXT_BYTES_MAX} bytes of text")]
    TooMuchText,
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
}

#[derive(Deserialize)]
struct Line {
    benchmark: Option<String>,
    item_id: Value,
    text: String,
}

impl Benchmarks {
    /// Takes one item.
    pub fn push(&mut self, item: BenchmarkItem) -> Result<(), BenchmarkFault> {
        for (name, value) in [("benchmark", &item.benchmark), ("item_id", &item.item_id)] {
            if value.is_empty() || value.len() > BENCHMARK_NAME_BYTES_MAX {
                return Err(BenchmarkFault::Name(name));
            }
        }
        if item.text.trim().is_empty() {
            return Err(BenchmarkFault::EmptyText);
        }
        if self.items.len() >= BENCHMARK_ITEMS_MAX {
            return Err(BenchmarkFault::TooManyItems);
        }
        if self.text_bytes + item.text.len() > BENCHMARK_TEXT_BYTES_MAX {
            return Err(BenchmarkFault::TooMuchText);
        }
        self.text_bytes += item.text.len();
        self.items.push(item);
        Ok(())
    }

    /// Reads a JSONL file to its end; blank lines are skipped, items without `benchmark` belong to `name`.
    ///
    /// An `item_id` may be a string or a whole number. Returns the number of items read.
    /// After an error, the items before the faulty line are in.
    pub fn load(&mut self, name: &str, mut input: impl BufRead) -> Result<usize, BenchmarkError> {
        let (before, mut number, mut buffer) = (self.items.len(), 0, Vec::new());
        loop {
            number += 1;
            match self.load_line(name, &mut input, number == 1, &mut buffer) {
                Ok(true) => {}
                Ok(false) => break,
                Err(fault) => {
                    let benchmark = name.to_owned();
                    return Err(BenchmarkError::Line { benchmark, line: number, fault });
                }
            }
        }
        match self.items.len() - before {
            0 => Err(BenchmarkError::NoItems(name.to_owned())),
            read => Ok(read),
        }
    }

    /// Reads a line; false at the end of the file.
    fn load_line(
        &mut self,
        name: &str,
        input: &mut impl BufRead,
        first: bool,
        buffer: &mut Vec<u8>,
    ) -> Result<bool, BenchmarkFault> {
        buffer.clear();
        let limit = BENCHMARK_LINE_BYTES_MAX as u64 + 1;
        let read = io::Read::take(&mut *input, limit).read_until(b'\n', buffer)?;
        if read == 0 {
            return Ok(false);
        }
        if buffer.len() > BENCHMARK_LINE_BYTES_MAX {
            return Err(BenchmarkFault::TooLarge);
        }
        let line = if first { buffer.strip_prefix(BOM).unwrap_or(buffer) } else { buffer };
        if line.trim_ascii().is_empty() {
            return Ok(true);
        }
        // A derived reader would take an array for an object.
        if !line.trim_ascii_start().starts_with(b"{") {
            return Err(BenchmarkFault::Json("not a JSON object".to_owned()));
        }
        let line: Line =
            serde_json::from_slice(line).map_err(|error| BenchmarkFault::Json(unplaced(&error)))?;
        let item_id = match line.item_id {
            Value::String(id) => id,
            Value::Number(id) => id.to_string(),
            _ => return Err(BenchmarkFault::Json("'item_id' is not a string".to_owned())),
        };
        let benchmark = line.benchmark.unwrap_or_else(|| name.to_owned());
        self.push(BenchmarkItem { benchmark, item_id, text: line.text })?;
        Ok(true)
    }

    /// All items, in the order they came.
    pub fn items(&self) -> &[BenchmarkItem] {
        &self.items
    }

    /// Numbers of the items in the order of benchmark, id and text.
    pub(super) fn sorted(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = (0..self.items.len() as u32).collect();
        numbers.sort_by_key(|&number| {
            let BenchmarkItem { benchmark, item_id, text } = &self.items[number as usize];
            (benchmark, item_id, text)
        });
        numbers
    }
}

/// What the parser says, without its own count of lines, of which it saw one.
fn unplaced(error: &serde_json::Error) -> String {
    let said = error.to_string();
    said.replace(" at line 1 column", " at column").replace(" at line 2 column 0", " at its end")
}
