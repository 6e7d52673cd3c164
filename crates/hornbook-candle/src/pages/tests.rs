//! Random lives of many sequences against a memory that knows what every position holds.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use proptest::prelude::*;

use super::book::{PageBook, PageTable};
use super::{PAGE_POSITIONS, PageId};

/// A sequence under way, as the scheduler has it.
struct Life {
    prompt: usize,
    /// Of prompt and answer.
    tokens: Vec<u32>,
    positions: usize,
    stored: usize,
    table: PageTable,
}

/// Pages in which every position holds all tokens up to it: what keys and values depend on.
struct World {
    book: PageBook,
    memory: BTreeMap<(PageId, usize), Rc<[u32]>>,
    lives: Vec<Life>,
    rows: usize,
}

impl World {
    fn new(pages: usize, shares: bool) -> Self {
        let book = PageBook::new(pages, shares);
        Self { book, memory: BTreeMap::new(), lives: Vec::new(), rows: 0 }
    }

    fn admit(&mut self, prompt: &[u32], answer: usize) -> bool {
        let positions = prompt.len() + answer;
        let Some(table) = self.book.admit(prompt, positions) else { return false };
        let (prompt, tokens) = (prompt.len(), prompt.to_vec());
        self.lives.push(Life { prompt, tokens, positions, stored: 0, table });
        self.check();
        true
    }

    fn end(&mut self, number: usize) {
        let life = self.lives.remove(number);
        self.book.release(life.table, &life.tokens);
        self.check();
    }

    /// One pass; true when anything happened in it.
    fn pass(&mut self, budget: usize) -> bool {
        let Self { book, memory, lives, .. } = self;
        let mut copied = false;
        book.settle_copies(|from, to, positions| {
            copied = true;
            for offset in 0..positions {
                let held = memory.get(&(from, offset)).expect("only what is there is copied");
                memory.insert((to, offset), Rc::clone(held));
            }
        });
        let mut budget = budget;
        let mut rows = Vec::new();
        for (number, life) in lives.iter_mut().enumerate() {
            if life.stored < life.prompt {
                while budget > 0 && life.stored < life.prompt {
                    let run = book.claim(&life.table, life.stored, life.prompt, budget);
                    let Some(run) = run else { break };
                    assert!(!run.is_empty() && run.len() <= budget && run.start >= life.stored);
                    budget -= run.len();
                    life.stored = run.end;
                    rows.extend(run.map(|position| (number, position)));
                }
            } else if life.stored < life.positions {
                assert!(book.claim_next(&mut life.table, life.stored), "reservations hold");
                // As the first stem goes on, so that answers meet prompts.
                life.tokens.push(stem(0).get(life.stored).map_or(1, |token| *token));
                rows.push((number, life.stored));
                life.stored += 1;
            }
        }
        self.rows += rows.len();
        let mut places = BTreeSet::new();
        for (number, position) in &rows {
            let life = &self.lives[*number];
            let place = place(&life.table, *position);
            assert!(places.insert(place), "no place is written twice in one pass");
            self.memory.insert(place, life.tokens[..=*position].into());
        }
        for (number, position) in &rows {
            self.expect_all_before(&self.lives[*number], *position);
        }
        self.check();
        copied || !rows.is_empty()
    }

    /// A row reads every position up to its own: all must be there, and of the row's sequence.
    fn expect_all_before(&self, life: &Life, position: usize) {
        for position in 0..=position {
            let held = self.memory.get(&place(&life.table, position)).map(|held| &**held);
            assert_eq!(held, Some(&life.tokens[..=position]), "position {position}");
        }
    }

    fn check(&self) {
        let (store, index) = self.book.parts();
        let mut holders = vec![0; store.len()];
        let pages = self.lives.iter().flat_map(|life| life.table.pages());
        pages.for_each(|page| holders[page.0 as usize] += 1);
        let mut copies = vec![0; store.len()];
        self.book.copy_sources().for_each(|page| copies[page.0 as usize] += 1);
        let kept: Vec<PageId> = store.kept_pages().collect();
        let free: BTreeSet<PageId> = store.free_pages().iter().copied().collect();
        assert_eq!(free.len(), store.free_pages().len(), "no page is free twice");
        for page in (0..store.len() as u32).map(PageId) {
            let number = page.0 as usize;
            assert_eq!(store.holders(page), holders[number]);
            assert_eq!(store.copies(page), copies[number]);
            let is_held = holders[number] + copies[number] > 0;
            let states = [is_held, kept.contains(&page), free.contains(&page)];
            assert_eq!(states.iter().filter(|is| **is).count(), 1, "{page:?} is {states:?}");
            assert!(!free.contains(&page) || index.key(page).is_none(), "free, yet findable");
        }
        let reserved: usize = self.lives.iter().map(|life| life.table.reserved()).sum();
        assert_eq!(self.book.reserved(), reserved);
        assert!(store.available() >= reserved, "what is reserved can be had");
        self.check_index(&kept);
    }

    fn check_index(&self, kept: &[PageId]) {
        let (store, index) = self.book.parts();
        let order = |page: &PageId| kept.iter().position(|kept| kept == page);
        for (key, page) in index.entries() {
            assert_eq!(index.key(page), Some(key));
            let Some(before) = key.before else { continue };
            let key = index.key(before).expect("what a page continues is findable");
            assert!(key.stretch.is_whole(), "only whole pages are continued");
            if let (Some(before), Some(page)) = (order(&before), order(&page)) {
                assert!(before > page, "a page goes after those that continue it");
            }
            assert!(order(&before).is_none() || store.holders(page) == 0, "held, not its start");
        }
        for page in kept {
            let mut page = *page;
            let mut path = vec![];
            let mut key = *index.key(page).expect("kept pages are findable");
            assert!(store.filled(page) >= key.stretch.tokens().len());
            path.push(key.stretch);
            let end = key.stretch.tokens().len();
            let last = page;
            while let Some(before) = key.before {
                page = before;
                key = *index.key(page).expect("findable");
                path.push(key.stretch);
            }
            let tokens: Vec<u32> =
                path.iter().rev().flat_map(|stretch| stretch.tokens()).copied().collect();
            for offset in 0..end {
                let until = tokens.len() - end + offset;
                let held = self.memory.get(&(last, offset)).map(|held| &**held);
                assert_eq!(held, Some(&tokens[..=until]), "kept, not what it is found by");
            }
        }
    }

    /// Passes until all are written to their end, which must come.
    fn finish(&mut self, budget: usize) {
        while !self.lives.is_empty() {
            let is_done = |life: &Life| life.stored == life.positions;
            while let Some(number) = self.lives.iter().position(is_done) {
                let life = &self.lives[number];
                self.expect_all_before(life, life.positions - 1);
                self.end(number);
            }
            assert!(self.lives.is_empty() || self.pass(budget), "somebody can always go on");
        }
        assert_eq!(self.book.held(), 0);
        assert_eq!(self.book.reserved(), 0);
    }
}

fn place(table: &PageTable, position: usize) -> (PageId, usize) {
    (table.pages()[position / PAGE_POSITIONS], position % PAGE_POSITIONS)
}

#[derive(Clone, Debug)]
enum Step {
    Admit { stem: usize, kept: usize, own: Vec<u32>, answer: usize },
    Pass { budget: usize },
    End { number: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let own = prop_oneof![
        1 => Just(Vec::new()),
        2 => prop::collection::vec(0_u32..2, 1..30),
    ];
    let step = prop_oneof![
        4 => (0..3_usize, 1..70_usize, own, 0..40_usize)
            .prop_map(|(stem, kept, own, answer)| Step::Admit { stem, kept, own, answer }),
        4 => (1..60_usize).prop_map(|budget| Step::Pass { budget }),
        1 => (0..8_usize).prop_map(|number| Step::End { number }),
    ];
    prop::collection::vec(step, 1..60)
}

/// Three texts, of which two begin alike.
fn stem(number: usize) -> Vec<u32> {
    (0..70)
        .map(|at| if number == 2 && at > 37 { at ^ 1 } else { at % 7 + number as u32 / 2 })
        .collect()
}

proptest! {
    #[test]
    fn every_row_reads_its_own_sequence(
        pages in 8..40_usize,
        shares in prop::bool::weighted(0.9),
        steps in steps(),
    ) {
        let mut world = World::new(pages, shares);
        for step in steps {
            match step {
                Step::Admit { stem: number, kept, own, answer } => {
                    let mut prompt = stem(number)[..kept].to_vec();
                    prompt.extend(own);
                    world.admit(&prompt, answer);
                }
                Step::Pass { budget } => {
                    world.pass(budget);
                }
                Step::End { number } if number < world.lives.len() => world.end(number),
                Step::End { .. } => {}
            }
        }
        world.finish(7);
        // All memory can be had again, whatever is kept in it.
        prop_assert!(world.admit(&[9], pages * PAGE_POSITIONS - 1));
    }
}

fn numbered(range: std::ops::Range<u32>) -> Vec<u32> {
    range.collect()
}

#[test]
fn what_is_shared_is_computed_once() {
    let mut world = World::new(200, true);
    for number in 0..32 {
        let mut prompt = numbered(0..512);
        prompt.extend([1_000 + number; 20]);
        assert!(world.admit(&prompt, 1));
    }
    while world.lives.iter().any(|life| life.stored < life.prompt) {
        assert!(world.pass(128));
    }
    let answers = world.lives.iter().map(|life| life.stored - life.prompt).sum::<usize>();
    assert_eq!(world.rows - answers, 512 + 32 * 20);
}

#[test]
fn a_boundary_that_is_only_promised_is_waited_for() {
    let mut world = World::new(200, true);
    for number in 0..32 {
        let mut prompt = numbered(0..517);
        // Each begins like some and like one of them a little longer.
        prompt.extend([1_000 + number / 2, 2_000 + number]);
        prompt.extend([number; 18]);
        assert!(world.admit(&prompt, 0));
    }
    let mut passes = 0;
    while world.lives.iter().any(|life| life.stored < life.prompt) {
        assert!(world.pass(128));
        passes += 1;
    }
    // The second copies its first own token too; nobody waits for a copy's copy.
    assert_eq!(world.rows, 517 + 32 * 20 - 1);
    assert_eq!(passes, (517 + 20_usize).div_ceil(128) + (31 * 20_usize).div_ceil(128));
}

#[test]
fn the_boundary_is_copied() {
    let mut world = World::new(20, true);
    assert!(world.admit(&numbered(0..60), 0));
    world.finish(60);
    assert_eq!((world.rows, world.book.kept()), (60, 4));
    let mut prompt = numbered(0..37);
    prompt.extend([7, 7, 7]);
    assert!(world.admit(&prompt, 0));
    assert_eq!(world.book.held(), 4, "two shared, one of its own, one to copy from");
    world.finish(60);
    assert_eq!(world.rows, 60 + 3);
}

#[test]
fn the_same_prompt_again_needs_one_row() {
    let mut world = World::new(20, true);
    for (length, positions) in [(48, 48), (48, 48), (41, 41), (41, 47)] {
        assert!(world.admit(&numbered(0..length), positions - length as usize));
        world.finish(60);
    }
    assert_eq!(world.rows, 48 + 1 + 1 + (1 + 6));
}

#[test]
fn the_answer_stays_findable() {
    let mut world = World::new(20, true);
    assert!(world.admit(&numbered(0..10), 40));
    while world.lives[0].stored < 50 {
        world.pass(64);
    }
    let mut next = world.lives[0].tokens.clone();
    world.finish(64);
    next.extend([90, 91, 92]);
    let before = world.rows;
    assert!(world.admit(&next, 0));
    world.finish(64);
    assert_eq!(world.rows - before, 3);
}

#[test]
fn who_shares_goes_on_where_the_first_was_given_up() {
    let mut world = World::new(40, true);
    assert!(world.admit(&numbered(0..100), 5));
    let mut prompt = numbered(0..90);
    prompt.extend([7; 10]);
    assert!(world.admit(&prompt, 5));
    assert!(world.pass(40));
    world.end(0);
    world.finish(40);
    assert_eq!(world.rows, 40 + 60 + 5, "nothing of the first is computed again");
}

#[test]
fn nothing_is_found_after_what_was_never_computed() {
    let mut world = World::new(20, true);
    assert!(world.admit(&stem(0)[..10], 40));
    while world.lives[0].stored < 50 {
        world.pass(64);
    }
    // Promises the pages that the first one's answer filled, and ends before any is computed.
    assert!(world.admit(&stem(0)[..40], 0));
    world.end(0);
    world.end(0);
    assert_eq!((world.book.held(), world.book.kept()), (0, 0));
}

#[test]
fn the_longest_unused_goes_first() {
    let mut world = World::new(6, true);
    for start in [100, 200, 300] {
        assert!(world.admit(&numbered(start..start + 32), 0));
        world.finish(64);
    }
    // Used again: now 200 was let go longest ago.
    assert!(world.admit(&numbered(100..133), 0) && world.book.kept() == 3);
    world.finish(64);
    let rows = |world: &mut World, start: u32| {
        let before = world.rows;
        assert!(world.admit(&numbered(start..start + 32), 0));
        world.finish(64);
        world.rows - before
    };
    assert_eq!(rows(&mut world, 300), 1);
    assert_eq!(rows(&mut world, 100), 1);
    assert_eq!(rows(&mut world, 200), 32, "both its pages had to go for the others' boundaries");
}

#[test]
fn nobody_is_admitted_to_what_others_may_still_need() {
    let mut world = World::new(10, true);
    assert!(world.admit(&numbered(0..16), 16 * 6));
    assert!(!world.admit(&numbered(500..516), 16 * 3), "seven are reserved");
    assert!(world.admit(&numbered(0..20), 16 * 2), "shares one of the seven");
    assert!(!world.admit(&[1], 0));
    world.finish(64);
    assert!(world.admit(&[1], 0));
}

#[test]
fn a_full_memory_forgoes_the_copy() {
    let mut world = World::new(3, true);
    assert!(world.admit(&numbered(0..48), 0));
    world.finish(64);
    let mut prompt = numbered(0..40);
    prompt.push(7);
    assert!(world.admit(&prompt, 7), "three pages, of which two are shared");
    world.finish(64);
    assert_eq!(world.rows, 48 + 9 + 7);
}

#[test]
fn nothing_is_found_where_nothing_is_shared() {
    let mut world = World::new(20, false);
    for _ in 0..2 {
        assert!(world.admit(&numbered(0..60), 0));
        world.finish(60);
    }
    assert_eq!((world.rows, world.book.kept()), (120, 0));
}
