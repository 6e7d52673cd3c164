//! `cargo xtask openapi`: the committed OpenAPI document, anew.

use std::fs;
use std::process::Command;

use crate::ambient::Ambient;
use crate::{Outcome, shell};

/// Builds the service and writes down what it says about itself.
pub(crate) fn run(ambient: &Ambient) -> Outcome {
    build(ambient)?;
    let document = shell::output(Command::new(ambient.hornbook()).arg("openapi"))?;
    let path = ambient.root.join("docs/openapi.json");
    let part = path.with_extension("json.part");
    fs::write(&part, document)
        .and_then(|()| fs::rename(&part, &path))
        .map_err(|error| format!("could not write {}: {error}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

/// Builds the service. The whole workspace is named so that its dependencies get the features that tests build them
/// with, and are built once for both.
pub(crate) fn build(ambient: &Ambient) -> Outcome {
    shell::run(ambient.cargo().args(["build", "--workspace", "--bin", "hornbook"]))
}
