//! The engine in this process, loaded off the async threads.

use std::sync::Arc;

use hornbook_candle::{Engine, EngineConfig as CandleConfig, LoadError};
use hornbook_db::endpoints::ModelFile;
use hornbook_db::{Db, endpoints};
use hornbook_inference::SharedBackend;
use hornbook_types::{EndpointState, LOCAL_ENDPOINT, Slug};

use crate::config::EngineConfig;
use crate::exit::{Context as _, Failure};

/// Loads the local engine and says at the endpoint `local` whether it works.
///
/// A missing or broken model file is the endpoint's trouble, not the service's. Several processes may
/// share one database: one that has no engine does not speak for one that has, so only a failure to
/// load what was asked for, or nobody having said anything yet, makes `local` unavailable.
pub(crate) async fn load(
    config: Option<&EngineConfig>,
    db: &Db,
) -> Result<Option<SharedBackend>, Failure> {
    let Some(config) = config.cloned() else {
        let off = "no process with a local engine has started yet";
        endpoints::ensure_local(db, EndpointState::Unavailable, Some(off))
            .await
            .context("storing the endpoint 'local'")?;
        return Ok(None);
    };
    let loaded = tokio::task::spawn_blocking(move || load_file(config))
        .await
        .context("loading the model")?;
    let (state, message, backend) = match loaded {
        Ok(engine) => {
            tracing::info!(model = engine.model_name(), "the local engine is ready");
            let backend: SharedBackend = Arc::new(engine);
            (EndpointState::Ready, None, Some(backend))
        }
        Err(error) => {
            tracing::warn!(%error, "the local engine is unavailable");
            (EndpointState::Unavailable, Some(error.to_string()), None)
        }
    };
    let name: Slug = LOCAL_ENDPOINT.parse().map_err(Failure::error)?;
    let storing = "storing the endpoint 'local'";
    endpoints::ensure_local(db, state, message.as_deref()).await.context(storing)?;
    endpoints::set_state(db, &name, state, message.as_deref()).await.context(storing)?;
    if let Some(backend) = &backend {
        let provenance = backend.provenance();
        let model = ModelFile {
            model: backend.model().to_owned(),
            sha256: provenance.model_sha256,
            instruction_set: provenance.instruction_set,
        };
        endpoints::note_model(db, &name, &model).await.context(storing)?;
    }
    Ok(backend)
}

/// Loads the model file of an engine; takes seconds and blocks.
pub(crate) fn load_file(config: EngineConfig) -> Result<Engine, LoadError> {
    let defaults = CandleConfig::new(config.model);
    Engine::load(CandleConfig {
        slots: config.slots.unwrap_or(defaults.slots),
        threads: config.threads,
        context_tokens: config.context_tokens.unwrap_or(defaults.context_tokens),
        kv_memory_bytes: config.kv_memory_bytes,
        instruction_set: config.isa,
        device: config.device.unwrap_or(defaults.device),
        ..defaults
    })
}
