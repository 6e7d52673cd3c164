//! The second reading: what stays becomes shards.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hornbook_types::{CorpusFile, RowFunnel};

use super::decide::{Fate, Ledger};
use super::limits::{BATCH_BYTES, BATCH_DOCUMENTS};
use super::ordered::ordered;
use super::part::{Part, Row, Rows};
use crate::error::AssembleError;
use crate::hashing::sha256_hex;
use crate::mix::Output;
use crate::profile::{Profile, Remarks};

/// What was counted while rows went by.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) tokens: u64,
    pub(crate) funnel: RowFunnel,
    pub(crate) models: BTreeMap<String, Option<String>>,
    /// Rows by template and audience.
    pub(crate) lines: BTreeMap<(String, String), u64>,
    /// What the rows look like.
    pub(crate) profile: Profile,
}

/// Hands a document that goes to whoever accounts for it: its number, its row, and why it goes.
pub(crate) type OnDropped<'a> = dyn FnMut(u32, &Row, Fate) -> Result<(), AssembleError> + 'a;

/// Reads every part again and writes what stays; what is noted of each row is found on all threads.
pub(crate) fn write_rows(
    parts: &[&dyn Part],
    ledger: &Ledger,
    threads: usize,
    tally: &mut Tally,
    output: &mut Output<'_>,
    keep_going: &(dyn Fn() -> bool + Sync),
    on_dropped: &mut OnDropped<'_>,
) -> Result<(), AssembleError> {
    let mut reader = Reader { parts, ledger, keep_going, part: 0, rows: None, number: 0 };
    ordered(
        threads,
        || reader.next_batch(),
        || |batch: Batch| Ok(batch.noted(ledger)),
        |batch| {
            for Noted { number, mut row, remarks } in batch.rows {
                let fate = ledger.fate(number);
                if fate != Fate::PassedOver {
                    tally.profile.read(batch.source);
                }
                match (fate, remarks) {
                    (Fate::PassedOver, _) => {}
                    (Fate::Stays, Some(remarks)) => {
                        output.count(number, &mut row.row);
                        let (split, times) = output.split_of(number);
                        tally.count(&row, times);
                        tally.profile.keep(split, batch.source, times, &row.row, remarks);
                        output.write(number, row)?;
                    }
                    _ => {
                        tally.drop(fate);
                        on_dropped(number, &row, fate)?;
                    }
                }
            }
            Ok(())
        },
    )
}

/// Rows of one part, as they were read.
struct Batch<'a> {
    source: &'a str,
    /// Number of the first.
    first: u32,
    rows: Vec<Row>,
}

/// Rows of one part and what was noted of those that stay.
struct NotedBatch<'a> {
    source: &'a str,
    rows: Vec<Noted>,
}

struct Noted {
    number: u32,
    row: Row,
    remarks: Option<Remarks>,
}

impl<'a> Batch<'a> {
    /// Cuts what the gates cut, and notes what the card tells.
    fn noted(self, ledger: &Ledger) -> NotedBatch<'a> {
        let Self { source, first, rows } = self;
        let noted = (first..).zip(rows).map(|(number, mut row)| {
            let stays = ledger.fate(number) == Fate::Stays;
            if stays && let Some(bytes) = ledger.kept_bytes(number) {
                cut(&mut row, bytes);
            }
            let remarks = stays.then(|| Remarks::of(&row.row.text));
            Noted { number, row, remarks }
        });
        NotedBatch { source, rows: noted.collect() }
    }
}

/// Goes through all parts once more, in batches.
struct Reader<'a> {
    parts: &'a [&'a dyn Part],
    ledger: &'a Ledger,
    keep_going: &'a (dyn Fn() -> bool + Sync),
    /// The part whose rows come, or come next.
    part: usize,
    rows: Option<Rows<'a>>,
    /// Of the next row.
    number: u64,
}

impl<'a> Reader<'a> {
    fn next_batch(&mut self) -> Result<Option<Batch<'a>>, AssembleError> {
        while let Some(part) = self.parts.get(self.part) {
            let mut rows = match self.rows.take() {
                Some(rows) => rows,
                None => part.rows(self.number)?,
            };
            // The ledger has no more documents than 32 bits can number.
            let first = self.number as u32;
            let batch = self.fill(&mut rows)?;
            if batch.is_empty() {
                self.part += 1;
                continue;
            }
            self.rows = Some(rows);
            return Ok(Some(Batch { source: part.source(), first, rows: batch }));
        }
        if self.number < self.ledger.len() {
            return Err(AssembleError::Row("there are fewer than at first".to_owned()));
        }
        Ok(None)
    }

    fn fill(&mut self, rows: &mut Rows<'a>) -> Result<Vec<Row>, AssembleError> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while bytes < BATCH_BYTES && batch.len() < BATCH_DOCUMENTS {
            let Some(row) = rows.next().transpose()? else { break };
            if !(self.keep_going)() {
                return Err(AssembleError::Stopped);
            }
            if self.number >= self.ledger.len() {
                return Err(AssembleError::Row("there are more than at first".to_owned()));
            }
            self.number += 1;
            bytes += row.row.text.len() + row.row.prompt.len();
            batch.push(row);
        }
        Ok(batch)
    }
}

/// Leaves the beginning that the gates let through; its tokens are its share of all of them.
fn cut(row: &mut Row, bytes: usize) {
    let text = &mut row.row.text;
    row.row.token_length = tokens_of(bytes, text.len(), row.row.token_length);
    if text.is_char_boundary(bytes) {
        text.truncate(bytes);
    }
}

/// Tokens of some bytes of a text, as their share of all.
pub(super) fn tokens_of(bytes: usize, whole: usize, tokens: u32) -> u32 {
    // An empty text may have been counted as tokens all the same.
    if bytes == whole {
        return tokens;
    }
    let part = u64::from(tokens) * bytes as u64 / whole.max(1) as u64;
    u32::try_from(part).unwrap_or(u32::MAX)
}

impl Tally {
    fn count(&mut self, row: &Row, times: u64) {
        let row = &row.row;
        let funnel = &mut self.funnel;
        funnel.accepted += 1;
        funnel.repeated += times - 1;
        funnel.rows += times;
        self.tokens += times * u64::from(row.token_length);
        let formats = funnel.cells.entry(row.audience.clone()).or_default();
        *formats.entry(row.format.clone()).or_default() += times;
        if !self.models.contains_key(&row.model) {
            self.models.insert(row.model.clone(), None);
        }
        *self.lines.entry((row.template.clone(), row.audience.clone())).or_default() += times;
    }

    fn drop(&mut self, fate: Fate) {
        let Some(reason) = fate.reason() else { return };
        let counts = match fate {
            Fate::Refused(_) => &mut self.funnel.rejected,
            _ => {
                self.funnel.accepted += 1;
                &mut self.funnel.dropped
            }
        };
        *counts.entry(reason.to_owned()).or_default() += 1;
    }
}

/// Writes one file of a corpus that is not a shard.
pub(crate) fn write_file(
    out: &Path,
    name: &str,
    bytes: &[u8],
) -> Result<CorpusFile, AssembleError> {
    let path = out.join(name);
    fs::write(&path, bytes).map_err(AssembleError::io(&path))?;
    Ok(CorpusFile {
        path: name.to_owned(),
        bytes: bytes.len() as u64,
        sha256: sha256_hex(bytes),
        rows: None,
        tokens: None,
    })
}
