//! Which files of a repository are a split of a configuration.
//!
//! The usual clients go by the patterns in a dataset's card, and by names where it has none. Here only
//! names count: whoever wants files that are called otherwise names their directory as the configuration.

/// Names of splits by which files are told; a directory without any of them is all `train`.
const SPLITS: [&str; 9] =
    ["train", "training", "validation", "valid", "val", "dev", "test", "testing", "eval"];
/// Names of the splits that clients use one for the other.
const SAME: [&[&str]; 3] = [
    &["train", "training"],
    &["validation", "valid", "val", "dev"],
    &["test", "testing", "eval", "evaluation"],
];
/// The configuration of a dataset that has only one.
const DEFAULT: &str = "default";

/// The paths of those Parquet files that are the split, in their order.
pub(super) fn choose<'a>(paths: &[&'a str], config: &str, split: &str) -> Vec<&'a str> {
    let mut within: Vec<(&str, &str)> = paths
        .iter()
        .filter(|path| path.ends_with(".parquet"))
        .filter_map(|path| Some((*path, below(path, config)?)))
        .collect();
    // Files beside the usual directory are samples and the like.
    if config == DEFAULT && within.iter().any(|(_, rest)| rest.starts_with("data/")) {
        within.retain(|(_, rest)| rest.starts_with("data/"));
    }
    // The Hub's own conversion stops at some gigabytes, and then says so; a part is not the split.
    within.retain(|(_, rest)| !rest.split('/').any(|part| part.starts_with("partial-")));
    let names_any = within.iter().any(|(_, rest)| SPLITS.iter().any(|name| is_of(rest, name)));
    let wanted = |rest: &str| match SAME.iter().find(|names| names.contains(&split)) {
        Some(names) => names.iter().any(|name| is_of(rest, name)),
        None => is_of(rest, split),
    };
    let mut chosen: Vec<&str> = within
        .iter()
        .filter(|(_, rest)| wanted(rest) || (!names_any && split == "train"))
        .map(|(path, _)| *path)
        .collect();
    chosen.sort_unstable();
    chosen
}

/// The path below the configuration's directory; a default one may do without.
fn below<'a>(path: &'a str, config: &str) -> Option<&'a str> {
    let within = path.strip_prefix(config).and_then(|rest| rest.strip_prefix('/'));
    match within {
        Some(rest) => Some(rest),
        None if config == DEFAULT => Some(path),
        None => None,
    }
}

/// True when a part of the path is the name, or begins with it and goes on with no letter or digit.
fn is_of(path: &str, split: &str) -> bool {
    path.split('/').any(|part| {
        part.strip_prefix(split)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
    })
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[test]
    fn splits_are_told_by_names() {
        let paths = [
            "README.md",
            "data/test-00000-of-00001.parquet",
            "data/train-00001-of-00002.parquet",
            "data/train-00000-of-00002.parquet",
            "data/training_notes.txt",
            "sample.parquet",
        ];
        let train = ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"];
        assert_eq!(choose(&paths, "default", "train"), train);
        assert_eq!(choose(&paths, "default", "test"), [paths[1]]);
        assert!(choose(&paths, "default", "validation").is_empty());
        assert!(choose(&paths, "other", "train").is_empty());
    }

    #[test]
    fn a_configuration_is_a_directory() {
        let paths = [
            "cosmopedia-v2/train-00000-of-00104.parquet",
            "fineweb-edu-dedup/train-00000-of-00234.parquet",
            "sample/10BT/000_00000.parquet",
            "sample/100BT/000_00000.parquet",
            "en/validation/0000.parquet",
            "en/train/0000.parquet",
        ];
        assert_eq!(choose(&paths, "cosmopedia-v2", "train"), [paths[0]]);
        assert_eq!(choose(&paths, "sample/10BT", "train"), [paths[2]]);
        assert!(choose(&paths, "sample/10BT", "test").is_empty());
        assert_eq!(choose(&paths, "en", "dev"), [paths[4]]);
        assert_eq!(choose(&paths, "en", "train"), [paths[5]]);
    }

    #[test]
    fn a_part_of_a_split_is_not_taken_for_it() {
        let paths = ["default/partial-train/0000.parquet", "default/partial-test/0000.parquet"];
        assert!(choose(&paths, "default", "train").is_empty());
        let paths = ["default/partial-train/0000.parquet", "default/test/0000.parquet"];
        assert_eq!(choose(&paths, "default", "test"), [paths[1]]);
    }

    #[test]
    fn a_split_is_not_the_beginning_of_another_name() {
        let paths = ["data/train_sft-0.parquet", "data/train2-0.parquet", "data/val.parquet"];
        assert_eq!(choose(&paths, "default", "train"), [paths[0]]);
        assert_eq!(choose(&paths, "default", "train_sft"), [paths[0]]);
        assert_eq!(choose(&paths, "default", "validation"), [paths[2]]);
    }
}
