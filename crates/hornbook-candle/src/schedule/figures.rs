//! What the engine tells about itself while it works.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hornbook_inference::Load;

use crate::pages::PageBook;

/// Counters that the engine's thread writes and everybody reads, each for itself.
#[derive(Default)]
pub(crate) struct Figures {
    queued_prompts: AtomicU64,
    running_sequences: AtomicU64,
    kv_pages: AtomicU64,
    kv_pages_held: AtomicU64,
    kv_pages_cached: AtomicU64,
    prompt_tokens: AtomicU64,
    cached_tokens: AtomicU64,
    completion_tokens: AtomicU64,
    passes: AtomicU64,
    rows: AtomicU64,
}

/// One prompt that waits for a slot; counted until it is dropped.
pub(crate) struct Queued(Arc<Figures>);

impl Figures {
    /// All of them, as they are now.
    pub(crate) fn load(&self) -> Load {
        Load {
            queued_prompts: self.queued_prompts.load(Relaxed),
            running_sequences: self.running_sequences.load(Relaxed),
            kv_pages: self.kv_pages.load(Relaxed),
            kv_pages_held: self.kv_pages_held.load(Relaxed),
            kv_pages_cached: self.kv_pages_cached.load(Relaxed),
            prompt_tokens: self.prompt_tokens.load(Relaxed),
            cached_tokens: self.cached_tokens.load(Relaxed),
            completion_tokens: self.completion_tokens.load(Relaxed),
            passes: self.passes.load(Relaxed),
            rows: self.rows.load(Relaxed),
        }
    }

    /// Counts one prompt as waiting.
    pub(crate) fn queued(self: &Arc<Self>) -> Queued {
        self.queued_prompts.fetch_add(1, Relaxed);
        Queued(Arc::clone(self))
    }

    pub(super) fn set_running(&self, sequences: usize, book: &PageBook) {
        self.running_sequences.store(sequences as u64, Relaxed);
        self.kv_pages.store(book.pages() as u64, Relaxed);
        self.kv_pages_held.store(book.held() as u64, Relaxed);
        self.kv_pages_cached.store(book.kept() as u64, Relaxed);
    }

    pub(super) fn add_pass(&self, rows: usize, drawn: usize) {
        self.passes.fetch_add(1, Relaxed);
        self.rows.fetch_add(rows as u64, Relaxed);
        self.completion_tokens.fetch_add(drawn as u64, Relaxed);
    }

    pub(super) fn add_prompt(&self, tokens: usize, cached: usize) {
        self.prompt_tokens.fetch_add(tokens as u64, Relaxed);
        self.cached_tokens.fetch_add(cached as u64, Relaxed);
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.queued_prompts.fetch_sub(1, Relaxed);
    }
}
