//! Every document's tokens, counted once, on all threads.

use std::path::Path;

use hornbook_types::TokenizerFacts;

use super::encode::Encoder;
use super::kept::{Entry, IdReader, KeptWriter, NO_IDS, Place, Wanted};
use super::limits::CHECKPOINT_BYTES;
use super::tokenizer::CorpusTokenizer;
use crate::assemble::limits::{BATCH_BYTES, BATCH_DOCUMENTS};
use crate::assemble::{Part, Rows, ordered};
use crate::error::AssembleError;
use crate::hashing::sha256_hex;

/// Changes whenever kept counts mean something else than before.
const SCHEME: u32 = 1;

/// How documents are counted.
pub(crate) struct CountRequest<'a> {
    pub(crate) tokenizer: &'a CorpusTokenizer,
    /// Whether the ids are kept too, for formats that hold them.
    pub(crate) with_ids: bool,
    /// Where counts are kept under the content of parts; it must exist.
    pub(crate) dir: &'a Path,
    pub(crate) threads: usize,
    pub(crate) keep_going: &'a (dyn Fn() -> bool + Sync),
    /// Told how many documents were read and the bytes of text that were encoded, each time some more are.
    pub(crate) on_progress: &'a (dyn Fn(u64, u64) + Sync),
}

/// A part of an assembly's input, as it is counted.
#[derive(Clone, Copy)]
pub(crate) struct CountedPart<'a> {
    pub(crate) part: &'a dyn Part,
    /// What names its content.
    pub(crate) digest: &'a str,
    pub(crate) documents: u64,
}

/// The tokens of every document that is wanted, by its number in the assembly.
pub(crate) struct Tokens {
    tokenizer: TokenizerFacts,
    counts: Vec<u32>,
    /// The number of each part's first document, and its files.
    places: Vec<(u64, Place)>,
    /// The part that was read last, open.
    open: Option<(usize, IdReader)>,
}

impl Tokens {
    /// Counts what is wanted and not known yet.
    pub(crate) fn count_all(
        request: &CountRequest<'_>,
        parts: &[CountedPart<'_>],
        wanted: &(dyn Fn(u64) -> Wanted + Sync),
    ) -> Result<Self, AssembleError> {
        let mut tokens = Self {
            tokenizer: request.tokenizer.facts().clone(),
            counts: Vec::new(),
            places: Vec::new(),
            open: None,
        };
        let mut first = 0;
        for part in parts {
            let place = request.place(part.digest)?;
            let entries = request.count(*part, &place, &|row| wanted(first + row))?;
            tokens.counts.extend(entries.iter().map(|entry| entry.tokens));
            tokens.places.push((first, place));
            first += part.documents;
        }
        Ok(tokens)
    }

    /// What counted them.
    pub(crate) fn tokenizer(&self) -> &TokenizerFacts {
        &self.tokenizer
    }

    /// Tokens of a document that was wanted.
    pub(crate) fn count(&self, number: u64) -> u32 {
        self.counts.get(number as usize).copied().unwrap_or(0)
    }

    /// Replaces `ids` by those of a document that was wanted with its ids.
    pub(crate) fn ids(&mut self, number: u64, ids: &mut Vec<u32>) -> Result<(), AssembleError> {
        let after = self.places.partition_point(|(first, _)| *first <= number);
        let index = after.saturating_sub(1);
        let Some((first, place)) = self.places.get(index) else {
            return Err(AssembleError::Row(format!("document {number} was not counted")));
        };
        let reader = match &mut self.open {
            Some((open, reader)) if *open == index => reader,
            other => &mut other.insert((index, place.reader()?)).1,
        };
        reader.read(number - first, ids)
    }
}

/// A document on its way to being counted.
enum Work {
    Known(Entry),
    Encode { row: u64, wanted: Wanted, text: String },
}

/// What became of a batch: entries in order, and how many ids belong to each that is new.
struct Counted {
    entries: Vec<(Entry, bool)>,
    ids: Vec<u32>,
    bytes: u64,
}

impl CountRequest<'_> {
    fn place(&self, digest: &str) -> Result<Place, AssembleError> {
        let facts = self.tokenizer.facts();
        let key = serde_json::to_string(&("tokens", SCHEME, digest, &facts.sha256))
            .map_err(|error| AssembleError::Row(error.to_string()))?;
        let width = if facts.vocabulary <= 1 << 16 { 2 } else { 4 };
        Ok(Place::new(self.dir, &sha256_hex(key.as_bytes()), width))
    }

    /// The entries of a part, complete for what is wanted.
    fn count(
        &self,
        part: CountedPart<'_>,
        place: &Place,
        wanted: &(dyn Fn(u64) -> Wanted + Sync),
    ) -> Result<Vec<Entry>, AssembleError> {
        let mut passes = 0;
        loop {
            let known = match place.entries(part.documents)? {
                Some(entries) => entries.collect::<Result<Vec<_>, _>>()?,
                None => Vec::new(),
            };
            let answers = |(row, entry): (u64, &Entry)| entry.answers(wanted(row), self.with_ids);
            if known.len() as u64 == part.documents && (0..).zip(&known).all(answers) {
                return Ok(known);
            }
            // A pass may go on from one that wanted less: then the next one does the rest.
            passes += 1;
            if passes > PASSES {
                let message = "its documents are not the same each time".to_owned();
                return Err(AssembleError::Row(message));
            }
            self.pass(part, place, &known, wanted)?;
        }
    }

    fn pass(
        &self,
        part: CountedPart<'_>,
        place: &Place,
        known: &[Entry],
        wanted: &(dyn Fn(u64) -> Wanted + Sync),
    ) -> Result<(), AssembleError> {
        let mut writer = KeptWriter::open(place, super::kept::ids_end(known, place.width))?;
        let mut rows = part.part.rows(0)?;
        let mut row = 0;
        let begun = writer.rows;
        let mut since_checkpoint = 0;
        ordered(
            self.threads,
            || self.next_batch(&mut rows, &mut row, begun, known, wanted),
            || {
                let mut encoder = self.tokenizer.encoder();
                move |batch: Vec<Work>| self.encode(part.part, &mut encoder, batch)
            },
            |counted: Counted| {
                let mut ids = &counted.ids[..];
                for (entry, is_new) in &counted.entries {
                    let fresh = (*is_new && self.with_ids)
                        .then(|| ids.split_off(..entry.tokens as usize).unwrap_or_default());
                    writer.write(*entry, fresh)?;
                }
                since_checkpoint += counted.bytes;
                if since_checkpoint >= CHECKPOINT_BYTES {
                    since_checkpoint = 0;
                    writer.checkpoint()?;
                }
                (self.on_progress)(counted.entries.len() as u64, counted.bytes);
                Ok(())
            },
        )?;
        if writer.rows != part.documents {
            return Err(AssembleError::Row("there are not as many as at first".to_owned()));
        }
        writer.finish()
    }

    fn next_batch(
        &self,
        rows: &mut Rows<'_>,
        row: &mut u64,
        begun: u64,
        known: &[Entry],
        wanted: &(dyn Fn(u64) -> Wanted + Sync),
    ) -> Result<Option<Vec<Work>>, AssembleError> {
        if !(self.keep_going)() {
            return Err(AssembleError::Stopped);
        }
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while bytes < BATCH_BYTES && batch.len() < BATCH_DOCUMENTS {
            let Some(document) = rows.next().transpose()? else { break };
            let number = *row;
            *row += 1;
            if number < begun {
                continue;
            }
            let known = known.get(number as usize).copied().unwrap_or(Entry::NONE);
            let wanted = wanted(number);
            if known.answers(wanted, self.with_ids) {
                batch.push(Work::Known(known));
            } else {
                bytes += document.row.text.len();
                batch.push(Work::Encode { row: number, wanted, text: document.row.text });
            }
        }
        Ok((!batch.is_empty()).then_some(batch))
    }

    fn encode(
        &self,
        part: &dyn Part,
        encoder: &mut Encoder<'_>,
        batch: Vec<Work>,
    ) -> Result<Counted, AssembleError> {
        let mut counted =
            Counted { entries: Vec::with_capacity(batch.len()), ids: Vec::new(), bytes: 0 };
        let mut scratch = Vec::new();
        for work in batch {
            let (row, wanted, text) = match work {
                Work::Known(entry) => {
                    counted.entries.push((entry, false));
                    continue;
                }
                Work::Encode { row, wanted, text } => (row, wanted, text),
            };
            let text = match wanted {
                Wanted::Beginning(bytes) => text.get(..bytes as usize).unwrap_or(&text),
                _ => &text,
            };
            let ids = if self.with_ids { &mut counted.ids } else { &mut scratch };
            let before = ids.len();
            encoder.append(text, ids).map_err(|message| {
                AssembleError::Row(format!("{}: {message}", part.default_id(row)))
            })?;
            let tokens = u32::try_from(ids.len() - before).unwrap_or(u32::MAX - 1);
            counted.bytes += text.len() as u64;
            let entry = Entry { bytes: Entry::bytes_of(wanted), tokens, ids_start: NO_IDS };
            counted.entries.push((entry, true));
            scratch.clear();
        }
        Ok(counted)
    }
}

/// Times that a part is read before its documents are said to change.
const PASSES: usize = 3;
