//! Arguments of what corpora are made from, and of what is kept out of them.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub(crate) enum Benchmark {
    /// List benchmarks
    Ls,
    /// Store a file of {item_id, text} (.jsonl, .json, .csv, each may end in .zst or .gz, or .parquet) as the benchmark's next version
    Push {
        /// Name [with --human-eval: humaneval]
        #[arg(required_unless_present = "human_eval")]
        name: Option<String>,
        #[arg(required_unless_present = "human_eval")]
        file: Option<PathBuf>,
        /// HumanEval.jsonl.gz as the Python package human-eval has it: an item is prompt and solution
        #[arg(long, value_name = "FILE", conflicts_with = "file")]
        human_eval: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
pub(crate) enum Import {
    /// List imports
    Ls,
    /// Import text: a file (.jsonl, .csv, each may end in .zst or .gz, or .parquet), or what --path or --hub names
    Push(Box<ImportPush>),
    /// Remove an import, or with NAME@VERSION that version
    Rm { name: String },
}

#[derive(Args)]
pub(crate) struct ImportPush {
    pub(crate) name: String,
    #[arg(required_unless_present_any = ["path", "hub"], conflicts_with_all = ["path", "hub"])]
    pub(crate) file: Option<PathBuf>,
    /// File or directory below the service's import root
    #[arg(long, value_name = "PATH", conflicts_with = "hub")]
    pub(crate) path: Option<String>,
    /// Dataset of the Hugging Face Hub, fetched by the service
    #[arg(long, value_name = "OWNER/NAME")]
    pub(crate) hub: Option<String>,
    /// Its configuration: the directory of its files
    #[arg(long, requires = "hub")]
    pub(crate) subset: Option<String>,
    /// Its split [default: train]
    #[arg(long, requires = "hub")]
    pub(crate) split: Option<String>,
    /// Branch, tag or commit [default: main]
    #[arg(long, requires = "hub")]
    pub(crate) revision: Option<String>,
    /// Column that holds the documents [default: text]
    #[arg(long)]
    pub(crate) column: Option<String>,
    /// SPDX licence of the documents
    #[arg(long)]
    pub(crate) license: String,
    /// Where they come from, in words
    #[arg(long)]
    pub(crate) source: Option<String>,
    /// Do not wait until --path or --hub is there
    #[arg(long)]
    pub(crate) no_wait: bool,
}

/// What the service may import by itself.
#[derive(Args, Clone, Default)]
pub(crate) struct Importing {
    /// Directory below which files of this machine may be imported [default: none]
    #[arg(long, env = "HORNBOOK_IMPORT_ROOT", value_name = "DIR")]
    pub(crate) import_root: Option<PathBuf>,
    /// The Hub that datasets are imported from [default: `https://huggingface.co`]
    #[arg(long, env = "HF_ENDPOINT", value_name = "URL")]
    pub(crate) hub_endpoint: Option<String>,
}
