//! Splits and mixes: which documents stand in which split, how often, and in what order.
//!
//! Everything is decided from a few numbers per document, after gates, deduplication and decontamination: first each
//! line of the mix draws the documents it wants, by a keyed hash of their texts; then clusters of near
//! duplicates are dealt out to splits; then what a line still wants comes again, in the largest split only,
//! because a document that is held out must not be measured twice.

mod card;
mod class;
mod draw;
mod limits;
mod margin;
mod output;
mod shuffle;
mod splits;

use std::collections::BTreeMap;

use hornbook_types::{AssemblySpec, MixLine, MixLineReport, MixReport, MixSpec, TRAIN};

pub(crate) use card::{mix_section, splits_section};
pub(crate) use class::{Class, Classes};
pub(crate) use margin::margin;
pub(crate) use output::Output;

use crate::assemble::{Fact, Fate, Ledger};
use crate::error::AssembleError;
use class::UNTOLD;
use draw::{Repeats, Stock};
use shuffle::Place;
use splits::Member;

/// The one keyed hash of splits, draws and order.
fn keyed(key: u64, value: u64) -> u64 {
    hornbook_types::mix(key, value)
}

/// Key of the order in which lines draw.
const DRAW: u64 = 0x6472_6177_0000_0001;
/// Key of the order of rows.
const ORDER: u64 = 0x6f72_6465_7200_0001;
/// The line of documents that fit none, and the split of those that have none.
const NONE: u8 = u8::MAX;

/// What splits and mixes need of every document, gathered while facts go by: 21 bytes a document.
pub(crate) struct Arranger<'a> {
    shares: &'a BTreeMap<String, f64>,
    mix: Option<&'a MixSpec>,
    lines: Vec<MixLine>,
    /// Hash of the text; of near duplicates, of the first of their cluster.
    keys: Vec<u64>,
    tokens: Vec<u32>,
    scores: Vec<f32>,
    margins: Vec<f32>,
    line_of: Vec<u8>,
}

/// The lines that a source's documents may belong to.
pub(crate) struct Shelf {
    lines: Vec<usize>,
    rows: Vec<hornbook_types::CorpusRow>,
}

impl<'a> Arranger<'a> {
    /// Arranges documents as an assembly says, and a mix if there is one.
    pub(crate) fn new(assembly: &'a AssemblySpec, mix: Option<&'a MixSpec>) -> Self {
        Self {
            shares: &assembly.splits,
            mix,
            lines: mix.map(MixSpec::lines).unwrap_or_default(),
            keys: Vec::new(),
            tokens: Vec::new(),
            scores: Vec::new(),
            margins: Vec::new(),
            line_of: Vec::new(),
        }
    }

    /// Whether there is anything to arrange.
    pub(crate) fn is_needed(&self) -> bool {
        !self.shares.is_empty() || self.mix.is_some()
    }

    /// Prepares for the documents of a source, by its label in the mix and the classes of its documents.
    pub(crate) fn shelf(&self, source: &str, classes: &[Class]) -> Shelf {
        let lines = (0..self.lines.len())
            .filter(|&at| self.lines[at].sources.iter().any(|name| name == source))
            .collect();
        Shelf { lines, rows: classes.iter().map(Class::row).collect() }
    }

    /// Takes the next document, which lies on that shelf.
    pub(crate) fn push(&mut self, fact: &Fact, shelf: &Shelf) -> Result<(), AssembleError> {
        if !self.is_needed() {
            return Ok(());
        }
        let line = self.line(fact, shelf)?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "64 bits of the hash are enough of it"
        )]
        self.keys.push(fact.hash.0 as u64);
        self.tokens.push(fact.tokens);
        self.scores.push(fact.score);
        self.margins.push(fact.margin);
        self.line_of.push(line);
        Ok(())
    }

    /// The first line that a document fits.
    fn line(&self, fact: &Fact, shelf: &Shelf) -> Result<u8, AssembleError> {
        let score = Some(fact.score).filter(|score| !score.is_nan());
        let unknown = hornbook_types::CorpusRow::default();
        for &at in &shelf.lines {
            let filter = &self.lines[at].filter;
            let asks_columns = !filter.only.is_empty() || !filter.except.is_empty();
            if asks_columns && fact.class == UNTOLD {
                return Err(AssembleError::Request(format!(
                    "'{}' of the mix cannot be told apart: its sources have more than {UNTOLD} different columns",
                    self.lines[at].name
                )));
            }
            let row = shelf.rows.get(usize::from(fact.class)).unwrap_or(&unknown);
            if filter.takes(row, score) {
                return Ok(u8::try_from(at).unwrap_or(NONE));
            }
        }
        Ok(NONE)
    }

    /// Makes one cluster of documents that are similar, each told with the first of its cluster.
    pub(crate) fn join(&mut self, clusters: &[(u32, u32)]) {
        if !self.is_needed() {
            return;
        }
        for &(number, first) in clusters {
            // Documents of other corpora come last, and have no key.
            let first = self.keys.get(first as usize).copied();
            if let (Some(key), Some(first)) = (self.keys.get_mut(number as usize), first) {
                *key = first;
            }
        }
    }

    /// Decides everything; the ledger hears of the documents that the mix leaves out.
    pub(crate) fn arrange(self, ledger: &mut Ledger) -> Result<Arrangement, AssembleError> {
        let mut arrangement = Arrangement::default();
        if !self.shares.is_empty() {
            arrangement.splits = self.shares.keys().cloned().collect();
        }
        if !self.is_needed() {
            return Ok(arrangement);
        }
        let count = self.keys.len();
        let (mut lines, stock) = self.stock(ledger);
        let wanted = match self.mix {
            Some(mix) => draw::wanted(&self.lines, &stock, mix.tokens)?,
            None => Vec::new(),
        };
        for (line, wanted) in lines.iter_mut().zip(&wanted) {
            let tokens = line.iter().map(|&number| u64::from(self.tokens[number as usize]));
            let drawn = draw::drawn(tokens, *wanted);
            for &number in &line[drawn..] {
                ledger.leave_out(number, Fate::MixSurplus);
            }
            line.truncate(drawn);
        }
        arrangement.split_of = vec![NONE; count];
        arrangement.times = vec![1; count];
        for (number, split) in splits::deal(&self.shares_or_train(), self.members(ledger)) {
            arrangement.split_of[number as usize] = split;
        }
        if let Some(mix) = self.mix {
            arrangement.repeat(&self, mix, &lines, &wanted, &stock);
            arrangement.line_of = self.line_of;
        }
        Ok(arrangement)
    }

    /// The documents of each line in the order in which it draws, and what they are in all.
    fn stock(&self, ledger: &mut Ledger) -> (Vec<Vec<u32>>, Vec<Stock>) {
        let mut lines = vec![Vec::new(); self.lines.len()];
        let mut stock = vec![Stock::default(); self.lines.len()];
        let Some(mix) = self.mix else { return (lines, stock) };
        for number in self.staying(ledger).collect::<Vec<u32>>() {
            let at = usize::from(self.line_of[number as usize]);
            let Some(line) = lines.get_mut(at) else {
                ledger.leave_out(number, Fate::NotInMix);
                continue;
            };
            line.push(number);
            stock[at].documents += 1;
            stock[at].tokens += u64::from(self.tokens[number as usize]);
        }
        let key = keyed(DRAW, mix.seed.0);
        for line in &mut lines {
            line.sort_unstable_by_key(|&number| (keyed(key, self.keys[number as usize]), number));
        }
        (lines, stock)
    }

    fn staying(&self, ledger: &Ledger) -> impl Iterator<Item = u32> {
        (0_u32..).take(self.keys.len()).filter(|&number| ledger.fate(number) == Fate::Stays)
    }

    fn members(&self, ledger: &Ledger) -> Vec<Member> {
        let staying = self.staying(ledger);
        let scored = self.staying(ledger).any(|number| !self.scores[number as usize].is_nan());
        let qualities = if scored { &self.scores } else { &self.margins };
        staying
            .map(|number| Member {
                number,
                cluster: self.keys[number as usize],
                tokens: self.tokens[number as usize],
                quality: qualities[number as usize],
            })
            .collect()
    }

    fn shares_or_train(&self) -> BTreeMap<String, f64> {
        if self.shares.is_empty() {
            BTreeMap::from([(TRAIN.to_owned(), 1.0)])
        } else {
            self.shares.clone()
        }
    }

    /// The split that repetitions stand in: the largest, of equals the first that is not held out.
    fn repeating(&self) -> u8 {
        let shares = (0_u8..).zip(self.shares);
        let others = shares.filter(|(_, it)| it.0 != hornbook_types::ANNEALING);
        others.max_by(|a, b| a.1.1.total_cmp(b.1.1).then(a.0.cmp(&b.0))).map_or(0, |it| it.0)
    }
}

/// What was decided of splits, repetition and order.
pub(crate) struct Arrangement {
    /// Names of the splits, in the order of their names.
    splits: Vec<String>,
    /// The split of each document; empty where all are in the one split there is.
    split_of: Vec<u8>,
    /// How often each document comes.
    times: Vec<u8>,
    /// The line of each document; empty where nothing is mixed.
    line_of: Vec<u8>,
    repeats: Vec<Repeats>,
    repeating: u8,
    seed: u64,
    /// What became of the mix, if there is one.
    pub(crate) report: Option<MixReport>,
}

/// Everything in one split, once, as it comes.
impl Default for Arrangement {
    fn default() -> Self {
        Self {
            splits: vec![TRAIN.to_owned()],
            split_of: Vec::new(),
            times: Vec::new(),
            line_of: Vec::new(),
            repeats: Vec::new(),
            repeating: 0,
            seed: 0,
            report: None,
        }
    }
}

impl Arrangement {
    /// How often a document comes; 1 for those that are not in the corpus.
    pub(crate) fn times(&self, number: u32) -> u64 {
        self.times.get(number as usize).map_or(1, |times| u64::from(*times))
    }

    /// Names of the splits.
    pub(crate) fn splits(&self) -> &[String] {
        &self.splits
    }

    fn is_mixed(&self) -> bool {
        self.report.is_some()
    }

    fn split_of(&self, number: u32) -> u8 {
        self.split_of.get(number as usize).copied().unwrap_or(0)
    }

    /// Lets documents of the largest split come again where a line wants more than there is.
    fn repeat(
        &mut self,
        arranger: &Arranger<'_>,
        mix: &MixSpec,
        lines: &[Vec<u32>],
        wanted: &[u64],
        stock: &[Stock],
    ) {
        self.repeating = arranger.repeating();
        self.seed = mix.seed.0;
        let mut report = MixReport {
            preset: mix.preset,
            seed: mix.seed,
            wanted_tokens: wanted.iter().fold(0, |sum, tokens| sum.saturating_add(*tokens)),
            ..MixReport::default()
        };
        for (at, numbers) in lines.iter().enumerate() {
            let tokens_of = |number: u32| u64::from(arranger.tokens[number as usize]);
            let once: u64 = numbers.iter().map(|&number| tokens_of(number)).sum();
            // A line that left documents out has what it wanted, whatever half a document is.
            let is_all = numbers.len() as u64 == stock[at].documents;
            let missing = if is_all { wanted[at].saturating_sub(once) } else { 0 };
            let again: Vec<u32> =
                numbers.iter().copied().filter(|&it| self.split_of(it) == self.repeating).collect();
            let tokens: Vec<u64> = again.iter().map(|&number| tokens_of(number)).collect();
            let repeats = Repeats::of(&tokens, missing, arranger.lines[at].max_epochs);
            for (place, &number) in again.iter().enumerate() {
                let times = repeats.of_document(place);
                self.times[number as usize] = u8::try_from(times).unwrap_or(u8::MAX);
            }
            self.repeats.push(repeats);
            let got: u64 =
                numbers.iter().map(|&number| self.times(number) * tokens_of(number)).sum();
            let largest = numbers.iter().map(|&number| tokens_of(number)).max().unwrap_or(0);
            let short = wanted[at].saturating_sub(got);
            let line = MixLineReport {
                asked: arranger.lines[at].clone(),
                available_documents: stock[at].documents,
                available_tokens: stock[at].tokens,
                wanted_tokens: wanted[at],
                tokens: got,
                documents: numbers.len() as u64,
                rows: numbers.iter().map(|&number| self.times(number)).sum(),
                epochs: rounded(got as f64 / stock[at].tokens.max(1) as f64),
                shortfall_tokens: if short > largest { short } else { 0 },
            };
            report.tokens += got;
            report.warnings.extend(draw::warnings(&line));
            report.lines.push(line);
        }
        self.report = Some(report);
    }

    /// Where the rows of a document go, by its text.
    fn places(&self, number: u32, text: &str) -> impl Iterator<Item = Place> + '_ {
        let split = self.split_of(number);
        let line = self.line_of.get(number as usize).copied().unwrap_or(NONE);
        let repeats = self.repeats.get(usize::from(line)).copied().unwrap_or(Repeats::ONCE);
        let repeats = if split == self.repeating { repeats } else { Repeats::ONCE };
        let key = xxhash_rust::xxh3::xxh3_64(text.as_bytes());
        let times = u8::try_from(self.times(number)).unwrap_or(u8::MAX);
        (0..times).map(move |epoch| {
            let random = keyed(keyed(keyed(ORDER, self.seed), u64::from(epoch)), key);
            let position = position(random, u32::from(epoch), &repeats, number);
            Place { position, number, epoch, split }
        })
    }
}

/// Where a row stands among all: its line's epochs are spread evenly over the corpus, one after the other, so that
/// shares are much the same in every part of it and a document comes again as late as it can.
fn position(random: u64, epoch: u32, repeats: &Repeats, number: u32) -> u64 {
    // 40 bits by the text; the rest keeps equal texts apart, so that no bucket is too large to be parted.
    const BITS: u32 = 40;
    let unit = (random >> (64 - BITS)) as f64 / (1_u64 << BITS) as f64;
    let part = if epoch < repeats.times { unit } else { unit * repeats.part };
    let turn = (f64::from(epoch) + part) / repeats.epochs().max(1.0);
    let high = (turn * (1_u64 << BITS) as f64) as u64;
    high.min((1 << BITS) - 1) << (64 - BITS) | keyed(ORDER, u64::from(number)) >> BITS
}

fn rounded(epochs: f64) -> f64 {
    (epochs * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests;
