//! Croissant metadata: files and columns of a corpus for machines (MLCommons Croissant 1.0, JSON-LD).

mod context;

use hornbook_records::schema::{COLUMNS, ColumnKind};
use hornbook_types::CorpusFile;
use serde_json::{Value, json};

use crate::card::{CardFacts, Made, hub_license, languages, splits};
use crate::error::AssembleError;
use crate::shards::DATA_DIR;
use context::context;

/// Path of the metadata below a corpus.
pub(crate) const CROISSANT_PATH: &str = "croissant.json";
/// The version of the format that it keeps to.
const CONFORMS_TO: &str = "http://mlcommons.org/croissant/1.0";
/// Hex digits of the spec digest that the version of the data set names.
const VERSION_DIGITS: usize = 12;

/// The metadata as a file; it needs no network to be read, its context is inside.
pub(crate) fn croissant(
    facts: &CardFacts<'_>,
    files: &[CorpusFile],
) -> Result<Vec<u8>, AssembleError> {
    let splits = splits(files);
    let mut distribution: Vec<Value> = files.iter().map(file_object).collect();
    let mut record_sets = Vec::new();
    for (split, extension) in &splits {
        distribution.push(json!({
            "@type": "cr:FileSet",
            "@id": format!("{split}-files"),
            "name": format!("{split}-files"),
            "description": format!("The files of the split {split}."),
            "encodingFormat": encoding(extension),
            "includes": format!("{DATA_DIR}/{split}-*.{extension}"),
        }));
        record_sets.push(record_set(split));
    }
    let digest = facts.spec_digest.get(..VERSION_DIGITS).unwrap_or_default();
    let mut metadata = json!({
        "@context": context(),
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": facts.name,
        "description": description(facts),
        "version": format!("1.0.0+{digest}"),
        "license": licences(facts),
        "keywords": keywords(facts),
        "citeAs": citation(facts),
        "distribution": distribution,
        "recordSet": record_sets,
    });
    let languages = languages(facts);
    if !languages.is_empty() {
        metadata["inLanguage"] = json!(languages);
    }
    let mut bytes = serde_json::to_vec_pretty(&metadata)
        .map_err(|error| AssembleError::Row(error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn file_object(file: &CorpusFile) -> Value {
    let ending = file.path.rsplit_once('.').map_or("", |(_, ending)| ending);
    json!({
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path,
        "contentUrl": file.path,
        "contentSize": format!("{} B", file.bytes),
        "encodingFormat": encoding(ending),
        "sha256": file.sha256,
    })
}

/// The media type of a file by its ending.
fn encoding(ending: &str) -> &'static str {
    match ending {
        "parquet" => "application/x-parquet",
        "zst" | "jsonl.zst" => "application/zstd",
        "jsonl" => "application/jsonlines",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "md" => "text/markdown",
        "tera" => "text/plain",
        _ => "application/octet-stream",
    }
}

/// The rows of one split.
fn record_set(split: &str) -> Value {
    let fields: Vec<Value> = COLUMNS
        .iter()
        .map(|column| {
            let kind = match column.kind {
                ColumnKind::Text => "sc:Text",
                ColumnKind::Int64 => "sc:Integer",
            };
            json!({
                "@type": "cr:Field",
                "@id": format!("{split}/{}", column.name),
                "name": column.name,
                "description": column.meaning,
                "dataType": kind,
                "source": {
                    "fileSet": { "@id": format!("{split}-files") },
                    "extract": { "column": column.name },
                },
            })
        })
        .collect();
    json!({
        "@type": "cr:RecordSet",
        "@id": split,
        "name": split,
        "description": format!("Documents of the split {split}, one a record."),
        "key": { "@id": format!("{split}/id") },
        "field": fields,
    })
}

fn description(facts: &CardFacts<'_>) -> String {
    let (rows, tokens) = (facts.funnel.rows, facts.tokens);
    let partial = if facts.partial { " Partial: not every prompt had ended." } else { "" };
    match facts.made {
        Made::Job(_) => format!(
            "Synthetic text, written by language models from prompt templates, audiences and seeds: {rows} documents, \
             {tokens} tokens.{partial}"
        ),
        Made::Files(_) => {
            format!(
                "Documents of files, filtered and deduplicated: {rows} documents, {tokens} tokens."
            )
        }
    }
}

fn keywords(facts: &CardFacts<'_>) -> Vec<&'static str> {
    match facts.made {
        Made::Job(_) => vec!["synthetic", "textbooks", "text-generation", "hornbook"],
        Made::Files(_) => vec!["text-generation", "hornbook"],
    }
}

/// Licences of everything that went in; addresses where they are known.
fn licences(facts: &CardFacts<'_>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for origin in facts.origins {
        let license = match (origin.license.trim(), hub_license(&origin.license)) {
            ("", _) => "not stated".to_owned(),
            (_, Some("cc0-1.0")) => "https://creativecommons.org/publicdomain/zero/1.0/".to_owned(),
            (_, Some("cc-by-4.0")) => "https://creativecommons.org/licenses/by/4.0/".to_owned(),
            (_, Some("cc-by-sa-4.0")) => {
                "https://creativecommons.org/licenses/by-sa/4.0/".to_owned()
            }
            (own, _) => own.to_owned(),
        };
        if !found.contains(&license) && found.len() < 100 {
            found.push(license);
        }
    }
    if found.is_empty() {
        found.push("not stated".to_owned());
    }
    found
}

/// An entry for BibTeX; what would end a field there is left out of the name.
fn citation(facts: &CardFacts<'_>) -> String {
    let title: String = facts
        .name
        .chars()
        .map(|c| if c.is_control() || "{}\\%#$&_^~\"".contains(c) { ' ' } else { c })
        .collect();
    let digest = facts.spec_digest.get(..VERSION_DIGITS).unwrap_or_default();
    format!(
        "@misc{{hornbook-{digest}, title = {{{}}}, note = {{Built with Hornbook, spec digest {}}}}}",
        title.trim(),
        facts.spec_digest
    )
}
