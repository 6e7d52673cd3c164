//! How much of which line a mix has: wanted tokens, the documents drawn for them, and how often each comes.

use hornbook_types::{EPOCHS_WITHOUT_LOSS, MixLine, MixLineReport};

use crate::error::AssembleError;

/// What a line can draw from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stock {
    pub(super) documents: u64,
    pub(super) tokens: u64,
}

/// Tokens that each line is to have.
///
/// Lines with tokens have those, lines with neither tokens nor weight everything `max_epochs` times, and lines with
/// weights share what `total` leaves. Without a total they have as much as they can while their shares are
/// exact and none is repeated more often than it allows.
pub(super) fn wanted(
    lines: &[MixLine],
    stock: &[Stock],
    total: Option<u64>,
) -> Result<Vec<u64>, AssembleError> {
    for (line, stock) in lines.iter().zip(stock) {
        if stock.tokens == 0 {
            return Err(AssembleError::Request(format!(
                "nothing is there for '{}' of the mix: no document of {} that passed gates and deduplication fits it",
                line.name,
                line.sources.join(", ")
            )));
        }
    }
    let most = |at: usize| stock[at].tokens.saturating_mul(u64::from(lines[at].max_epochs));
    let fixed = |at: usize| match (lines[at].tokens, lines[at].weight) {
        (Some(tokens), _) => Some(tokens),
        (None, None) => Some(most(at)),
        (None, Some(_)) => None,
    };
    let weight = |at: usize| lines[at].weight.filter(|_| fixed(at).is_none()).unwrap_or(0.0);
    let weights: f64 = (0..lines.len()).map(weight).sum();
    let taken = (0..lines.len()).filter_map(fixed).fold(0, u64::saturating_add);
    let shared = match total {
        _ if weights <= 0.0 => 0.0,
        Some(total) if total > taken => (total - taken) as f64,
        Some(total) => {
            return Err(AssembleError::Request(format!(
                "the mix is to have {total} tokens, and lines without weights want {taken} already"
            )));
        }
        None => {
            let all = |at: usize| most(at) as f64 / weight(at) * weights;
            let weighted = (0..lines.len()).filter(|&at| weight(at) > 0.0);
            weighted.map(all).fold(f64::INFINITY, f64::min)
        }
    };
    let share = |at: usize| (shared * weight(at) / weights).round() as u64;
    Ok((0..lines.len()).map(|at| fixed(at).unwrap_or_else(|| share(at))).collect())
}

/// How many of the first documents give the tokens wanted, to within half of the last.
pub(super) fn drawn(tokens: impl Iterator<Item = u64>, wanted: u64) -> usize {
    let mut before = 0_u64;
    let fits = |tokens: &u64| {
        let fits = before + tokens / 2 <= wanted && before < wanted;
        before += tokens;
        fits
    };
    tokens.take_while(fits).count()
}

/// How often the documents of a line come in all, where some may come again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Repeats {
    /// Times that all of them come.
    pub(super) times: u32,
    /// How many of the first come once more.
    pub(super) once_more: usize,
    /// Share of their tokens that comes once more.
    pub(super) part: f64,
}

impl Repeats {
    /// Everything once.
    pub(super) const ONCE: Self = Self { times: 1, once_more: 0, part: 0.0 };

    /// The repetitions that give `missing` tokens more, when every document has come once.
    pub(super) fn of(tokens: &[u64], missing: u64, max_epochs: u32) -> Self {
        let all: u64 = tokens.iter().sum();
        let more = u64::from(max_epochs).saturating_sub(1);
        if missing == 0 || all == 0 || more == 0 {
            return Self::ONCE;
        }
        let full = (missing / all).min(more);
        let times = 1 + u32::try_from(full).unwrap_or(max_epochs);
        if full == more {
            return Self { times, once_more: 0, part: 0.0 };
        }
        let once_more = drawn(tokens.iter().copied(), missing - full * all);
        let again: u64 = tokens[..once_more].iter().sum();
        Self { times, once_more, part: again as f64 / all as f64 }
    }

    /// How often the document at that place of their order comes.
    pub(super) fn of_document(&self, place: usize) -> u32 {
        self.times + u32::from(place < self.once_more)
    }

    /// Epochs in all, the last of them perhaps in part.
    pub(super) fn epochs(&self) -> f64 {
        f64::from(self.times) + self.part
    }
}

/// What readers of a corpus should know of a line before they train on it.
pub(super) fn warnings(line: &MixLineReport) -> Vec<String> {
    let mut warnings = Vec::new();
    let name = &line.asked.name;
    if line.shortfall_tokens > 0 {
        warnings.push(format!(
            "'{name}' has {} tokens of {} wanted: {} documents with {} tokens fit it, and each may come {} times at most",
            line.tokens,
            line.wanted_tokens,
            line.available_documents,
            line.available_tokens,
            line.asked.max_epochs
        ));
    }
    if line.epochs > f64::from(EPOCHS_WITHOUT_LOSS) {
        warnings.push(format!(
            "'{name}' is repeated for {:.1} epochs: past {EPOCHS_WITHOUT_LOSS}, repeated text is worth clearly less than \
             new text (Muennighoff et al. 2023, Scaling Data-Constrained Language Models)",
            line.epochs
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use hornbook_types::MixFilter;
    use proptest::prelude::*;

    use super::*;

    fn line(weight: Option<f64>, tokens: Option<u64>, max_epochs: u32) -> MixLine {
        MixLine {
            name: "a".to_owned(),
            sources: vec!["b".to_owned()],
            filter: MixFilter::default(),
            weight,
            tokens,
            max_epochs,
        }
    }

    fn stock(tokens: u64) -> Stock {
        Stock { documents: 1, tokens }
    }

    #[test]
    fn weights_share_what_is_left_or_as_much_as_there_is() {
        let lines = [line(Some(7.0), None, 1), line(Some(3.0), None, 2), line(None, Some(50), 1)];
        let there = [stock(1_000), stock(100), stock(10)];
        assert_eq!(wanted(&lines, &there, Some(1_050)).unwrap(), [700, 300, 50]);
        // The second bounds the mix: 200 tokens with its repetition are three tenths.
        assert_eq!(wanted(&lines, &there, None).unwrap(), [467, 200, 50]);
        let whole = [line(None, None, 3), line(Some(1.0), None, 1)];
        assert_eq!(wanted(&whole, &there[1..], None).unwrap(), [300, 10]);
        assert_eq!(wanted(&whole, &there[1..], Some(400)).unwrap(), [300, 100]);
    }

    #[test]
    fn what_cannot_be_had_is_named() {
        let lines = [line(Some(1.0), None, 1), line(None, Some(50), 1)];
        let empty = wanted(&lines, &[stock(0), stock(1)], None).unwrap_err().to_string();
        assert!(empty.starts_with("nothing is there for 'a' of the mix"), "{empty}");
        let over = wanted(&lines, &[stock(9), stock(9)], Some(50)).unwrap_err().to_string();
        assert!(over.contains("want 50 already"), "{over}");
    }

    proptest! {
        #[test]
        fn what_is_had_is_what_was_wanted_within_one_document(
            tokens in proptest::collection::vec(1_u64..5_000, 1..60),
            wanted in 1_u64..1_000_000,
            max_epochs in 1_u32..9,
        ) {
            let largest = *tokens.iter().max().unwrap();
            let all: u64 = tokens.iter().sum();
            let first = drawn(tokens.iter().copied(), wanted);
            let once: u64 = tokens[..first].iter().sum();
            let missing = if first == tokens.len() { wanted.saturating_sub(once) } else { 0 };
            let repeats = Repeats::of(&tokens[..first], missing, max_epochs);
            let got: u64 =
                (0..first).map(|at| tokens[at] * u64::from(repeats.of_document(at))).sum();
            if wanted <= all * u64::from(max_epochs) {
                prop_assert!(got.abs_diff(wanted) <= largest, "{got} of {wanted}");
            } else {
                prop_assert_eq!(got, all * u64::from(max_epochs));
            }
            prop_assert!((0..first).all(|at| repeats.of_document(at) <= max_epochs));
            if first > 0 {
                prop_assert!((repeats.epochs() - got as f64 / once as f64).abs() < 1e-9);
            }
        }
    }
}
