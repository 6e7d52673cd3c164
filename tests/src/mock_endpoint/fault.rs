//! Ways to misbehave, and who suffers which: a matter of prompt, seed and repetition, never of timing.

use std::time::Duration;

use super::text::hash;

/// Marks the draw that decides about a prompt for good, apart from those about its tries.
const FOR_GOOD: u64 = u64::MAX;

/// How a mock endpoint behaves.
#[derive(Clone, Debug)]
pub struct MockConfig {
    /// Time from the whole request to the answer.
    pub latency: Duration,
    /// Words of an answer, unless `max_tokens` cuts it shorter.
    pub words: usize,
    /// Tokens that every answer is said to have; absent: what its words are worth.
    pub completion_tokens: Option<u64>,
    /// Faults and how many of a thousand requests suffer each.
    pub faults: Vec<(u32, Fault)>,
    /// Faults and how many of a thousand prompts suffer each, however often they are asked.
    pub for_good: Vec<(u32, Fault)>,
    /// What happens to every request that the others spare.
    pub always: Option<Fault>,
    /// Key that requests must carry; others get a 401 that shows their key.
    pub key: Option<String>,
}

/// One way in which an endpoint misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An error of this status, as JSON.
    Status(u16),
    /// 429 with `Retry-After`.
    Throttled {
        /// What `Retry-After` says.
        retry_after_seconds: u32,
    },
    /// 429 with `Retry-After` in whole seconds and, as OpenAI does, `retry-after-ms` beside it.
    ThrottledBriefly {
        /// What `retry-after-ms` says.
        retry_after_millis: u32,
    },
    /// 429 whose code says that no credit is left.
    QuotaSpent,
    /// 400 whose code says that the prompt is too long.
    PromptTooLong,
    /// The connection closes without an answer.
    Drop,
    /// The connection closes half way through the body.
    Truncate,
    /// Silence for as long as the client waits.
    Hang,
    /// 200 with a page for people.
    HtmlPage,
    /// 200 with an error where the answer should be.
    ErrorBody,
    /// A body of 17 MiB whose length nobody announces.
    Oversized,
    /// U+0000 in the middle of the text.
    Nul,
    /// A good answer without `usage`.
    MissingUsage,
    /// A good answer with a `finish_reason` that nobody has heard of.
    OddFinishReason,
    /// A good answer by another model than was asked.
    OtherModel,
    /// A good answer among fields that nobody has heard of.
    ExtraFields,
    /// A good answer that ends because of `max_tokens`.
    Length,
    /// An answer without a word in it.
    Empty,
    /// A good answer that shows the caller's key wherever an endpoint has something to say.
    TellsKey,
    /// An error of this status that does.
    ErrorTellsKey(u16),
}

impl Default for MockConfig {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            words: 130,
            completion_tokens: None,
            faults: Vec::new(),
            for_good: Vec::new(),
            always: None,
            key: None,
        }
    }
}

impl MockConfig {
    /// Answers every request with an error of this status.
    pub fn always_status(status: u16) -> Self {
        Self { always: Some(Fault::Status(status)), ..Self::default() }
    }

    /// Answers every request well, after so long.
    pub fn after(latency: Duration) -> Self {
        Self { latency, ..Self::default() }
    }

    /// The troubles of a bad day, all at once: 5 % throttled, 3 % errors, 2 % dropped connections,
    /// 1 % truncated bodies, 1 % hangs.
    pub fn bad_day() -> Self {
        let faults = vec![
            (50, Fault::ThrottledBriefly { retry_after_millis: 100 }),
            (30, Fault::Status(500)),
            (20, Fault::Drop),
            (10, Fault::Truncate),
            (10, Fault::Hang),
        ];
        Self { faults, ..Self::default() }
    }

    /// What happens to the `nth` request (from 1) for the prompt with this key.
    pub fn fault(&self, key: u64, nth: u64) -> Option<Fault> {
        let for_good = drawn(&self.for_good, key, FOR_GOOD);
        for_good.or_else(|| drawn(&self.faults, key, nth)).or(self.always)
    }

    /// Requests that the prompt with this key takes until its answer is not one of `faults`.
    ///
    /// # Panics
    /// When `faults` leave no room for an answer.
    pub fn requests_needed(&self, key: u64) -> u64 {
        let spared = (1..=1_000).find(|nth| drawn(&self.faults, key, *nth).is_none());
        spared.expect("faults that spare somebody")
    }
}

/// The fault that a draw falls on.
fn drawn(faults: &[(u32, Fault)], key: u64, draw: u64) -> Option<Fault> {
    let word = hash(&[&key.to_le_bytes(), &draw.to_le_bytes()]);
    let mut place = u32::try_from(word % 1_000).unwrap_or(0);
    for &(share, fault) in faults {
        if place < share {
            return Some(fault);
        }
        place -= share;
    }
    None
}
