//! A whole request: what is to be continued, how, and in how many ways.

use hornbook_inference::{CompletionRequest, Input};
use tokio_util::sync::CancellationToken;

use super::fault::Fault;
use super::limits::{CHOICES, PROMPT_BYTES};
use super::sampling::Drawing;

/// A request that was read to its end.
pub(super) struct Asked {
    inputs: Vec<Input>,
    pub(super) drawing: Drawing,
    /// Log-probabilities are wanted, with this many alternatives.
    logprobs: Option<u8>,
}

impl Asked {
    /// Joins the parts of a request; all answers together have a limit.
    pub(super) fn new(
        inputs: Vec<Input>,
        drawing: Drawing,
        logprobs: Option<u8>,
    ) -> Result<Self, Fault> {
        let answers = inputs.len().saturating_mul(drawing.n);
        if answers > CHOICES {
            let detail = format!("{answers} answers are more than {CHOICES}");
            return Err(Fault::value("n", detail));
        }
        if inputs.iter().any(|input| input.bytes() > PROMPT_BYTES) {
            return Err(Fault::too_long(format!("a prompt has at most {PROMPT_BYTES} bytes")));
        }
        Ok(Self { inputs, drawing, logprobs })
    }

    /// Answers to each prompt.
    pub(super) fn n(&self) -> usize {
        self.drawing.n
    }

    /// Answers to all prompts.
    pub(super) fn answers(&self) -> usize {
        self.inputs.len() * self.drawing.n
    }

    /// True when log-probabilities are wanted.
    pub(super) fn wants_logprobs(&self) -> bool {
        self.logprobs.is_some()
    }

    /// One request for each answer, in the order of their indices: the answers to the first prompt
    /// come first, and each prompt's i-th answer draws with `seed` plus i, so that a prompt is
    /// answered alike alone and in a list.
    pub(super) fn requests(&self, seed: u64, cancel: &CancellationToken) -> Vec<CompletionRequest> {
        let request = |input: &Input, choice: u64| CompletionRequest {
            input: input.clone(),
            sampling: self.drawing.sampling.clone(),
            seed: seed.wrapping_add(choice),
            logprobs: self.logprobs,
            cancel: cancel.clone(),
        };
        let n = self.drawing.n as u64;
        self.inputs
            .iter()
            .flat_map(|input| (0..n).map(move |choice| request(input, choice)))
            .collect()
    }
}
