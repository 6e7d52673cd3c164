//! All windows of all items, found by how a stretch of a document begins.
//!
//! Distinct windows lie sorted; each knows the longest other one that is its beginning. The windows that
//! a stretch begins with form a chain: the last window that is not greater than the stretch, or
//! one of its beginnings, is the longest of them. So a stretch finds all of them at once, however many items
//! open with the same phrase.

use super::limits::SPAN_BYTES_MAX;

const NONE: u32 = u32::MAX;
/// Bits of the filter for each distinct beginning.
const FILTER_BITS_EACH: usize = 16;
/// Places of the table for each distinct beginning.
const PLACES_EACH: usize = 2;

/// Where a window stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Number of the item.
    pub(super) item: u32,
    /// First word of the window in the item.
    pub(super) first_word: u32,
    /// Words of the window.
    pub(super) words: u32,
    /// True when the window is the whole item.
    pub(super) whole: bool,
}

/// A window that is to be found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Where its bytes begin in the arena.
    pub(super) at: u32,
    /// How many they are.
    pub(super) bytes: u16,
    /// Where it stands.
    pub(super) place: Place,
}

#[derive(Debug)]
struct Distinct {
    at: u32,
    bytes: u16,
    /// The longest other window that this one begins with.
    beginning: u32,
    /// Where its places begin; they end where the next one's begin.
    places: u32,
}

/// Windows of at least `SEED` bytes.
#[derive(Debug)]
pub(super) struct Index<const SEED: usize> {
    windows: Vec<Distinct>,
    places: Vec<Place>,
    /// First window of each group that begins alike, and the end.
    groups: Vec<u32>,
    /// Group + 1 at the hash of its beginning, or 0.
    table: Vec<u32>,
    filter: Vec<u64>,
}

impl<const SEED: usize> Index<SEED> {
    /// Builds it; every window has at least `SEED` and at most [`SPAN_BYTES_MAX`] bytes of the arena.
    pub(super) fn new(arena: &[u8], mut entries: Vec<Entry>) -> Self {
        let bytes = |entry: &Entry| &arena[entry.at as usize..][..usize::from(entry.bytes)];
        debug_assert!(
            entries
                .iter()
                .all(|entry| { (SEED..=SPAN_BYTES_MAX).contains(&usize::from(entry.bytes)) })
        );
        entries.sort_unstable_by(|a, b| bytes(a).cmp(bytes(b)).then(a.place.cmp(&b.place)));
        let mut index = Self {
            windows: Vec::new(),
            places: Vec::new(),
            groups: Vec::new(),
            table: Vec::new(),
            filter: Vec::new(),
        };
        let mut open: Vec<u32> = Vec::new();
        for entry in &entries {
            let window = bytes(entry);
            let last = index.windows.last().map(|last| last.of(arena));
            if last == Some(window) {
                index.add_place(entry.place);
                continue;
            }
            let number = index.windows.len() as u32;
            if last.is_none_or(|last| last[..SEED] != window[..SEED]) {
                index.groups.push(number);
            }
            while let Some(&top) = open.last()
                && !window.starts_with(index.windows[top as usize].of(arena))
            {
                open.pop();
            }
            let beginning = open.last().copied().unwrap_or(NONE);
            open.push(number);
            let places = index.places.len() as u32;
            index.windows.push(Distinct { at: entry.at, bytes: entry.bytes, beginning, places });
            index.places.push(entry.place);
        }
        index.fill_table(arena);
        index
    }

    /// An item that repeats itself is named once for each window.
    fn add_place(&mut self, place: Place) {
        if self.places.last().is_none_or(|last| last.item != place.item) {
            self.places.push(place);
        }
    }

    fn fill_table(&mut self, arena: &[u8]) {
        let groups = self.groups.len();
        self.table = vec![0; (groups * PLACES_EACH).next_power_of_two().max(2)];
        self.filter = vec![0; (groups * FILTER_BITS_EACH).next_power_of_two().max(64) / 64];
        for (group, &first) in self.groups.iter().enumerate() {
            let hash = hash(&self.windows[first as usize].of(arena)[..SEED]);
            let bit = hash as usize & (self.filter.len() * 64 - 1);
            self.filter[bit / 64] |= 1 << (bit % 64);
            let mut slot = self.slot(hash);
            while self.table[slot] != 0 {
                slot = (slot + 1) & (self.table.len() - 1);
            }
            self.table[slot] = group as u32 + 1;
        }
        self.groups.push(self.windows.len() as u32);
    }

    fn slot(&self, hash: u64) -> usize {
        (hash >> 32) as usize & (self.table.len() - 1)
    }

    /// Hands over the places and the length of every window that `stretch` begins with.
    #[inline]
    pub(super) fn find(&self, arena: &[u8], stretch: &[u8], found: impl FnMut(usize, &[Place])) {
        let Some(seed) = stretch.get(..SEED) else { return };
        let hash = hash(seed);
        let bit = hash as usize & (self.filter.len() * 64 - 1);
        if self.filter[bit / 64] >> (bit % 64) & 1 == 1 {
            self.find_slowly(arena, stretch, hash, found);
        }
    }

    #[inline(never)]
    fn find_slowly(
        &self,
        arena: &[u8],
        stretch: &[u8],
        hash: u64,
        mut found: impl FnMut(usize, &[Place]),
    ) {
        let Some((lo, hi)) = self.group(arena, &stretch[..SEED], hash) else { return };
        let stretch = &stretch[..stretch.len().min(SPAN_BYTES_MAX)];
        let after = self.windows[lo..hi].partition_point(|window| window.of(arena) <= stretch);
        let mut number = (lo + after).checked_sub(1).filter(|&last| last >= lo);
        while let Some(current) = number {
            let window = &self.windows[current];
            if stretch.starts_with(window.of(arena)) {
                found(usize::from(window.bytes), self.places(current));
            }
            number = (window.beginning != NONE).then_some(window.beginning as usize);
        }
    }

    fn group(&self, arena: &[u8], seed: &[u8], hash: u64) -> Option<(usize, usize)> {
        let mut slot = self.slot(hash);
        loop {
            let group = self.table[slot].checked_sub(1)? as usize;
            let (lo, hi) = (self.groups[group] as usize, self.groups[group + 1] as usize);
            if self.windows[lo].of(arena)[..SEED] == *seed {
                return Some((lo, hi));
            }
            slot = (slot + 1) & (self.table.len() - 1);
        }
    }

    fn places(&self, window: usize) -> &[Place] {
        let end =
            self.windows.get(window + 1).map_or(self.places.len(), |next| next.places as usize);
        &self.places[self.windows[window].places as usize..end]
    }

    /// Bytes that it takes, the arena not counted.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(self.windows.as_slice())
            + size_of_val(self.places.as_slice())
            + size_of_val(self.groups.as_slice())
            + size_of_val(self.table.as_slice())
            + size_of_val(self.filter.as_slice())
    }
}

impl Distinct {
    fn of<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        &arena[self.at as usize..][..usize::from(self.bytes)]
    }
}

/// Mixes the beginning of a window; eight bytes at a time, the last eight overlapping.
#[inline]
fn hash(seed: &[u8]) -> u64 {
    let mut words = [0_u8; 16];
    let bytes = seed.len().min(16);
    words[..bytes].copy_from_slice(&seed[..bytes]);
    let words = u128::from_le_bytes(words);
    let (low, high) = (words as u64, (words >> 64) as u64);
    let product =
        u128::from(low ^ 0x9e37_79b9_7f4a_7c15) * u128::from(high ^ 0xc2b2_ae3d_27d4_eb4f);
    let mixed = product as u64 ^ (product >> 64) as u64;
    mixed ^ (mixed >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(windows: &[&str], stretch: &str) -> Vec<usize> {
        let mut arena = Vec::new();
        let mut entries = Vec::new();
        for (item, window) in windows.iter().enumerate() {
            let place = Place { item: item as u32, first_word: 0, words: 1, whole: false };
            entries.push(Entry { at: arena.len() as u32, bytes: window.len() as u16, place });
            arena.extend_from_slice(window.as_bytes());
        }
        let index = Index::<4>::new(&arena, entries);
        let mut items = Vec::new();
        index.find(&arena, stretch.as_bytes(), |_, places| {
            items.extend(places.iter().map(|place| place.item as usize));
        });
        items.sort_unstable();
        items
    }

    #[test]
    fn every_window_that_is_a_beginning_is_found() {
        let windows =
            ["which", "whichof", "whichofz", "whichofthe", "whicj", "what", "whichof", "whichab"];
        assert_eq!(found(&windows, "whichofthefollowing"), [0, 1, 3, 6]);
        assert_eq!(found(&windows, "whichofthe"), [0, 1, 3, 6]);
        assert_eq!(found(&windows, "whichofth"), [0, 1, 6]);
        assert_eq!(found(&windows, "whichb"), [0]);
        assert_eq!(found(&windows, "whicha"), [0]);
        assert_eq!(found(&windows, "whicz"), [0_usize; 0]);
        assert_eq!(found(&windows, "whi"), [0_usize; 0]);
        assert_eq!(found(&[], "whichofthefollowing"), [0_usize; 0]);
    }
}
