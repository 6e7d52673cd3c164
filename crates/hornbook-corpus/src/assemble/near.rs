//! Near deduplication of what exact deduplication left.

use std::path::Path;

use super::decide::{Fate, Ledger};
use super::fact_file::FactFile;
use super::limits::NEAR_MEMORY_BYTES;
use super::part::{Part, Rows};
use crate::error::AssembleError;
use crate::near::{NearConfig, NearDedup, NearScheme, Signature};

/// Takes near duplicates out of the ledger; `facts` are those of `parts`, with signatures.
///
/// Says which documents are similar to another, and the first of their cluster, by number.
pub(crate) fn drop_near(
    ledger: &mut Ledger,
    parts: &[&dyn Part],
    facts: &[FactFile],
    scratch: &Path,
    threads: usize,
) -> Result<Vec<(u32, u32)>, AssembleError> {
    let scheme = NearScheme::DEFAULT;
    let memory_bytes = NEAR_MEMORY_BYTES;
    let config = NearConfig { scheme, memory_bytes, threads, ..NearConfig::new(scratch) };
    let mut near = NearDedup::new(config)?;
    let mut number = 0;
    let mut bytes = Vec::new();
    for file in facts {
        let mut signatures = file.signatures(scheme.signature_bytes())?;
        for _ in 0..file.totals.documents {
            signatures(&mut bytes)?;
            let is_reference = ledger.is_reference(number);
            if is_reference || ledger.fate(number) == Fate::Stays {
                let signature = Signature::from_bytes(scheme, &bytes);
                let signature = signature.ok_or(AssembleError::Signature { index: number })?;
                if is_reference {
                    near.add_reference(number, &signature)?;
                } else {
                    near.add(number, ledger.worth(number), &signature)?;
                }
            }
            number += 1;
        }
    }
    let mut texts = TextsAgain { parts, facts, ledger, next_part: 0, rows: None, number: 0 };
    let decisions = near.candidates()?.decide(&mut |index| texts.text(index))?;
    drop(texts);
    ledger.drop_near(&decisions.dropped);
    Ok(decisions.clusters)
}

/// Goes forward over all parts, and opens only those of which a text is wanted.
struct TextsAgain<'a> {
    parts: &'a [&'a dyn Part],
    facts: &'a [FactFile],
    ledger: &'a Ledger,
    /// The part after the one that is open.
    next_part: usize,
    rows: Option<Rows<'a>>,
    /// Number of the next row.
    number: u64,
}

impl TextsAgain<'_> {
    /// The text of a document after the one before.
    fn text(&mut self, index: u32) -> Result<String, AssembleError> {
        let missing = || AssembleError::Row(format!("document {index} is there no more"));
        let wanted = u64::from(index);
        loop {
            if let Some(rows) = &mut self.rows {
                for row in rows.by_ref() {
                    let row = row?;
                    self.number += 1;
                    if self.number > wanted {
                        let mut text = row.row.text;
                        if let Some(bytes) = self.ledger.kept_bytes(index)
                            && text.is_char_boundary(bytes)
                        {
                            text.truncate(bytes);
                        }
                        return Ok(text);
                    }
                }
                self.rows = None;
            }
            let part = self.parts.get(self.next_part).ok_or_else(missing)?;
            let documents = self.facts.get(self.next_part).ok_or_else(missing)?.totals.documents;
            self.next_part += 1;
            if self.number + documents <= wanted {
                self.number += documents;
            } else {
                self.rows = Some(part.rows(self.number)?);
            }
        }
    }
}
