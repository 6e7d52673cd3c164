//! Prints every prompt of a sample job, for reading and for trying on a model.
//!
//! `prompts FOLDER JOB`: one `{"prompt", "sampling", "seed"}` a line, as the local engine's
//! `generate` example reads them.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use hornbook_prompt::{Catalog, Prompter, ResolvedLine, ResolvedSeedSet, pin};
use hornbook_types::{Pinned, Reference, SeedRecord, SeedSource, Slug};
use serde_json::json;

#[expect(clippy::print_stdout, reason = "prompts are this program's output")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(job)) = (arguments.next(), arguments.next()) else {
        return Err("usage: prompts FOLDER JOB".into());
    };
    let catalog = Catalog::parse(files(Path::new(&folder))?)?;
    let spec = catalog.jobs.get(&job.parse::<Slug>()?).ok_or("no such job")?;
    let SeedSource::SeedSet(seeds) = &spec.seeds else { return Err("no seed set".into()) };
    let seeds = (&seeds.slug, catalog.seed_sets.get(&seeds.slug).ok_or("no such seed set")?);
    let mut fields: BTreeMap<String, u64> = BTreeMap::new();
    for field in seeds.1.seeds.iter().flat_map(|seed| seed.keys()) {
        *fields.entry(field.clone()).or_default() += 1;
    }
    let seed_set =
        ResolvedSeedSet { pinned: first(seeds.0), count: seeds.1.seeds.len() as u64, fields };
    let lines = spec
        .recipe
        .iter()
        .map(|line| {
            let get = |reference: &Reference| first(&reference.slug);
            Ok(ResolvedLine {
                template: get(&line.template),
                template_spec: catalog
                    .templates
                    .get(&line.template.slug)
                    .ok_or("no template")?
                    .clone(),
                audience: get(&line.audience),
                audience_spec: catalog
                    .audiences
                    .get(&line.audience.slug)
                    .ok_or("no audience")?
                    .clone(),
            })
        })
        .collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    let prompter = Prompter::new(&pin(spec, &seed_set, &lines)?)?;
    for seq in 0..prompter.plan().total() {
        let planned = prompter.plan().at(seq);
        let data = seeds.1.seeds[planned.seed_seq as usize].clone();
        let prompt = prompter.prompt(seq, &SeedRecord { seq: planned.seed_seq, data })?;
        println!(
            "{}",
            json!({"prompt": prompt, "sampling": spec.sampling, "seed": planned.sampling_seed})
        );
    }
    Ok(())
}

fn first(slug: &Slug) -> Pinned {
    Pinned { slug: slug.clone(), version: 1 }
}

/// A path relative to the catalog's folder, and what stands there.
type CatalogFile = (String, Vec<u8>);

fn files(folder: &Path) -> Result<Vec<CatalogFile>, Box<dyn Error>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(entry.path())? {
            let path = file?.path();
            let name = path.strip_prefix(folder)?.to_string_lossy().replace('\\', "/");
            found.push((name, fs::read(&path)?));
        }
    }
    Ok(found)
}
