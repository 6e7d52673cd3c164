//! Arguments of everything that runs an engine.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use hornbook_candle::{ComputeDevice, InstructionSet};

use crate::config::Bytes;

/// How an engine runs.
#[derive(Args, Clone, Default)]
pub(crate) struct EngineTuning {
    /// Prompts that the engine writes at once
    #[arg(long, env = "HORNBOOK_SLOTS", value_name = "N")]
    pub(crate) slots: Option<usize>,
    /// Threads that the engine computes with [default: one per core]
    #[arg(long, env = "HORNBOOK_THREADS", value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Tokens that a prompt and its answer may have together [default: 2048, or what the model has if less]
    #[arg(long, env = "HORNBOOK_CONTEXT", value_name = "TOKENS")]
    pub(crate) context: Option<usize>,
    /// Memory for keys and values, such as 512MiB [default: enough for all slots, at most 4GiB]
    #[arg(long, env = "HORNBOOK_KV_MEMORY", value_name = "BYTES")]
    pub(crate) kv_memory: Option<Bytes>,
    /// Instruction set of the engine: avx512, avxvnni, avx2 or portable [default: the best there is]
    #[arg(long, env = "HORNBOOK_ISA", value_name = "NAME")]
    pub(crate) isa: Option<InstructionSet>,
    /// Where the engine computes: cpu, or cuda:0, cuda:1 and so on in builds for GPUs [default: cpu]
    #[arg(long, env = "HORNBOOK_DEVICE", value_name = "DEVICE")]
    pub(crate) device: Option<ComputeDevice>,
}

/// The engine in this process.
#[derive(Args, Clone, Default)]
pub(crate) struct LocalEngine {
    /// Do without the engine in this process
    #[arg(long, env = "HORNBOOK_NO_LOCAL_ENGINE")]
    pub(crate) no_local_engine: bool,
    /// Model file (GGUF) of the local engine [default: what 'hornbook model pull' fetches]
    #[arg(long, env = "HORNBOOK_MODEL", value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tuning: EngineTuning,
}

#[derive(Args)]
pub(crate) struct Engine {
    /// Address to listen on [default: 127.0.0.1:0]; port 0 picks a free one
    #[arg(long, env = "HORNBOOK_ENGINE_LISTEN", value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Model file (GGUF), or the name of one that 'hornbook model ls' lists [default: what 'hornbook model pull' fetches]
    #[arg(long, env = "HORNBOOK_MODEL", value_name = "FILE|NAME")]
    pub(crate) model: Option<PathBuf>,
    /// Embedding model: a directory with config.json, tokenizer.json and model.safetensors, or its name beside the models
    #[arg(long, env = "HORNBOOK_EMBEDDING_MODEL", value_name = "DIR|NAME")]
    pub(crate) embedding_model: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tuning: EngineTuning,
    /// File with the key that clients must send, of 16 characters or more; needed beyond loopback
    #[arg(long, env = "HORNBOOK_ENGINE_KEY_FILE", value_name = "FILE")]
    pub(crate) api_key_file: Option<PathBuf>,
    /// Data directory, where model files are looked for [default: $XDG_DATA_HOME/hornbook, as root /var/lib/hornbook]
    #[arg(long, env = "HORNBOOK_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Longest time to finish what is in flight when asked to stop
    #[arg(long, env = "HORNBOOK_DRAIN_SECONDS", value_name = "N")]
    pub(crate) drain_seconds: Option<u64>,
}
