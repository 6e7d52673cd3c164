//! Arguments of everything that is about corpora.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Subcommand)]
pub(crate) enum Corpus {
    /// Mix a corpus from several jobs and imports
    Create {
        /// {"name", "sources", "assembly"} as JSON; '-' is standard input
        file: PathBuf,
        /// Wait until it is ready
        #[arg(long)]
        wait: bool,
    },
    /// List mixed corpora, newest first
    Ls {
        /// Most corpora to list
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show one mixed corpus
    Show { corpus: String },
    /// Fetch a corpus: resumed where it stopped, every file checked
    Pull {
        /// A job's id, or 'corpora/ID' of a mixed corpus
        #[arg(value_name = "JOB|corpora/ID")]
        corpus: String,
        /// Directory to write to
        #[arg(long, short, value_name = "DIR")]
        out: PathBuf,
    },
    /// Assemble files into a corpus, with no service; a build that was killed is resumed by the same command
    Build(Build),
    /// How many tokens, epochs and documents a model of some size needs, from published figures
    Plan(PlanArguments),
    /// Push a corpus to a repository on the Hugging Face Hub, in one commit; what is there already is not sent again
    ///
    /// The token is taken from HF_TOKEN. Files of the corpus that was pushed before, as its manifest names them, are
    /// deleted in the same commit.
    Push(Push),
}

#[derive(Args)]
pub(crate) struct PlanArguments {
    /// Size in parameters, such as 135M or 1.7B; may be repeated [default: 135M, 360M and 1.7B]
    #[arg(long, value_name = "SIZE", value_delimiter = ',')]
    pub(crate) model: Option<Vec<String>>,
    /// Tokens to train on, repetitions counted
    #[arg(long, value_name = "N")]
    pub(crate) tokens: Option<u64>,
    /// Floating-point operations to train with, in place of tokens, such as 1e20
    #[arg(long, value_name = "N", conflicts_with = "tokens")]
    pub(crate) flops: Option<f64>,
    /// Different tokens that there are
    #[arg(long, value_name = "N")]
    pub(crate) available_tokens: Option<u64>,
    /// Tokens of a document [default: 718, the mean of Cosmopedia v2]
    #[arg(long, value_name = "N")]
    pub(crate) tokens_per_document: Option<u32>,
    /// Times that a document may be read [default: 4]
    #[arg(long, value_name = "N")]
    pub(crate) max_epochs: Option<u32>,
}

#[derive(Args)]
pub(crate) struct Push {
    /// A job of the service, `corpora/ID`, or a directory with a corpus
    #[arg(value_name = "JOB|corpora/ID|DIR")]
    pub(crate) corpus: String,
    /// The repository; made when it is not there
    #[arg(value_name = "ORG/NAME")]
    pub(crate) repo: String,
    /// Make a repository that is not there yet as a private one
    #[arg(long)]
    pub(crate) private: bool,
    /// The branch; made when it is not there
    #[arg(long, default_value = "main", value_name = "BRANCH")]
    pub(crate) revision: String,
    /// The Hub's address
    #[arg(long, env = "HF_ENDPOINT", default_value = "https://huggingface.co", value_name = "URL")]
    pub(crate) endpoint: String,
}

#[derive(Args)]
pub(crate) struct Build {
    /// Parquet or JSON lines (.jsonl, .jsonl.zst) with at least 'text', or a directory of them; NAME= before it for
    /// a mix; may be repeated
    #[arg(long, value_name = "[NAME=]FILE|DIR", required = true, num_args = 1..)]
    pub(crate) source: Vec<PathBuf>,
    /// Benchmarks to keep out, JSON lines of {"benchmark", "item_id", "text"}; may be repeated
    #[arg(long, value_name = "FILE.jsonl", num_args = 1..)]
    pub(crate) benchmark: Vec<PathBuf>,
    /// Other corpora, or files of documents: what is a duplicate of one of theirs goes; may be repeated
    #[arg(long, value_name = "FILE|DIR", num_args = 1..)]
    pub(crate) against: Vec<PathBuf>,
    /// A job's 'assembly' as JSON, or {"name", "gates", "mix", "assembly"}; flags come before it
    #[arg(long, value_name = "SPEC.json")]
    pub(crate) spec: Option<PathBuf>,
    /// Which duplicates to drop [default: the spec's, else exact]
    #[arg(long, value_name = "MODE")]
    pub(crate) dedup: Option<Dedup>,
    /// Gates that documents must pass [default: the spec's, else none]
    #[arg(long, value_name = "PRESET")]
    pub(crate) gates: Option<Gates>,
    /// A tokenizer.json that counts tokens and fills token formats [default: the sources' own counts]
    #[arg(long, value_name = "FILE")]
    pub(crate) tokenizer: Option<PathBuf>,
    /// Special token that ends documents in token formats [default: the spec's, else one of the usual names]
    #[arg(long, value_name = "TOKEN", requires = "tokenizer")]
    pub(crate) end_of_text: Option<String>,
    /// File formats to write [default: the spec's, else parquet and jsonl.zst]
    #[arg(long, value_name = "FORMAT", value_delimiter = ',')]
    pub(crate) format: Vec<Format>,
    /// Threads that read and compute [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Directory of the corpus, empty or not there yet
    #[arg(long, short, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

/// Which duplicates to drop.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Dedup {
    /// Keep all
    None,
    /// Same text but for case, white space and punctuation
    Exact,
    /// Similar texts too
    Near,
}

/// A file format of shards.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// Rows as Apache Parquet
    Parquet,
    /// Rows as JSON lines, compressed
    #[value(name = "jsonl.zst")]
    JsonlZst,
    /// Conversations as JSON lines, compressed
    #[value(name = "messages.jsonl.zst")]
    Messages,
    /// Token ids for nanoGPT
    #[value(name = "nanogpt.bin")]
    NanoGpt,
    /// Token ids and their index for Megatron-LM
    #[value(name = "megatron")]
    Megatron,
    /// Token ids and their index for datatrove and nanotron
    #[value(name = "datatrove.ds")]
    Datatrove,
}

/// Which gates to try.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Gates {
    /// None at all
    None,
    /// Those of every job, with the documented defaults
    Default,
}
