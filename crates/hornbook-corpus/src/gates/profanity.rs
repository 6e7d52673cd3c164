//! `profanity`: words that no schoolbook prints. Looked for on request only.

/// Words that are profane whoever says them; whole words alone, so that Scunthorpe stays a town.
const WORDS: [&str; 24] = [
    "arsehole",
    "asshole",
    "assholes",
    "bastards",
    "bitch",
    "bitches",
    "bollocks",
    "bullshit",
    "cocksucker",
    "cunt",
    "cunts",
    "dickhead",
    "fuck",
    "fucked",
    "fucker",
    "fuckers",
    "fucking",
    "motherfucker",
    "motherfucking",
    "shit",
    "shits",
    "shitty",
    "twat",
    "wanker",
];
/// Longest of them.
const BYTES_MAX: usize = 13;

/// Where profane words stand, in order.
pub(super) fn find(text: &str) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let bytes = text.as_bytes();
        while at < bytes.len() {
            let start = at;
            while at < bytes.len() && is_word(bytes[at]) {
                at += 1;
            }
            if is_profane(&bytes[start..at]) {
                return Some(start..at);
            }
            at = at.max(start + 1);
        }
        None
    })
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn is_profane(word: &[u8]) -> bool {
    (4..=BYTES_MAX).contains(&word.len())
        && WORDS.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_alone_count() {
        let found: Vec<_> = find("Shit! That bullshit, in Scunthorpe; shitake, 1_shit.").collect();
        assert_eq!(found, [0..4, 11..19]);
        assert_eq!(find("é shit").count(), 1);
        assert_eq!(find("éshit").count(), 0, "part of a longer word");
    }
}
