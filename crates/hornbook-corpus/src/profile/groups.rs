//! Counts by name, for as many names as a card can show.

use std::collections::BTreeMap;

use hornbook_types::GroupCounts;

use super::{GROUPS_MAX, OTHERS, is_short};

/// A row's share in the counts of its group.
pub(super) trait Add {
    /// Counts rows of so many tokens each.
    fn add(&mut self, rows: u64, tokens: u64);
}

impl Add for GroupCounts {
    fn add(&mut self, rows: u64, tokens: u64) {
        self.rows += rows;
        self.tokens += rows * tokens;
    }
}

/// Documents of groups; further groups than the bound count together.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups(BTreeMap<String, GroupCounts>);

impl Groups {
    /// The counts of a name.
    pub(super) fn of(&mut self, name: &str) -> &mut GroupCounts {
        let is_known = self.0.contains_key(name);
        let fits = is_known || (self.0.len() < GROUPS_MAX && is_short(name));
        self.0.entry(if fits { name } else { OTHERS }.to_owned()).or_default()
    }

    /// All of them.
    pub(super) fn counts(&self) -> BTreeMap<String, GroupCounts> {
        self.0.clone()
    }
}
