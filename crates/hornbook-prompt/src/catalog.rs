//! The built-in catalog, read from files that the caller hands over.
//!
//! `audiences/SLUG.toml` is an audience. `prompts/SLUG.tera` is a template: TOML between two
//! lines `---`, then the body. `seeds/SLUG.ndjson` is a seed set, one record a line, described
//! by `seeds/SLUG.toml`. `jobs/SLUG.json` is a job as a client would submit it.

use std::collections::BTreeMap;

use hornbook_types::{AudienceSpec, JobSpec, OutputKind, Slug, TemplateSpec};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Everything that a fresh service knows.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Audiences by name.
    pub audiences: BTreeMap<Slug, AudienceSpec>,
    /// Templates by name.
    pub templates: BTreeMap<Slug, TemplateSpec>,
    /// Seed sets by name.
    pub seed_sets: BTreeMap<Slug, CatalogSeedSet>,
    /// Sample jobs by name.
    pub jobs: BTreeMap<Slug, JobSpec>,
}

/// A seed set of the catalog.
#[derive(Clone, Debug)]
pub struct CatalogSeedSet {
    /// What it is good for, in a sentence.
    pub description: String,
    /// SPDX identifier of its licence.
    pub license: String,
    /// Where it comes from.
    pub source: String,
    /// The records, in order.
    pub seeds: Vec<Map<String, Value>>,
    /// The file as it stands, one record a line: what an import reads.
    pub ndjson: Vec<u8>,
}

/// A file of the catalog that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct CatalogError {
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FrontMatter {
    format: Slug,
    #[serde(default)]
    output: OutputKind,
    description: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedSetAbout {
    description: String,
    license: String,
    source: String,
}

impl Catalog {
    /// Reads the catalog from `(path, content)` pairs, paths relative to its folder, in any order.
    pub fn parse<P: AsRef<str>, B: AsRef<[u8]>>(
        files: impl IntoIterator<Item = (P, B)>,
    ) -> Result<Self, CatalogError> {
        let mut catalog = Self::default();
        let mut records = BTreeMap::new();
        let mut abouts = BTreeMap::new();
        for (path, bytes) in files {
            let path = path.as_ref();
            let fault = |message: String| CatalogError { path: path.to_owned(), message };
            let text = std::str::from_utf8(bytes.as_ref())
                .map_err(|_| fault("is not valid UTF-8".to_owned()))?;
            let (folder, name) = path.split_once('/').unwrap_or(("", path));
            let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
            if name == "README.md" {
                continue;
            }
            let slug: Slug = stem.parse().map_err(fault)?;
            match (folder, extension) {
                ("audiences", "toml") => {
                    let spec: AudienceSpec = read_toml(text).map_err(fault)?;
                    spec.check().map_err(|error| fault(error.to_string()))?;
                    catalog.audiences.insert(slug, spec);
                }
                ("prompts", "tera") => {
                    let spec = read_template(text).map_err(fault)?;
                    spec.check().map_err(|error| fault(error.to_string()))?;
                    catalog.templates.insert(slug, spec);
                }
                ("seeds", "ndjson") => {
                    records.insert(slug, (read_records(text).map_err(fault)?, text.into()));
                }
                ("seeds", "toml") => {
                    abouts.insert(slug, read_toml::<SeedSetAbout>(text).map_err(fault)?);
                }
                ("jobs", "json") => {
                    let job = serde_json::from_str::<JobSpec>(text)
                        .map_err(|error| fault(error.to_string()))?;
                    job.check().map_err(|error| fault(error.to_string()))?;
                    catalog.jobs.insert(slug, job);
                }
                _ => return Err(fault("is no audience, prompt, seed set or job".to_owned())),
            }
        }
        for (slug, (seeds, ndjson)) in records {
            let about = abouts.remove(&slug).ok_or_else(|| CatalogError {
                path: format!("seeds/{slug}.toml"),
                message: "is missing; it says description, license and source".to_owned(),
            })?;
            let SeedSetAbout { description, license, source } = about;
            let set = CatalogSeedSet { description, license, source, seeds, ndjson };
            catalog.seed_sets.insert(slug, set);
        }
        match abouts.into_keys().next() {
            Some(slug) => Err(CatalogError {
                path: format!("seeds/{slug}.toml"),
                message: "describes seeds that are not there".to_owned(),
            }),
            None => Ok(catalog),
        }
    }
}

fn read_toml<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

fn read_template(text: &str) -> Result<TemplateSpec, String> {
    let (front, body) = text
        .strip_prefix("---\n")
        .and_then(|rest| rest.split_once("\n---\n"))
        .ok_or("begins with '---', the template's format and description, and '---'")?;
    let FrontMatter { format, output, description } = read_toml(front)?;
    Ok(TemplateSpec { format, output, body: body.to_owned(), description })
}

fn read_records(text: &str) -> Result<Vec<Map<String, Value>>, String> {
    text.lines()
        .enumerate()
        .map(|(index, line)| {
            serde_json::from_str(line).map_err(|error| format!("line {}: {error}", index + 1))
        })
        .collect()
}
