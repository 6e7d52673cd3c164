//! The most frequent beginnings of documents, in bounded memory.

use std::collections::HashMap;

use hornbook_types::{OpeningCount, Openings};

/// Openings that are counted at once.
const OPENINGS_MAX: usize = 16_384;
/// Openings that are told.
const TOP: usize = 20;
/// Longest opening that is told, in characters.
const OPENING_CHARS: usize = 120;

/// Counts openings as Misra and Gries (1982) do: where there are more than fit, every count goes down by one.
///
/// So no count is too high, and none is too low by more than how often that happened, which is at most the
/// number of documents by [`OPENINGS_MAX`].
#[derive(Clone, Debug, Default)]
pub(super) struct OpeningCounts {
    counts: HashMap<String, u64>,
    documents: u64,
    undercount: u64,
}

impl OpeningCounts {
    /// Counts a document by its opening, if it has one.
    pub(super) fn note(&mut self, opening: Option<String>) {
        let Some(mut opening) = opening else { return };
        self.documents += 1;
        if let Some((end, _)) = opening.char_indices().nth(OPENING_CHARS) {
            opening.truncate(end);
        }
        if let Some(count) = self.counts.get_mut(&opening) {
            *count += 1;
        } else if self.counts.len() < OPENINGS_MAX {
            self.counts.insert(opening, 1);
        } else {
            self.undercount += 1;
            self.counts.retain(|_, count| {
                *count -= 1;
                *count > 0
            });
        }
    }

    /// The most frequent ones; of equals the first by their words.
    pub(super) fn openings(&self) -> Openings {
        let mut all: Vec<(&str, u64)> =
            self.counts.iter().map(|(opening, &count)| (opening.trim(), count)).collect();
        all.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let different = (self.undercount == 0).then_some(all.len() as u64);
        let top = all
            .into_iter()
            .take(TOP)
            .map(|(opening, documents)| OpeningCount { opening: opening.to_owned(), documents });
        Openings {
            documents: self.documents,
            undercount: self.undercount,
            different,
            top: top.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frequent_survive_a_flood_of_others() {
        let mut counts = OpeningCounts::default();
        for number in 0..60_000_u32 {
            let opening =
                if number % 10 == 3 { "once upon a time".to_owned() } else { number.to_string() };
            counts.note(Some(opening));
            counts.note(None);
        }
        let it = counts.openings();
        assert_eq!(it.documents, 60_000);
        assert_eq!(it.top[0].opening, "once upon a time");
        assert!(it.undercount > 0 && it.undercount <= 60_000 / OPENINGS_MAX as u64);
        let true_count = 6_000;
        let told = it.top[0].documents;
        assert!(told <= true_count && told + it.undercount >= true_count, "{told}");
        assert_eq!((it.different, it.top.len()), (None, TOP));
    }

    #[test]
    fn few_are_counted_exactly() {
        let mut counts = OpeningCounts::default();
        for opening in ["b", "a", "b", "c"] {
            counts.note(Some(opening.to_owned()));
        }
        let it = counts.openings();
        assert_eq!((it.undercount, it.different), (0, Some(3)));
        let top: Vec<_> = it.top.iter().map(|it| (it.opening.as_str(), it.documents)).collect();
        assert_eq!(top, [("b", 2), ("a", 1), ("c", 1)]);
    }
}
