//! The reference mode beside Python's own difflib, re and unicodedata; tests/fixtures tells how the file was made.

use serde::Deserialize;
use unicode_normalization::char::is_combining_mark;

use super::difflib::matching_blocks;
use super::reference::{is_word, ratio, words_of};
use super::spacing_marks::is_spacing_mark;

/// Where it begins in each, and its length.
type Block = (usize, usize, usize);

#[derive(Deserialize)]
struct Known {
    blocks: Vec<(String, String, Vec<Block>)>,
    words: Vec<(String, String)>,
    ratios: Vec<(String, String, f64)>,
    word_characters: Vec<(u32, u32)>,
    nonspacing_marks: Vec<(u32, u32)>,
    unassigned: Vec<(u32, u32)>,
}

fn known() -> Known {
    let json = include_str!("../../tests/fixtures/decontamination.json");
    serde_json::from_str(json).expect("the fixture is JSON")
}

fn contains(ranges: &[(u32, u32)], code: u32) -> bool {
    let after = ranges.partition_point(|&(first, _)| first <= code);
    after > 0 && code <= ranges[after - 1].1
}

#[test]
fn blocks_are_difflibs() {
    let known = known();
    assert!(known.blocks.len() > 40);
    for (a, b, blocks) in known.blocks {
        let (chars_a, chars_b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
        let ours: Vec<_> = matching_blocks(&chars_a, &chars_b, u64::MAX)
            .iter()
            .map(|block| (block.a, block.b, block.len))
            .collect();
        assert_eq!(ours, blocks, "{a:?} {b:?}");
    }
}

#[test]
fn words_and_ratios_are_pythons() {
    let known = known();
    for (text, words) in known.words {
        assert_eq!(words_of(&text), words, "{text:?}");
    }
    for (document, item, theirs) in known.ratios {
        let ours = ratio(&words_of(&document), &words_of(&item));
        assert!((ours - theirs).abs() < 1e-12, "{ours} {theirs}: {document:?} {item:?}");
    }
}

/// Characters that Python's version of Unicode did not know yet are left out.
#[test]
fn characters_are_what_python_takes_them_for() {
    let known = known();
    for character in '\0'..=char::MAX {
        let code = u32::from(character);
        if contains(&known.unassigned, code) {
            continue;
        }
        let word = contains(&known.word_characters, code);
        assert_eq!(is_word(character), word, "{code:x}");
        let mark = is_combining_mark(character) && !is_spacing_mark(character);
        assert_eq!(mark, contains(&known.nonspacing_marks, code), "{code:x}");
    }
}
