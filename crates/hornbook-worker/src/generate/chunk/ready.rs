//! Rendered prompts of a chunk that wait for an endpoint.

use std::collections::VecDeque;

use hornbook_prompt::{PlannedPrompt, estimate_tokens};
use hornbook_types::Slug;
use serde_json::{Map, Value};

use crate::generate::job::JobRun;
use crate::generate::trials::Trials;

/// A rendered prompt.
#[derive(Debug)]
pub(crate) struct Prompt {
    pub(crate) planned: PlannedPrompt,
    pub(crate) seed_data: Map<String, Value>,
    pub(crate) text: String,
    /// What became of it so far.
    pub(crate) trials: Trials,
}

/// Who asks for a prompt.
pub(crate) struct Taker<'a> {
    pub(crate) endpoint: &'a Slug,
    /// Tells whether an endpoint that answers has not tried a prompt yet: it is left to that one.
    pub(crate) is_left_to_another: &'a dyn Fn(&Prompt) -> bool,
}

/// Prompts in order, and what they take.
#[derive(Default)]
pub(super) struct Ready {
    prompts: VecDeque<Prompt>,
    bytes: usize,
    /// Those of them that some endpoint tried.
    tried: usize,
}

impl Prompt {
    /// About how many tokens a request with it may use.
    pub(crate) fn tokens(&self, job: &JobRun) -> u64 {
        estimate_tokens(&self.text) + u64::from(job.spec.sampling.max_tokens)
    }

    /// About how much memory it takes.
    fn bytes(&self) -> usize {
        self.text.len()
            + self.seed_data.iter().map(|(key, value)| key.len() + size(value)).sum::<usize>()
    }
}

/// About how many bytes a JSON value takes in memory.
fn size(value: &Value) -> usize {
    let inside = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + size(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    size_of::<Value>() + inside
}

impl Taker<'_> {
    fn may_have(&self, prompt: &Prompt) -> bool {
        !prompt.trials.has(self.endpoint) || !(self.is_left_to_another)(prompt)
    }
}

impl Ready {
    pub(super) fn len(&self) -> usize {
        self.prompts.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many of them `taker` may have.
    pub(super) fn count_for(&self, taker: &Taker<'_>) -> usize {
        match self.tried {
            0 => self.prompts.len(),
            _ => self.prompts.iter().filter(|prompt| taker.may_have(prompt)).count(),
        }
    }

    /// The next that `taker` may have.
    pub(super) fn peek(&self, taker: &Taker<'_>) -> Option<&Prompt> {
        self.prompts.iter().find(|prompt| taker.may_have(prompt))
    }

    /// Takes the next that `taker` may have.
    pub(super) fn take(&mut self, taker: &Taker<'_>) -> Option<Prompt> {
        let at = self.prompts.iter().position(|prompt| taker.may_have(prompt))?;
        let prompt = self.prompts.remove(at)?;
        self.bytes -= prompt.bytes();
        self.tried -= usize::from(prompt.trials.is_any());
        Some(prompt)
    }

    /// Adds prompts behind the others; gives their bytes.
    pub(super) fn extend(&mut self, prompts: Vec<Prompt>) -> usize {
        let before = self.bytes;
        for prompt in prompts {
            self.note(&prompt);
            self.prompts.push_back(prompt);
        }
        self.bytes - before
    }

    /// Puts one back, first in line or last.
    pub(super) fn put_back(&mut self, prompt: Prompt, is_first: bool) {
        self.note(&prompt);
        match is_first {
            true => self.prompts.push_front(prompt),
            false => self.prompts.push_back(prompt),
        }
    }

    /// Drops those that are not needed.
    pub(super) fn drop_needless(&mut self, mut is_needless: impl FnMut(u64) -> bool) {
        let Self { prompts, bytes, tried } = self;
        prompts.retain(|prompt| {
            let is_needless = is_needless(prompt.planned.seq);
            if is_needless {
                *bytes -= prompt.bytes();
                *tried -= usize::from(prompt.trials.is_any());
            }
            !is_needless
        });
    }

    fn note(&mut self, prompt: &Prompt) {
        self.bytes += prompt.bytes();
        self.tried += usize::from(prompt.trials.is_any());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slug(name: &str) -> Slug {
        name.parse().unwrap_or_else(|_| panic!("a name"))
    }

    fn prompt(seq: u64, tried: &[&str]) -> Prompt {
        let planned = PlannedPrompt { seq, line: 0, k: 0, seed_seq: 0, sampling_seed: 0 };
        let mut trials = Trials::default();
        tried.iter().for_each(|name| trials.tried(&slug(name)));
        Prompt { planned, seed_data: Map::new(), text: "x".repeat(10), trials }
    }

    #[test]
    fn what_an_endpoint_tried_is_left_to_another_that_answers() {
        let mut ready = Ready::default();
        ready.extend(vec![prompt(0, &["a"]), prompt(1, &[]), prompt(2, &["a", "b"])]);
        let (a, b) = (slug("a"), slug("b"));
        // Both answer.
        let other = |prompt: &Prompt| ![&a, &b].iter().all(|name| prompt.trials.has(name));
        let seqs = |ready: &mut Ready, taker: &Taker<'_>| -> Vec<u64> {
            let mut seqs = Vec::new();
            while let Some(prompt) = ready.take(taker) {
                seqs.push(prompt.planned.seq);
            }
            seqs
        };
        let taker = Taker { endpoint: &a, is_left_to_another: &other };
        assert_eq!(ready.count_for(&taker), 2);
        assert_eq!(ready.peek(&taker).map(|prompt| prompt.planned.seq), Some(1));
        assert_eq!(seqs(&mut ready, &taker), [1, 2]);
        assert_eq!((ready.len(), ready.bytes(), ready.tried), (1, 10, 1));
        // The other one does not answer any more: better tried again than never.
        let alone = Taker { endpoint: &a, is_left_to_another: &|_| false };
        assert_eq!(seqs(&mut ready, &alone), [0]);
        assert_eq!((ready.len(), ready.bytes(), ready.tried), (0, 0, 0));
    }
}
