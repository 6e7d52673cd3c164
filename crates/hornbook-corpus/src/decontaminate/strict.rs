//! The strict mode: an item is leaked exactly if enough of it stands in the document in one piece.

use std::collections::BTreeMap;

use super::benchmarks::Benchmarks;
use super::evidence::cut;
use super::hit::{Hit, Names, excerpt};
use super::index::{Entry, Index, Place};
use super::limits::{HITS_MAX, SPAN_BYTES_MAX, STREAM_BYTES};
use super::normal::Normaliser;

/// Bytes by which most windows are looked up.
const SEED_BYTES: usize = 16;
/// The shortest item has six words, so no window has fewer bytes.
const SHORT_SEED_BYTES: usize = 6;

/// Everything that is looked for.
#[derive(Debug)]
pub(super) struct Strict {
    arena: Vec<u8>,
    index: Index<SEED_BYTES>,
    /// Windows shorter than [`SEED_BYTES`]: whole items of very short words.
    short: Option<Index<SHORT_SEED_BYTES>>,
    /// Items in the order of benchmark, id and text, so that nothing depends on the order they came in.
    sorted: Vec<u32>,
    /// Words of each, in that order.
    words: Vec<u32>,
}

/// Where in the document an item was found.
#[derive(Clone, Copy, Debug)]
struct Found {
    text: (usize, usize),
    words: (u32, u32),
}

/// The longest place of an item so far, and the one that may go on.
#[derive(Debug)]
struct Spans {
    best: Found,
    current: Found,
}

impl Strict {
    /// Cuts every item; those without windows are named by `unchecked` with their words.
    pub(super) fn new(benchmarks: &Benchmarks, mut unchecked: impl FnMut(u32, usize)) -> Self {
        let items = benchmarks.items();
        let (mut arena, mut long, mut short) = (Vec::new(), Vec::new(), Vec::new());
        let sorted = benchmarks.sorted();
        let mut words = Vec::with_capacity(items.len());
        for (number, &item) in sorted.iter().enumerate() {
            let cut = cut(&items[item as usize].text);
            words.push(cut.words as u32);
            if cut.windows.is_empty() {
                unchecked(item, cut.words);
                continue;
            }
            for window in &cut.windows {
                let place = Place {
                    item: number as u32,
                    first_word: window.first_word as u32,
                    words: window.words as u32,
                    whole: window.whole,
                };
                let at = (arena.len() + window.at) as u32;
                let entry = Entry { at, bytes: window.bytes as u16, place };
                let list = if window.bytes < SEED_BYTES { &mut short } else { &mut long };
                list.push(entry);
            }
            arena.extend_from_slice(&cut.stream);
        }
        let index = Index::new(&arena, long);
        let short = (!short.is_empty()).then(|| Index::new(&arena, short));
        Self { arena, index, short, sorted, words }
    }

    /// The hits of a document, in order of where they begin, then of benchmark and item.
    pub(super) fn check(&self, text: &str, names: &Names) -> Vec<Hit> {
        let mut found = BTreeMap::new();
        let mut normal = Normaliser::new(text, STREAM_BYTES);
        loop {
            normal.fill(STREAM_BYTES);
            let mut next = 0;
            while let Some(run) = normal.runs.get(next) {
                // The longest window and the word after it must be in sight.
                if !normal.is_done() && run.at + SPAN_BYTES_MAX + 1 >= normal.stream.len() {
                    break;
                }
                self.look(&normal, next, &mut found);
                next += 1;
            }
            if normal.is_done() {
                break;
            }
            normal.drop_before(next);
        }
        if found.is_empty() { Vec::new() } else { self.hits(text, &found, names) }
    }

    #[inline]
    fn look(&self, normal: &Normaliser, run: usize, found: &mut BTreeMap<u32, Spans>) {
        let stretch = &normal.stream[normal.runs[run].at..];
        let mut take = |bytes, places: &[Place]| self.note(normal, run, bytes, places, found);
        self.index.find(&self.arena, stretch, &mut take);
        if let Some(short) = &self.short {
            short.find(&self.arena, stretch, &mut take);
        }
    }

    fn note(
        &self,
        normal: &Normaliser,
        run: usize,
        bytes: usize,
        places: &[Place],
        found: &mut BTreeMap<u32, Spans>,
    ) {
        let Some(first) = normal.runs.get(run) else { return };
        let end = first.at + bytes;
        let text = (first.text_start, normal.text_end(run, end));
        let at_boundary = normal.is_boundary(run, end);
        let places = places.iter().filter(|place| at_boundary || !place.whole);
        for place in places.take(HITS_MAX) {
            let here = Found { text, words: (place.first_word, place.first_word + place.words) };
            if let Some(spans) = found.get_mut(&place.item) {
                spans.go_on(here);
            } else if found.len() < HITS_MAX {
                found.insert(place.item, Spans { best: here, current: here });
            }
        }
    }

    fn hits(&self, text: &str, found: &BTreeMap<u32, Spans>, names: &Names) -> Vec<Hit> {
        let mut hits: Vec<Hit> = found
            .iter()
            .map(|(&number, spans)| {
                let item = self.sorted[number as usize];
                let Found { text: (start, end), words } = spans.longest();
                Hit {
                    benchmark: names.benchmark(item).clone(),
                    item_id: names.item_id(item).clone(),
                    item,
                    document_span: start..end,
                    item_words: Some(words.0..words.1),
                    item_words_total: self.words[number as usize],
                    ratio: None,
                    matched: excerpt(&text[start..end]),
                }
            })
            .collect();
        // Those found are in the order of benchmark and item already, and this sort is stable.
        hits.sort_by_key(|hit| hit.document_span.start);
        hits
    }

    /// Bytes that it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.arena.len()
            + self.index.memory_bytes()
            + self.short.as_ref().map_or(0, Index::memory_bytes)
            + (self.words.len() + self.sorted.len()) * size_of::<u32>()
    }
}

impl Spans {
    fn go_on(&mut self, here: Found) {
        let current = &mut self.current;
        let overlaps = here.text.0 <= current.text.1;
        let follows = (current.words.0..=current.words.1).contains(&here.words.0);
        if overlaps && follows {
            current.text.1 = current.text.1.max(here.text.1);
            current.words.1 = current.words.1.max(here.words.1);
        } else {
            self.best = self.longest();
            self.current = here;
        }
    }

    /// The longest; the first of equals.
    fn longest(&self) -> Found {
        let bytes = |found: &Found| found.text.1 - found.text.0;
        if bytes(&self.current) > bytes(&self.best) { self.current } else { self.best }
    }
}
