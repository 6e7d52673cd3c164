//! Configuration: flags over environment over `hornbook.toml` over defaults.

mod bytes;
mod engine;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hornbook_hub::HUB_ENDPOINT;
use serde::Deserialize;
use url::Url;

pub(crate) use bytes::Bytes;
pub(crate) use engine::{
    DEFAULT_MODEL_FILE, EngineConfig, EngineServerConfig, engine, engine_server, is_model,
    models_dir,
};

use crate::cli::{Global, Importing, Outgoing, Serve, Storage};
use crate::environment::Environment;
use crate::exit::Failure;

/// Name of the configuration file that is read when it lies in the working directory.
const CONFIG_FILE: &str = "hornbook.toml";
/// Default of `--drain-seconds`.
const DRAIN_SECONDS: u64 = 20;
/// Default port of the service.
const PORT: u16 = 8080;

/// `hornbook.toml`; every field has a flag of the same name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfigFile {
    listen: Option<SocketAddr>,
    data_dir: Option<PathBuf>,
    pg_bin: Option<PathBuf>,
    corpus_store: Option<String>,
    no_local_engine: Option<bool>,
    model: Option<PathBuf>,
    slots: Option<usize>,
    threads: Option<usize>,
    context: Option<usize>,
    kv_memory: Option<Bytes>,
    workers: Option<usize>,
    drain_seconds: Option<u64>,
    base_url: Option<String>,
    #[serde(default)]
    allowed_hosts: Vec<String>,
    initial_key_file: Option<PathBuf>,
    /// Private networks that endpoints may lie in, as `10.1.0.0/16`.
    #[serde(default)]
    allowed_networks: Vec<String>,
    import_root: Option<PathBuf>,
    hub_endpoint: Option<String>,
}

/// Where things are kept.
#[derive(Clone, Debug)]
pub(crate) struct StorageConfig {
    pub(crate) data_dir: PathBuf,
    pub(crate) pg_bin: Option<PathBuf>,
    pub(crate) corpus_store: Option<String>,
}

/// Everything that `serve` is told.
#[derive(Clone, Debug)]
pub(crate) struct ServeConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) storage: StorageConfig,
    pub(crate) engine: Option<EngineConfig>,
    pub(crate) workers: usize,
    pub(crate) drain: Duration,
    pub(crate) base_url: Option<Url>,
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) initial_key_file: Option<PathBuf>,
    pub(crate) allowed_networks: Vec<String>,
    pub(crate) importing: ImportingConfig,
}

/// What may be imported, and from where.
#[derive(Clone, Debug)]
pub(crate) struct ImportingConfig {
    pub(crate) import_root: Option<PathBuf>,
    pub(crate) hub_endpoint: String,
}

/// Reads the configuration file that was named, or the one in the working directory, or none.
pub(crate) fn read_file(global: &Global) -> Result<ConfigFile, Failure> {
    let (path, named) = match &global.config {
        Some(path) => (path.as_path(), true),
        None => (Path::new(CONFIG_FILE), false),
    };
    match std::fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text)
            .map_err(|error| Failure::usage(format!("{}: {error}", path.display()))),
        Err(error) if !named && error.kind() == std::io::ErrorKind::NotFound => {
            Ok(ConfigFile::default())
        }
        Err(error) => Err(Failure::usage(format!("reading {}: {error}", path.display()))),
    }
}

/// Settles where things are kept.
pub(crate) fn storage(
    flags: &Storage,
    file: &ConfigFile,
    environment: &Environment,
) -> Result<StorageConfig, Failure> {
    let data_dir = flags
        .data_dir
        .clone()
        .or_else(|| file.data_dir.clone())
        .or_else(|| default_data_dir(environment))
        .ok_or_else(|| Failure::usage("neither XDG_DATA_HOME nor HOME is set; name --data-dir"))?;
    let data_dir = std::path::absolute(&data_dir)
        .map_err(|error| Failure::usage(format!("{}: {error}", data_dir.display())))?;
    Ok(StorageConfig {
        data_dir,
        pg_bin: flags.pg_bin.clone().or_else(|| file.pg_bin.clone()),
        corpus_store: flags
            .corpus_store
            .clone()
            .filter(|place| !place.is_empty())
            .or_else(|| file.corpus_store.clone()),
    })
}

/// Settles everything that `serve` is told.
pub(crate) fn serve(
    flags: &Serve,
    file: &ConfigFile,
    environment: &Environment,
) -> Result<ServeConfig, Failure> {
    let storage = storage(&flags.storage, file, environment)?;
    Ok(ServeConfig {
        listen: flags
            .listen
            .or(file.listen)
            .unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))),
        engine: engine(&flags.engine, file, &storage),
        storage,
        workers: flags.workers.or(file.workers).unwrap_or(1),
        drain: drain(flags.drain_seconds, file),
        base_url: base_url(flags.base_url.as_ref().or(file.base_url.as_ref()))?,
        allowed_hosts: joined(&flags.allowed_hosts, &file.allowed_hosts),
        initial_key_file: flags.initial_key_file.clone().or_else(|| file.initial_key_file.clone()),
        allowed_networks: allowed_networks(&flags.outgoing, file),
        importing: importing(&flags.importing, file)?,
    })
}

/// Settles how long what is in flight may take to finish.
pub(crate) fn drain(flag: Option<u64>, file: &ConfigFile) -> Duration {
    Duration::from_secs(flag.or(file.drain_seconds).unwrap_or(DRAIN_SECONDS))
}

/// Settles what may be imported; a root that is none is told at once.
pub(crate) fn importing(flags: &Importing, file: &ConfigFile) -> Result<ImportingConfig, Failure> {
    let root = flags.import_root.clone().or_else(|| file.import_root.clone());
    let root = root.filter(|root| !root.as_os_str().is_empty());
    if let Some(root) = &root
        && !root.is_dir()
    {
        let why = format!("the import root {} is no directory", root.display());
        return Err(Failure::usage(why));
    }
    let endpoint = flags.hub_endpoint.clone().filter(|url| !url.is_empty());
    let endpoint = endpoint.or_else(|| file.hub_endpoint.clone());
    Ok(ImportingConfig {
        import_root: root,
        hub_endpoint: endpoint.unwrap_or_else(|| HUB_ENDPOINT.to_owned()),
    })
}

/// Private networks that endpoints may lie in.
pub(crate) fn allowed_networks(flags: &Outgoing, file: &ConfigFile) -> Vec<String> {
    joined(&flags.allowed_networks, &file.allowed_networks)
}

/// Both lists; an empty entry is what an empty environment variable leaves.
fn joined(flags: &[String], file: &[String]) -> Vec<String> {
    flags.iter().chain(file).filter(|entry| !entry.trim().is_empty()).cloned().collect()
}

fn base_url(text: Option<&String>) -> Result<Option<Url>, Failure> {
    let Some(text) = text else { return Ok(None) };
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host_str().is_some() => {
            Ok(Some(url))
        }
        _ => Err(Failure::usage(format!("the base URL is http(s)://HOST[:PORT], not '{text}'"))),
    }
}

fn default_data_dir(environment: &Environment) -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Some(PathBuf::from("/var/lib/hornbook"));
    }
    environment.data_home.as_ref().map(|home| home.join("hornbook"))
}
