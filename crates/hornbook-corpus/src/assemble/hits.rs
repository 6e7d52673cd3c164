//! `decontamination.jsonl`: every benchmark item that was found, with the span that overlaps.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, Write as _};
use std::path::Path;

use hornbook_types::CorpusFile;

use super::fact_file::FactFile;
use super::part::Part;
use crate::decontaminate::{DecontaminationReport, Decontaminator, Hit, HitLine};
use crate::error::AssembleError;
use crate::hashing::create;

/// Path of the list of hits below a corpus.
const HITS_PATH: &str = "decontamination.jsonl";

/// Writes every hit of every document in the order of the input, and counts them.
///
/// Documents that went for another reason are in it too; those that a gate refused were not searched.
pub(crate) fn write_hits(
    place: &Path,
    decontaminator: &Decontaminator,
    parts: &[&dyn Part],
    facts: &[FactFile],
) -> Result<(CorpusFile, DecontaminationReport), AssembleError> {
    let path = place.join(HITS_PATH);
    let mut out = std::io::BufWriter::new(create(&path)?);
    let mut report = decontaminator.report(&decontaminator.counts());
    let mut items: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut lines = 0;
    for (part, file) in parts.iter().zip(facts) {
        for line in file.hits()?.lines() {
            let line = line.map_err(AssembleError::io(&path))?;
            let (row, hits): (u64, Vec<Hit>) = serde_json::from_str(&line)
                .map_err(|error| AssembleError::Row(error.to_string()))?;
            let id = file.own_id(row)?.unwrap_or_else(|| part.default_id(row));
            report.documents_hit += 1;
            let names: BTreeSet<&str> = hits.iter().map(|hit| &*hit.benchmark).collect();
            for name in names {
                if let Some(counts) = report.benchmarks.get_mut(name) {
                    counts.documents_hit += 1;
                }
            }
            for hit in hits {
                let found = items.entry(hit.benchmark.to_string()).or_default();
                found.insert(hit.item_id.to_string());
                let line = HitLine { id: &id, hit };
                let json = serde_json::to_vec(&line)
                    .map_err(|error| AssembleError::Row(error.to_string()))?;
                let written = out.write_all(&json).and_then(|()| out.write_all(b"\n"));
                written.map_err(AssembleError::io(&path))?;
                lines += 1;
            }
        }
    }
    for (name, found) in items {
        if let Some(counts) = report.benchmarks.get_mut(&name) {
            counts.items_hit = found.len() as u64;
        }
    }
    let out = out.into_inner().map_err(|error| AssembleError::io(&path)(error.into_error()))?;
    let (_, bytes, sha256) = out.finish();
    let path = HITS_PATH.to_owned();
    let file = CorpusFile { path, bytes, sha256, rows: Some(lines), tokens: None };
    Ok((file, report))
}
