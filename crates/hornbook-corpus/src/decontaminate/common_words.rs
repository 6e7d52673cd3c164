//! Words that stand in every text, every question and every program.

/// Three letters or more, in lower case, sorted.
#[rustfmt::skip]
const COMMON: [&str; 190] = [
    "about", "above", "after", "all", "also", "and", "answer", "any", "append", "are", "arr",
    "assert", "because", "been", "before", "being", "below", "best", "between", "bool", "both",
    "break", "but", "can", "choose", "class", "continue", "could", "def", "dict", "did", "does",
    "down", "during", "each", "elif", "else", "enumerate", "example", "except", "false", "few",
    "filter", "first", "float", "following", "for", "from", "get", "give", "given", "had", "has",
    "have", "having", "her", "here", "him", "his", "how", "import", "input", "int", "into",
    "isinstance", "items", "its", "join", "just", "key", "keys", "lambda", "len", "less", "let",
    "like", "list", "lower", "lst", "made", "make", "many", "map", "max", "may", "min", "more",
    "most", "much", "must", "new", "none", "nor", "not", "now", "num", "number", "numbers", "nums",
    "object", "off", "one", "only", "open", "other", "our", "out", "over", "own", "pass", "per",
    "pop", "print", "question", "raise", "range", "replace", "result", "return", "reversed", "same",
    "see", "self", "set", "she", "should", "some", "sort", "sorted", "split", "step", "str",
    "strip", "such", "sum", "super", "take", "test", "text", "than", "that", "the", "their", "them",
    "then", "there", "these", "they", "this", "those", "through", "too", "total", "true", "try",
    "tuple", "two", "typeerror", "typing", "under", "until", "upper", "use", "used", "using",
    "value", "valueerror", "values", "very", "was", "way", "were", "what", "when", "where", "which",
    "while", "who", "whose", "why", "will", "with", "word", "words", "would", "yield", "you",
    "your", "yours", "zip",
];

/// True for a word that tells nothing about a text.
pub(super) fn is_common(word: &[u8]) -> bool {
    COMMON.binary_search_by(|common| common.as_bytes().cmp(word)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_words_are_sorted() {
        assert!(COMMON.is_sorted());
        assert!(is_common(b"yours") && !is_common(b"photosynthesis"));
    }
}
