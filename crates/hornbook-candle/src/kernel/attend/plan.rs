//! Which rows of a pass are attended together.
//!
//! Widening a vector of stored keys costs about as much as using it once, so it is used for as
//! many queries as there are registers for: the heads of a group, and those of other rows that
//! attend to the same pages. Such rows come together in a *gang*. What a query computes is the
//! same, in the same order, whatever gang it is in.

use std::ops::Range;

use super::pages::{HeadShape, PAGE_POSITIONS, PageId};

/// Queries of one gang and key head, where a group is not larger by itself.
pub(super) const GANG_QUERIES: usize = 12;

/// A row of a pass, as attention sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Which of the pass's page tables has its sequence's pages.
    pub(crate) sequence: usize,
    /// Place in the sequence, from 0; the row attends to all positions up to its own.
    pub(crate) position: usize,
}

/// Where a row's keys and values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) page: PageId,
    pub(super) offset: usize,
}

/// A row in its gang.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) row: usize,
    sequence: usize,
    /// Positions that it attends to.
    pub(super) length: usize,
}

/// Neighbouring members of a gang and positions whose pages they share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Numbers of members within the gang.
    pub(super) members: Range<usize>,
    pub(super) positions: Range<usize>,
    /// Whose page table to read; all members' are alike there.
    pub(super) sequence: usize,
}

impl Run {
    /// Numbers of its queries within the gang, with `group` of each member.
    pub(super) fn queries(&self, group: usize) -> Range<usize> {
        self.members.start * group..self.members.end * group
    }
}

/// Rows that are attended together.
#[derive(Clone, Debug)]
pub(super) struct Gang {
    pub(super) members: Vec<Member>,
    /// Whole pages that hold the positions which members attend to, maybe more at the end; each
    /// member's in rising order.
    pub(super) key_runs: Vec<Run>,
    /// Exactly those positions.
    pub(super) value_runs: Vec<Run>,
    /// The longest member's positions.
    pub(super) length: usize,
}

/// How one pass stores and attends; made once, used by every layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    places: Vec<Place>,
    gangs: Vec<Gang>,
    /// Every sequence's pages.
    tables: Vec<Vec<PageId>>,
}

impl Plan {
    /// Makes a plan for rows whose sequences' pages are listed in `tables`.
    ///
    /// # Panics
    /// If a table is too short for a row, or if two rows are to be stored in one place.
    pub(crate) fn new(shape: &HeadShape, rows: &[Position], tables: &[&[PageId]]) -> Self {
        let place = |row: &Position| Place {
            page: tables[row.sequence][row.position / PAGE_POSITIONS],
            offset: row.position % PAGE_POSITIONS,
        };
        let places: Vec<Place> = rows.iter().map(place).collect();
        let mut sorted = places.clone();
        sorted.sort_unstable();
        // Storing relies on this for its soundness.
        assert!(sorted.is_sorted_by(|left, right| left < right), "one row for one place");
        let most = (GANG_QUERIES / shape.group()).max(1);
        let members = in_order(rows, tables);
        let gangs = members
            .chunk_by(|left, right| shares_first_page(left, right, tables))
            .flat_map(|members| members.chunks(most))
            .map(|members| Gang::new(members, tables))
            .collect();
        let tables = tables.iter().map(|table| table.to_vec()).collect();
        Self { places, gangs, tables }
    }

    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    /// The pages of the members of a run.
    #[inline(always)]
    pub(super) fn table(&self, run: &Run) -> &[PageId] {
        &self.tables[run.sequence]
    }

    pub(super) fn gangs(&self) -> &[Gang] {
        &self.gangs
    }
}

/// All rows, those with the same leading pages side by side and rising within a sequence.
fn in_order(rows: &[Position], tables: &[&[PageId]]) -> Vec<Member> {
    let mut sequences: Vec<usize> = (0..tables.len()).collect();
    sequences.sort_by_key(|sequence| tables[*sequence]);
    let mut ranks = vec![0; tables.len()];
    for (rank, sequence) in sequences.into_iter().enumerate() {
        ranks[sequence] = rank;
    }
    let mut members: Vec<Member> = rows
        .iter()
        .enumerate()
        .map(|(row, place)| Member { row, sequence: place.sequence, length: place.position + 1 })
        .collect();
    members.sort_unstable_by_key(|member| (ranks[member.sequence], member.length));
    members
}

fn shares_first_page(left: &Member, right: &Member, tables: &[&[PageId]]) -> bool {
    left.sequence == right.sequence || tables[left.sequence][0] == tables[right.sequence][0]
}

impl Gang {
    fn new(members: &[Member], tables: &[&[PageId]]) -> Self {
        let mut runs = Runs { members, tables, runs: Vec::new(), rounding: PAGE_POSITIONS };
        runs.split(0..members.len(), 0);
        let key_runs = std::mem::take(&mut runs.runs);
        runs.rounding = 1;
        runs.split(0..members.len(), 0);
        let length = members.iter().map(|member| member.length).max().unwrap_or(0);
        Self { members: members.to_vec(), key_runs, value_runs: runs.runs, length }
    }
}

/// The making of a gang's runs.
struct Runs<'a> {
    members: &'a [Member],
    tables: &'a [&'a [PageId]],
    runs: Vec<Run>,
    /// Lengths are rounded up to a multiple of this.
    rounding: usize,
}

impl Runs<'_> {
    fn length(&self, member: usize) -> usize {
        self.members[member].length.next_multiple_of(self.rounding)
    }

    fn table(&self, member: usize) -> &[PageId] {
        self.tables[self.members[member].sequence]
    }

    /// Adds the runs of some members, who share the page at `from`, from there on.
    fn split(&mut self, range: Range<usize>, from: usize) {
        // Members are in the order of their tables: what the outermost share, all share.
        let (first, last) = (self.table(range.start), self.table(range.end - 1));
        let shared = first.iter().zip(last).take_while(|(first, last)| first == last).count();
        let shortest = range.clone().map(|member| self.length(member)).min().unwrap_or(from);
        let to = shortest.min(shared * PAGE_POSITIONS);
        if to > from {
            let sequence = self.members[range.start].sequence;
            self.runs.push(Run { members: range.clone(), positions: from..to, sequence });
        }
        let page = |runs: &Self, member| runs.table(member)[to / PAGE_POSITIONS];
        let mut start = range.start;
        while start < range.end {
            let mut end = start + 1;
            if self.length(start) > to {
                let is_alike =
                    |end: usize| self.length(end) > to && page(self, end) == page(self, start);
                while end < range.end && is_alike(end) {
                    end += 1;
                }
                self.split(start..end, to);
            }
            start = end;
        }
    }
}
