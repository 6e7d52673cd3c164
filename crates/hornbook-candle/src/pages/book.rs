//! Admitting sequences to pages, and taking the pages back.

use std::ops::Range;

use super::index::{Found, Key, PrefixIndex};
use super::store::PageStore;
use super::{PAGE_POSITIONS, PageId};

/// The pages of one sequence; [`PageBook::release`] takes them back.
#[derive(Debug, Default)]
pub(crate) struct PageTable {
    pages: Vec<PageId>,
    /// Pages that the sequence may still ask for.
    reserved: usize,
}

impl PageTable {
    /// The pages, in the order of their positions.
    pub(crate) fn pages(&self) -> &[PageId] {
        &self.pages
    }

    #[cfg(test)]
    pub(super) fn reserved(&self) -> usize {
        self.reserved
    }
}

/// Positions that a page shall begin with, as soon as another has them.
struct PageCopy {
    from: PageId,
    to: PageId,
    positions: usize,
}

/// Who holds which page, which can be found, and which are promised to nobody.
pub(crate) struct PageBook {
    store: PageStore,
    index: PrefixIndex,
    /// Pages that admitted sequences may still ask for.
    reserved: usize,
    /// In the order of their making.
    copies: Vec<PageCopy>,
    shares: bool,
}

impl PageBook {
    /// A book of `pages` free pages; unless it `shares`, no sequence finds another's.
    pub(crate) fn new(pages: usize, shares: bool) -> Self {
        let store = PageStore::new(pages);
        let index = PrefixIndex::new(store.len());
        Self { store, index, reserved: 0, copies: Vec::new(), shares }
    }

    /// Pages that there are.
    pub(crate) fn pages(&self) -> usize {
        self.store.len()
    }

    /// Pages that sequences hold.
    pub(crate) fn held(&self) -> usize {
        self.store.held()
    }

    /// Pages that nobody holds, kept because a prompt may begin with them.
    pub(crate) fn kept(&self) -> usize {
        self.store.kept()
    }

    /// Gives a prompt its pages, those of others that it begins with first, and reserves what it
    /// needs to become `positions` long; `None` while there is no room for that.
    ///
    /// The prompt's last position is never another's, because its row must be computed: only
    /// that tells which token comes next.
    pub(crate) fn admit(&mut self, prompt: &[u32], positions: usize) -> Option<PageTable> {
        let pages = positions.max(prompt.len()).div_ceil(PAGE_POSITIONS);
        let (_, before_last) = prompt.split_last()?;
        let Found { whole, part } =
            if self.shares { self.index.find(before_last) } else { Found::default() };
        let revived = whole.iter().filter(|page| self.store.is_kept(**page)).count();
        let room = self.store.available().checked_sub(self.reserved)?;
        let spare = room.checked_sub(pages - whole.len() + revived)?;
        // A copy is worth no wait: alone with a full memory it would be one without end.
        let part = part
            .map(|part| self.original(part))
            .filter(|(page, _)| spare > 0 || !self.store.is_kept(*page));
        whole.iter().for_each(|page| self.store.hold(*page));
        if let Some((page, _)) = part {
            self.store.hold_for_copy(page);
        }
        let found = whole.len();
        let mut table = PageTable { pages: whole, reserved: pages - found };
        self.reserved += table.reserved;
        for tokens in prompt.chunks(PAGE_POSITIONS).skip(found) {
            let before = table.pages.last().copied();
            let Some(page) = self.grow(&mut table) else {
                // Room was counted above; this only keeps the impossible harmless.
                self.release(table, prompt);
                return None;
            };
            if self.shares {
                self.index.insert(Key::new(before, tokens), page);
            }
        }
        if let (Some((from, positions)), Some(to)) = (part, table.pages.get(found)) {
            self.store.set_awaits_copy(*to, true);
            self.copies.push(PageCopy { from, to: *to, positions });
        }
        Some(table)
    }

    /// Where a page is itself to begin with a copy, what it copies from: so nobody waits for a
    /// page that waits for a page.
    fn original(&self, (page, positions): (PageId, usize)) -> (PageId, usize) {
        match self.copies.iter().find(|copy| copy.to == page) {
            Some(copy) => (copy.from, positions.min(copy.positions)),
            None => (page, positions),
        }
    }

    /// Adds a page of the sequence's reservation to its table.
    fn grow(&mut self, table: &mut PageTable) -> Option<PageId> {
        table.reserved.checked_sub(1)?;
        let page = self.store.take_free().or_else(|| {
            let evicted = self.store.evict()?;
            self.index.remove(evicted);
            self.store.take_free()
        })?;
        table.reserved -= 1;
        self.reserved -= 1;
        table.pages.push(page);
        Some(page)
    }

    /// The next positions from `from` on that this sequence is to compute in the pass being put
    /// together, at most `most` and all in one page; what others computed is left out. `end` is
    /// the prompt's. `None` while a copy must be waited for.
    pub(crate) fn claim(
        &mut self,
        table: &PageTable,
        from: usize,
        end: usize,
        most: usize,
    ) -> Option<Range<usize>> {
        let last = end.checked_sub(1)?;
        let mut from = from;
        loop {
            let page = *table.pages.get(from / PAGE_POSITIONS)?;
            if self.store.awaits_copy(page) {
                return None;
            }
            let start = from - from % PAGE_POSITIONS;
            // Whoever comes first has the last row first, too; should that ever change, the row
            // is computed again and stores what is there already.
            let begin = from.max(start + self.store.filled(page)).min(last);
            if begin < start + PAGE_POSITIONS {
                let stop = (start + PAGE_POSITIONS).min(end).min(begin + most);
                self.store.fill(page, stop - start);
                return Some(begin..stop);
            }
            from = begin;
        }
    }

    /// Makes room for the row of one new token at `position`; false where the reservation does
    /// not reach, which no sequence sees that keeps to what it was admitted for.
    pub(crate) fn claim_next(&mut self, table: &mut PageTable, position: usize) -> bool {
        let number = position / PAGE_POSITIONS;
        if number >= table.pages.len() && self.grow(table).is_none() {
            return false;
        }
        let Some(page) = table.pages.get(number) else { return false };
        self.store.fill(*page, position % PAGE_POSITIONS + 1);
        true
    }

    /// Makes, between two passes, the copies that can be made; `copy` gets the page from which,
    /// the page to which, and how many positions.
    pub(crate) fn settle_copies(&mut self, mut copy: impl FnMut(PageId, PageId, usize)) {
        let Self { store, index, copies, .. } = self;
        copies.retain(|PageCopy { from, to, positions }| {
            let there = store.filled(*from).min(*positions);
            if there < *positions && store.holders(*from) > 0 {
                return true;
            }
            // Where all who would have filled it are gone, what they left is still right.
            if there > 0 {
                copy(*from, *to, there);
                store.fill(*to, there);
            }
            store.set_awaits_copy(*to, false);
            store.unhold_for_copy(*from);
            store.settle(*from, index.key(*from).is_some());
            false
        });
    }

    /// Takes a sequence's pages back; `tokens` are all that it had in the order of its positions.
    ///
    /// What was computed stays findable, the answer too, until the room is needed.
    pub(crate) fn release(&mut self, table: PageTable, tokens: &[u32]) {
        self.reserved -= table.reserved;
        // The page after which the next is found; none where the chain of computed pages broke.
        let mut chain = Some(None);
        let mut standing_in = Vec::with_capacity(table.pages.len());
        for (number, page) in table.pages.iter().enumerate() {
            let tokens = tokens.get(number * PAGE_POSITIONS..).unwrap_or_default();
            let kept = if self.store.holders(*page) > 1 {
                Some(*page)
            } else {
                self.abandon_copy(*page);
                chain.and_then(|before| self.remember(before, *page, tokens))
            };
            if kept.is_none() {
                self.index.remove(*page);
            }
            chain = kept.filter(|page| self.is_complete(*page)).map(Some);
            standing_in.push(kept.filter(|kept| kept != page));
        }
        // From the last page to the first: a page must never go before what continues it.
        for (page, other) in table.pages.iter().zip(standing_in).rev() {
            self.store.unhold(*page);
            self.store.settle(*page, self.index.key(*page).is_some());
            if let Some(other) = other {
                self.store.settle(other, true);
            }
        }
    }

    /// Enters a page, or what was computed of it, under its tokens; gives the page that is found
    /// by them, which is another where that was there before.
    fn remember(&mut self, before: Option<PageId>, page: PageId, tokens: &[u32]) -> Option<PageId> {
        let filled = self.store.filled(page).min(tokens.len());
        if filled == 0 || !self.shares {
            return None;
        }
        let key = Key::new(before, &tokens[..filled]);
        if let Some(other) = self.index.get(&key).filter(|other| *other != page) {
            self.index.remove(page);
            return Some(other);
        }
        if self.index.key(page) != Some(&key) {
            self.index.insert(key, page);
        }
        Some(page)
    }

    /// True when all positions of a findable page have tokens and are computed.
    fn is_complete(&self, page: PageId) -> bool {
        self.store.filled(page) == PAGE_POSITIONS
            && self.index.key(page).is_some_and(|key| key.stretch.is_whole())
    }

    /// Forgets the copy that a page was to begin with.
    fn abandon_copy(&mut self, page: PageId) {
        if !self.store.awaits_copy(page) {
            return;
        }
        self.store.set_awaits_copy(page, false);
        if let Some(place) = self.copies.iter().position(|copy| copy.to == page) {
            let PageCopy { from, .. } = self.copies.remove(place);
            self.store.unhold_for_copy(from);
            self.store.settle(from, self.index.key(from).is_some());
        }
    }

    #[cfg(test)]
    pub(super) fn parts(&self) -> (&PageStore, &PrefixIndex) {
        (&self.store, &self.index)
    }

    #[cfg(test)]
    pub(super) fn copy_sources(&self) -> impl Iterator<Item = PageId> {
        self.copies.iter().map(|copy| copy.from)
    }

    #[cfg(test)]
    pub(super) fn reserved(&self) -> usize {
        self.reserved
    }
}
