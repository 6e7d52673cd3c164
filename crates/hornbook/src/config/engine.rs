//! Settings of everything that runs an engine.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hornbook_candle::{ComputeDevice, InstructionSet};

use super::{ConfigFile, StorageConfig, drain, storage};
use crate::cli::{Engine, EngineTuning, LocalEngine, Storage};
use crate::environment::Environment;
use crate::exit::Failure;

/// File name of the local engine's default model; `hornbook model pull` fetches it under this name.
pub(crate) const DEFAULT_MODEL_FILE: &str = "SmolLM2-135M-Instruct-Q8_0.gguf";
/// Ending of the names of model files.
const MODEL_EXTENSION: &str = "gguf";

/// An engine: its model, and how it runs; `None` in a field is the engine's own default.
#[derive(Clone, Debug)]
pub(crate) struct EngineConfig {
    pub(crate) model: PathBuf,
    pub(crate) slots: Option<usize>,
    pub(crate) threads: Option<usize>,
    pub(crate) context_tokens: Option<usize>,
    pub(crate) kv_memory_bytes: Option<u64>,
    pub(crate) isa: Option<InstructionSet>,
    pub(crate) device: Option<ComputeDevice>,
}

/// Everything that `engine` is told.
#[derive(Clone, Debug)]
pub(crate) struct EngineServerConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) engine: EngineConfig,
    pub(crate) embedding_model: Option<PathBuf>,
    pub(crate) api_key_file: Option<PathBuf>,
    pub(crate) drain: Duration,
}

/// Settles which model the local engine runs, if any.
pub(crate) fn engine(
    flags: &LocalEngine,
    file: &ConfigFile,
    storage: &StorageConfig,
) -> Option<EngineConfig> {
    if flags.no_local_engine || file.no_local_engine == Some(true) {
        return None;
    }
    let model = flags.model.clone().or_else(|| file.model.clone());
    let model = model.unwrap_or_else(|| default_model(&models_dir(storage)));
    Some(tuned(model, &flags.tuning, file))
}

/// Settles everything that `engine` is told.
pub(crate) fn engine_server(
    flags: &Engine,
    file: &ConfigFile,
    environment: &Environment,
) -> Result<EngineServerConfig, Failure> {
    let places = Storage { data_dir: flags.data_dir.clone(), ..Storage::default() };
    let models = models_dir(&storage(&places, file, environment)?);
    let model = match flags.model.as_ref().or(file.model.as_ref()) {
        Some(model) => named(model, &models, MODEL_EXTENSION),
        None => default_model(&models),
    };
    Ok(EngineServerConfig {
        listen: flags.listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        engine: tuned(model, &flags.tuning, file),
        embedding_model: flags.embedding_model.as_ref().map(|name| named(name, &models, "")),
        api_key_file: flags.api_key_file.clone(),
        drain: drain(flags.drain_seconds, file),
    })
}

fn tuned(model: PathBuf, flags: &EngineTuning, file: &ConfigFile) -> EngineConfig {
    EngineConfig {
        model,
        slots: flags.slots.or(file.slots),
        threads: flags.threads.or(file.threads),
        context_tokens: flags.context.or(file.context),
        kv_memory_bytes: flags.kv_memory.or(file.kv_memory).map(|bytes| bytes.0),
        isa: flags.isa,
        device: flags.device,
    }
}

/// Where model files are kept.
pub(crate) fn models_dir(storage: &StorageConfig) -> PathBuf {
    storage.data_dir.join("models")
}

/// The file that is meant: one that is there, or one of that name among the models, with the
/// ending or without.
fn named(name: &Path, models: &Path, extension: &str) -> PathBuf {
    if name.exists() || name.components().count() != 1 {
        return name.to_owned();
    }
    let listed = models.join(name);
    if listed.exists() || extension.is_empty() {
        return listed;
    }
    // Names have dots of their own, so the ending is added and never put in a dot's place.
    let mut with_extension = listed.into_os_string();
    with_extension.push(".");
    with_extension.push(extension);
    with_extension.into()
}

/// The file that `model pull` fetches; where that is not there, the only model that is.
fn default_model(models: &Path) -> PathBuf {
    let usual = models.join(DEFAULT_MODEL_FILE);
    if usual.exists() {
        return usual;
    }
    let entries = std::fs::read_dir(models).into_iter().flatten().flatten();
    let mut found = entries.map(|entry| entry.path()).filter(|path| is_model(path));
    match (found.next(), found.next()) {
        (Some(only), None) => only,
        _ => usual,
    }
}

/// True of the names that model files have.
pub(crate) fn is_model(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == MODEL_EXTENSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_found_by_path_and_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let models = directory.path();
        std::fs::write(models.join("a.Q4_1.gguf"), "").unwrap();
        let found = |name: &str| named(Path::new(name), models, MODEL_EXTENSION);
        assert_eq!(found("a.Q4_1"), models.join("a.Q4_1.gguf"));
        assert_eq!(found("a.Q4_1.gguf"), models.join("a.Q4_1.gguf"));
        assert_eq!(found("elsewhere/a.Q4_1"), Path::new("elsewhere/a.Q4_1"));
        assert_eq!(default_model(models), models.join("a.Q4_1.gguf"));
    }
}
