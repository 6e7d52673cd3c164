//! The files of a build: those without a name, then those that a mix calls by name.

use std::collections::BTreeSet;

use super::BuildRequest;
use crate::error::AssembleError;
use crate::sources::{SourceFile, find_sources};

/// Every file in the order in which its documents count.
pub(super) fn all_sources(request: &BuildRequest<'_>) -> Result<Vec<SourceFile>, AssembleError> {
    check_names(request)?;
    let mut sources = find_sources(request.sources)?;
    for named in request.named {
        let files = find_sources(&named.paths)?;
        sources.extend(files.into_iter().map(|file| file.named(&named.name)));
    }
    Ok(sources)
}

/// A mix and its sources know each other by their names.
fn check_names(request: &BuildRequest<'_>) -> Result<(), AssembleError> {
    let refuse = |message: String| Err(AssembleError::Request(message));
    let mut names = BTreeSet::new();
    for named in request.named {
        if !names.insert(named.name.as_str()) {
            return refuse(format!("two sources are called '{}'", named.name));
        }
    }
    let Some(mix) = &request.mix else { return Ok(()) };
    if let Some(path) = request.sources.first() {
        return refuse(format!(
            "the mix needs a name for every source, and {} has none: write NAME={0}",
            path.display()
        ));
    }
    let labels: BTreeSet<String> = mix.sources.iter().map(|source| source.label()).collect();
    if let Some(missing) = labels.iter().find(|label| !names.contains(label.as_str())) {
        return refuse(format!("the mix has a source '{missing}', and no files were given for it"));
    }
    if let Some(unused) = names.iter().find(|name| !labels.contains(**name)) {
        return refuse(format!("there are files for '{unused}', and the mix has no such source"));
    }
    Ok(())
}
