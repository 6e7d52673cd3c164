//! The second reading: what stays becomes shards.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hornbook_types::{CorpusFile, RowFunnel};

use super::decide::{Fate, Ledger};
use super::part::{Part, Row};
use crate::error::AssembleError;
use crate::hashing::sha256_hex;
use crate::profile::Profile;
use crate::shards::{SPLIT, ShardWriter};

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

/// Reads every part again and writes what stays.
pub(crate) fn write_rows(
    parts: &[&dyn Part],
    ledger: &Ledger,
    tally: &mut Tally,
    shards: &mut ShardWriter,
    keep_going: &dyn Fn() -> bool,
    on_dropped: &mut OnDropped<'_>,
) -> Result<(), AssembleError> {
    let mut number = 0;
    for part in parts {
        for row in part.rows(number)? {
            if !keep_going() {
                return Err(AssembleError::Stopped);
            }
            let mut row = row?;
            if number >= ledger.len() {
                return Err(AssembleError::Row("there are more than at first".to_owned()));
            }
            let fate = ledger.fate(number as u32);
            if fate != Fate::PassedOver {
                tally.profile.read(part.source());
            }
            match fate {
                Fate::PassedOver => {}
                Fate::Stays => {
                    if let Some(bytes) = ledger.kept_bytes(number as u32) {
                        cut(&mut row, bytes);
                    }
                    tally.count(&row);
                    tally.profile.keep(SPLIT, part.source(), &row.row);
                    shards.write(row.row)?;
                }
                _ => {
                    tally.drop(fate);
                    on_dropped(number as u32, &row, fate)?;
                }
            }
            number += 1;
        }
    }
    if number < ledger.len() {
        return Err(AssembleError::Row("there are fewer than at first".to_owned()));
    }
    Ok(())
}

/// Leaves the beginning that the gates let through; its tokens are its share of all of them.
fn cut(row: &mut Row, bytes: usize) {
    let text = &mut row.row.text;
    let whole = text.len().max(1) as u64;
    let tokens = u64::from(row.row.token_length) * bytes as u64 / whole;
    row.row.token_length = u32::try_from(tokens).unwrap_or(u32::MAX);
    if text.is_char_boundary(bytes) {
        text.truncate(bytes);
    }
}

impl Tally {
    fn count(&mut self, row: &Row) {
        let row = &row.row;
        let funnel = &mut self.funnel;
        funnel.accepted += 1;
        funnel.rows += 1;
        self.tokens += u64::from(row.token_length);
        let formats = funnel.cells.entry(row.audience.clone()).or_default();
        *formats.entry(row.format.clone()).or_default() += 1;
        if !self.models.contains_key(&row.model) {
            self.models.insert(row.model.clone(), None);
        }
        *self.lines.entry((row.template.clone(), row.audience.clone())).or_default() += 1;
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
    })
}
