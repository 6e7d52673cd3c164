//! A fixed team of threads that share one piece of work at a time.
//!
//! A forward pass is hundreds of short pieces of work with a barrier after each. A general pool
//! spends longer on handing them out than some of them take. Here each thread has a span of units
//! that it goes through from the front, so that it reads memory in order, and whoever is done
//! takes from the back of another's; and threads spin for a moment before they sleep.

mod patience;
mod span;

use std::any::Any;
use std::cell::UnsafeCell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread::{JoinHandle, Thread};

use super::shared::SharedSlice;
use patience::Patience;
use span::Span;

/// Most units of one piece of work.
pub(crate) const UNITS_MAX: usize = u32::MAX as usize;
/// In `Gate`: work may be joined.
const OPEN: u64 = 1 << 15;
/// In `Gate`: how many threads take part besides the caller.
const ACTIVE: u64 = OPEN - 1;
/// In `Gate`: one more piece of work.
const EPOCH: u64 = 1 << 16;

/// Threads that compute together with whoever calls [`Team::run`].
pub(crate) struct Team {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// Held by the one caller whose work is shared.
    caller: Mutex<()>,
}

/// What a caller lends the threads for the time of one [`Team::run`].
#[derive(Clone, Copy)]
struct Work {
    /// Its true lifetime is that of the call that lent it.
    part: &'static (dyn Fn(Range<usize>) + Sync),
    grain: usize,
}

struct Shared {
    /// The number of the piece of work, whether it may be joined, and how many threads have
    /// joined it and not yet left, in one word so that joining checks all of it at once.
    gate: AtomicU64,
    /// Written by the caller while the gate is closed and nobody is active; read by threads that
    /// are active.
    work: UnsafeCell<Option<Work>>,
    /// One per thread, the caller's first: units that nobody has taken.
    spans: Vec<Span>,
    /// The first panic of the current piece of work.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    stop: AtomicBool,
    /// One per thread: true while it sleeps or is about to.
    asleep: Vec<AtomicBool>,
}

// SAFETY: `work` is the only field that is not `Sync` by itself. It is written only by the caller
// that holds `Team::caller`, while the gate is closed and its count is zero, and read only by
// threads that have raised the count while the gate was open; the gate's atomic operations order
// one after the other. What it holds may be used from all threads: the closure is `Sync`.
#[expect(unsafe_code, reason = "work is handed over under the gate")]
unsafe impl Sync for Shared {}

impl Team {
    /// A team of `threads` in all, the caller among them.
    pub(crate) fn new(threads: usize) -> std::io::Result<Self> {
        let others = threads.max(1) - 1;
        let shared = Arc::new(Shared {
            gate: AtomicU64::new(0),
            work: UnsafeCell::new(None),
            spans: (0..=others).map(|_| Span::default()).collect(),
            panic: Mutex::new(None),
            stop: AtomicBool::new(false),
            asleep: (0..others).map(|_| AtomicBool::new(false)).collect(),
        });
        let mut team = Self { shared, threads: Vec::new(), caller: Mutex::new(()) };
        for number in 0..others {
            let shared = Arc::clone(&team.shared);
            let thread = std::thread::Builder::new()
                .name(format!("engine-{}", number + 1))
                .spawn(move || shared.serve(number))?;
            team.threads.push(thread);
        }
        Ok(team)
    }

    /// Threads in all, the caller among them.
    pub(crate) fn threads(&self) -> usize {
        self.threads.len() + 1
    }

    /// Calls `part` with ranges that cover `0..units` exactly once, on all threads; no range is
    /// shorter than `grain` unless it is the rest of a thread's share.
    ///
    /// Returns once all are done. A panic in any of them is the caller's panic. Work that comes
    /// while other work is shared, from another thread or from inside a part, is done by its own
    /// caller alone.
    pub(crate) fn run(&self, units: usize, grain: usize, part: impl Fn(Range<usize>) + Sync) {
        let grain = grain.max(1);
        assert!(units <= UNITS_MAX, "too many units");
        if units == 0 {
            return;
        }
        let _caller = match self.caller.try_lock() {
            Ok(caller) if units > grain && !self.threads.is_empty() => caller,
            // A caller that panicked left nothing behind: the gate is closed before that.
            Err(TryLockError::Poisoned(caller)) if units > grain => caller.into_inner(),
            _ => return part(0..units),
        };
        self.share(units, grain, &part);
    }

    /// Calls `part` with every chunk of `width` numbers of `data` and its index, on all threads.
    pub(crate) fn run_chunks<T: Send>(
        &self,
        data: &mut [T],
        width: usize,
        grain: usize,
        part: impl Fn(usize, &mut [T]) + Sync,
    ) {
        let length = data.len();
        let data = SharedSlice::new(data);
        self.run(length.div_ceil(width), grain, |chunks| {
            for chunk in chunks {
                let begin = chunk * width;
                // SAFETY: no chunk is handed out twice, and chunks do not overlap.
                #[expect(unsafe_code, reason = "disjoint parts of one slice")]
                let slice = unsafe { data.part(begin..length.min(begin + width)) };
                part(chunk, slice);
            }
        });
    }

    fn share(&self, units: usize, grain: usize, part: &(dyn Fn(Range<usize>) + Sync)) {
        let shared = &*self.shared;
        // SAFETY: only the lifetime changes. `part` is reachable through `shared.work` alone, and
        // only threads that joined call it; this function closes the gate and waits until all
        // that joined have left before it returns, and it unwinds only after that.
        #[expect(unsafe_code, reason = "the borrow outlives its use, as shown")]
        let part: &'static (dyn Fn(Range<usize>) + Sync) = unsafe { std::mem::transmute(part) };
        let work = Work { part, grain };
        // SAFETY: the gate is closed and nobody is active (nobody can join a closed gate, and the
        // last call waited for the rest), and the caller's lock is held: nobody else looks here.
        #[expect(unsafe_code, reason = "exclusive by the gate")]
        unsafe {
            *shared.work.get() = Some(work);
        }
        shared.deal(units);
        let epoch = shared.gate.load(Ordering::Relaxed) & !(OPEN | ACTIVE);
        // Sequentially consistent, as are the threads' steps before sleep: either this sees a
        // thread asleep, or that thread sees the gate open.
        shared.gate.store(epoch.wrapping_add(EPOCH) | OPEN, Ordering::SeqCst);
        for (thread, asleep) in self.threads.iter().zip(&shared.asleep) {
            if asleep.load(Ordering::SeqCst) {
                wake(thread.thread());
            }
        }
        shared.take_part(&work, 0);
        shared.gate.fetch_and(!OPEN, Ordering::AcqRel);
        let mut patience = Patience::new();
        while shared.gate.load(Ordering::Acquire) & ACTIVE != 0 {
            if patience.is_over() {
                std::thread::yield_now();
            }
        }
        let panic = shared.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

fn wake(thread: &Thread) {
    thread.unpark();
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            wake(thread.thread());
            // It cannot have panicked: parts are called under `catch_unwind`.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Joins work until the team ends.
    fn serve(&self, number: usize) {
        let mut done = 0;
        while let Some(epoch) = self.join_next(number, done) {
            done = epoch;
            // SAFETY: this thread is active, so the caller waits for it to leave and does not
            // write; the gate's operations ordered the caller's write before this.
            #[expect(unsafe_code, reason = "read under the gate")]
            let work = unsafe { *self.work.get() };
            if let Some(work) = work {
                self.take_part(&work, number + 1);
            }
            self.gate.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits for a piece of work other than `done` and joins it; `None` when the team ends.
    fn join_next(&self, number: usize, done: u64) -> Option<u64> {
        let mut patience = Patience::new();
        loop {
            if self.stop.load(Ordering::SeqCst) {
                return None;
            }
            let gate = self.gate.load(Ordering::Acquire);
            let epoch = gate & !(OPEN | ACTIVE);
            if gate & OPEN != 0 && epoch != done {
                let joined = self.gate.compare_exchange_weak(
                    gate,
                    gate + 1,
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                );
                if joined.is_ok() {
                    return Some(epoch);
                }
            } else if patience.is_over() {
                let asleep = &self.asleep[number];
                asleep.store(true, Ordering::SeqCst);
                let gate = self.gate.load(Ordering::SeqCst);
                let idle = gate & OPEN == 0 || gate & !(OPEN | ACTIVE) == done;
                if idle && !self.stop.load(Ordering::SeqCst) {
                    std::thread::park();
                }
                asleep.store(false, Ordering::SeqCst);
                patience = Patience::new();
            }
        }
    }

    /// Gives every thread about as many units, one after the other.
    fn deal(&self, units: usize) {
        let count = self.spans.len();
        for (number, span) in self.spans.iter().enumerate() {
            span.set(units * number / count..units * (number + 1) / count);
        }
    }

    /// Takes ranges until none is left, as thread `number`.
    fn take_part(&self, work: &Work, number: usize) {
        let all = || {
            while let Some(range) = self.next(number, work.grain) {
                (work.part)(range);
            }
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(all)) {
            self.deal(0);
            let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert(panic);
        }
    }

    /// The front of the thread's own span, or the back of the longest of the others.
    fn next(&self, number: usize, grain: usize) -> Option<Range<usize>> {
        if let Some(range) = self.spans[number].take_front(grain) {
            return Some(range);
        }
        loop {
            let longest = self.spans.iter().max_by_key(|span| span.len())?;
            if longest.len() == 0 {
                return None;
            }
            if let Some(range) = longest.take_back(grain) {
                return Some(range);
            }
        }
    }
}

#[cfg(test)]
mod tests;
