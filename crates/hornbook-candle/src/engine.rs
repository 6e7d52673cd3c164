//! The engine: a loaded model and the threads that write with it.

mod parts;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hornbook_inference::{
    Backend, Completion, CompletionError, CompletionRequest, Load, Piece, Provenance,
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::config::{self, EngineConfig, QUEUE_PROMPTS};
use crate::gguf;
use crate::kernel::{Isa, Team};
use crate::model::Holding;
use crate::pages::PageBook;
use crate::schedule::{
    Answer, Common, Figures, Forward, Intake, QueueSender, Scheduler, Work, cancelled, gone, queue,
    spawn, stopped,
};
use crate::text::TextTokenizer;
use crate::{ComputeDevice, LoadError};

use parts::{Machine, Parts};

/// A model that completes prompts in this process.
///
/// All prompts share one thread and its passes; dropping the engine stops it.
pub struct Engine {
    facts: Facts,
    tokenizer: Arc<TextTokenizer>,
    figures: Arc<Figures>,
    stop: Arc<AtomicBool>,
    queue: QueueSender<Work>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What does not change once an engine runs.
struct Facts {
    model_name: String,
    slots: usize,
    context_tokens: usize,
    kv_bytes: u64,
    weight_bytes: u64,
    provenance: Provenance,
}

impl Engine {
    /// Reads, checks and packs the model file and starts the engine's threads.
    ///
    /// This takes seconds and blocks: call it where blocking is allowed.
    pub fn load(config: EngineConfig) -> Result<Self, LoadError> {
        config.check()?;
        let file = gguf::read_file(&config.model_path)?;
        let stem = config.model_path.file_stem().unwrap_or_default();
        let isa = match config.instruction_set {
            Some(set) => Isa::new(set).ok_or(LoadError::InstructionSet { set })?,
            None => Isa::detect(),
        };
        let holding = Holding::on(config.device)?;
        let provenance = Provenance {
            model_sha256: Some(file.sha256),
            instruction_set: Some(match config.device {
                ComputeDevice::Cpu => isa.set().name().to_owned(),
                // The bits are a library's there.
                device => device.to_string(),
            }),
        };
        let threads = match config.threads {
            Some(threads) => threads,
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let team = Team::new(threads.min(config::THREADS_MAX))
            .map_err(|error| LoadError::Start { detail: error.to_string() })?;
        let team = Arc::new(team);
        let parts = Parts::read(&file.bytes, &config, &team, &holding)?;
        drop(file.bytes);
        let facts = Facts {
            model_name: stem.to_string_lossy().into_owned(),
            slots: config.slots,
            context_tokens: parts.context_tokens,
            kv_bytes: parts.kv.bytes,
            weight_bytes: parts.model.bytes(),
            provenance,
        };
        let book = PageBook::new(parts.kv.pages, config.share_prefixes);
        let intake = Intake {
            tokenizer: Arc::new(parts.tokenizer),
            chat: parts.chat,
            vocabulary: parts.model.vocabulary(),
            context_tokens: parts.context_tokens,
            isa,
        };
        let machine = Machine {
            attention: holding.attention(parts.model.shape(), parts.kv.pages)?,
            model: parts.model,
            team: Arc::clone(&team),
            isa,
            scratch: Default::default(),
        };
        Self::start(facts, intake, machine, book, team)
    }

    /// Starts the threads.
    fn start(
        facts: Facts,
        intake: Intake,
        forward: impl Forward + 'static,
        book: PageBook,
        team: Arc<Team>,
    ) -> Result<Self, LoadError> {
        tracing::info!(
            model = facts.model_name,
            slots = facts.slots,
            context_tokens = facts.context_tokens,
            weight_bytes = facts.weight_bytes,
            kv_bytes = facts.kv_bytes,
            kv_pages = book.pages(),
            threads = team.threads(),
            "engine started"
        );
        let (queue, receiver) = queue(QUEUE_PROMPTS);
        let tokenizer = Arc::clone(&intake.tokenizer);
        let common = Common {
            team,
            tokenizer: Arc::clone(&tokenizer),
            figures: Arc::default(),
            stop: Arc::default(),
            model_name: facts.model_name.clone(),
            slots: facts.slots,
        };
        let (figures, stop) = (Arc::clone(&common.figures), Arc::clone(&common.stop));
        let threads = spawn(intake, receiver, Scheduler::new(forward, book, common))
            .map_err(|error| LoadError::Start { detail: error.to_string() })?;
        Ok(Self { facts, tokenizer, figures, stop, queue, threads: Mutex::new(threads) })
    }

    /// The model's name: its file's, without the ending.
    pub fn model_name(&self) -> &str {
        &self.facts.model_name
    }

    /// Longest prompt and answer together, in tokens.
    pub fn context_tokens(&self) -> usize {
        self.facts.context_tokens
    }

    /// Most memory that keys and values take, in bytes; it is used as prompts come.
    pub fn kv_bytes(&self) -> u64 {
        self.facts.kv_bytes
    }

    /// Memory that the weights take, in bytes.
    pub fn weight_bytes(&self) -> u64 {
        self.facts.weight_bytes
    }

    /// Tokens of a text, as the model would count them in an answer.
    pub fn count_tokens(&self, text: &str) -> usize {
        // Byte-level BPE takes every text; the library's error type is for other models.
        self.tokenizer.encode_plain(text).map_or(0, |tokens| tokens.len())
    }

    /// Stops within one pass: what is queued or under way is answered `engine_stopped`.
    ///
    /// Waits for the threads' end; calling it again does nothing.
    pub fn shutdown(&self) {
        self.stop.store(true, Ordering::Release);
        self.queue.end();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                tracing::error!(thread = name, "a thread of the engine panicked");
            }
        }
    }

    async fn submit(
        &self,
        request: CompletionRequest,
        pieces: Option<mpsc::Sender<Piece>>,
    ) -> Answer {
        let cancel = request.cancel.clone();
        let (reply, answer) = oneshot::channel();
        let work = Work { request, pieces, reply, queued: self.figures.queued() };
        let answer = async {
            self.queue.push(work).await.map_err(|_| self.ended())?;
            answer.await.unwrap_or_else(|_| Err(self.ended()))
        };
        // Leaving drops the receiver of the answer, which is how the threads learn of it.
        unless(&cancel, answer).await
    }

    fn ended(&self) -> CompletionError {
        if self.stop.load(Ordering::Acquire) { stopped() } else { gone() }
    }
}

/// What comes of a future, unless it is cancelled before.
async fn unless<T>(
    cancel: &CancellationToken,
    future: impl Future<Output = Result<T, CompletionError>>,
) -> Result<T, CompletionError> {
    tokio::select! {
        biased;
        output = future => output,
        () = cancel.cancelled() => Err(cancelled()),
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Backend for Engine {
    fn complete(
        &self,
        request: CompletionRequest,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        async move { Ok(self.submit(request, None).await?.0) }.boxed()
    }

    fn stream(
        &self,
        request: CompletionRequest,
        pieces: mpsc::Sender<Piece>,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        async move {
            let cancel = request.cancel.clone();
            let (completion, unsent) = self.submit(request, Some(pieces.clone())).await?;
            if unsent != Piece::default() {
                unless(&cancel, async {
                    // Nobody reads any more: the answer itself still says what was written.
                    let _ = pieces.send(unsent).await;
                    Ok(())
                })
                .await?;
            }
            Ok(completion)
        }
        .boxed()
    }

    fn slots(&self) -> usize {
        self.facts.slots
    }

    fn model(&self) -> &str {
        &self.facts.model_name
    }

    fn is_alive(&self) -> bool {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        !self.stop.load(Ordering::Acquire) && !threads.iter().any(JoinHandle::is_finished)
    }

    fn load(&self) -> Option<Load> {
        Some(self.figures.load())
    }

    fn provenance(&self) -> Provenance {
        self.facts.provenance.clone()
    }
}
