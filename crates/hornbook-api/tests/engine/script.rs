//! A backend that does what a test wrote down.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use hornbook_inference::{
    Backend, Completion, CompletionError, CompletionRequest, DrawnLogprob, Embedder, Embedding,
    EmbeddingRequest, ErrorClass, Load, Piece, Provenance, TokenLogprob,
};
use hornbook_types::{FinishReason, Usage};
use tokio::sync::{Semaphore, mpsc};

/// Sequences that the scripted backend says it writes at once.
pub(crate) const SLOTS: usize = 2;
/// Numbers in a scripted vector.
pub(crate) const DIMENSIONS: usize = 3;

/// What a scripted backend does with every prompt.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Says these words, each with a log-probability where they are wanted.
    Say(Vec<&'static str>, FinishReason),
    /// Says the words, then fails.
    FailAfter(Vec<&'static str>, ErrorClass, &'static str),
    /// Says the words, then one more for each permit of [`Script::turn`], until given up.
    Wait(Vec<&'static str>),
    /// Panics.
    Panic,
}

/// A backend that does what a test wrote down, and notes what it was asked.
pub(crate) struct Script {
    act: Act,
    asked: Mutex<Vec<CompletionRequest>>,
    /// Permits to go on for those who wait.
    pub(crate) turn: Semaphore,
    running: Arc<Mutex<u64>>,
    is_dead: AtomicBool,
}

impl Script {
    pub(crate) fn new(act: Act) -> Arc<Self> {
        let (asked, running) = (Mutex::default(), Arc::default());
        Arc::new(Self {
            act,
            asked,
            turn: Semaphore::new(0),
            running,
            is_dead: AtomicBool::new(false),
        })
    }

    /// Every request so far.
    pub(crate) fn asked(&self) -> Vec<CompletionRequest> {
        self.asked.lock().unwrap().clone()
    }

    /// From now on it can answer nothing any more.
    pub(crate) fn die(&self) {
        self.is_dead.store(true, Ordering::SeqCst);
    }

    /// Prompts under way.
    pub(crate) fn running(&self) -> u64 {
        *self.running.lock().unwrap()
    }

    async fn write(
        &self,
        request: CompletionRequest,
        pieces: Option<mpsc::Sender<Piece>>,
    ) -> Result<Completion, CompletionError> {
        self.asked.lock().unwrap().push(request.clone());
        let _running = Running::enter(&self.running);
        let wants = request.logprobs.is_some();
        let mut said = Said { wants, pieces, text: String::new(), logprobs: Vec::new() };
        let words = match &self.act {
            Act::Say(words, _) | Act::FailAfter(words, ..) | Act::Wait(words) => words.clone(),
            Act::Panic => panic!("told to"),
        };
        let count = words.len() as u64;
        for word in words {
            said.say(word).await;
        }
        let reason = match &self.act {
            Act::Say(_, reason) => reason.clone(),
            Act::FailAfter(_, class, code) => return Err(error(*class, code)),
            _ => {
                tokio::select! {
                    () = request.cancel.cancelled() => {
                        return Err(error(ErrorClass::Cancelled, "cancelled"));
                    }
                    turn = self.turn.acquire() => turn.unwrap().forget(),
                }
                said.say(" at last").await;
                FinishReason::Stop
            }
        };
        Ok(Completion {
            text: said.text,
            had_nul: false,
            finish_reason: reason,
            usage: Usage { prompt_tokens: 5, completion_tokens: count, cached_tokens: 4 },
            usage_estimated: false,
            model: "script-1".to_owned(),
            logprobs: said.logprobs,
            wasted: Usage::default(),
        })
    }
}

/// What was said of one answer.
struct Said {
    wants: bool,
    pieces: Option<mpsc::Sender<Piece>>,
    text: String,
    logprobs: Vec<DrawnLogprob>,
}

impl Said {
    async fn say(&mut self, word: &str) {
        let token = TokenLogprob { bytes: word.into(), logprob: -0.5 };
        let other = TokenLogprob { bytes: b"other".to_vec(), logprob: -1.5 };
        let drawn = DrawnLogprob { token, top: vec![other] };
        let drawn: Vec<_> = self.wants.then_some(drawn).into_iter().collect();
        self.text.push_str(word);
        self.logprobs.extend(drawn.clone());
        if let Some(pieces) = &self.pieces {
            let _ = pieces.send(Piece { text: word.to_owned(), logprobs: drawn }).await;
        }
    }
}

/// One more prompt under way, for as long as this lives.
struct Running(Arc<Mutex<u64>>);

impl Running {
    fn enter(running: &Arc<Mutex<u64>>) -> Self {
        *running.lock().unwrap() += 1;
        Self(Arc::clone(running))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        *self.0.lock().unwrap() -= 1;
    }
}

fn error(class: ErrorClass, code: &'static str) -> CompletionError {
    CompletionError::new(class, code, format!("scripted {code}"))
}

impl Backend for Script {
    fn complete(
        &self,
        request: CompletionRequest,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        Box::pin(self.write(request, None))
    }

    fn stream(
        &self,
        request: CompletionRequest,
        pieces: mpsc::Sender<Piece>,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        Box::pin(self.write(request, Some(pieces)))
    }

    fn slots(&self) -> usize {
        SLOTS
    }

    fn model(&self) -> &str {
        "script-1"
    }

    fn is_alive(&self) -> bool {
        !self.is_dead.load(Ordering::SeqCst)
    }

    fn load(&self) -> Option<Load> {
        Some(Load { running_sequences: self.running(), kv_pages: 64, rows: 9, ..Load::default() })
    }

    fn provenance(&self) -> Provenance {
        Provenance { model_sha256: Some("ab".repeat(32)), instruction_set: Some("none".into()) }
    }
}

/// Vectors made of a text's length; a text that says so fails.
pub(crate) struct Lengths;

impl Embedder for Lengths {
    fn embed(
        &self,
        request: EmbeddingRequest,
    ) -> BoxFuture<'_, Result<Vec<Embedding>, CompletionError>> {
        Box::pin(async move {
            if request.texts.iter().any(|text| text == "too long") {
                return Err(error(ErrorClass::TooLong, "context_length"));
            }
            let vector = |text: &String| vec![text.len() as f32, 0.5, -0.25];
            let embed = |text| Embedding { vector: vector(text), tokens: 2 };
            Ok(request.texts.iter().map(embed).collect())
        })
    }

    fn model(&self) -> &str {
        "lengths"
    }

    fn dimensions(&self) -> usize {
        DIMENSIONS
    }
}
