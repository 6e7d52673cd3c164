//! Whether an answer ends with the token just drawn, though the model would go on.

use hornbook_types::{FinishReason, Sampling};

use super::loops::Loops;
use super::stops::{Found, Stops};

/// Watches one answer for stop strings and loops, as a job's sampling asks.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    stops: Stops,
    loops: Option<Loops>,
    tokens: u32,
    min_tokens: u32,
}

/// What a token does to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// All of the token's bytes are the answer's; the answer's last `held_bytes` may begin a stop
    /// string, and should not be shown yet.
    Goes { held_bytes: usize },
    /// A stop string is whole. Of the token's bytes the first `kept_bytes` are the answer's, and
    /// the last `withdrawn_bytes` before the token are not.
    Stopped { kept_bytes: usize, withdrawn_bytes: usize },
    /// The answer goes in circles. All of the token's bytes are the answer's, and so is what was
    /// repeated: what the model wrote is what is told.
    Looped,
}

impl Watch {
    pub(crate) fn new(sampling: &Sampling) -> Self {
        Self {
            stops: Stops::new(&sampling.stop),
            loops: sampling.stop_loops.then(Loops::default),
            tokens: 0,
            min_tokens: sampling.min_tokens,
        }
    }

    /// Takes the answer's next token, which adds `bytes`; nothing is to be pushed after the end.
    pub(crate) fn push(&mut self, token: u32, bytes: &[u8]) -> Progress {
        self.tokens = self.tokens.saturating_add(1);
        // Counted before `min_tokens`, too: then the answer ends at that token.
        let is_looping = self.loops.as_mut().is_some_and(|loops| loops.push(token));
        match self.stops.push(bytes) {
            Found::Yes { end, stop_bytes } => Progress::Stopped {
                kept_bytes: end.saturating_sub(stop_bytes),
                withdrawn_bytes: stop_bytes.saturating_sub(end),
            },
            Found::No { .. } if is_looping && self.tokens >= self.min_tokens => Progress::Looped,
            Found::No { held_bytes } => Progress::Goes { held_bytes },
        }
    }
}

impl Progress {
    /// Why the answer ends here, where it does.
    pub(crate) fn finish_reason(self) -> Option<FinishReason> {
        match self {
            Self::Goes { .. } => None,
            Self::Stopped { .. } => Some(FinishReason::Stop),
            Self::Looped => Some(FinishReason::Loop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(stop: &[&str], min_tokens: u32, stop_loops: bool) -> Watch {
        let stop = stop.iter().map(|text| (*text).to_owned()).collect();
        Watch::new(&Sampling { stop, min_tokens, stop_loops, ..Sampling::default() })
    }

    #[test]
    fn a_stop_takes_back_what_it_began_in_earlier_tokens() {
        let mut inside = watch(&["END"], 0, true);
        let stopped = Progress::Stopped { kept_bytes: 4, withdrawn_bytes: 0 };
        assert_eq!(inside.push(1, b"the END."), stopped);
        let mut over = watch(&["\n\nQ:"], 9, true);
        assert_eq!(over.push(1, b"yes.\n"), Progress::Goes { held_bytes: 1 });
        let stopped = Progress::Stopped { kept_bytes: 0, withdrawn_bytes: 1 };
        assert_eq!(over.push(2, b"\nQ: why"), stopped, "whatever `min_tokens` is");
        assert_eq!(stopped.finish_reason(), Some(FinishReason::Stop));
    }

    #[test]
    fn loops_end_an_answer_unless_they_may_not() {
        let end = |mut watch: Watch| {
            let at = (1..1_000).find(|_| watch.push(7, b"no ") == Progress::Looped);
            at.map(|at| (at, watch.tokens))
        };
        assert_eq!(end(watch(&[], 0, true)), Some((128, 128)));
        assert_eq!(end(watch(&[], 500, true)), Some((500, 500)));
        assert_eq!(end(watch(&[], 0, false)), None);
        assert_eq!(Progress::Looped.finish_reason(), Some(FinishReason::Loop));
    }
}
