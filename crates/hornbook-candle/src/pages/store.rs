//! Every page's state: free, held, or kept for whoever may need it.

use std::collections::BTreeSet;

use super::PageId;

/// What is known of one page.
#[derive(Clone, Debug, Default)]
struct Page {
    /// Sequences whose tables name it.
    holders: usize,
    /// Copies from it that are still to be made.
    copies: usize,
    /// Positions from the first on that are computed, those of the pass being put together
    /// among them.
    filled: usize,
    /// True while it is to begin with a copy that is still to be made.
    awaits_copy: bool,
    /// When it was let go, if it is one of the kept.
    let_go: u64,
}

/// All pages.
pub(super) struct PageStore {
    pages: Vec<Page>,
    /// Last in, first out: memory that was touched once is used again before more is.
    free: Vec<PageId>,
    /// Pages that nobody holds and that can be found, the one let go longest ago first.
    kept: BTreeSet<(u64, PageId)>,
    /// Counts pages let go.
    clock: u64,
}

impl PageStore {
    /// So many free pages; more than a page's number can say are left out.
    pub(super) fn new(pages: usize) -> Self {
        let pages = u32::try_from(pages).unwrap_or(u32::MAX);
        Self {
            pages: vec![Page::default(); pages as usize],
            free: (0..pages).rev().map(PageId).collect(),
            kept: BTreeSet::new(),
            clock: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.pages.len()
    }

    /// Pages that somebody holds or copies from.
    pub(super) fn held(&self) -> usize {
        self.len() - self.free.len() - self.kept.len()
    }

    /// Pages that nobody holds and that can be found.
    pub(super) fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Pages that can be had: free ones, and kept ones that must go for it.
    pub(super) fn available(&self) -> usize {
        self.free.len() + self.kept.len()
    }

    pub(super) fn holders(&self, page: PageId) -> usize {
        self.pages[page.0 as usize].holders
    }

    pub(super) fn filled(&self, page: PageId) -> usize {
        self.pages[page.0 as usize].filled
    }

    /// Positions before `end` are computed, or will be in the pass being put together.
    pub(super) fn fill(&mut self, page: PageId, end: usize) {
        let page = &mut self.pages[page.0 as usize];
        page.filled = page.filled.max(end);
    }

    pub(super) fn awaits_copy(&self, page: PageId) -> bool {
        self.pages[page.0 as usize].awaits_copy
    }

    pub(super) fn set_awaits_copy(&mut self, page: PageId, awaits: bool) {
        self.pages[page.0 as usize].awaits_copy = awaits;
    }

    pub(super) fn is_kept(&self, page: PageId) -> bool {
        self.kept.contains(&(self.pages[page.0 as usize].let_go, page))
    }

    /// A page that nobody has, with its first holder.
    pub(super) fn take_free(&mut self) -> Option<PageId> {
        let page = self.free.pop()?;
        self.pages[page.0 as usize] = Page { holders: 1, ..Page::default() };
        Some(page)
    }

    /// Frees the page let go longest ago; the caller takes it out of the index.
    pub(super) fn evict(&mut self) -> Option<PageId> {
        let (_, page) = self.kept.pop_first()?;
        self.free.push(page);
        Some(page)
    }

    /// One more sequence has the page in its table.
    pub(super) fn hold(&mut self, page: PageId) {
        self.unkeep(page);
        self.pages[page.0 as usize].holders += 1;
    }

    /// One sequence less; [`settle`](Self::settle) says what becomes of the page.
    pub(super) fn unhold(&mut self, page: PageId) {
        self.pages[page.0 as usize].holders -= 1;
    }

    /// One more copy is to be made from the page.
    pub(super) fn hold_for_copy(&mut self, page: PageId) {
        self.unkeep(page);
        self.pages[page.0 as usize].copies += 1;
    }

    /// One copy less; [`settle`](Self::settle) says what becomes of the page.
    pub(super) fn unhold_for_copy(&mut self, page: PageId) {
        self.pages[page.0 as usize].copies -= 1;
    }

    /// Keeps or frees the page if nobody holds it; kept pages count as let go just now.
    pub(super) fn settle(&mut self, page: PageId, can_be_found: bool) {
        let state = &self.pages[page.0 as usize];
        if state.holders > 0 || state.copies > 0 {
            return;
        }
        self.unkeep(page);
        if can_be_found {
            self.clock += 1;
            self.pages[page.0 as usize].let_go = self.clock;
            self.kept.insert((self.clock, page));
        } else {
            self.free.push(page);
        }
    }

    fn unkeep(&mut self, page: PageId) {
        self.kept.remove(&(self.pages[page.0 as usize].let_go, page));
    }

    /// Kept pages, the one let go longest ago first.
    #[cfg(test)]
    pub(super) fn kept_pages(&self) -> impl Iterator<Item = PageId> {
        self.kept.iter().map(|(_, page)| *page)
    }

    #[cfg(test)]
    pub(super) fn free_pages(&self) -> &[PageId] {
        &self.free
    }

    #[cfg(test)]
    pub(super) fn copies(&self, page: PageId) -> usize {
        self.pages[page.0 as usize].copies
    }
}
