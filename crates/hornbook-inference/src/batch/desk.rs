//! Who waits for what, and in which batch it is: the one state of a batch endpoint.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use super::journal::{OpenBatch, RequestId};
use super::limits::{BATCH_BYTES, BATCH_REQUESTS};
use crate::{Completion, CompletionError};

/// What becomes of one request.
pub(super) type Answer = Result<Completion, CompletionError>;
/// Our own name for a batch.
pub(super) type Key = Arc<str>;

/// A request that somebody waits for.
struct Waiting {
    /// Its line, until it is in a file.
    line: Option<Bytes>,
    prompt_bytes: usize,
    askers: Vec<oneshot::Sender<Answer>>,
}

/// A batch that was made and may have answers which nobody has had yet.
struct Known {
    batch_id: Option<String>,
    /// Its requests, line by line, where it was made here.
    order: Arc<[RequestId]>,
    /// Requests that have not been answered from it.
    unanswered: usize,
    /// True while a task looks after it.
    attended: bool,
}

#[derive(Default)]
struct State {
    waiting: HashMap<RequestId, Waiting>,
    /// Where requests are whose answers nobody has had yet.
    located: HashMap<RequestId, Key>,
    batches: HashMap<Key, Known>,
    gathering: Vec<RequestId>,
    gathering_bytes: usize,
    /// Requests that a batch was asked for and has no answer to.
    exhausted: HashSet<(RequestId, Key)>,
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

impl State {
    fn is_full(&self) -> bool {
        self.gathering.len() >= BATCH_REQUESTS || self.gathering_bytes >= BATCH_BYTES
    }
}

/// The state, shared by the tasks of one endpoint.
#[derive(Default)]
pub(super) struct Desk {
    state: Mutex<State>,
    /// Told when the gathering batch can hold no more.
    pub(super) full: Notify,
}

impl Desk {
    /// Puts a request on the desk; the answer comes through the receiver.
    pub(super) fn ask(
        &self,
        id: RequestId,
        line: Bytes,
        prompt_bytes: usize,
    ) -> (oneshot::Receiver<Answer>, Then) {
        let (asker, answer) = oneshot::channel();
        let mut state = self.lock();
        if let Some(waiting) = state.waiting.get_mut(&id) {
            waiting.askers.push(asker);
            return (answer, Then::Nothing);
        }
        let askers = vec![asker];
        if let Some(key) = state.located.get(&id).cloned() {
            state.waiting.insert(id, Waiting { line: None, prompt_bytes, askers });
            let is_attended = state.batches.get(&key).is_some_and(|known| known.attended);
            return (answer, if is_attended { Then::Nothing } else { Then::Attend(key) });
        }
        let is_first = state.gathering.is_empty();
        let was_full = state.is_full();
        state.gathering.push(id);
        state.gathering_bytes += line.len();
        let is_full = state.is_full() && !was_full;
        state.waiting.insert(id, Waiting { line: Some(line), prompt_bytes, askers });
        drop(state);
        if is_full {
            self.full.notify_one();
        }
        (answer, if is_first { Then::Gather } else { Then::Nothing })
    }

    /// Takes the gathered requests that are still wanted.
    pub(super) fn take_gathered(&self) -> Vec<(RequestId, Bytes)> {
        let mut state = self.lock();
        state.gathering_bytes = 0;
        let gathered = std::mem::take(&mut state.gathering);
        let mut wanted = Vec::with_capacity(gathered.len());
        for id in gathered {
            let Some(waiting) = state.waiting.get_mut(&id) else { continue };
            waiting.askers.retain(|asker| !asker.is_closed());
            if waiting.askers.is_empty() {
                state.waiting.remove(&id);
            } else if let Some(line) = waiting.line.take() {
                wanted.push((id, line));
            }
        }
        wanted
    }

    /// Notes a batch that is made here.
    pub(super) fn note_made(&self, key: &Key, requests: &[RequestId]) {
        let mut state = self.lock();
        for id in requests {
            state.located.insert(*id, Arc::clone(key));
        }
        let known = Known {
            batch_id: None,
            order: requests.into(),
            unanswered: requests.len(),
            attended: false,
        };
        state.batches.insert(Arc::clone(key), known);
    }

    /// Notes where requests were found, each in the first batch that may answer it.
    pub(super) fn note_found(&self, found: Vec<OpenBatch>) -> HashSet<RequestId> {
        let mut state = self.lock();
        let mut placed = HashSet::new();
        for batch in found {
            let key: Key = batch.key.into();
            let mut news = 0;
            for id in batch.requests {
                let is_exhausted = state.exhausted.contains(&(id, Arc::clone(&key)));
                if !is_exhausted && placed.insert(id) {
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

    /// Where a request is.
    pub(super) fn locate(&self, id: RequestId) -> Option<Key> {
        self.lock().located.get(&id).cloned()
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
        let state = self.lock();
        let is_there = |id: &&RequestId| state.located.get(*id) == Some(key);
        state.waiting.keys().filter(is_there).copied().collect()
    }

    /// Stops looking after a batch, unless somebody waits for it: then true, and it goes on.
    pub(super) fn leave(&self, key: &Key) -> bool {
        let mut state = self.lock();
        let is_awaited = state.waiting.keys().any(|id| state.located.get(id) == Some(key));
        if !is_awaited && let Some(known) = state.batches.get_mut(key) {
            known.attended = false;
        }
        is_awaited
    }

    /// How long the prompt of an awaited request is; none where nobody waits for it.
    pub(super) fn prompt_bytes(&self, id: RequestId) -> Option<usize> {
        self.lock().waiting.get(&id).map(|waiting| waiting.prompt_bytes)
    }

    /// Answers a request from a batch, which then has nothing more for it.
    pub(super) fn answer(&self, id: RequestId, answer: &Answer) {
        let mut state = self.lock();
        if let Some(key) = state.located.remove(&id) {
            if let Some(known) = state.batches.get_mut(&key) {
                known.unanswered = known.unanswered.saturating_sub(1);
            }
            if answer.is_err() {
                state.exhausted.insert((id, key));
            }
        }
        let askers = state.waiting.remove(&id).map(|waiting| waiting.askers);
        drop(state);
        tell(askers, answer);
    }

    /// Tells whoever waits for a batch that there is no answer now; the batch keeps its requests.
    pub(super) fn put_off(&self, key: &Key, error: &CompletionError) {
        for id in self.awaited(key) {
            let askers = self.lock().waiting.remove(&id).map(|waiting| waiting.askers);
            tell(askers, &Err(error.clone()));
        }
    }

    /// Tells whoever waits for these requests, which are in no batch, that there is no answer.
    pub(super) fn refuse(&self, ids: &[RequestId], error: &CompletionError) {
        for id in ids {
            let askers = self.lock().waiting.remove(id).map(|waiting| waiting.askers);
            tell(askers, &Err(error.clone()));
        }
    }

    /// Forgets a batch that is no more, and tells whoever waits for it.
    pub(super) fn abandon(&self, key: &Key, error: &CompletionError) {
        let mut state = self.lock();
        state.batches.remove(key);
        state.exhausted.retain(|(_, of)| of != key);
        let lost: Vec<RequestId> =
            state.located.extract_if(|_, located| *located == *key).map(|(id, _)| id).collect();
        let lost = lost.into_iter().filter_map(|id| state.waiting.remove(&id));
        let lost: Vec<Waiting> = lost.collect();
        drop(state);
        for waiting in lost {
            tell(Some(waiting.askers), &Err(error.clone()));
        }
    }

    /// True when every request of the batch was answered from it.
    pub(super) fn is_spent(&self, key: &Key) -> bool {
        self.lock().batches.get(key).is_none_or(|known| known.unanswered == 0)
    }

    /// True where the batch was made here, so that all that it asks is known.
    pub(super) fn is_made_here(&self, key: &Key) -> bool {
        self.lock().batches.get(key).is_some_and(|known| !known.order.is_empty())
    }

    /// Forgets a batch that has answered everything and that nobody looks after.
    ///
    /// What it had no answer to stays known for as long as the journal may name it.
    pub(super) fn drop_spent(&self, key: &Key) -> bool {
        let mut state = self.lock();
        let is_idle = |known: &Known| known.unanswered == 0 && !known.attended;
        let is_spent = state.batches.get(key).is_some_and(is_idle);
        if is_spent && state.batches.remove(key).is_some_and(|known| !known.order.is_empty()) {
            state.exhausted.retain(|(_, of)| of != key);
        }
        is_spent
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change under this lock is whole before it ends, so a panic leaves it usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(askers: Option<Vec<oneshot::Sender<Answer>>>, answer: &Answer) {
    for asker in askers.into_iter().flatten() {
        // Who went away does not want it any more.
        let _ = asker.send(answer.clone());
    }
}
