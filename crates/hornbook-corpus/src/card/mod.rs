//! The dataset card and what stands beside it: everything that a reader needs who believes nothing unseen.
//!
//! `README.md` has the YAML header that the Hub and its clients read, and sums up; histograms lie in `assets/`,
//! prompts in `prompts/`, the spec to build the corpus again in `job.json` or `spec.json`, and Croissant metadata
//! in `croissant.json`. Words of others (names, file names, templates, openings, models) are escaped everywhere.

mod charts;
mod columns;
mod counts;
mod header;
mod leaks;
mod licence;
mod prompts;
mod rebuild;
mod recipe;
mod statistics;
mod terms;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hornbook_types::{
    AssemblySpec, CorpusFile, CorpusStatistics, GateSpec, MixReport, PinnedJobSpec, RowFunnel,
};

use crate::assemble::{CARD_PATH, write_file};
use crate::build::BuildSpec;
use crate::croissant::{CROISSANT_PATH, croissant};
use crate::decontaminate::DecontaminationReport;
use crate::error::AssembleError;
use crate::mix::{mix_section, splits_section};

pub(crate) use header::{languages, splits};
pub(crate) use licence::hub_license;

/// What a card tells; nothing in it depends on the clock, the host or the job's id.
pub(crate) struct CardFacts<'a> {
    /// What people call the corpus.
    pub(crate) name: &'a str,
    /// What it was made from.
    pub(crate) made: Made<'a>,
    /// SHA-256 of the spec.
    pub(crate) spec_digest: &'a str,
    /// Whether prompts had not ended when it was assembled.
    pub(crate) partial: bool,
    /// How documents were assembled.
    pub(crate) assembly: &'a AssemblySpec,
    /// Gates that were tried.
    pub(crate) gates: Option<&'a GateSpec>,
    /// Texts of others that went in, with their licences.
    pub(crate) origins: &'a [Origin],
    /// Documents at every stage.
    pub(crate) funnel: &'a RowFunnel,
    /// Tokens of the rows.
    pub(crate) tokens: u64,
    /// Who counted them.
    pub(crate) token_counts: &'a str,
    /// Models that wrote the rows, with the SHA-256 of the model file where it is known.
    pub(crate) models: &'a BTreeMap<String, Option<String>>,
    /// Rows by template (`name@version`) and audience (name).
    pub(crate) lines: &'a BTreeMap<(String, String), u64>,
    /// What the rows look like.
    pub(crate) statistics: &'a CorpusStatistics,
    /// What became of the mix, if there was one.
    pub(crate) mix: Option<&'a MixReport>,
    /// What was found of benchmarks, where any were looked for.
    pub(crate) leaks: Option<&'a DecontaminationReport>,
}

/// What a corpus was made from.
#[derive(Clone, Copy)]
pub(crate) enum Made<'a> {
    /// Prompts of a job.
    Job(&'a PinnedJobSpec),
    /// Rows of files.
    Files(&'a BuildSpec),
}

/// A text of others that went into a corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Its name, such as that of a seed set or a file.
    pub(crate) name: String,
    /// Licence as the importer named it; empty when nobody did.
    pub(crate) license: String,
    /// Where it comes from as the importer named it; empty when nobody did.
    pub(crate) source: String,
}

/// Appends a line; writing to a string cannot fail.
macro_rules! line {
    ($out:expr, $($arg:tt)*) => {{
        use std::fmt::Write as _;
        let _ = writeln!($out, $($arg)*);
    }};
}
pub(crate) use line;

/// Writes the card and all that stands beside it into `out`, and appends them to the corpus's `files`.
pub(crate) fn write_card(
    facts: &CardFacts<'_>,
    out: &Path,
    files: &mut Vec<CorpusFile>,
) -> Result<(), AssembleError> {
    let charts = charts::charts(facts);
    let prompts = prompts::prompts(&facts.made)?;
    let mut beside: Vec<(String, Vec<u8>)> = Vec::new();
    beside.extend(charts.iter().map(|chart| (chart.path.clone(), chart.svg.clone().into_bytes())));
    beside.extend(prompts.iter().map(|it| (it.path.clone(), it.bytes.clone())));
    beside.push(rebuild::spec_file(facts)?);
    for (path, bytes) in &beside {
        files.push(write_below(out, path, bytes)?);
    }
    let card = card(facts, files, &charts, &prompts);
    files.push(write_file(out, CARD_PATH, card.as_bytes())?);
    let metadata = croissant(facts, files)?;
    files.push(write_file(out, CROISSANT_PATH, &metadata)?);
    Ok(())
}

fn write_below(out: &Path, path: &str, bytes: &[u8]) -> Result<CorpusFile, AssembleError> {
    if let Some(parent) = out.join(path).parent() {
        fs::create_dir_all(parent).map_err(AssembleError::io(parent))?;
    }
    write_file(out, path, bytes)
}

/// The card itself.
fn card(
    facts: &CardFacts<'_>,
    files: &[CorpusFile],
    charts: &[charts::ChartFile],
    prompts: &[prompts::PromptFile],
) -> String {
    let mut out = String::new();
    header::header(&mut out, facts, files);
    recipe::introduction(&mut out, facts);
    licence::warnings(&mut out, facts.origins);
    match facts.made {
        Made::Job(spec) => {
            recipe::recipe(&mut out, spec, facts.lines);
            prompts::section(&mut out, spec, prompts);
        }
        Made::Files(spec) => recipe::sources(&mut out, spec),
    }
    if let Some(mix) = facts.mix {
        mix_section(&mut out, mix);
    }
    splits_section(&mut out, &facts.assembly.splits, &facts.statistics.splits);
    counts::counts(&mut out, facts);
    leaks::leaks(&mut out, facts, files);
    statistics::statistics(&mut out, facts.statistics, facts.funnel, charts);
    columns::columns(&mut out);
    columns::loading(&mut out, facts, files);
    terms::models(&mut out, facts);
    licence::licences(&mut out, facts);
    rebuild::rebuild(&mut out, facts);
    out
}
