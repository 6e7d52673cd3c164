//! The built-in catalog: the files of `templates/`, inside the binary.

use hornbook_db::Db;
use hornbook_db::catalog::{Builtin, BuiltinSeedSet, sync};
use hornbook_prompt::Catalog;
use rust_embed::RustEmbed;

use crate::exit::{Context as _, Failure, Outcome};

#[derive(RustEmbed)]
#[folder = "../../templates"]
struct Files;

/// Path of the sample job below `templates/`.
const QUICKSTART_JOB: &str = "jobs/quickstart.json";

/// Every file of the catalog as path and content, in the order of their paths.
fn files() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = Files::iter()
        .filter_map(|path| Files::get(&path).map(|file| (path.to_string(), file.data.into_owned())))
        .collect();
    files.sort();
    files
}

/// The sample job of quickstart, as JSON.
pub(crate) fn quickstart_job() -> Result<String, Failure> {
    let file = Files::get(QUICKSTART_JOB)
        .ok_or_else(|| Failure::error(format!("the catalog has no {QUICKSTART_JOB}")))?;
    String::from_utf8(file.data.into_owned())
        .map_err(|_| Failure::error(format!("{QUICKSTART_JOB} is not UTF-8")))
}

/// Brings the built-in catalog into the database; users' own edits stay.
pub(crate) async fn load(db: &Db) -> Outcome {
    let catalog = Catalog::parse(files()).context("reading the built-in catalog")?;
    let seed_sets = catalog
        .seed_sets
        .into_iter()
        .map(|(slug, set)| BuiltinSeedSet {
            slug,
            license: set.license,
            source: Some(set.source),
            records: set.seeds,
        })
        .collect();
    let builtin = Builtin { audiences: catalog.audiences, templates: catalog.templates, seed_sets };
    let synced = sync(db, &builtin).await.context("loading the built-in catalog")?;
    if synced.kept > 0 {
        tracing::info!(kept = synced.kept, "built-in catalog entries changed, but yours were kept");
    }
    Ok(())
}
