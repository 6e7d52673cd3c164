//! Seed sets, and the records of one.

use axum::extract::{Path, State};
use axum::response::Response;
use hornbook_db::seed_sets::{self, SeedSet};
use hornbook_db::seeds;
use hornbook_types::Reference;
use serde::Deserialize;

use super::chrome::Chrome;
use super::view::{FieldCount, SeedCard, SeedSetPage, SeedSetRow, SeedSetsPage, record};
use super::{CATALOG_ROWS, show, slug, text};
use crate::extract::QueryParams;
use crate::{AppState, CanRead, Problem};

/// Records on one page.
const RECORDS_SHOWN: u32 = 24;
/// Fields named in the list of sets.
const FIELDS_LISTED: usize = 8;

/// `GET /seed-sets`.
pub(super) async fn all(
    CanRead(caller): CanRead,
    State(state): State<AppState>,
) -> Result<Response, Problem> {
    let sets = seed_sets::list(&state.db, None, CATALOG_ROWS).await?;
    let view = SeedSetsPage {
        sets: sets
            .iter()
            .map(|set| {
                let mut row = row(set);
                row.fields.truncate(FIELDS_LISTED);
                row
            })
            .collect(),
        put_line: format!(
            "curl -T seeds.ndjson -H 'content-type: application/x-ndjson' \
             '{}/v1/seed-sets/my-topics?license=CC0-1.0'",
            state.config.base_url
        ),
    };
    show("seed_sets.html", &Chrome::new(&caller, "seed-sets").exact(), &view)
}

/// Where to begin.
#[derive(Debug, Deserialize)]
pub(super) struct Window {
    version: Option<u32>,
    #[serde(default)]
    from: u64,
}

/// `GET /seed-sets/{slug}`.
pub(super) async fn one(
    CanRead(caller): CanRead,
    State(state): State<AppState>,
    Path(name): Path<String>,
    QueryParams(window): QueryParams<Window>,
) -> Result<Response, Problem> {
    let slug = slug("seed set", &name)?;
    let reference = Reference { slug: slug.clone(), version: window.version };
    let set = seed_sets::get(&state.db, &reference).await?;
    let records = seeds::page(&state.db, &set.pinned, window.from, RECORDS_SHOWN).await?;
    let here = format!("/seed-sets/{slug}?version={}", set.pinned.version);
    let next = window.from.saturating_add(u64::from(RECORDS_SHOWN));
    let view = SeedSetPage {
        set: row(&set),
        seeds: records
            .into_iter()
            .map(|seed| SeedCard { seq: seed.seq, record: record(&seed.data) })
            .collect(),
        next: (next < set.count).then(|| format!("{here}&from={next}")),
        first: (window.from > 0).then_some(here),
    };
    show("seed_set.html", &Chrome::new(&caller, "seed-sets"), &view)
}

fn row(set: &SeedSet) -> SeedSetRow {
    SeedSetRow {
        slug: set.pinned.slug.to_string(),
        version: set.pinned.version,
        count: text::count(set.count),
        license: set.license.clone(),
        source: set.source.clone(),
        fields: set
            .fields
            .iter()
            .map(|(name, count)| FieldCount { name: name.clone(), count: text::count(*count) })
            .collect(),
        created: set.created_at.into(),
    }
}
