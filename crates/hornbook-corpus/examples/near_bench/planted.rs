//! Which document is a variant of which, and how similar they are: known by construction.

use std::collections::{HashMap, HashSet};

use crate::prose::{Dice, Prose, Word};

/// True Jaccard of the planted pairs: a decoy, and the three bands that recall is told for.
pub(crate) const BANDS: [(f64, f64); 4] = [(0.5, 0.69), (0.7, 0.8), (0.8, 0.9), (0.9, 1.0)];
/// Every so many documents are four clean ones and a variant.
const SLOT: u64 = 5;
/// Words of a shingle.
const SHINGLE: usize = 5;
/// What scores are drawn from: few values, so that many are equal.
const SCORES: u64 = 16;

/// A corpus of so many documents.
pub(crate) struct Planted {
    /// Documents.
    pub(crate) documents: u64,
    seed: u64,
    stride: u64,
    prose: Prose,
}

/// A variant of another document.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Variant {
    /// The other document.
    pub(crate) base: u64,
    /// Which of [`BANDS`] their Jaccard lies in.
    pub(crate) band: usize,
}

impl Planted {
    /// The corpus of that seed.
    pub(crate) fn new(documents: u64, seed: u64) -> Self {
        let slots = (documents / SLOT).max(1);
        // Steps of a length that has no factor in common with the number of slots visit each of them once.
        let mut stride = (slots as f64 * 0.618) as u64 + 1;
        while gcd(stride, slots) > 1 {
            stride += 1;
        }
        Self { documents, seed, stride, prose: Prose::new() }
    }

    /// What a document is a variant of, if it is one; nothing has two variants.
    pub(crate) fn variant(&self, index: u64) -> Option<Variant> {
        let (slot, place) = (index / SLOT, index % SLOT);
        let far = slot.checked_mul(self.stride)? % (self.documents / SLOT).max(1);
        let base = far * SLOT + slot / BANDS.len() as u64 % (SLOT - 1);
        (place == SLOT - 1).then_some(Variant { base, band: slot as usize % BANDS.len() })
    }

    /// The words of a document.
    pub(crate) fn words(&self, index: u64) -> Vec<Word> {
        let Some(Variant { base, band }) = self.variant(index) else {
            return self.prose.document(&mut Dice::new(self.seed, 2 * index));
        };
        let base = self.prose.document(&mut Dice::new(self.seed, 2 * base));
        let mut dice = Dice::new(self.seed, 2 * index + 1);
        loop {
            if let Some(edited) = self.edit(&base, BANDS[band], &mut dice) {
                return edited;
            }
        }
    }

    /// A document's score.
    pub(crate) fn score(&self, index: u64) -> f32 {
        Dice::new(self.seed ^ 0x73_636f_7265, index).below(SCORES) as f32
    }

    /// Edits a document until the Jaccard is below some point of the band; `None` if that went too far.
    fn edit(&self, base: &[Word], band: (f64, f64), dice: &mut Dice) -> Option<Vec<Word>> {
        let share = dice.below(1_000) as f64 / 1_000.0;
        let goal = band.0 + (band.1 - band.0) * share;
        let lost = base.len() as f64 * (1.0 - goal) / (1.0 + goal);
        // Most edits cost five shingles; the last few are made one by one.
        let unseen = (lost / 5.0 * 0.6) as u64;
        let mut words = base.to_vec();
        (0..unseen).for_each(|_| self.edit_once(&mut words, dice));
        loop {
            self.edit_once(&mut words, dice);
            let jaccard = jaccard(base, &words);
            if jaccard < band.0 {
                return None;
            }
            if jaccard <= goal.max(band.0 + 0.01) && jaccard < band.1 {
                return Some(words);
            }
        }
    }

    fn edit_once(&self, words: &mut Vec<Word>, dice: &mut Dice) {
        let at = dice.below(words.len() as u64) as usize;
        match dice.below(8) {
            0..4 => words[at].word = self.prose.any(dice),
            4 => drop(words.remove(at)),
            5 => words.insert(at, Word { word: self.prose.any(dice), after: " " }),
            6 => {
                let end = (at + 1 + dice.below(4) as usize).min(words.len());
                words[at..end].iter_mut().for_each(|it| it.word = self.prose.any(dice));
            }
            _ => {
                let other = dice.below(words.len() as u64) as usize;
                words.swap(at, other);
            }
        }
    }
}

/// Jaccard of the sets of word 5-grams, with nothing of what is measured.
pub(crate) fn jaccard(one: &[Word], other: &[Word]) -> f64 {
    let mut known = HashMap::new();
    let one = shingles(one, &mut known);
    let other = shingles(other, &mut known);
    let common = one.intersection(&other).count();
    common as f64 / (one.len() + other.len() - common) as f64
}

fn shingles<'a>(words: &'a [Word], known: &mut HashMap<&'a str, u32>) -> HashSet<[u32; SHINGLE]> {
    let mut numbers = Vec::with_capacity(words.len());
    for Word { word, .. } in words {
        let next = known.len() as u32;
        numbers.push(*known.entry(word).or_insert(next));
    }
    numbers.windows(SHINGLE).filter_map(|window| window.try_into().ok()).collect()
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
