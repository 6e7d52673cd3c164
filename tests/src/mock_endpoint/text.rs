//! Prose of no meaning that a gate has nothing against.

/// Words that the prose is made of.
const WORDS: [&str; 96] = [
    "river", "stone", "light", "garden", "engine", "winter", "letter", "forest", "number",
    "candle", "bridge", "ocean", "planet", "bread", "window", "teacher", "copper", "shadow",
    "feather", "kitchen", "mountain", "signal", "pocket", "village", "thunder", "ladder",
    "orchard", "magnet", "needle", "island", "carries", "follows", "measures", "builds", "opens",
    "warms", "crosses", "explains", "gathers", "holds", "lifts", "moves", "notices", "paints",
    "reaches", "shapes", "turns", "weighs", "yields", "answers", "quiet", "bright", "narrow",
    "ancient", "gentle", "heavy", "curious", "round", "silver", "patient", "early", "green",
    "hollow", "simple", "slowly", "often", "together", "almost", "never", "always", "nearby",
    "again", "under", "over", "between", "beyond", "through", "around", "before", "after",
    "because", "while", "until", "and", "but", "so", "each", "every", "another", "the", "a",
    "this", "that", "its", "our", "some",
];
/// Words of one sentence, at least and at most.
const SENTENCE_WORDS: (u64, u64) = (7, 14);

/// An answer's text and what it is said to cost.
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) tokens: u64,
    /// True when `max_tokens` ended it.
    pub(super) is_cut: bool,
}

impl Answer {
    /// The answer to a prompt: the same for the same prompt and seed, and likely for no others.
    pub(super) fn write(prompt: &str, seed: &str, words: usize, max_tokens: Option<u64>) -> Self {
        // Four tokens for three words, as in English.
        let allowed_words = max_tokens.map_or(u64::MAX, |tokens| tokens * 3 / 4);
        let wanted_words = words as u64;
        let is_cut = wanted_words > allowed_words;
        let words = wanted_words.min(allowed_words);
        let mut state = hash(&[prompt.as_bytes(), seed.as_bytes()]);
        let mut text = String::new();
        let mut sentence_left = 0;
        for place in 0..words {
            let is_first = sentence_left == 0;
            if is_first {
                let (least, most) = SENTENCE_WORDS;
                sentence_left = least + next(&mut state) % (most - least + 1);
            }
            sentence_left -= 1;
            let word = WORDS[usize::try_from(next(&mut state)).unwrap_or(0) % WORDS.len()];
            if !text.is_empty() {
                text.push(' ');
            }
            match word.chars().next() {
                Some(letter) if is_first => {
                    text.extend(letter.to_uppercase());
                    text.push_str(&word[letter.len_utf8()..]);
                }
                _ => text.push_str(word),
            }
            let is_last = place + 1 == words;
            if sentence_left == 0 || (is_last && !is_cut) {
                text.push('.');
                sentence_left = 0;
            }
        }
        Self { text, tokens: (words * 4).div_ceil(3), is_cut }
    }
}

/// FNV-1a over the parts, each with an end mark.
pub(super) fn hash(parts: &[&[u8]]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.iter().copied().chain([0xff]));
    let folded = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hornbook_types::mix(folded, 0)
}

fn next(state: &mut u64) -> u64 {
    *state = hornbook_types::mix(*state, 1);
    *state
}
