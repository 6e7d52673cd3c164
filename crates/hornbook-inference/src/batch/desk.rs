//! Who waits for what, and in which batch it is: the one state of a batch endpoint.
//!
//! It knows only what somebody waits for at present; everything else is the journal's.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use super::journal::{OpenBatch, RequestId};
use super::limits::{BATCH_BYTES, BATCH_REQUESTS};
use super::waiting::{Answer, Key, Question, Size, Unanswered, Waiting, tell, tell_all};
use crate::{Completion, CompletionError};

/// A batch in which somebody's requests are.
struct Known {
    batch_id: Option<String>,
    /// Its requests, line by line, where it was made here.
    order: Arc<[RequestId]>,
    /// Requests that have not been answered from it.
    unanswered: usize,
    /// True while a task looks after it.
    attended: bool,
}

struct State {
    waiting: HashMap<RequestId, Waiting>,
    /// Where requests are that somebody waits for.
    located: HashMap<RequestId, Key>,
    batches: HashMap<Key, Known>,
    gathering: Vec<RequestId>,
    gathering_bytes: usize,
    /// Requests that the account's queue seems to have room for.
    file_requests: usize,
    /// Waits for room in the queue, one after the other.
    queue_waits: u32,
    /// Nothing is sent off before.
    opens_at: Duration,
}

/// What the caller of [`Desk::ask`] has to see to.
pub(super) enum Then {
    /// Nothing: somebody sees to it already.
    Nothing,
    /// The first request of a new batch: somebody must send it off in the end.
    Gather,
    /// It was asked before, in that batch: somebody must look after it.
    Attend(Key),
}

/// How a batch is left.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// It is not: somebody waits for it.
    Stay,
    /// Nobody waits for it; it may have more answers.
    Left,
    /// It was made here, and all its answers have been had.
    Spent,
}

impl State {
    fn is_full(&self) -> bool {
        self.gathering.len() >= BATCH_REQUESTS || self.gathering_bytes >= BATCH_BYTES
    }

    /// Those who wait for the batch; forgets who went away.
    fn awaited(&mut self, key: &Key) -> HashSet<RequestId> {
        let State { waiting, located, .. } = self;
        let of_batch = located.iter().filter(|(_, of)| *of == key).map(|(id, _)| *id);
        let of_batch: Vec<RequestId> = of_batch.collect();
        let mut awaited = HashSet::new();
        for id in of_batch {
            if waiting.get(&id).is_some_and(Waiting::is_wanted) {
                awaited.insert(id);
            } else {
                waiting.remove(&id);
                located.remove(&id);
            }
        }
        awaited
    }
}

/// The state, shared by the tasks of one endpoint.
pub(super) struct Desk {
    state: Mutex<State>,
    /// Told when the gathering batch can hold no more.
    pub(super) full: Notify,
}

impl Desk {
    pub(super) fn new() -> Self {
        let state = State {
            waiting: HashMap::new(),
            located: HashMap::new(),
            batches: HashMap::new(),
            gathering: Vec::new(),
            gathering_bytes: 0,
            file_requests: BATCH_REQUESTS,
            queue_waits: 0,
            opens_at: Duration::ZERO,
        };
        Self { state: Mutex::new(state), full: Notify::new() }
    }

    /// Puts a request on the desk; the answer comes through the receiver.
    pub(super) fn ask(&self, question: Question) -> (oneshot::Receiver<Answer>, Then) {
        let Question { id, line, size, passed } = question;
        let (asker, answer) = oneshot::channel();
        let mut state = self.lock();
        if let Some(waiting) = state.waiting.get_mut(&id) {
            waiting.askers.push(asker);
            return (answer, Then::Nothing);
        }
        let askers = vec![asker];
        if let Some(key) = state.located.get(&id).cloned() {
            state.waiting.insert(id, Waiting { line: None, size, passed, askers });
            let is_attended = state.batches.get(&key).is_some_and(|known| known.attended);
            return (answer, if is_attended { Then::Nothing } else { Then::Attend(key) });
        }
        let is_first = state.gathering.is_empty();
        let was_full = state.is_full();
        state.gathering.push(id);
        state.gathering_bytes += line.len();
        let is_full = state.is_full() && !was_full;
        state.waiting.insert(id, Waiting { line: Some(line), size, passed, askers });
        drop(state);
        if is_full {
            self.full.notify_one();
        }
        (answer, if is_first { Then::Gather } else { Then::Nothing })
    }

    /// Takes the gathered requests that are still wanted, each with the batches that it has passed.
    pub(super) fn take_gathered(&self) -> Vec<(RequestId, Bytes, Vec<Key>)> {
        let mut state = self.lock();
        state.gathering_bytes = 0;
        let gathered = std::mem::take(&mut state.gathering);
        let mut wanted = Vec::with_capacity(gathered.len());
        for id in gathered {
            let Some(waiting) = state.waiting.get_mut(&id) else { continue };
            if !waiting.is_wanted() {
                state.waiting.remove(&id);
            } else if let Some(line) = waiting.line.take() {
                wanted.push((id, line, waiting.passed.clone()));
            }
        }
        wanted
    }

    /// Notes a batch that is made here, by somebody who looks after it.
    pub(super) fn note_made(&self, key: &Key, requests: &[RequestId]) {
        let mut state = self.lock();
        for id in requests {
            state.located.insert(*id, Arc::clone(key));
        }
        let known = Known {
            batch_id: None,
            order: requests.into(),
            unanswered: requests.len(),
            attended: true,
        };
        state.batches.insert(Arc::clone(key), known);
    }

    /// Notes where requests were found, each in the first batch that may answer it; tells which.
    pub(super) fn note_found(&self, found: Vec<OpenBatch>) -> HashMap<RequestId, Key> {
        let mut state = self.lock();
        let mut placed = HashMap::new();
        for batch in found {
            let key: Key = batch.key.into();
            let mut news = 0;
            for id in batch.requests {
                let waiting = state.waiting.get(&id);
                let is_passed = waiting.is_some_and(|waiting| waiting.passed.contains(&key));
                if !is_passed && !placed.contains_key(&id) {
                    placed.insert(id, Arc::clone(&key));
                    state.located.insert(id, Arc::clone(&key));
                    news += 1;
                }
            }
            if news > 0 {
                let known = state.batches.entry(key).or_insert_with(|| Known {
                    batch_id: batch.batch_id,
                    order: [].into(),
                    unanswered: 0,
                    attended: false,
                });
                known.unanswered += news;
            }
        }
        placed
    }

    /// The requests of a batch, line by line.
    pub(super) fn order(&self, key: &Key) -> Arc<[RequestId]> {
        self.lock().batches.get(key).map_or_else(|| [].into(), |known| Arc::clone(&known.order))
    }

    /// Notes the provider's name for a batch.
    pub(super) fn name(&self, key: &Key, batch_id: &str) {
        if let Some(known) = self.lock().batches.get_mut(key) {
            known.batch_id = Some(batch_id.to_owned());
        }
    }

    /// The provider's name for a batch, where it is known.
    pub(super) fn batch_id(&self, key: &Key) -> Option<String> {
        self.lock().batches.get(key)?.batch_id.clone()
    }

    /// True for the one caller that is to look after the batch.
    pub(super) fn attend(&self, key: &Key) -> bool {
        let mut state = self.lock();
        let known = state.batches.get_mut(key).filter(|known| !known.attended);
        known.map(|known| known.attended = true).is_some()
    }

    /// Requests of a batch that somebody waits for.
    pub(super) fn awaited(&self, key: &Key) -> HashSet<RequestId> {
        self.lock().awaited(key)
    }

    /// True where somebody waits for one of these, wherever they are.
    pub(super) fn is_any_wanted(&self, ids: &[RequestId]) -> bool {
        let state = self.lock();
        ids.iter().any(|id| state.waiting.get(id).is_some_and(Waiting::is_wanted))
    }

    /// Stops looking after a batch and forgets it, unless somebody waits for it.
    pub(super) fn leave(&self, key: &Key) -> Leave {
        let mut state = self.lock();
        if !state.awaited(key).is_empty() {
            return Leave::Stay;
        }
        match state.batches.remove(key) {
            // A batch that others made may hold what they still want: its age ends it.
            Some(known) if known.unanswered == 0 && !known.order.is_empty() => Leave::Spent,
            _ => Leave::Left,
        }
    }

    /// What an awaited request asks for; none where nobody waits for it.
    pub(super) fn size(&self, id: RequestId) -> Option<Size> {
        self.lock().waiting.get(&id).map(|waiting| waiting.size)
    }

    /// Answers a request from a batch, which then has nothing more for it.
    pub(super) fn answer(&self, id: RequestId, answer: Result<Completion, CompletionError>) {
        let mut state = self.lock();
        let key = state.located.remove(&id);
        if let Some(known) = key.as_ref().and_then(|key| state.batches.get_mut(key)) {
            known.unanswered = known.unanswered.saturating_sub(1);
        }
        let waiting = state.waiting.remove(&id);
        drop(state);
        let answer = answer.map_err(|error| Unanswered { passed: key, ..error.into() });
        if let Some(waiting) = waiting {
            tell(waiting, &answer);
        }
    }

    /// Tells whoever waits for a batch that there is no answer now; the journal keeps it.
    pub(super) fn put_off(&self, key: &Key, why: &Unanswered) {
        let mut state = self.lock();
        let awaited = state.awaited(key);
        let State { waiting, located, .. } = &mut *state;
        let told: Vec<Waiting> = awaited
            .iter()
            .filter_map(|id| {
                located.remove(id);
                waiting.remove(id)
            })
            .collect();
        drop(state);
        tell_all(told, why);
    }

    /// Forgets a batch that is no more, and tells whoever waits for it.
    pub(super) fn abandon(&self, key: &Key, why: &Unanswered) {
        self.put_off(key, why);
        self.lock().batches.remove(key);
    }

    /// How many requests a file may hold at present.
    pub(super) fn file_requests(&self) -> usize {
        self.lock().file_requests
    }

    /// When something may be sent off again.
    pub(super) fn opens_at(&self) -> Duration {
        self.lock().opens_at
    }

    /// The account's queue has no room for a batch of `count` requests: asks for less next time,
    /// later, and says how often that was so in a row. None where there cannot be less.
    ///
    /// While other batches of ours are under way they are what fills the queue: then later will do.
    pub(super) fn queue_is_full(&self, key: &Key, count: usize) -> Option<u32> {
        let mut state = self.lock();
        let has_others = state.batches.iter().any(|(of, known)| of != key && known.attended);
        if !has_others {
            if count <= 1 {
                return None;
            }
            state.file_requests = state.file_requests.min(count.div_ceil(2));
        }
        let waits = state.queue_waits;
        state.queue_waits = waits.saturating_add(1);
        Some(waits)
    }

    /// Sends nothing off before `at`.
    pub(super) fn close_until(&self, at: Duration) {
        let mut state = self.lock();
        state.opens_at = state.opens_at.max(at);
    }

    /// A batch went through: the next may be larger.
    pub(super) fn queue_took(&self) {
        let mut state = self.lock();
        state.queue_waits = 0;
        state.file_requests = state.file_requests.saturating_mul(2).min(BATCH_REQUESTS);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change under this lock is whole before it ends, so a panic leaves it usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
