//! `refusal`: the model declined instead of writing.

/// Characters at the start in which a refusal shows itself.
const OPENING_CHARS: usize = 240;

/// A model speaking of itself; no story or lesson begins so.
const SELF: [&str; 8] = [
    "as an ai ",
    "as an ai,",
    "as an artificial intelligence",
    "as a language model",
    "as a large language model",
    "i'm just an ai",
    "i am just an ai",
    "i'm an ai ",
];
/// How a refusal begins.
const OPENERS: [&str; 14] = [
    "i'm sorry",
    "i am sorry",
    "sorry",
    "i apologize",
    "i apologise",
    "apologies",
    "my apologies",
    "unfortunately, i",
    "i can't",
    "i cannot",
    "i can not",
    "i'm unable",
    "i am unable",
    "i'm not able",
];
/// That something is not possible or not wanted.
const DENIALS: [&str; 10] = [
    "can't",
    "cannot",
    "can not",
    "unable to",
    "not able to",
    "won't",
    "will not",
    "not allowed",
    "not comfortable",
    "must decline",
];
/// What a model is asked to do; a bear in a story cannot *reach the honey*.
const DEEDS: [&str; 16] = [
    "assist",
    "help you with",
    "help with",
    "provide",
    "write",
    "create",
    "generate",
    "fulfill",
    "fulfil",
    "comply",
    "complete this",
    "answer",
    "discuss",
    "produce",
    "do that",
    "continue",
];

/// True when an answer begins by declining.
///
/// The words must stand in order within the opening: an apology or "I can't", a denial
/// (which "I can't" itself is) and a deed that only a writer is asked for. An opening in
/// quotation marks is somebody in a story.
pub(super) fn is_refusal(text: &str) -> bool {
    let opening: String = text
        .trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '_' | '#' | '>'))
        .chars()
        .take(OPENING_CHARS)
        .map(|c| if c == '’' { '\'' } else { c.to_ascii_lowercase() })
        .collect();
    if opening.starts_with(['"', '“', '«', '\'', '‘']) {
        return false;
    }
    if SELF.iter().any(|phrase| opening.contains(phrase)) {
        return true;
    }
    if !OPENERS.iter().any(|opener| opening.starts_with(opener)) {
        return false;
    }
    DENIALS.iter().any(|denial| {
        opening
            .split_once(denial)
            .is_some_and(|(_, rest)| DEEDS.iter().any(|deed| rest.contains(deed)))
    })
}
