//! `hornbook model`: model files of the local engine.

use std::path::PathBuf;

use hornbook_hub::{PullSpec, pull_model};
use hornbook_inference::Secret;
use hornbook_inference::http::{Client, GuardPolicy};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::cli::Model;
use crate::config::{self, ConfigFile, StorageConfig};
use crate::environment::Environment;
use crate::exit::{Context as _, Failure, Outcome};
use crate::output;

/// Runs one of the model commands.
pub(crate) async fn run(
    command: Model,
    file: &ConfigFile,
    environment: &Environment,
    as_json: bool,
) -> Outcome {
    match command {
        Model::Ls { storage } => ls(&config::storage(&storage, file, environment)?, as_json),
        pull @ Model::Pull { .. } => self::pull(pull, file, environment, as_json).await,
    }
}

fn ls(storage: &StorageConfig, as_json: bool) -> Outcome {
    let directory = config::models_dir(storage);
    let mut models = Vec::new();
    for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".gguf") {
            models.push((name, entry.metadata().map(|metadata| metadata.len()).unwrap_or(0)));
        }
    }
    models.sort();
    if as_json {
        let rows: Vec<_> =
            models.iter().map(|(file, bytes)| json!({ "file": file, "bytes": bytes })).collect();
        return output::json(&json!(rows));
    }
    if models.is_empty() {
        return output::line(&format!(
            "no model file in {}; fetch one with 'hornbook model pull'",
            directory.display()
        ));
    }
    let rows: Vec<Vec<String>> =
        models.into_iter().map(|(file, bytes)| vec![file, bytes.to_string()]).collect();
    output::table(&["FILE", "BYTES"], &rows)
}

async fn pull(
    command: Model,
    file: &ConfigFile,
    environment: &Environment,
    as_json: bool,
) -> Outcome {
    let Model::Pull { repo, file: name, revision, sha256, endpoint, token_file, storage } = command
    else {
        return Err(Failure::usage("not a model to pull"));
    };
    let storage = config::storage(&storage, file, environment)?;
    let token = match token_file {
        Some(path) => Some(
            std::fs::read_to_string(&path)
                .map_err(|error| Failure::usage(format!("reading {}: {error}", path.display())))?
                .trim()
                .to_owned(),
        ),
        None => environment.hub_token.clone(),
    };
    // The user's own command line goes where the user sends it.
    let client = Client::new(GuardPolicy::unrestricted()).context("setting up the http client")?;
    let bar = ProgressBar::new(0);
    if let Ok(style) =
        ProgressStyle::with_template("pulling [{bar:32}] {bytes}/{total_bytes} {bytes_per_sec}")
    {
        bar.set_style(style.progress_chars("=> "));
    }
    let spec = PullSpec {
        endpoint,
        token: token.map(Secret::new),
        repo,
        revision,
        file: name,
        dest_dir: config::models_dir(&storage),
        expected_sha256: sha256,
    };
    let pulled: PathBuf = pull_model(&client, &spec, &|progress| {
        bar.set_length(progress.total_bytes.unwrap_or(0));
        bar.set_position(progress.done_bytes);
    })
    .await
    .context("pulling the model")?;
    bar.finish_and_clear();
    if as_json {
        return output::json(&json!({ "file": pulled }));
    }
    output::line(&format!("{}", pulled.display()))
}
