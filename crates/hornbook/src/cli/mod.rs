//! The command line: every command, its arguments and its help.

mod corpus;
mod engine;
mod library;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use corpus::{Build, Corpus, Dedup, Format, Gates, PlanArguments, Push};
pub(crate) use engine::{Engine, EngineTuning, LocalEngine};
pub(crate) use library::{Benchmark, Import, ImportPush, Importing};

use crate::config::DEFAULT_MODEL_FILE;

/// Writes synthetic textbooks: templates x audiences x seeds -> documents -> corpora.
#[derive(Parser)]
#[command(name = "hornbook", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Settings that every command understands.
#[derive(Args, Clone)]
pub(crate) struct Global {
    /// Configuration file [default: hornbook.toml in the working directory, if there]
    #[arg(long, global = true, env = "HORNBOOK_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The running service that client commands talk to
    #[arg(
        long,
        global = true,
        env = "HORNBOOK_URL",
        default_value = "http://127.0.0.1:8080",
        value_name = "URL"
    )]
    pub(crate) url: String,
    /// File that holds the API key for client commands
    #[arg(long, global = true, env = "HORNBOOK_KEY_FILE", value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Print JSON for machines
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the service: API, dashboard and a worker
    Serve(Serve),
    /// Run a worker alone, against a database that others share
    Worker(Worker),
    /// Serve a local model to others, over OpenAI's protocol
    Engine(Engine),
    /// Start the service, write a small sample corpus and show where it is
    Quickstart(Quickstart),
    /// Submit jobs and look after them
    #[command(subcommand)]
    Job(Job),
    /// Fetch finished corpora, build corpora from files, and push corpora to the Hub
    #[command(subcommand)]
    Corpus(Corpus),
    /// Prompt templates
    #[command(subcommand)]
    Template(Template),
    /// Audiences
    #[command(subcommand)]
    Audience(Audience),
    /// Seed sets
    #[command(subcommand)]
    Seeds(Seeds),
    /// Benchmarks that corpora are kept clean of
    #[command(subcommand)]
    Benchmark(Benchmark),
    /// Text that was written elsewhere, as a source of corpora
    #[command(subcommand)]
    Import(Import),
    /// Endpoints that complete prompts
    #[command(subcommand)]
    Endpoint(Endpoint),
    /// API keys, straight in the database
    #[command(subcommand)]
    Key(Key),
    /// Model files of the local engine
    #[command(subcommand)]
    Model(Model),
    /// Bring the database's tables up to date and load the catalog
    Migrate(Storage),
    /// Print a completion script for a shell
    Completions { shell: clap_complete::Shell },
    /// Print the OpenAPI document
    Openapi,
    /// Exit 0 when a service is ready (for container health checks)
    Healthcheck,
}

/// Where the service keeps things.
#[derive(Args, Clone, Default)]
pub(crate) struct Storage {
    /// Data directory [default: $XDG_DATA_HOME/hornbook, as root /var/lib/hornbook]
    #[arg(long, env = "HORNBOOK_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Directory with the server binaries of Postgres
    #[arg(long, env = "HORNBOOK_PG_BIN", value_name = "DIR")]
    pub(crate) pg_bin: Option<PathBuf>,
    /// Where corpora are kept: a directory or s3://BUCKET/PREFIX [default: DATA_DIR/corpora]
    #[arg(long, env = "HORNBOOK_CORPUS_STORE", value_name = "URL")]
    pub(crate) corpus_store: Option<String>,
}

/// Where requests to endpoints may go.
#[derive(Args, Clone, Default)]
pub(crate) struct Outgoing {
    /// Networks, addresses or hosts that endpoints may lie in though they are not public (10.1.0.0/16)
    #[arg(long, env = "HORNBOOK_ALLOWED_NETWORKS", value_name = "NETWORK", value_delimiter = ',')]
    pub(crate) allowed_networks: Vec<String>,
}

#[derive(Args, Clone)]
pub(crate) struct Serve {
    /// Address to listen on [default: 127.0.0.1:8080]; port 0 picks a free one
    #[arg(long, env = "HORNBOOK_LISTEN", value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) storage: Storage,
    #[command(flatten)]
    pub(crate) engine: LocalEngine,
    /// Workers in this process; 0 leaves the work to 'hornbook worker'
    #[arg(long, env = "HORNBOOK_WORKERS", value_name = "N")]
    pub(crate) workers: Option<usize>,
    /// Longest time to finish what is in flight when asked to stop
    #[arg(long, env = "HORNBOOK_DRAIN_SECONDS", value_name = "N")]
    pub(crate) drain_seconds: Option<u64>,
    /// Where clients reach the service, when not at the listen address, such as `https://books.example`
    #[arg(long, env = "HORNBOOK_BASE_URL", value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// Names under which the service may be addressed, beside loopback and the listen address
    #[arg(
        long,
        visible_alias = "allowed-host",
        env = "HORNBOOK_ALLOWED_HOSTS",
        value_name = "HOST",
        value_delimiter = ','
    )]
    pub(crate) allowed_hosts: Vec<String>,
    #[command(flatten)]
    pub(crate) outgoing: Outgoing,
    #[command(flatten)]
    pub(crate) importing: Importing,
    /// File with a key to create at first start
    #[arg(long, env = "HORNBOOK_INITIAL_KEY_FILE", value_name = "FILE")]
    pub(crate) initial_key_file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Worker {
    #[command(flatten)]
    pub(crate) storage: Storage,
    #[command(flatten)]
    pub(crate) engine: LocalEngine,
    #[command(flatten)]
    pub(crate) outgoing: Outgoing,
    #[command(flatten)]
    pub(crate) importing: Importing,
    /// Longest time to finish what is in flight when asked to stop
    #[arg(long, env = "HORNBOOK_DRAIN_SECONDS", value_name = "N")]
    pub(crate) drain_seconds: Option<u64>,
}

#[derive(Args)]
pub(crate) struct Quickstart {
    #[command(flatten)]
    pub(crate) serve: Serve,
    /// Exit when the corpus is there instead of serving on
    #[arg(long)]
    pub(crate) once: bool,
    /// Directory to pull the corpus into [default: corpus/JOB]
    #[arg(long, short, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum Job {
    /// Submit a job from a JSON file, or from standard input with -
    Submit {
        file: PathBuf,
        /// Share of the prompts among jobs of the same priority, 0.001 to 1000, in place of the file's
        #[arg(long, value_name = "N")]
        weight: Option<f64>,
        /// Watch it until it ends
        #[arg(long, conflicts_with = "dry_run")]
        watch: bool,
        /// Store nothing; say what it would cost, from a sample of its prompts
        #[arg(long)]
        dry_run: bool,
    },
    /// List jobs, newest first
    Ls {
        /// Most jobs to list
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show one job
    Show { job: String },
    /// Follow a job until it ends
    Watch { job: String },
    /// End a job for good, keeping what is done
    Cancel { job: String },
    /// Send nothing more until resumed
    Pause { job: String },
    /// Go on with a paused job
    Resume { job: String },
    /// Change a job's budget or priority; a bound of 0 takes it away
    Set {
        job: String,
        /// Prompt and completion tokens
        #[arg(long, value_name = "TOKENS")]
        budget_tokens: Option<u64>,
        /// US dollars
        #[arg(long, value_name = "DOLLARS")]
        budget_usd: Option<f64>,
        /// Failed prompts
        #[arg(long, value_name = "PROMPTS")]
        budget_failures: Option<u64>,
        /// What happens when a bound is reached
        #[arg(long, value_parser = ["pause", "finish"])]
        then: Option<String>,
        /// Higher goes first
        #[arg(long, allow_negative_numbers = true)]
        priority: Option<i32>,
    },
    /// Run failed prompts again, or a failed assembly
    Retry {
        job: String,
        /// Only prompts that failed with these codes
        #[arg(long, value_delimiter = ',')]
        codes: Vec<String>,
    },
}

#[derive(Subcommand)]
pub(crate) enum Template {
    /// List templates
    Ls,
    /// Print a template's body
    Show { template: String },
    /// Show what changed between two versions
    Diff { template: String, from: u32, to: u32 },
    /// Render a prompt for an audience from a stored seed
    Render {
        template: String,
        #[arg(long)]
        audience: String,
        #[arg(long, default_value = "starter-curriculum")]
        seeds: String,
        /// Number of the seed in its set
        #[arg(long, default_value_t = 0)]
        seq: u64,
    },
    /// Store a file as the template's next version
    Push {
        template: String,
        file: PathBuf,
        #[arg(long)]
        format: Option<String>,
    },
}

#[derive(Subcommand)]
pub(crate) enum Audience {
    /// List audiences, up the ladder
    Ls,
    /// Show one audience
    Show { audience: String },
}

#[derive(Subcommand)]
pub(crate) enum Seeds {
    /// List seed sets
    Ls,
    /// Import a file (.ndjson, .jsonl, .json, .csv, each may end in .zst or .gz, or .parquet) as the seed set's next version
    Push {
        name: String,
        file: PathBuf,
        /// SPDX licence of the records
        #[arg(long)]
        license: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum Endpoint {
    /// List endpoints
    Ls,
    /// Add or change an endpoint
    Add {
        name: String,
        /// Make of the server: openai, anthropic, vllm, sglang, tgi, llama_cpp, ollama, hugging_face
        /// or hornbook_engine
        #[arg(long)]
        preset: Option<String>,
        /// What it speaks: openai, anthropic, or openai_batch for half the price within a day
        /// [default: the preset's, else openai]
        #[arg(long)]
        kind: Option<String>,
        /// As the OpenAI clients spell it, ending in /v1 [default: where the preset's server is found]
        #[arg(long, required_unless_present = "preset")]
        base_url: Option<String>,
        #[arg(long)]
        model: String,
        /// File that holds the endpoint's key
        #[arg(long, value_name = "FILE")]
        api_key_file: Option<PathBuf>,
        /// Requests under way at once
        #[arg(long)]
        in_flight: Option<u32>,
        #[arg(long)]
        requests_per_minute: Option<u32>,
        #[arg(long)]
        tokens_per_minute: Option<u32>,
        /// Further option, such as hornbook_engine=true for a 'hornbook engine'; may be repeated
        #[arg(long, value_name = "NAME=VALUE")]
        option: Vec<String>,
    },
    /// Send one tiny prompt and show the answer
    Test { name: String },
}

/// What the jobs of a key may use.
#[derive(Args)]
pub(crate) struct KeyQuotas {
    /// Most jobs of the key that have not ended
    #[arg(long, value_name = "N")]
    pub(crate) running_jobs: Option<u64>,
    /// Most prompts that its jobs of one UTC day may have
    #[arg(long, value_name = "N")]
    pub(crate) prompts_per_day: Option<u64>,
    /// Most tokens that its jobs may use on one UTC day; then they wait
    #[arg(long, value_name = "N")]
    pub(crate) tokens_per_day: Option<u64>,
}

#[derive(Subcommand)]
pub(crate) enum Key {
    /// Make a key and print it, once
    Create {
        /// What the key is for
        #[arg(long, default_value = "")]
        name: String,
        /// read, write or admin
        #[arg(long, value_delimiter = ',', default_value = "read")]
        scopes: Vec<String>,
        #[command(flatten)]
        quota: KeyQuotas,
        #[command(flatten)]
        storage: Storage,
    },
    /// List keys, without their secrets
    Ls {
        #[command(flatten)]
        storage: Storage,
    },
    /// Revoke a key by its id
    Revoke {
        id: String,
        #[command(flatten)]
        storage: Storage,
    },
}

#[derive(Subcommand)]
pub(crate) enum Model {
    /// List model files in the data directory
    Ls {
        #[command(flatten)]
        storage: Storage,
    },
    /// Fetch a model file from the Hugging Face Hub
    Pull {
        /// Repository on the Hub
        #[arg(default_value = "bartowski/SmolLM2-135M-Instruct-GGUF")]
        repo: String,
        /// File in that repository
        #[arg(default_value = DEFAULT_MODEL_FILE)]
        file: String,
        #[arg(long, default_value = "main")]
        revision: String,
        /// Expected SHA-256; without it the Hub's own is checked
        #[arg(long)]
        sha256: Option<String>,
        /// The Hub's address
        #[arg(long, env = "HF_ENDPOINT", default_value = "https://huggingface.co")]
        endpoint: String,
        /// File that holds a Hub token
        #[arg(long, value_name = "FILE")]
        token_file: Option<PathBuf>,
        #[command(flatten)]
        storage: Storage,
    },
}
