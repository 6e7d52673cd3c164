//! The YAML at the top of a card, which the Hub and its clients read.

use hornbook_types::{CorpusFile, TRAIN};

use super::{CardFacts, Made, line};
use crate::escape::yaml;
use crate::shards::DATA_DIR;

/// Upper bounds of the Hub's size categories.
const SIZES: [(u64, &str); 7] = [
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
];
/// A language of fewer documents than one in so many is told by the statistics alone: short pieces are mistaken.
const LANGUAGE_SHARE: u64 = 20;

/// The header, with its ends.
pub(super) fn header(out: &mut String, facts: &CardFacts<'_>, files: &[CorpusFile]) {
    line!(out, "---");
    line!(out, "pretty_name: {}", yaml(facts.name));
    super::licence::header(out, facts.origins);
    let languages = languages(facts);
    if !languages.is_empty() {
        line!(out, "language:");
        languages.iter().for_each(|code| line!(out, "- {code}"));
    }
    line!(out, "task_categories:\n- text-generation");
    let rows = facts.funnel.rows;
    let size = SIZES.iter().find(|(bound, _)| rows < *bound).map_or("1B<n<10B", |it| it.1);
    line!(out, "size_categories:\n- {size}");
    line!(out, "tags:");
    if let Made::Job(_) = facts.made {
        line!(out, "- synthetic\n- textbooks");
    }
    line!(out, "- hornbook");
    if facts.partial {
        line!(out, "- partial");
    }
    line!(out, "configs:\n- config_name: default\n  data_files:");
    for (split, extension) in splits(files) {
        line!(out, "  - split: {split}\n    path: {DATA_DIR}/{split}-*.{extension}");
    }
    line!(out, "---\n");
}

/// The languages of the documents, most frequent first.
pub(crate) fn languages(facts: &CardFacts<'_>) -> Vec<String> {
    let counts = &facts.statistics.languages;
    let all: u64 = counts.values().sum();
    let mut often: Vec<(&String, &u64)> =
        counts.iter().filter(|(_, count)| **count * LANGUAGE_SHARE >= all).collect();
    often.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    often.into_iter().map(|(code, _)| code.clone()).collect()
}

/// The splits of a corpus in the order of their files, with the ending of those that clients should load.
///
/// Clients take every file that a pattern matches: of several formats one is named, or they read rows twice.
pub(crate) fn splits(files: &[CorpusFile]) -> Vec<(String, &'static str)> {
    for extension in ["parquet", "jsonl.zst"] {
        let mut found: Vec<(String, &'static str)> = Vec::new();
        for file in files {
            if let Some(split) = split_of(&file.path, extension)
                && !found.iter().any(|(known, _)| known == split)
            {
                found.push((split.to_owned(), extension));
            }
        }
        if !found.is_empty() {
            // What is trained on comes first, whatever the names of the others.
            found.sort_by_key(|(split, _)| split != TRAIN);
            return found;
        }
    }
    Vec::new()
}

/// The split of a shard, by `data/SPLIT-NNNNN-of-NNNNN.EXTENSION`.
fn split_of<'a>(path: &'a str, extension: &str) -> Option<&'a str> {
    let name = path.strip_prefix(DATA_DIR)?.strip_prefix('/')?;
    let stem = name.strip_suffix(extension)?.strip_suffix('.')?;
    let (stem, count) = stem.rsplit_once("-of-")?;
    let (split, number) = stem.rsplit_once('-')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (is_number(count) && is_number(number) && !split.is_empty()).then_some(split)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> CorpusFile {
        let (path, sha256) = (path.to_owned(), String::new());
        CorpusFile { path, bytes: 0, sha256, rows: None, tokens: None }
    }

    #[test]
    fn splits_are_read_off_the_files() {
        let files = [
            "README.md",
            "data/annealing-00000-of-00001.parquet",
            "data/train-00000-of-00002.jsonl.zst",
            "data/train-00000-of-00002.parquet",
            "data/train-00001-of-00002.parquet",
            "data/tokens-x.parquet",
        ]
        .map(file);
        let expected = [("train".to_owned(), "parquet"), ("annealing".to_owned(), "parquet")];
        assert_eq!(splits(&files), expected);
        assert_eq!(splits(&files[2..3]), [("train".to_owned(), "jsonl.zst")]);
        assert_eq!(splits(&files[..1]), []);
    }
}
