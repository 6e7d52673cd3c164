//! Finding pages by the tokens that they continue with.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::{PAGE_POSITIONS, PageId};

/// The tokens of one page, as far as they are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    tokens: [u32; PAGE_POSITIONS],
    length: usize,
}

impl Stretch {
    /// The first of `tokens`, at most a page of them.
    pub(super) fn first_of(tokens: &[u32]) -> Self {
        let length = tokens.len().min(PAGE_POSITIONS);
        let mut stretch = Self { tokens: [0; PAGE_POSITIONS], length };
        stretch.tokens[..length].copy_from_slice(&tokens[..length]);
        stretch
    }

    pub(super) fn tokens(&self) -> &[u32] {
        &self.tokens[..self.length]
    }

    /// True when every position of the page has its token.
    pub(super) fn is_whole(&self) -> bool {
        self.length == PAGE_POSITIONS
    }

    /// How many tokens both begin with.
    fn common(&self, other: &Self) -> usize {
        let pairs = self.tokens().iter().zip(other.tokens());
        pairs.take_while(|(left, right)| left == right).count()
    }
}

/// As words are in a dictionary: those that begin most alike stand side by side.
impl Ord for Stretch {
    fn cmp(&self, other: &Self) -> Ordering {
        self.tokens().cmp(other.tokens())
    }
}

impl PartialOrd for Stretch {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Stretch {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Stretch {}

/// What a page is found by: the page before it, if any, and its tokens.
///
/// The page before stands for all tokens before, because it stays in the index for as long as
/// anything continues it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) before: Option<PageId>,
    pub(super) stretch: Stretch,
}

impl Key {
    pub(super) fn new(before: Option<PageId>, tokens: &[u32]) -> Self {
        Self { before, stretch: Stretch::first_of(tokens) }
    }
}

/// Pages that a prompt begins with.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// All of whose tokens the prompt has.
    pub(super) whole: Vec<PageId>,
    /// The page after those of whose tokens the prompt has most, and how many.
    pub(super) part: Option<(PageId, usize)>,
}

/// All pages that can be found.
pub(super) struct PrefixIndex {
    pages: BTreeMap<Key, PageId>,
    /// The other way, by the page's number.
    keys: Vec<Option<Key>>,
}

impl PrefixIndex {
    /// An index of pages with numbers below `pages`.
    pub(super) fn new(pages: usize) -> Self {
        Self { pages: BTreeMap::new(), keys: vec![None; pages] }
    }

    /// What `page` is found by.
    pub(super) fn key(&self, page: PageId) -> Option<&Key> {
        self.keys.get(page.0 as usize)?.as_ref()
    }

    /// The page that `key` finds.
    pub(super) fn get(&self, key: &Key) -> Option<PageId> {
        self.pages.get(key).copied()
    }

    /// Makes `page` findable; changes nothing and is false where another page has the key.
    pub(super) fn insert(&mut self, key: Key, page: PageId) -> bool {
        let Some(own) = self.keys.get_mut(page.0 as usize) else { return false };
        if self.pages.contains_key(&key) {
            return false;
        }
        self.pages.insert(key, page);
        if let Some(old) = own.replace(key) {
            self.pages.remove(&old);
        }
        true
    }

    /// Makes `page` unfindable.
    pub(super) fn remove(&mut self, page: PageId) {
        if let Some(key) = self.keys.get_mut(page.0 as usize).and_then(Option::take) {
            self.pages.remove(&key);
        }
    }

    /// The pages that `tokens` begin with.
    pub(super) fn find(&self, tokens: &[u32]) -> Found {
        let mut found = Found::default();
        for tokens in tokens.chunks(PAGE_POSITIONS) {
            let key = Key::new(found.whole.last().copied(), tokens);
            match self.get(&key) {
                Some(page) if key.stretch.is_whole() => found.whole.push(page),
                _ => {
                    found.part = self.most_alike(&key);
                    break;
                }
            }
        }
        found
    }

    /// Of the pages after `key.before`, the one with most of the key's first tokens.
    fn most_alike(&self, key: &Key) -> Option<(PageId, usize)> {
        let below = self.pages.range(..=key).next_back();
        let above = self.pages.range(key..).next();
        let common = |(other, page): (&Key, &PageId)| {
            (*page, if other.before == key.before { other.stretch.common(&key.stretch) } else { 0 })
        };
        let candidates = below.into_iter().chain(above).map(common);
        candidates.max_by_key(|(_, tokens)| *tokens).filter(|(_, tokens)| *tokens > 0)
    }

    /// All of it, for tests.
    #[cfg(test)]
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Key, PageId)> {
        self.pages.iter().map(|(key, page)| (key, *page))
    }
}
