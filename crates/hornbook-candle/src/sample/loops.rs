//! Noticing that an answer repeats itself, token for token.

/// Longest run of tokens whose repetition is noticed.
const PERIOD_TOKENS_MAX: usize = 256;

/// How often a run must stand there, one after another. Twice is a refrain.
const COPIES_MIN: usize = 3;

/// Fewest tokens that the copies must fill, about a hundred words with nothing new among them.
///
/// Texts that people write repeat themselves exactly for a while: a verse, a laugh, a rule of
/// dashes, the empty rows of a table. Those are shorter than this.
const TOKENS_MIN: usize = 128;

/// Counts, for every period at once, how long an answer has been repeating itself with it.
///
/// A text repeats itself with period p where each token equals the one p before it. One counter a
/// period says for how many tokens that has been so; a new token raises it or sets it back to 0.
/// That is one short loop over [`PERIOD_TOKENS_MAX`] numbers a token, and nothing is searched.
///
/// Only exact repetition counts: the same sentence under rising numbers is a list to this, and is
/// left to the gates.
#[derive(Clone, Debug, Default)]
pub(super) struct Loops {
    /// The last tokens, at least the longest period of them once there are so many.
    tokens: Vec<u32>,
    /// For each period, the longest first: tokens that equalled the one a period before.
    repeated: Vec<usize>,
}

impl Loops {
    /// Takes the answer's next token; true when the answer goes in circles.
    pub(super) fn push(&mut self, token: u32) -> bool {
        if self.tokens.len() == 2 * PERIOD_TOKENS_MAX {
            self.tokens.drain(..PERIOD_TOKENS_MAX);
        }
        let periods = self.tokens.len().min(PERIOD_TOKENS_MAX);
        if self.repeated.len() < periods {
            self.repeated.insert(0, 0);
        }
        let earlier = &self.tokens[self.tokens.len() - periods..];
        let mut is_looping = false;
        for ((repeated, earlier), period) in
            self.repeated.iter_mut().zip(earlier).zip((1..=periods).rev())
        {
            *repeated = if *earlier == token { *repeated + 1 } else { 0 };
            let filled = *repeated + period;
            is_looping |= filled >= TOKENS_MIN && filled >= COPIES_MIN * period;
        }
        self.tokens.push(token);
        is_looping
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// After how many tokens the answer is ended; a token a word, a mark or a line break.
    fn ended(text: &str) -> Option<usize> {
        let mut words: Vec<String> = vec![String::new()];
        for character in text.chars() {
            if character.is_alphanumeric() {
                let last = words.last_mut().expect("never empty");
                last.push(character);
            } else if character != ' ' {
                words.push(character.to_string());
                words.push(String::new());
            } else {
                words.push(String::new());
            }
        }
        words.retain(|word| !word.is_empty());
        let mut names: Vec<String> = Vec::new();
        let mut loops = Loops::default();
        let at = words.into_iter().position(|word| {
            let known = names.iter().position(|name| *name == word);
            let token = known.unwrap_or(names.len());
            if known.is_none() {
                names.push(word);
            }
            loops.push(token as u32)
        });
        at.map(|at| at + 1)
    }

    #[test]
    fn ends_what_a_small_model_writes_without_end() {
        // Greedy answers of a model with 135 million parameters ended like these.
        let start = "Magnets are things that pull iron towards them. ";
        for (part, period) in [
            ("It is very light and very small. ", 8),
            ("The water cycle is a cycle that keeps the Earth warm.\n", 13),
            ("of the logic ", 3),
            ("no ", 1),
            (
                "\"I am happy that I could help you,\" continued her mom.\n\nShe smiled again.\n\n",
                24,
            ),
        ] {
            let text = start.to_owned() + &part.repeat(300);
            let end = ended(&text).expect(part);
            let most = 9 + TOKENS_MIN.max(COPIES_MIN * period);
            assert!((TOKENS_MIN..=most).contains(&end), "{part:?}: {end}");
        }
    }

    #[test]
    fn leaves_alone_what_people_write() {
        let verse = "Row, row, row your boat, gently down the stream. Merrily, merrily, merrily, \
                     merrily, life is but a dream.\n";
        let numbers: String = (1..400).map(|number| format!("{number}, ")).collect();
        let list: String = (1..200).map(|n| format!("{n}. A magnet pulls iron.\n")).collect();
        let table: String = (1..200).map(|n| format!("| {n} | iron | {} |\n", n * n)).collect();
        let times: String = (1..100).map(|n| format!("{n} x 7 = {}\n", n * 7)).collect();
        for text in [
            "ha ".repeat(100),
            "-".repeat(100) + "\n",
            "| | | |\n".repeat(10),
            "0 0 0 0 0 0\n".repeat(6),
            "The wheels on the bus go ".to_owned() + &"round and ".repeat(9),
            verse.repeat(2),
            "Roll, ball, roll! ".repeat(20),
            numbers,
            list,
            table,
            times,
        ] {
            assert_eq!(ended(&text), None, "{text:.80}");
        }
    }

    /// The definition, told over the whole answer at every token.
    fn is_looping(tokens: &[u32]) -> bool {
        (1..=PERIOD_TOKENS_MAX.min(tokens.len())).any(|period| {
            let filled = TOKENS_MIN.max(COPIES_MIN * period);
            tokens.len() >= filled && {
                let last = &tokens[tokens.len() - filled..];
                last[period..].iter().zip(last).all(|(token, earlier)| token == earlier)
            }
        })
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(
            start in prop::collection::vec(0..5_u32, 0..700),
            part in prop::collection::vec(0..5_u32, 1..300),
            slip in 0..900_usize,
        ) {
            let mut tokens = start;
            let repeated = part.iter().cycle().take(900).copied();
            tokens.extend(repeated);
            let slip_at = tokens.len() - 900 + slip;
            tokens[slip_at] += 1;
            let expected = (1..=tokens.len()).find(|end| is_looping(&tokens[..*end]));
            let mut loops = Loops::default();
            let found = tokens.iter().position(|token| loops.push(*token)).map(|at| at + 1);
            prop_assert_eq!(found, expected);
        }
    }
}
