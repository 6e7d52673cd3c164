//! What stands for a model here: every page position remembers a token, and a row's logits depend
//! on all tokens that its sequence's pages hold up to it. Reading one wrong position, or one too
//! early, changes the answer.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use crate::kernel::{PAGE_POSITIONS, PageId};
use crate::model::{ComputeError, Pass, Row};
use crate::schedule::Forward;

/// What was computed so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    /// Rows of each pass.
    pub(crate) rows: Vec<usize>,
    /// Rows of each pass whose logits were wanted.
    pub(crate) wanted: Vec<usize>,
    pub(crate) copies: usize,
}

/// What happens in a pass instead of its being computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mishap {
    Panic,
    Error,
}

pub(crate) struct Abacus {
    pub(crate) vocabulary: usize,
    pub(crate) log: Arc<Mutex<Log>>,
    /// Comes with the pass of that number, counted from 0.
    pub(crate) mishap: Option<(usize, Mishap)>,
    memory: HashMap<(PageId, usize), u32>,
    logits: Vec<f32>,
}

impl Abacus {
    pub(crate) fn new(vocabulary: usize) -> Self {
        Self {
            vocabulary,
            log: Arc::default(),
            mishap: None,
            memory: HashMap::new(),
            logits: Vec::new(),
        }
    }

    /// The logits after the tokens that a row's pages hold.
    fn count(&self, row: &Row, tables: &[&[PageId]]) -> impl Iterator<Item = f32> + use<> {
        let mut hasher = DefaultHasher::new();
        for position in 0..=row.position {
            let token = self.memory.get(&place(row.sequence, position, tables));
            token.expect("every position before a row is computed").hash(&mut hasher);
        }
        let mut state = hasher.finish();
        (0..self.vocabulary).map(move |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1 << 20) as f32
        })
    }
}

fn place(sequence: usize, position: usize, tables: &[&[PageId]]) -> (PageId, usize) {
    (tables[sequence][position / PAGE_POSITIONS], position % PAGE_POSITIONS)
}

impl Forward for Abacus {
    fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    fn forward(&mut self, pass: Pass<'_>) -> Result<&mut [f32], ComputeError> {
        let Pass { rows, tables, wanted } = pass;
        let number = self.log.lock().expect("no panic").rows.len();
        match self.mishap {
            Some((at, Mishap::Panic)) if at == number => panic!("a fault in a kernel"),
            Some((at, Mishap::Error)) if at == number => {
                return Err(ComputeError { detail: "the device is lost".to_owned() });
            }
            _ => {}
        }
        let mut places = HashSet::new();
        for row in rows {
            let place = place(row.sequence, row.position, tables);
            assert!(places.insert(place), "two rows at {place:?}");
            self.memory.insert(place, row.token);
        }
        self.logits.clear();
        for number in wanted {
            let logits = self.count(&rows[*number], tables);
            self.logits.extend(logits);
        }
        let mut log = self.log.lock().expect("no panic");
        log.rows.push(rows.len());
        log.wanted.push(wanted.len());
        Ok(&mut self.logits)
    }

    fn copy_page(
        &mut self,
        from: PageId,
        to: PageId,
        positions: usize,
    ) -> Result<(), ComputeError> {
        self.log.lock().expect("no panic").copies += 1;
        for offset in 0..positions {
            let token = self.memory[&(from, offset)];
            self.memory.insert((to, offset), token);
        }
        Ok(())
    }
}
