//! Rows on their way into shards: by split, and in a mix in the order of a key.

use std::path::Path;

use hornbook_types::{CorpusFile, CorpusRow, ShardFormat};
use serde_json::Value;

use super::Arrangement;
use super::shuffle::{Place, Shuffle};
use crate::assemble::Row;
use crate::error::AssembleError;
use crate::shards::{ShardLimits, ShardWriter};

/// Name of the number that repeated rows have among their scores.
const EPOCH: &str = "epoch";

/// The shards of every split.
pub(crate) struct Output<'a> {
    arrangement: &'a Arrangement,
    splits: Vec<ShardWriter>,
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
    ) -> Result<Self, AssembleError> {
        let writer = |split: &String| ShardWriter::new(out, split, formats, limits);
        let splits = arrangement.splits().iter().map(writer).collect::<Result<Vec<_>, _>>()?;
        let shuffle =
            arrangement.is_mixed().then(|| Shuffle::new(&scratch.join("shuffle"))).transpose()?;
        Ok(Self { arrangement, splits, shuffle })
    }

    /// The split of a document, and how often it comes there.
    pub(crate) fn split_of(&self, number: u32) -> (&'a str, u64) {
        let split = usize::from(self.arrangement.split_of(number));
        let name = self.arrangement.splits().get(split).map_or("", String::as_str);
        (name, self.arrangement.times(number))
    }

    /// Takes a document as often as it comes.
    pub(crate) fn write(&mut self, number: u32, row: Row) -> Result<(), AssembleError> {
        let row = row.row;
        let split = usize::from(self.arrangement.split_of(number));
        let Some(shuffle) = &mut self.shuffle else {
            return self.splits.get_mut(split).ok_or_else(|| lost(number))?.write(row);
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
            let splits = &mut self.splits;
            shuffle.finish(
                &mut |place: Place, row| match splits.get_mut(usize::from(place.split)) {
                    Some(split) => split.write(row),
                    None => Err(lost(place.number)),
                },
            )?;
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
