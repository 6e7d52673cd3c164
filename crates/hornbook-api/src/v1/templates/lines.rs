//! A line-by-line difference of two short texts.

use serde::Serialize;

/// Most comparisons worth making; past it the middle counts as wholly replaced.
const CELLS: usize = 4_000_000;

/// One line of a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "change", content = "line")]
pub(crate) enum LineChange {
    /// In both.
    Kept(String),
    /// Only in the older.
    Removed(String),
    /// Only in the newer.
    Added(String),
}

/// The lines of both texts in order, by a longest common subsequence.
pub(crate) fn diff_lines(old: &str, new: &str) -> Vec<LineChange> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev());
    let tail = tail.take_while(|(a, b)| a == b).count();
    let (old_middle, new_middle) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let kept = |line: &&str| LineChange::Kept((*line).to_owned());
    let mut changes: Vec<LineChange> = old[..head].iter().map(kept).collect();
    changes.extend(middle(old_middle, new_middle));
    changes.extend(old[old.len() - tail..].iter().map(kept));
    changes
}

fn middle(old: &[&str], new: &[&str]) -> Vec<LineChange> {
    let removed = |line: &&str| LineChange::Removed((*line).to_owned());
    let added = |line: &&str| LineChange::Added((*line).to_owned());
    let width = new.len() + 1;
    if old.len().saturating_mul(width) > CELLS {
        return old.iter().map(removed).chain(new.iter().map(added)).collect();
    }
    // longest[i * width + j]: lines that old[i..] and new[j..] have in common, in order.
    let mut longest = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            longest[i * width + j] = if old[i] == new[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut changes) = (0, 0, Vec::new());
    while i < old.len() && j < new.len() {
        if old[i] == new[j] {
            changes.push(LineChange::Kept(old[i].to_owned()));
            (i, j) = (i + 1, j + 1);
        } else if longest[(i + 1) * width + j] >= longest[i * width + j + 1] {
            changes.push(removed(&old[i]));
            i += 1;
        } else {
            changes.push(added(&new[j]));
            j += 1;
        }
    }
    changes.extend(old[i..].iter().map(removed));
    changes.extend(new[j..].iter().map(added));
    changes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn side(changes: &[LineChange], new: bool) -> Vec<String> {
        changes
            .iter()
            .filter_map(|change| match change {
                LineChange::Kept(line) => Some(line.clone()),
                LineChange::Removed(line) => (!new).then(|| line.clone()),
                LineChange::Added(line) => new.then(|| line.clone()),
            })
            .collect()
    }

    #[test]
    fn finds_the_one_line_that_changed() {
        let changes = diff_lines("a\nb\nc", "a\nx\nc");
        let kept = |line: &str| LineChange::Kept(line.to_owned());
        assert_eq!(
            changes,
            [
                kept("a"),
                LineChange::Removed("b".to_owned()),
                LineChange::Added("x".to_owned()),
                kept("c")
            ]
        );
    }

    proptest! {
        #[test]
        fn both_sides_can_be_read_back(old in "[abc\n]{0,30}", new in "[abc\n]{0,30}") {
            let changes = diff_lines(&old, &new);
            prop_assert_eq!(side(&changes, false), old.lines().collect::<Vec<_>>());
            prop_assert_eq!(side(&changes, true), new.lines().collect::<Vec<_>>());
        }
    }
}
