//! From requests to sequences that can be scheduled.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use hornbook_inference::{CompletionError, CompletionRequest, Input};
use hornbook_types::FieldError;

use crate::kernel::Isa;
use crate::sample::{Sampler, SamplerStart, Watch, check_vocabulary};
use crate::text::{ChatTemplate, PromptError, TextTokenizer, encode_text};

use super::queue::QueueReceiver;
use super::sequence::{Sequence, Start};
use super::{Queued, Work, answer};

/// Prompts that are tokens already and wait for a slot.
pub(crate) const READY_PROMPTS: usize = 16;

/// A sequence without a slot.
pub(super) struct Ready {
    /// Counted as waiting until it has a slot; dropped before the sequence tells its caller.
    pub(super) _queued: Queued,
    pub(super) sequence: Sequence,
}

/// What the thread that reads prompts owns.
pub(crate) struct Intake {
    pub(crate) tokenizer: Arc<TextTokenizer>,
    pub(crate) chat: ChatTemplate,
    pub(crate) vocabulary: usize,
    pub(crate) context_tokens: usize,
    pub(crate) isa: Isa,
}

impl Intake {
    /// Hands requests on as sequences until either side ends. What is left then is dropped, which
    /// tells its callers.
    pub(super) fn run(self, queue: &QueueReceiver<Work>, ready: &SyncSender<Ready>) {
        while let Some(work) = queue.pop() {
            if let Some(prepared) = self.prepare(work)
                && ready.send(prepared).is_err()
            {
                return;
            }
        }
    }

    /// A request as a sequence; `None` where the caller has been told why it is none.
    pub(super) fn prepare(&self, work: Work) -> Option<Ready> {
        let Work { request, pieces, reply, queued } = work;
        if request.cancel.is_cancelled() || reply.is_closed() {
            drop(queued);
            let _ = reply.send(Err(answer::cancelled()));
            return None;
        }
        let prompt = match contained(|| self.prompt(&request)) {
            Ok(prompt) => prompt,
            Err(error) => {
                drop(queued);
                let _ = reply.send(Err(error));
                return None;
            }
        };
        let sampler = Sampler::new(SamplerStart {
            sampling: &request.sampling,
            seed: request.seed,
            vocabulary: self.vocabulary,
            prompt: &prompt,
            ends: self.tokenizer.ends(),
            logprobs: request.logprobs,
            isa: self.isa,
        });
        let sequence = Sequence::new(Start {
            prompt,
            max_tokens: request.sampling.max_tokens as usize,
            context_tokens: self.context_tokens,
            sampler,
            watch: Watch::new(&request.sampling),
            cancel: request.cancel,
            pieces,
            reply,
        });
        Some(Ready { sequence, _queued: queued })
    }

    fn prompt(&self, request: &CompletionRequest) -> Result<Vec<u32>, CompletionError> {
        let mut faults = Vec::<FieldError>::new();
        request.sampling.check("/sampling", &mut faults);
        if let Some(fault) = faults.first() {
            return Err(answer::rejected(format!("{} {}", fault.pointer, fault.detail)));
        }
        check_vocabulary(&request.sampling, self.vocabulary).map_err(answer::rejected)?;
        let prompt = self.encode(&request.input).map_err(|reason| answer::bad_prompt(&reason))?;
        if prompt.is_empty() {
            return Err(answer::bad_prompt(&PromptError::Empty));
        }
        if prompt.len() >= self.context_tokens {
            return Err(answer::too_long(prompt.len(), self.context_tokens));
        }
        Ok(prompt)
    }

    fn encode(&self, input: &Input) -> Result<Vec<u32>, PromptError> {
        match input {
            Input::Messages(messages) => self.chat.encode(messages, &self.tokenizer),
            Input::Text(text) => encode_text(text, &self.tokenizer),
        }
    }
}

/// What comes of reading one prompt. Prompts are hostile, and libraries may have faults: a panic is
/// one prompt's failure, and not the end of everybody's.
fn contained<T>(read: impl FnOnce() -> Result<T, CompletionError>) -> Result<T, CompletionError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(answer::bad_prompt(&PromptError::Tokenize("the tokenizer panicked".to_owned())))
    })
}

#[cfg(test)]
mod tests {
    use hornbook_inference::ErrorClass;

    use super::*;

    #[test]
    fn a_panic_is_one_prompt_s_failure() {
        assert!(matches!(contained(|| Ok(7)), Ok(7)));
        let error = contained::<()>(|| panic!("a fault in a library")).expect_err("it failed");
        assert_eq!((error.class, error.code), (ErrorClass::Permanent, "bad_prompt"));
    }
}
