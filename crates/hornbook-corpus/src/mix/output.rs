//! Rows on their way into shards: by split, and in a mix in the order of a key.

use std::path::Path;

use hornbook_types::{CorpusFile, CorpusRow, ShardFormat};
use serde_json::Value;

use super::Arrangement;
use super::shuffle::{Place, Shuffle};
use crate::assemble::Row;
use crate::error::AssembleError;
use crate::shards::{ShardLimits, ShardWriter};
use crate::tokens::Tokens;

/// Name of the number that repeated rows have among their scores.
const EPOCH: &str = "epoch";

/// The shards of every split.
pub(crate) struct Output<'a> {
    arrangement: &'a Arrangement,
    splits: Vec<ShardWriter>,
    /// What a tokenizer makes of documents, if one was asked for.
    tokens: Option<Tokens>,
    /// Whether any format holds the ids of tokens.
    needs_ids: bool,
    /// Holds the rows of a mix until all are there.
    shuffle: Option<Shuffle>,
}

impl<'a> Output<'a> {
    /// Begins shards below `out`; what a mix needs on disk lies in `scratch`.
    pub(crate) fn new(
        arrangement: &'a Arrangement,
        out: &Path,
        scratch: &Path,
        formats: &[ShardFormat],
        limits: ShardLimits,
        tokens: Option<Tokens>,
    ) -> Result<Self, AssembleError> {
        let tokenizer = tokens.as_ref().map(Tokens::tokenizer);
        let writer = |split: &String| ShardWriter::new(out, split, formats, tokenizer, limits);
        let splits = arrangement.splits().iter().map(writer).collect::<Result<Vec<_>, _>>()?;
        let shuffle =
            arrangement.is_mixed().then(|| Shuffle::new(&scratch.join("shuffle"))).transpose()?;
        let needs_ids = formats.iter().any(|format| format.has_tokens());
        Ok(Self { arrangement, splits, tokens, needs_ids, shuffle })
    }

    /// The split of a document, and how often it comes there.
    pub(crate) fn split_of(&self, number: u32) -> (&'a str, u64) {
        let split = usize::from(self.arrangement.split_of(number));
        let name = self.arrangement.splits().get(split).map_or("", String::as_str);
        (name, self.arrangement.times(number))
    }

    /// Puts the tokenizer's count in the place of a row's own.
    pub(crate) fn count(&self, number: u32, row: &mut CorpusRow) {
        if let Some(tokens) = &self.tokens {
            row.token_length = tokens.count(u64::from(number));
        }
    }

    /// Takes a document as often as it comes.
    pub(crate) fn write(&mut self, number: u32, row: Row) -> Result<(), AssembleError> {
        let row = row.row;
        let split = usize::from(self.arrangement.split_of(number));
        let Some(shuffle) = &mut self.shuffle else {
            let mut ids = Vec::new();
            if let Some(tokens) = self.tokens.as_mut().filter(|_| self.needs_ids) {
                tokens.ids(u64::from(number), &mut ids)?;
            }
            return self.splits.get_mut(split).ok_or_else(|| lost(number))?.write(row, &ids);
        };
        for place in self.arrangement.places(number, &row.text) {
            if place.epoch == 0 {
                shuffle.push(place, &row)?;
            } else {
                shuffle.push(place, &again(&row, place.epoch))?;
            }
        }
        Ok(())
    }

    /// Completes every shard.
    pub(crate) fn finish(mut self) -> Result<Vec<CorpusFile>, AssembleError> {
        if let Some(shuffle) = self.shuffle.take() {
            let (splits, mut ids) = (&mut self.splits, Vec::new());
            let mut tokens = self.tokens.as_mut().filter(|_| self.needs_ids);
            shuffle.finish(&mut |place: Place, row| {
                if let Some(tokens) = &mut tokens {
                    tokens.ids(u64::from(place.number), &mut ids)?;
                }
                match splits.get_mut(usize::from(place.split)) {
                    Some(split) => split.write(row, &ids),
                    None => Err(lost(place.number)),
                }
            })?;
        }
        let mut files = Vec::new();
        for split in self.splits {
            files.extend(split.finish()?);
        }
        Ok(files)
    }
}

/// A row that stays has a split; that it has none is a fault of this program.
fn lost(number: u32) -> AssembleError {
    AssembleError::Row(format!("document {number} is in no split"))
}

/// The row of a document that comes again: under a name of its own, and with the number of the time.
fn again(row: &CorpusRow, epoch: u8) -> CorpusRow {
    let time = u64::from(epoch) + 1;
    let mut scores: Value = serde_json::from_str(&row.scores).unwrap_or_default();
    if !scores.is_object() {
        scores = Value::Object(serde_json::Map::new());
    }
    scores[EPOCH] = Value::from(time);
    CorpusRow { id: format!("{}+{time}", row.id), scores: scores.to_string(), ..row.clone() }
}
