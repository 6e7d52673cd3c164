//! The engine: a loaded model and the thread that writes with it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hornbook_inference::{Backend, Completion, CompletionError, CompletionRequest, Provenance};
use tokio::sync::{mpsc, oneshot};

use crate::config::{CONTEXT_TOKENS_MIN, EngineConfig, KV_BYTES_MAX, QUEUE_PROMPTS};
use crate::gguf::{self, GgufFile};
use crate::kernel::{Isa, PAGE_POSITIONS, Team};
use crate::model::{Holding, Model, ModelShape};
use crate::schedule::{Answer, Desk, Scheduler, Work, cancelled, gone, stopped};
use crate::text::{ChatTemplate, TextTokenizer};
use crate::{ComputeDevice, LoadError, config};

/// A model that completes prompts in this process.
///
/// All prompts share one thread and its passes; dropping the engine stops it.
pub struct Engine {
    model_name: String,
    slots: usize,
    context_tokens: usize,
    kv_bytes: u64,
    provenance: Provenance,
    tokenizer: Arc<TextTokenizer>,
    stop: Arc<AtomicBool>,
    /// `None` once the engine was shut down.
    inbox: Mutex<Option<mpsc::Sender<Work>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Engine {
    /// Reads, checks and dequantises the model file and starts the engine's thread.
    ///
    /// This takes seconds and blocks: call it where blocking is allowed.
    pub fn load(config: EngineConfig) -> Result<Self, LoadError> {
        config.check()?;
        let file = gguf::read_file(&config.model_path)?;
        let stem = config.model_path.file_stem().unwrap_or_default();
        let model_name = stem.to_string_lossy().into_owned();
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
        let start = |detail: String| LoadError::Start { detail };
        let threads = match config.threads {
            Some(threads) => threads,
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.min(config::THREADS_MAX))
            .thread_name(|number| format!("engine-{number}"))
            .build()
            .map_err(|error| start(error.to_string()))?;
        let team = Team::new(threads.min(config::THREADS_MAX))
            .map_err(|error| start(error.to_string()))?;
        let parts = Parts::read(&file.bytes, &config, &team, &holding)?;
        drop(file.bytes);
        let (sender, inbox) = mpsc::channel(QUEUE_PROMPTS);
        let stop = Arc::new(AtomicBool::new(false));
        let tokenizer = Arc::new(parts.tokenizer);
        let pages_per_slot = parts.context_tokens.div_ceil(PAGE_POSITIONS);
        let pages = config.slots * pages_per_slot;
        let scheduler = Scheduler {
            attention: holding.attention(parts.model.shape(), pages)?,
            team,
            isa,
            model: parts.model,
            tokenizer: Arc::clone(&tokenizer),
            chat: parts.chat,
            model_name: model_name.clone(),
            context_tokens: parts.context_tokens,
            inbox,
            stop: Arc::clone(&stop),
            pool,
            desk: Desk::new(config.slots, pages_per_slot),
        };
        let thread = std::thread::Builder::new()
            .name("engine".to_owned())
            .spawn(move || scheduler.run())
            .map_err(|error| start(error.to_string()))?;
        tracing::info!(
            model = model_name,
            slots = config.slots,
            context_tokens = parts.context_tokens,
            kv_bytes = parts.kv_bytes,
            threads,
            "engine started"
        );
        Ok(Self {
            model_name,
            slots: config.slots,
            context_tokens: parts.context_tokens,
            kv_bytes: parts.kv_bytes,
            provenance,
            tokenizer,
            stop,
            inbox: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// The model's name: its file's, without the ending.
    pub fn model_name(&self) -> &str {
        &self.model_name
    }

    /// Longest prompt and answer together, in tokens.
    pub fn context_tokens(&self) -> usize {
        self.context_tokens
    }

    /// Most memory that keys and values of all slots take, in bytes.
    pub fn kv_bytes(&self) -> u64 {
        self.kv_bytes
    }

    /// Tokens of a text, as the model would count them in an answer.
    pub fn count_tokens(&self, text: &str) -> usize {
        // Byte-level BPE takes every text; the library's error type is for other models.
        self.tokenizer.encode_plain(text).map_or(0, |tokens| tokens.len())
    }

    /// Stops within one pass: what is queued or under way is answered `engine_stopped`.
    ///
    /// Waits for the thread's end; calling it again does nothing.
    pub fn shutdown(&self) {
        self.stop.store(true, Ordering::Release);
        // The thread sleeps on the queue when there is nothing to do: closing it wakes it.
        drop(self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the engine's thread panicked");
        }
    }

    async fn submit(&self, request: CompletionRequest) -> Answer {
        let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let inbox = inbox.ok_or_else(stopped)?;
        let cancel = request.cancel.clone();
        let (reply, answer) = oneshot::channel();
        let answer = async {
            inbox.send(Work { request, reply }).await.map_err(|_| self.ended())?;
            drop(inbox);
            answer.await.unwrap_or_else(|_| Err(self.ended()))
        };
        // Leaving drops the receiver of the answer, which is how the thread learns of it.
        tokio::select! {
            biased;
            answer = answer => answer,
            () = cancel.cancelled() => Err(cancelled()),
        }
    }

    fn ended(&self) -> CompletionError {
        if self.stop.load(Ordering::Acquire) { stopped() } else { gone() }
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
        self.submit(request).boxed()
    }

    fn slots(&self) -> usize {
        self.slots
    }

    fn model(&self) -> &str {
        &self.model_name
    }

    fn provenance(&self) -> Provenance {
        self.provenance.clone()
    }
}

/// What a model file becomes.
struct Parts {
    model: Model,
    tokenizer: TextTokenizer,
    chat: ChatTemplate,
    context_tokens: usize,
    kv_bytes: u64,
}

impl Parts {
    fn read(
        bytes: &[u8],
        config: &EngineConfig,
        team: &Team,
        holding: &Holding,
    ) -> Result<Self, LoadError> {
        let file = GgufFile::parse(bytes)?;
        let shape = ModelShape::read(&file.metadata)?;
        let context_tokens = config.context_tokens.min(shape.context_tokens);
        if context_tokens < CONTEXT_TOKENS_MIN {
            return Err(LoadError::Unsupported {
                what: format!("a context of {context_tokens} tokens"),
                runs: "models with room for a prompt and an answer",
            });
        }
        let pages = config.slots * context_tokens.div_ceil(PAGE_POSITIONS);
        let kv_bytes = shape
            .heads()
            .bytes_per_page()
            .and_then(|bytes| bytes.checked_mul(pages as u64))
            .unwrap_or(u64::MAX);
        LoadError::check_limit(
            "the memory for keys and values, in bytes,",
            kv_bytes,
            KV_BYTES_MAX,
        )?;
        let tokenizer = TextTokenizer::read(&file.metadata)?;
        let chat = ChatTemplate::read(&file.metadata)?;
        let model =
            Model::load(&file, shape, tokenizer.vocabulary(), context_tokens, team, holding)?;
        Ok(Self { model, tokenizer, chat, context_tokens, kv_bytes })
    }
}
