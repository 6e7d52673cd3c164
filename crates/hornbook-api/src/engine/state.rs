//! What the engine's handlers share; the binary makes it.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hornbook_inference::{Provenance, Secret, SharedBackend, SharedEmbedder};
use hornbook_types::Clock;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::limits::{
    EMBEDDING_REQUESTS, KEEP_ALIVE_SECONDS, KEY_BYTES_MAX, KEY_BYTES_MIN, STREAM_HEAD_SECONDS,
    STREAM_STALL_SECONDS, WAITING_SEQUENCES,
};
use crate::metrics::Metrics;
use crate::state::{SharedRandom, draw};

/// Everything that an [`EngineState`] is made of.
pub struct EngineParts {
    /// What completes prompts.
    pub backend: SharedBackend,
    /// What computes embeddings, if anything does.
    pub embedder: Option<SharedEmbedder>,
    /// What clients must show; without one the engine is open, so it must listen on loopback only.
    pub key: Option<EngineKey>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Where ids and seeds come from.
    pub random: SharedRandom,
    /// Cancelled when answers under way are to be given up.
    pub give_up: CancellationToken,
    /// How long streams wait for what.
    pub waits: StreamWaits,
}

/// How long streams wait for what; the defaults are the limits of that name.
#[derive(Clone, Copy, Debug)]
pub struct StreamWaits {
    /// For the first token, before a stream begins without it.
    pub head: Duration,
    /// In silence, before a comment keeps the stream open.
    pub keep_alive: Duration,
    /// For a client to read on.
    pub stall: Duration,
}

impl Default for StreamWaits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(STREAM_HEAD_SECONDS),
            keep_alive: Duration::from_secs(KEEP_ALIVE_SECONDS),
            stall: Duration::from_secs(STREAM_STALL_SECONDS),
        }
    }
}

/// The key that guards an engine: only its digest is kept.
#[derive(Clone)]
pub struct EngineKey(pub(super) [u8; 32]);

impl EngineKey {
    /// The key in a text, without the white space around it.
    ///
    /// # Errors
    /// When it is too short to guard anything, too long, or cannot stand in a header.
    pub fn new(secret: &Secret) -> Result<Self, &'static str> {
        let key = secret.expose().trim();
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("a key is printable ASCII without spaces");
        }
        if !(KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len()) {
            return Err("a key has 16 to 512 characters");
        }
        Ok(Self(Sha256::digest(key).into()))
    }
}

/// What the engine's handlers share; cheap to clone.
#[derive(Clone)]
pub struct EngineState(Arc<Shared>);

/// The shared parts, reached through [`EngineState`].
pub struct Shared {
    pub(super) backend: SharedBackend,
    pub(super) embedder: Option<SharedEmbedder>,
    pub(super) key: Option<EngineKey>,
    pub(super) clock: Arc<dyn Clock>,
    random: SharedRandom,
    pub(super) give_up: CancellationToken,
    pub(super) waits: StreamWaits,
    /// One permit for each sequence that is written or waits.
    pub(super) sequences: Arc<Semaphore>,
    pub(super) embeddings: Semaphore,
    /// When the models were there, in seconds since 1970: what clients are told as `created`.
    pub(super) started_unix_s: i64,
    pub(super) fingerprint: Option<String>,
    pub(super) metrics: Metrics,
    pub(super) counters: Counters,
}

/// What this server alone counts.
#[derive(Default)]
pub(super) struct Counters {
    /// Requests that found the queue full.
    pub(super) turned_away: AtomicU64,
    /// Requests whose client went away before their answer was whole.
    pub(super) abandoned: AtomicU64,
    pub(super) embedded_texts: AtomicU64,
    pub(super) embedded_tokens: AtomicU64,
}

impl EngineState {
    /// The state of an engine made of `parts`.
    pub fn new(parts: EngineParts) -> Self {
        let sequences = parts.backend.slots().saturating_add(WAITING_SEQUENCES);
        Self(Arc::new(Shared {
            sequences: Arc::new(Semaphore::new(sequences.min(Semaphore::MAX_PERMITS))),
            embeddings: Semaphore::new(EMBEDDING_REQUESTS),
            started_unix_s: parts.clock.now().unix_timestamp(),
            fingerprint: fingerprint(&parts.backend.provenance()),
            backend: parts.backend,
            embedder: parts.embedder,
            key: parts.key,
            clock: parts.clock,
            random: parts.random,
            give_up: parts.give_up,
            waits: parts.waits,
            metrics: Metrics::default(),
            counters: Counters::default(),
        }))
    }

    /// A random id that starts with `prefix`.
    pub(super) fn new_id(&self, prefix: &str) -> String {
        let mut bytes = [0_u8; 16];
        draw(&self.0.random, |random| random.fill_bytes(&mut bytes));
        format!("{prefix}{}", hex::encode(bytes))
    }

    /// A seed for a request that names none.
    pub(super) fn new_seed(&self) -> u64 {
        draw(&self.0.random, |random| random.next_u64())
    }
}

impl Deref for EngineState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// A word that changes when the model file or the kernels do: then the same seed may give another
/// answer.
fn fingerprint(provenance: &Provenance) -> Option<String> {
    let model = provenance.model_sha256.as_deref()?;
    let mut digest = Sha256::new();
    digest.update(model);
    digest.update([0]);
    digest.update(provenance.instruction_set.as_deref().unwrap_or_default());
    let digest = hex::encode(digest.finalize());
    Some(format!("fp_{}", &digest[..10]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_guard_nothing_are_refused() {
        for bad in ["", "short", "with space in the middle", "\u{e9}criture-secr\u{e8}te-1"] {
            assert!(EngineKey::new(&Secret::new(bad)).is_err(), "{bad}");
        }
        assert!(EngineKey::new(&Secret::new("x".repeat(KEY_BYTES_MAX + 1))).is_err());
        let key = EngineKey::new(&Secret::new("0123456789abcdef\n")).unwrap();
        let same = EngineKey::new(&Secret::new("0123456789abcdef")).unwrap();
        assert_eq!(key.0, same.0);
    }

    #[test]
    fn the_fingerprint_follows_model_and_kernels() {
        let known = |model: &str, set: &str| {
            let provenance = Provenance {
                model_sha256: Some(model.to_owned()),
                instruction_set: Some(set.to_owned()),
            };
            fingerprint(&provenance).unwrap()
        };
        assert_eq!(known("a", "avx2"), known("a", "avx2"));
        assert_ne!(known("a", "avx2"), known("b", "avx2"));
        assert_ne!(known("a", "avx2"), known("a", "avx512"));
        assert_eq!(fingerprint(&Provenance::default()), None);
    }
}
