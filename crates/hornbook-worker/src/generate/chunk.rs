//! A chunk on the desk: its lease, its prompts on their way to an endpoint, and what is in flight.

mod ready;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hornbook_db::chunks::Lease;
use hornbook_types::limits::CHUNK_OWNER_DEATHS;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::ready::Ready;
pub(crate) use self::ready::{Prompt, Taker};
use super::group::Group;
use super::held::Held;
use super::job::JobRun;
use super::quota::ChunkQuota;
use crate::limits::{CHUNK_READY_PROMPTS, READY_PROMPTS_SPARED};

/// A leased chunk.
pub(crate) struct Chunk {
    pub(crate) lease: Lease,
    /// Until when the lease may be acted on.
    pub(crate) held: Held,
    pub(crate) job: Arc<JobRun>,
    /// What its job wants of accepted documents, when it asks for those.
    pub(crate) quota: Option<ChunkQuota>,
    /// Cancelled when the answers are not wanted any more: lease lost, or stopped without drain.
    pub(crate) given_up: CancellationToken,
    /// Cancelled when the job or the chunk is: ends local sequences at once.
    pub(crate) job_cancelled: CancellationToken,
    /// Cancelled once nothing more of it is to be sent: neither a prompt nor one for another time.
    pub(crate) cleared: CancellationToken,
    /// Finished documents that are not stored yet.
    pub(crate) group: Group,
    book: Mutex<Book>,
}

/// Where the prompts of a chunk are; each is in one place, and ended ones are nowhere.
#[derive(Default)]
struct Book {
    /// Not rendered yet, in order.
    unsent: VecDeque<u64>,
    /// Taken out of `unsent` by the one batch that is being rendered.
    rendering: usize,
    /// Waiting for an endpoint, in order.
    ready: Ready,
    /// Taken by an endpoint, and neither stored nor given up.
    in_flight: usize,
    /// Prompts that ended without a document, so that the chunk cannot be finished.
    left_over: u64,
    /// Set once nothing more of it is to be sent.
    closed: bool,
    /// Set once somebody ends the lease.
    ending: bool,
    /// When a batch of it was rendered last, in batches of the whole desk.
    rendered_at: u64,
}

impl Chunk {
    /// A chunk with these prompts to do, and these documents accepted by earlier owners.
    pub(crate) fn new(
        lease: Lease,
        held: Held,
        job: Arc<JobRun>,
        mut todo: Vec<u64>,
        accepted: &[u64],
    ) -> Self {
        let quota = ChunkQuota::of(&job, &lease, accepted);
        if let Some(quota) = &quota {
            todo.retain(|&seq| !quota.skips(job.prompter.plan(), seq));
        }
        let given_up = CancellationToken::new();
        Self {
            lease,
            held,
            job,
            quota,
            job_cancelled: given_up.child_token(),
            given_up,
            cleared: CancellationToken::new(),
            group: Group::default(),
            book: Mutex::new(Book { unsent: todo.into(), ..Book::default() }),
        }
    }

    /// True when earlier owners died on it, so that it is run one prompt at a time.
    pub(crate) fn is_solo(&self) -> bool {
        self.lease.deaths >= CHUNK_OWNER_DEATHS
    }

    /// Prompts that `taker` could send now; at most one where earlier owners died, so that others are
    /// leased beside it.
    pub(crate) fn unsent(&self, taker: &Taker<'_>) -> usize {
        let book = self.lock();
        let unsent = book.unsent.len() + book.rendering + book.ready.count_for(taker);
        match self.is_solo() {
            true if book.in_flight > 0 => 0,
            true => unsent.min(1),
            false => unsent,
        }
    }

    /// Rendered prompts that wait for an endpoint, and their bytes.
    pub(crate) fn ready(&self) -> (usize, usize) {
        let book = self.lock();
        (book.ready.len(), book.ready.bytes())
    }

    /// When the next batch of it should be rendered, in the order of those numbers; `None` for not now.
    ///
    /// `roomy` says whether the desk has room for more than the few prompts that each chunk may always have.
    pub(crate) fn wants_rendering(&self, roomy: bool) -> Option<u64> {
        let book = self.lock();
        (self.batch_size(&book, roomy) > 0).then_some(book.rendered_at)
    }

    /// Takes the prompts of the next batch; each must be answered for with [`Chunk::rendered`],
    /// [`Chunk::unrendered`] or [`Chunk::render_failed`].
    pub(crate) fn begin_batch(&self, roomy: bool, turn: u64) -> Vec<u64> {
        let mut book = self.lock();
        let size = self.batch_size(&book, roomy);
        book.rendering += size;
        book.rendered_at = turn;
        book.unsent.drain(..size).collect()
    }

    fn batch_size(&self, book: &Book, roomy: bool) -> usize {
        let ready = book.ready.len();
        let batch = self.job.batch_prompts();
        let size = match (self.is_solo(), roomy) {
            _ if book.rendering > 0 || book.closed => 0,
            // Rendering may be what killed the owners, so it is done alone as well.
            (true, _) => usize::from(ready == 0 && book.in_flight == 0),
            (false, true) if ready + batch <= CHUNK_READY_PROMPTS => batch,
            (false, _) if ready == 0 => READY_PROMPTS_SPARED,
            (false, _) => 0,
        };
        size.min(book.unsent.len())
    }

    /// These prompts of the batch can be sent.
    pub(crate) fn rendered(&self, prompts: Vec<Prompt>) {
        let mut book = self.lock();
        let count = prompts.len();
        book.rendering -= count;
        if book.closed {
            book.left_over += count as u64;
            return;
        }
        let bytes = book.ready.extend(prompts);
        self.job.rendered(count, bytes);
        self.skip_needless(&mut book);
    }

    /// These prompts of the batch were not come to.
    pub(crate) fn unrendered(&self, seqs: &[u64]) {
        let mut book = self.lock();
        book.rendering -= seqs.len();
        if book.closed {
            book.left_over += seqs.len() as u64;
            return;
        }
        for &seq in seqs.iter().rev() {
            book.unsent.push_front(seq);
        }
        self.skip_needless(&mut book);
    }

    /// One prompt of the batch cannot be rendered: it is as if an endpoint had taken it, and the
    /// caller must call [`Chunk::ended`].
    pub(crate) fn render_failed(&self) {
        let mut book = self.lock();
        book.rendering -= 1;
        book.in_flight += 1;
        self.job.purse.take();
    }

    /// About how many tokens the prompt may use that [`Chunk::take`] would give.
    pub(crate) fn peek(&self, taker: &Taker<'_>) -> Option<u64> {
        let book = self.lock();
        if !self.may_take(&book) {
            return None;
        }
        book.ready.peek(taker).map(|prompt| prompt.tokens(&self.job))
    }

    /// Takes the next prompt; whoever gets it must call [`Chunk::ended`] or [`Chunk::put_back`].
    ///
    /// Says also whether the next batch should be rendered.
    pub(crate) fn take(&self, taker: &Taker<'_>) -> Option<(Prompt, bool)> {
        let mut book = self.lock();
        if !self.may_take(&book) {
            return None;
        }
        let prompt = book.ready.take(taker)?;
        book.in_flight += 1;
        self.job.purse.take();
        let is_low = self.batch_size(&book, true) > 0;
        Some((prompt, is_low))
    }

    /// False when the lease has ended, there is no money, or the killer of owners is to be found one
    /// prompt at a time.
    fn may_take(&self, book: &Book) -> bool {
        let now = Instant::now();
        !self.held.is_over(now)
            && (!self.is_solo() || book.in_flight == 0)
            && self.job.purse.is_open(now)
    }

    /// Puts a taken prompt back: first in line, or last, so that whoever put it back does not get the
    /// same one again at once. One of a cleared chunk is left to the next owner.
    pub(crate) fn put_back(&self, prompt: Prompt, is_first: bool) {
        let mut book = self.lock();
        if book.closed {
            book.left_over += 1;
        } else {
            book.ready.put_back(prompt, is_first);
            self.skip_needless(&mut book);
        }
        book.in_flight -= 1;
        self.job.purse.ended(1);
    }

    /// So many taken prompts have ended: their documents are stored, or (`stored: false`) there are none.
    pub(crate) fn ended(&self, prompts: usize, stored: bool) {
        let mut book = self.lock();
        if !stored {
            book.left_over += prompts as u64;
        }
        book.in_flight -= prompts;
        self.job.purse.ended(prompts);
    }

    /// Sends nothing more of it; what is in flight goes on.
    pub(crate) fn clear(&self) {
        let mut book = self.lock();
        book.closed = true;
        book.left_over += (book.unsent.len() + book.ready.len()) as u64;
        book.unsent.clear();
        book.ready = Ready::default();
        drop(book);
        self.cleared.cancel();
    }

    /// Notes stored documents that were accepted, and drops prompts that are needless by them.
    pub(crate) fn note_accepted(&self, seqs: impl Iterator<Item = u64>) {
        if let Some(quota) = &self.quota
            && quota.note(self.job.prompter.plan(), seqs)
        {
            self.skip_needless(&mut self.lock());
        }
    }

    /// Drops prompts that are not needed any more, wherever they wait.
    fn skip_needless(&self, book: &mut Book) {
        let Some(quota) = &self.quota else { return };
        let plan = self.job.prompter.plan();
        book.unsent.retain(|&seq| !quota.skips(plan, seq));
        book.ready.drop_needless(|seq| quota.skips(plan, seq));
    }

    /// True when nothing of it is unsent or in flight.
    pub(crate) fn is_over(&self) -> bool {
        self.lock().is_over()
    }

    /// True when every prompt of it has a document.
    pub(crate) fn is_complete(&self) -> bool {
        let book = self.lock();
        book.is_over() && book.left_over == 0
    }

    /// True for the one caller that may end the lease.
    pub(crate) fn begin_ending(&self) -> bool {
        let mut book = self.lock();
        book.is_over() && !std::mem::replace(&mut book.ending, true)
    }

    /// True while somebody ends the lease.
    pub(crate) fn is_ending(&self) -> bool {
        self.lock().ending
    }

    /// Ending the lease did not work out; somebody else may try.
    pub(crate) fn ending_failed(&self) {
        self.lock().ending = false;
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        // Nothing under this lock can panic half way, so what a panic elsewhere leaves is whole.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn is_over(&self) -> bool {
        self.unsent.is_empty()
            && self.ready.len() == 0
            && self.rendering == 0
            && self.in_flight == 0
    }
}
