//! `banned_opening`: begins with words that belong to the conversation, not to the document.

/// Phrases that no document begins with: an assistant speaking of its task.
///
/// Openings that are merely worn out, such as those of fairy tales, are not here: a document among many
/// may have one, and how many may is for [`super::OpeningCap`] to say.
const DEFAULT: [&str; 36] = [
    "sure, here",
    "sure! here",
    "sure thing",
    "sure, i can",
    "sure! i can",
    "sure, i'd",
    "sure! i'd",
    "certainly! here",
    "certainly, here",
    "certainly! i",
    "of course! here",
    "of course, here",
    "of course! i",
    "absolutely! here",
    "okay, here",
    "ok, here",
    "here is a story",
    "here's a story",
    "here is the story",
    "here is a textbook",
    "here is a possible",
    "here's a possible",
    "here is an example of",
    "here's an example of",
    "here is a detailed",
    "here's a detailed",
    "here is the text",
    "here is my attempt",
    "here's my attempt",
    "i'd be happy to",
    "i would be happy to",
    "i'm happy to help",
    "i'm ready to help",
    "i'm here to help",
    "as requested",
    "thank you for your request",
];
/// Marks before the first word that say nothing: those of headings, emphasis and quotations.
const MARKS: [char; 5] = ['#', '*', '_', '>', '-'];

/// True when a text begins with a phrase: whole words, letter case, kinds of apostrophe and white space aside.
///
/// An opening in quotation marks is somebody in the text who speaks.
pub(super) fn is_banned(text: &str, own: Option<&[String]>) -> bool {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || MARKS.contains(&c));
    match own {
        Some(phrases) => phrases.iter().any(|phrase| begins_with(text, phrase)),
        None => DEFAULT.iter().any(|phrase| begins_with(text, phrase)),
    }
}

fn begins_with(text: &str, phrase: &str) -> bool {
    let mut rest = text.chars();
    let mut wanted = phrase.trim().chars().peekable();
    while let Some(character) = wanted.next() {
        if character.is_whitespace() {
            while wanted.peek().is_some_and(|next| next.is_whitespace()) {
                wanted.next();
            }
            if !rest.next().is_some_and(char::is_whitespace) {
                return false;
            }
            rest = rest.as_str().trim_start().chars();
            continue;
        }
        if !rest.next().is_some_and(|found| same(found, character)) {
            return false;
        }
    }
    !rest.next().is_some_and(char::is_alphanumeric)
}

fn same(a: char, b: char) -> bool {
    let plain = |c: char| if c == '’' { '\'' } else { c };
    let (a, b) = (plain(a), plain(b));
    a == b || a.to_lowercase().eq(b.to_lowercase())
}
