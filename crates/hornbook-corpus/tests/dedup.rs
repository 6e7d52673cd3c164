//! Which texts count as the same.

use hornbook_corpus::text_hash;
use proptest::prelude::*;

#[test]
fn texts_that_read_alike_hash_alike() {
    let alike = [
        ("The ball is red.", "  the BALL -- is red"),
        ("ﬁne café", "fine cafe\u{301}"),
        ("１２ apples", "12 apples"),
        ("Ärger", "ärger!"),
    ];
    for (a, b) in alike {
        assert_eq!(text_hash(a), text_hash(b), "{a:?} {b:?}");
    }
    let apart = [
        ("The ball is red.", "The ball is blue."),
        ("red ball", "redball"),
        ("cafe", "café"),
        ("कि", "की"),
        ("🙂", "🙃"),
        ("", "🙃"),
    ];
    for (a, b) in apart {
        assert_ne!(text_hash(a), text_hash(b), "{a:?} {b:?}");
    }
}

#[test]
fn the_hash_is_pinned() {
    // Corpora made before and after a change of this value would differ.
    assert_eq!(text_hash("The ball is red.").to_string(), "d420b93ee59d2559b6c10deeaae98cd9");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Spaces and punctuation between words make no difference, and ASCII needs no other way.
    #[test]
    fn separators_do_not_matter(words in prop::collection::vec("[a-zA-Z0-9é水]{1,8}", 1..20), mark in "[ ,.!?\n—-]{1,4}") {
        let spaced = words.join(" ");
        prop_assert_eq!(text_hash(&words.join(&mark)), text_hash(&spaced));
        let long = spaced.repeat(80);
        prop_assert_eq!(text_hash(&format!("é {long}")), text_hash(&format!("É, {long}…")));
    }
}
