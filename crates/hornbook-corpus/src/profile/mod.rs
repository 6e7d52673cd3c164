//! What is noted of every row while a corpus is written, for its card and its manifest.

mod groups;
mod openings;

use std::collections::{BTreeMap, HashMap};

use hornbook_types::{CorpusRow, CorpusStatistics, Distribution, Language};
use serde_json::Value;

use self::groups::{Add as _, Groups};
use self::openings::OpeningCounts;
use crate::gates::{opening, reading};
use crate::histogram::Sketch;

/// Most groups of one kind that are told apart; documents of further ones count together.
const GROUPS_MAX: usize = 64;
/// Name of the group of all further ones.
const OTHERS: &str = "(others)";
/// Longest name of a group, in characters.
const NAME_CHARS: usize = 80;

/// Counts rows as they go by, in the order of the corpus; its memory does not grow with them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profile {
    tokens: Sketch,
    grades: Sketch,
    audiences: BTreeMap<String, Sketch>,
    scores: BTreeMap<String, Sketch>,
    languages: HashMap<Language, u64>,
    openings: OpeningCounts,
    splits: Groups,
    sources: Groups,
}

/// What a text alone tells, found on any thread.
pub(crate) struct Remarks {
    language: Option<Language>,
    grade: Option<f64>,
    opening: Option<String>,
}

impl Remarks {
    /// Reads a text of the corpus.
    pub(crate) fn of(text: &str) -> Self {
        let (language, grade) = reading(text);
        Self { language, grade, opening: opening(text) }
    }
}

impl Profile {
    /// Notes that a source has a document, whatever becomes of it.
    pub(crate) fn read(&mut self, source: &str) {
        if !source.is_empty() {
            self.sources.of(source).documents += 1;
        }
    }

    /// Notes a document of the corpus, the split that it goes to, the source that it is from and how many rows it has.
    pub(crate) fn keep(
        &mut self,
        split: &str,
        source: &str,
        rows: u64,
        row: &CorpusRow,
        remarks: Remarks,
    ) {
        let Remarks { language, grade, opening } = remarks;
        let tokens = u64::from(row.token_length);
        let counts = self.splits.of(split);
        counts.documents += 1;
        counts.add(rows, tokens);
        if !source.is_empty() {
            self.sources.of(source).add(rows, tokens);
        }
        self.tokens.note(f64::from(row.token_length));
        if let Some(language) = language {
            *self.languages.entry(language).or_default() += 1;
        }
        if let Some(grade) = grade {
            self.grades.note(grade);
            if !row.audience.is_empty() {
                named(&mut self.audiences, &row.audience).note(grade);
            }
        }
        self.openings.note(opening);
        self.note_scores(&row.scores);
    }

    fn note_scores(&mut self, scores: &str) {
        if scores.len() <= 2 {
            return;
        }
        let Ok(Value::Object(scores)) = serde_json::from_str(scores) else { return };
        for (name, value) in &scores {
            // Grades are measured here, of every row alike; what is left of a cut text is no score.
            let is_other = matches!(name.as_str(), "flesch_kincaid" | "tokens_kept");
            if let Some(value) = value.as_f64().filter(|_| !is_other) {
                named(&mut self.scores, name).note(value);
            }
        }
    }

    /// What was noted.
    pub(crate) fn statistics(&self) -> CorpusStatistics {
        let all = |sketches: &BTreeMap<String, Sketch>| -> BTreeMap<String, Distribution> {
            sketches.iter().map(|(name, it)| (name.clone(), it.distribution())).collect()
        };
        CorpusStatistics {
            tokens: self.tokens.distribution(),
            grades: self.grades.distribution(),
            grades_by_audience: all(&self.audiences),
            scores: all(&self.scores),
            languages: self
                .languages
                .iter()
                .map(|(language, &documents)| (language.as_str().to_owned(), documents))
                .collect(),
            openings: self.openings.openings(),
            splits: self.splits.counts(),
            sources: self.sources.counts(),
        }
    }
}

/// The sketch of a name; those of names beyond the bound are one.
fn named<'a>(sketches: &'a mut BTreeMap<String, Sketch>, name: &str) -> &'a mut Sketch {
    if !sketches.contains_key(name) {
        let name = if sketches.len() < GROUPS_MAX && is_short(name) { name } else { OTHERS };
        return sketches.entry(name.to_owned()).or_default();
    }
    sketches.entry(name.to_owned()).or_default()
}

fn is_short(name: &str) -> bool {
    name.chars().take(NAME_CHARS + 1).count() <= NAME_CHARS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u32, audience: &str, scores: &str) -> CorpusRow {
        CorpusRow {
            prompt: String::new(),
            text: "The old dog sat by a fire. ".repeat(12),
            token_length: number,
            audience: audience.to_owned(),
            format: String::new(),
            seed_data: String::new(),
            id: String::new(),
            seq: 0,
            template: String::new(),
            endpoint: String::new(),
            model: String::new(),
            sampling_seed: String::new(),
            finish_reason: String::new(),
            scores: scores.to_owned(),
        }
    }

    #[test]
    fn names_of_others_cannot_fill_the_memory() {
        let mut profile = Profile::default();
        for number in 0..1_000 {
            let name = format!("{number}-{}", "x".repeat(number as usize));
            profile.read(&name);
            let row = row(number, &name, &format!("{{\"{name}\": {number}}}"));
            profile.keep("train", &name, 1, &row, Remarks::of(&row.text));
        }
        let it = profile.statistics();
        assert_eq!(it.sources.len(), GROUPS_MAX + 1);
        assert_eq!(it.grades_by_audience.len(), GROUPS_MAX + 1);
        assert_eq!(it.scores.len(), GROUPS_MAX + 1);
        let rows: u64 = it.sources.values().map(|group| group.rows).sum();
        let audiences: u64 = it.grades_by_audience.values().map(|all| all.documents).sum();
        assert_eq!((rows, audiences, it.grades.documents), (1_000, 1_000, 1_000));
        assert_eq!(it.openings.top[0].documents, 1_000);
        assert_eq!(it.openings.top[0].opening, "the old dog sat");
    }

    #[test]
    fn scores_that_are_no_numbers_count_for_nothing() {
        let mut profile = Profile::default();
        for scores in ["", "{}", "[1]", "{\"score\": 2, \"trimmed\": true, \"x\": \"3\"}", "{oops"]
        {
            let row = row(1, "", scores);
            profile.keep("train", "", 1, &row, Remarks::of(&row.text));
        }
        let it = profile.statistics();
        assert_eq!(it.scores.keys().collect::<Vec<_>>(), ["score"]);
        assert_eq!((it.scores["score"].documents, it.scores["score"].p50), (1, 2.0));
        assert!(it.sources.is_empty() && it.grades_by_audience.is_empty());
        assert_eq!((it.splits["train"].rows, it.splits["train"].tokens), (5, 5));
    }
}
