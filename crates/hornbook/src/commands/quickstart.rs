//! `hornbook quickstart`: start the service, write a small sample corpus, show where it is.

use std::path::PathBuf;

use serde_json::Value;

use crate::cli::Quickstart;
use crate::client::Client;
use crate::commands::corpus::pull;
use crate::commands::job::watch;
use crate::config::{ServeConfig, is_model, models_dir};
use crate::environment::Environment;
use crate::exit::{Context as _, Failure, Outcome};
use crate::output::{self, text};
use crate::wiring::{Running, catalog, stop_signal};

/// Runs the sample job through the front door of a service of its own.
pub(crate) async fn run(
    command: Quickstart,
    config: ServeConfig,
    environment: &Environment,
) -> Outcome {
    let spec: Value =
        serde_json::from_str(&catalog::quickstart_job()?).context("reading the sample job")?;
    keep_model(&config)?;
    let running = Running::start(config, environment).await?;
    output::line(&format!("listening on {}", running.url()))?;
    let worked = tokio::select! {
        worked = write_sample(&running, environment, &spec, command.out) => worked,
        () = stop_signal() => Err(Failure::error("stopped before the sample corpus was there")),
    };
    if worked.is_ok() && !command.once {
        output::line("serving on; Ctrl-C stops the service")?;
        stop_signal().await;
    }
    let stopped = running.stop().await;
    worked.and(stopped)
}

/// Puts the model into the data directory, so that a later `serve` finds it without being told.
fn keep_model(config: &ServeConfig) -> Outcome {
    let models = models_dir(&config.storage);
    let Some(model) = config.engine.as_ref().map(|engine| engine.model.as_path()) else {
        return Ok(());
    };
    let Some(name) = model.file_name().filter(|_| is_model(model) && model.exists()) else {
        return Ok(());
    };
    let to = models.join(name);
    if to.exists() {
        return Ok(());
    }
    let doing = format!("keeping the model in {}", models.display());
    std::fs::create_dir_all(&models).context(&doing)?;
    // A link costs nothing; across file systems there is none.
    if std::fs::hard_link(model, &to).is_err() {
        let draft = to.with_extension("gguf.part");
        std::fs::copy(model, &draft).context(&doing)?;
        std::fs::rename(&draft, &to).context(&doing)?;
    }
    Ok(())
}

async fn write_sample(
    running: &Running,
    environment: &Environment,
    spec: &Value,
    out: Option<PathBuf>,
) -> Outcome {
    let client = Client::new(running.url(), environment.key.clone())?;
    let job = client.post("/v1/jobs", Some(spec)).await?;
    let id = text(&job, "/id");
    output::line(&format!("job       {id}  {}", text(&job, "/name")))?;
    let ended = watch::follow(&client, &id, false).await?;
    if text(&ended, "/state") == "failed" {
        return watch::outcome(&ended);
    }
    let out = out.unwrap_or_else(|| PathBuf::from("corpus").join(&id));
    let corpus = pull::pull(&client, &id, &out, true).await?;
    output::line(&format!(
        "documents {} accepted, {} rejected, {} failed",
        text(&ended, "/counts/accepted"),
        text(&ended, "/counts/rejected"),
        text(&ended, "/counts/failed")
    ))?;
    output::line(&format!(
        "corpus    {} ({} rows, {} tokens)",
        out.display(),
        text(&corpus, "/rows"),
        text(&corpus, "/tokens")
    ))?;
    output::line(&format!("pull      hornbook --url {} corpus pull {id} -o DIR", running.url()))?;
    output::line(&format!("dashboard {}/jobs/{id}", running.url()))?;
    watch::outcome(&ended)
}
