//! A small random Llama, written as a GGUF file.

use std::path::PathBuf;
use std::sync::Arc;

use hornbook_candle::{Engine, EngineConfig, LoadError};
use hornbook_inference::{Backend, Completion, CompletionError, CompletionRequest, Input};
use hornbook_types::Sampling;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub(crate) const HIDDEN: usize = 16;
pub(crate) const HEADS: usize = 4;
pub(crate) const KV_HEADS: usize = 2;
pub(crate) const FEED_FORWARD: usize = 24;
pub(crate) const LAYERS: usize = 2;
pub(crate) const CONTEXT_TOKENS: usize = 4_096;
pub(crate) const MARKS: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
pub(crate) const TEMPLATE: &str = "{% for message in messages %}{{ '<|im_start|>' + \
    message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// A metadata value as the format has it.
#[derive(Clone)]
pub(crate) enum Meta {
    Count(u32),
    Float(f32),
    Text(String),
    Texts(Vec<String>),
    Counts(Vec<u32>),
}

/// A file that tests change before it is written.
#[derive(Clone)]
pub(crate) struct Tiny {
    pub(crate) metadata: Vec<(String, Meta)>,
    /// Name, dimensions with the outermost first, numbers.
    pub(crate) tensors: Vec<(String, Vec<usize>, Vec<f32>)>,
}

impl Tiny {
    /// A model whose answers look random and never end by themselves: the marks' logits are 0,
    /// and the highest of hundreds of random ones is above that.
    pub(crate) fn new() -> Self {
        let tokens = vocabulary();
        let vocabulary = tokens.len();
        let kinds = (0..vocabulary).map(|id| if id < MARKS.len() { 3 } else { 1 }).collect();
        let metadata = [
            ("general.architecture", Meta::Text("llama".to_owned())),
            ("llama.block_count", Meta::Count(LAYERS as u32)),
            ("llama.context_length", Meta::Count(CONTEXT_TOKENS as u32)),
            ("llama.embedding_length", Meta::Count(HIDDEN as u32)),
            ("llama.feed_forward_length", Meta::Count(FEED_FORWARD as u32)),
            ("llama.attention.head_count", Meta::Count(HEADS as u32)),
            ("llama.attention.head_count_kv", Meta::Count(KV_HEADS as u32)),
            ("llama.attention.layer_norm_rms_epsilon", Meta::Float(1e-5)),
            ("tokenizer.ggml.model", Meta::Text("gpt2".to_owned())),
            ("tokenizer.ggml.pre", Meta::Text("smollm".to_owned())),
            ("tokenizer.ggml.tokens", Meta::Texts(tokens)),
            ("tokenizer.ggml.token_type", Meta::Counts(kinds)),
            ("tokenizer.ggml.merges", Meta::Texts(vec!["t h".to_owned(), "th e".to_owned()])),
            ("tokenizer.ggml.bos_token_id", Meta::Count(1)),
            ("tokenizer.ggml.eos_token_id", Meta::Count(2)),
            ("tokenizer.chat_template", Meta::Text(TEMPLATE.to_owned())),
        ];
        let metadata = metadata.map(|(key, value)| (key.to_owned(), value)).to_vec();
        Self { metadata, tensors: tensors(vocabulary) }
    }

    pub(crate) fn set(mut self, key: &str, value: Meta) -> Self {
        self.metadata.retain(|(found, _)| found != key);
        self.metadata.push((key.to_owned(), value));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.metadata.retain(|(found, _)| found != name);
        self.tensors.retain(|(found, _, _)| found != name);
        self
    }

    pub(crate) fn numbers(&mut self, name: &str) -> &mut Vec<f32> {
        let tensor = self.tensors.iter_mut().find(|(found, _, _)| found == name);
        &mut tensor.expect("the tensor is there").2
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(3_u32.to_le_bytes());
        file.extend((self.tensors.len() as u64).to_le_bytes());
        file.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            put_text(&mut file, key);
            put_value(&mut file, value);
        }
        let mut offset = 0_u64;
        for (name, dims, numbers) in &self.tensors {
            put_text(&mut file, name);
            file.extend((dims.len() as u32).to_le_bytes());
            for size in dims.iter().rev() {
                file.extend((*size as u64).to_le_bytes());
            }
            file.extend(0_u32.to_le_bytes());
            file.extend(offset.to_le_bytes());
            offset += (numbers.len() as u64 * 4).next_multiple_of(32);
        }
        for (_, _, numbers) in &self.tensors {
            file.resize(file.len().next_multiple_of(32), 0);
            file.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        }
        file
    }

    /// Writes the file and loads it.
    pub(crate) fn load(&self, adjust: impl FnOnce(&mut EngineConfig)) -> Result<Loaded, LoadError> {
        load_bytes(&self.bytes(), adjust)
    }
}

/// An engine together with the directory that its file lies in.
pub(crate) struct Loaded {
    pub(crate) engine: Arc<Engine>,
    _directory: TempDir,
}

impl Loaded {
    pub(crate) async fn complete(
        &self,
        request: CompletionRequest,
    ) -> Result<Completion, CompletionError> {
        self.engine.complete(request).await
    }
}

/// Writes any bytes as a model file and loads that.
pub(crate) fn load_bytes(
    bytes: &[u8],
    adjust: impl FnOnce(&mut EngineConfig),
) -> Result<Loaded, LoadError> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path: PathBuf = directory.path().join("tiny.gguf");
    std::fs::write(&path, bytes).expect("the file is written");
    let mut config = EngineConfig::new(path);
    config.threads = Some(2);
    adjust(&mut config);
    Ok(Loaded { engine: Arc::new(Engine::load(config)?), _directory: directory })
}

/// A request of one message.
pub(crate) fn request(prompt: &str, max_tokens: u32, seed: u64) -> CompletionRequest {
    CompletionRequest {
        input: Input::user(prompt),
        logprobs: None,
        sampling: Sampling { max_tokens, ..Sampling::default() },
        seed,
        cancel: CancellationToken::new(),
    }
}

/// An answer without what depends on who came before.
pub(crate) fn without_cached(mut answer: Completion) -> Completion {
    answer.usage.cached_tokens = 0;
    answer
}

/// The same request, always taking the likeliest token.
pub(crate) fn greedy(prompt: &str, max_tokens: u32) -> CompletionRequest {
    let mut request = request(prompt, max_tokens, 0);
    request.sampling.temperature = 0.0;
    request.sampling.repetition_penalty = 1.0;
    request
}

/// Marks, all bytes as GPT-2 spells them, and what the two merges make.
fn vocabulary() -> Vec<String> {
    let printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let shown = (0..=u8::MAX).filter(printable).map(char::from);
    let hidden = (0x100..).take(256 - shown.clone().count()).filter_map(char::from_u32);
    let bytes = shown.chain(hidden).map(String::from);
    let marks = MARKS.into_iter().map(str::to_owned);
    marks.chain(bytes).chain(["th".to_owned(), "the".to_owned()]).collect()
}

/// The number of a token by its spelling.
pub(crate) fn token(text: &str) -> u32 {
    let place = vocabulary().iter().position(|entry| entry == text);
    place.expect("the token is in the vocabulary") as u32
}

fn tensors(vocabulary: usize) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let mut state = 42_u64;
    let mut random = move |count: usize, spread: f32| -> Vec<f32> {
        let draw = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0) * spread
        };
        (0..count).map(draw).collect()
    };
    let kv = HIDDEN / HEADS * KV_HEADS;
    let mut tensors = Vec::new();
    let mut add = |name: String, dims: &[usize], spread: f32| {
        let count = dims.iter().product();
        let numbers = if dims.len() == 1 { vec![1.0; count] } else { random(count, spread) };
        tensors.push((name, dims.to_vec(), numbers));
    };
    add("token_embd.weight".to_owned(), &[vocabulary, HIDDEN], 1.0);
    add("output_norm.weight".to_owned(), &[HIDDEN], 1.0);
    add("output.weight".to_owned(), &[vocabulary, HIDDEN], 1.0);
    for layer in 0..LAYERS {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        add(name("attn_norm"), &[HIDDEN], 1.0);
        add(name("attn_q"), &[HIDDEN, HIDDEN], 0.8);
        add(name("attn_k"), &[kv, HIDDEN], 0.8);
        add(name("attn_v"), &[kv, HIDDEN], 0.8);
        add(name("attn_output"), &[HIDDEN, HIDDEN], 0.8);
        add(name("ffn_norm"), &[HIDDEN], 1.0);
        add(name("ffn_gate"), &[FEED_FORWARD, HIDDEN], 0.8);
        add(name("ffn_up"), &[FEED_FORWARD, HIDDEN], 0.8);
        add(name("ffn_down"), &[HIDDEN, FEED_FORWARD], 0.8);
    }
    let output = &mut tensors[2].2;
    output[..MARKS.len() * HIDDEN].fill(0.0);
    tensors
}

fn put_text(file: &mut Vec<u8>, text: &str) {
    file.extend((text.len() as u64).to_le_bytes());
    file.extend(text.as_bytes());
}

fn put_value(file: &mut Vec<u8>, value: &Meta) {
    let kind = |file: &mut Vec<u8>, kind: u32| file.extend(kind.to_le_bytes());
    match value {
        Meta::Count(count) => {
            kind(file, 4);
            file.extend(count.to_le_bytes());
        }
        Meta::Float(number) => {
            kind(file, 6);
            file.extend(number.to_le_bytes());
        }
        Meta::Text(text) => {
            kind(file, 8);
            put_text(file, text);
        }
        Meta::Texts(texts) => {
            kind(file, 9);
            kind(file, 8);
            file.extend((texts.len() as u64).to_le_bytes());
            texts.iter().for_each(|text| put_text(file, text));
        }
        Meta::Counts(counts) => {
            kind(file, 9);
            kind(file, 4);
            file.extend((counts.len() as u64).to_le_bytes());
            file.extend(counts.iter().flat_map(|count| count.to_le_bytes()));
        }
    }
}
