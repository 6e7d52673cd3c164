//! Where the last complete sentence ends.

/// Characters before a full stop that are looked at to tell an abbreviation.
const LOOKBACK_CHARS: usize = 8;
/// Words whose full stop does not end a sentence.
const ABBREVIATIONS: [&str; 14] =
    ["mr", "mrs", "ms", "dr", "prof", "st", "vs", "fig", "eq", "e.g", "i.e", "cf", "approx", "no"];

/// The longest beginning of `text` that ends with a complete sentence; empty when there is none.
///
/// A sentence ends with `.`, `!`, `?` or an ellipsis before white space or the end, or
/// with the stops of Chinese, Japanese and Hindi anywhere; closing quotes and brackets
/// belong to it. A list's number, an initial and a common abbreviation end nothing, nor
/// does a number at the very end, whose decimals may have been cut off. A cut inside a
/// code block moves to before the block.
pub(crate) fn complete_sentences(text: &str) -> &str {
    let fences = fences(text);
    let mut kept = up_to_last_stop(text, true);
    loop {
        // Every round looks only at what the one before left, so all rounds together are one scan.
        let open = fences.partition_point(|&at| at < kept.len());
        if open % 2 == 0 {
            return kept;
        }
        kept = up_to_last_stop(&text[..fences[open - 1]], false);
    }
}

/// Where code fences begin: lines that start with three backticks.
fn fences(text: &str) -> Vec<usize> {
    let mut at = 0;
    let mut fences = Vec::new();
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("```") {
            fences.push(at);
        }
        at += line.len();
    }
    fences
}

/// The beginning up to the last stop; `is_cut` says that the end of `text` may be in mid-sentence.
fn up_to_last_stop(text: &str, is_cut: bool) -> &str {
    let text = text.trim_end();
    // The first place after any closing marks, walking backwards, and what follows it.
    let mut end = text.len();
    let mut space_follows = true;
    for (at, character) in text.char_indices().rev() {
        let after = at + character.len_utf8();
        if is_closer(character) {
            continue;
        }
        let ends = match character {
            '。' | '！' | '？' | '｡' | '।' => true,
            '!' | '?' | '…' => space_follows,
            '.' => space_follows && is_full_stop(&text[..at], is_cut && after == text.len()),
            _ => false,
        };
        if ends {
            return &text[..end];
        }
        // Whatever stands here is no closing mark: a stop before it ends here at the latest.
        space_follows = character.is_whitespace();
        end = at;
    }
    ""
}

fn is_closer(character: char) -> bool {
    matches!(character, '"' | '\'' | ')' | ']' | '*' | '_' | '”' | '’' | '»' | '」' | '』' | '）')
}

/// Whether a `.` after `before` ends a sentence.
fn is_full_stop(before: &str, at_end: bool) -> bool {
    let tail: Vec<char> = before.chars().rev().take(LOOKBACK_CHARS).collect();
    let word_length = tail.iter().take_while(|c| c.is_alphanumeric() || **c == '.').count();
    let word: String = tail[..word_length].iter().rev().collect::<String>().to_lowercase();
    let before_word = tail.get(word_length).copied();
    if word.is_empty() {
        return before_word.is_some_and(|c| !c.is_whitespace());
    }
    if word.chars().all(|c| c.is_ascii_digit() || c == '.') {
        let numbers_a_list_item = matches!(before_word, None | Some('\n'));
        return !numbers_a_list_item && !at_end;
    }
    let is_initial = word.chars().count() == 1 && tail[0].is_uppercase() && tail[0] != 'I';
    !is_initial && !ABBREVIATIONS.contains(&word.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_sentence_is_found() {
        let cases = [
            ("One. Two. Thr", "One. Two."),
            ("One. Two.", "One. Two."),
            ("One! \"Two?\" she said and", "One! \"Two?\""),
            ("He said, \"It is cold.\" Then the", "He said, \"It is cold.\""),
            ("**Bold end.** More", "**Bold end.**"),
            ("Pi is 3.14 and Dr. Lee", ""),
            ("Ask Dr. Lee. She is J. Sm", "Ask Dr. Lee."),
            ("Do this.\n1. Cut\n2. Gl", "Do this."),
            ("It is heavy. It weighs 3.", "It is heavy."),
            ("It weighs 3. It is he", "It weighs 3."),
            ("水是生命之源。它很重要。我们要节", "水是生命之源。它很重要。"),
            ("Wait… what is tha", "Wait…"),
            ("no stop at all", ""),
            ("", ""),
            ("See file.rs for mo", ""),
            ("Run it.\n```\nprint(1). x\nprint", "Run it."),
            ("Run it.\n```\nx\n```\nDone. And", "Run it.\n```\nx\n```\nDone."),
        ];
        for (text, expected) in cases {
            assert_eq!(complete_sentences(text), expected, "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// What is kept is a beginning, and it is complete whatever follows.
        #[test]
        fn what_is_kept_is_complete(text in "([a-zA-Z0-9 .!?\"\n)`。é]{0,4}|```\n|Dr\\. ){0,30}") {
            let kept = complete_sentences(&text);
            prop_assert!(text.starts_with(kept));
            let continued = format!("{kept} and");
            prop_assert_eq!(complete_sentences(&continued), kept);
        }
    }
}
