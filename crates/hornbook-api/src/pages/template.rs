//! One template: its source, its versions, and a prompt made from a real seed.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::Response;
use hornbook_db::audiences::Audience;
use hornbook_db::seed_sets::SeedSet;
use hornbook_db::templates::{self, Template};
use hornbook_db::{audiences, seed_sets, seeds};
use hornbook_prompt::{
    CompiledTemplate, JobContext, RenderContext, SeedFields, estimate_tokens, lint_template,
};
use hornbook_types::{JobSeed, Reference, SeedRecord};
use serde::Deserialize;

use super::chrome::Chrome;
use super::view::{
    Choice, DiffForm, Preview, TemplatePage, VersionLink, audience_choices, pieces, record,
};
use super::{CATALOG_ROWS, show, slug, text};
use crate::extract::QueryParams;
use crate::{AppState, CanRead, Problem};

/// Audience of the preview until the reader chooses one.
const FIRST_AUDIENCE: &str = "middle-school";

/// What the preview is made of; everything has a default.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Choose {
    version: Option<u32>,
    audience: Option<String>,
    seed_set: Option<String>,
    seed: Option<String>,
}

/// `GET /templates/{slug}`.
pub(super) async fn page(
    CanRead(caller): CanRead,
    State(state): State<AppState>,
    Path(name): Path<String>,
    QueryParams(choose): QueryParams<Choose>,
) -> Result<Response, Problem> {
    let slug = slug("template", &name)?;
    let reference = Reference { slug: slug.clone(), version: choose.version };
    let template = templates::get(&state.db, &reference).await?;
    let versions = templates::versions(&state.db, &slug).await?;
    let body = template.spec.body.clone();
    let fields = state
        .render
        .run(move || CompiledTemplate::parse(&body).map(|template| template.fields().clone()))
        .await?
        .unwrap_or_default();
    let current = template.pinned.version;
    let preview = preview(&state, &template, &fields, &choose).await?;
    let view = TemplatePage {
        version: current,
        outdated: versions.first().is_some_and(|latest| latest.pinned.version != current),
        format: template.spec.format.to_string(),
        output: template.spec.output.as_str(),
        source: pieces(&template.spec.body),
        description: template.spec.description.as_deref().map(text::tame),
        created: template.created_at.into(),
        fields: fields.required.into_iter().collect(),
        diff: diff_form(&versions),
        versions: versions
            .iter()
            .map(|version| VersionLink {
                number: version.pinned.version,
                current: version.pinned.version == current,
                created: version.created_at.into(),
            })
            .collect(),
        slug: slug.to_string(),
        preview,
    };
    show("template.html", &Chrome::new(&caller, "templates"), &view)
}

/// The newest two versions are what people compare first.
fn diff_form(versions: &[Template]) -> Option<DiffForm> {
    let numbers: Vec<String> =
        versions.iter().map(|version| version.pinned.version.to_string()).collect();
    let before = numbers.get(1)?;
    let choices = |chosen: &String| {
        numbers.iter().map(|number| Choice::named(number, Some(chosen))).collect()
    };
    Some(DiffForm { from: choices(before), to: choices(&numbers[0]) })
}

async fn preview(
    state: &AppState,
    template: &Template,
    fields: &SeedFields,
    choose: &Choose,
) -> Result<Preview, Problem> {
    let ladder = super::audiences::ladder(state).await?;
    let stored = audiences::list(&state.db, None, CATALOG_ROWS).await?;
    let wanted = choose.audience.as_deref().unwrap_or(FIRST_AUDIENCE);
    let audience = stored
        .iter()
        .find(|audience| audience.pinned.slug.as_str() == wanted)
        .or_else(|| stored.first().filter(|_| choose.audience.is_none()));
    let sets = seed_sets::list(&state.db, None, CATALOG_ROWS).await?;
    let set = match choose.seed_set.as_deref() {
        Some(name) => sets.iter().find(|set| set.pinned.slug.as_str() == name),
        None => sets.iter().find(|set| has_all(set, fields)).or_else(|| sets.first()),
    };
    let asked = choose.seed.as_deref().unwrap_or("0").trim().parse::<u64>();
    let chosen = audience.map(|audience| audience.pinned.slug.to_string());
    let mut preview = Preview {
        audiences: audience_choices(&ladder, chosen.as_slice()),
        seed_sets: sets
            .iter()
            .map(|other| {
                let name = other.pinned.slug.as_str();
                Choice::named(name, set.map(|set| set.pinned.slug.as_str()))
            })
            .collect(),
        seed: *asked.as_ref().unwrap_or(&0),
        last_seed: set.map(|set| set.count.saturating_sub(1)),
        seed_count: set.map(|set| text::count(set.count)),
        audience_title: audience.map(|one| text::one_line(&one.spec.title)).unwrap_or_default(),
        ..Preview::default()
    };
    match (audience, set, asked) {
        (None, ..) => preview.problem = Some("There is no such audience.".to_owned()),
        (_, None, _) => {
            preview.problem =
                Some("There is no seed set to take a seed from. Import one first.".to_owned());
        }
        (.., Err(_)) => {
            preview.problem = Some("A seed number is a whole number from 0.".to_owned())
        }
        (Some(audience), Some(set), Ok(seq)) => {
            fill(state, &mut preview, template, audience, set, seq).await?;
        }
    }
    Ok(preview)
}

/// True when every record of `set` has the fields that a prompt needs.
fn has_all(set: &SeedSet, fields: &SeedFields) -> bool {
    fields.required.iter().all(|field| set.fields.get(field) == Some(&set.count))
}

async fn fill(
    state: &AppState,
    preview: &mut Preview,
    template: &Template,
    audience: &Audience,
    set: &SeedSet,
    seq: u64,
) -> Result<(), Problem> {
    let Some(seed) = seeds::by_seqs(&state.db, &set.pinned, &[seq]).await?.pop() else {
        preview.problem = Some(format!("{} has {} seeds, from 0.", set.pinned, set.count));
        return Ok(());
    };
    preview.record = record(&seed.data);
    preview.warnings = lint_template(&template.spec)
        .into_iter()
        .map(|finding| format!("Line {}: {}.", finding.line, finding.message))
        .collect();
    let (spec, audience) = (template.spec.clone(), audience.clone());
    let rendered = state.render.run(move || prompt(&spec.body, &audience, &seed)).await?;
    match rendered {
        Ok(prompt) => {
            preview.tokens = text::count(estimate_tokens(&prompt));
            preview.prompt = Some(prompt);
        }
        Err(why) => preview.problem = Some(why),
    }
    Ok(())
}

fn prompt(body: &str, audience: &Audience, seed: &SeedRecord) -> Result<String, String> {
    let template = CompiledTemplate::parse(body).map_err(|error| error.to_string())?;
    template
        .render(&RenderContext {
            audience: &audience.pinned.slug,
            audience_spec: &audience.spec,
            seed: &seed.data,
            job: JobContext {
                name: "preview",
                seed: JobSeed(0),
                seq: seed.seq,
                metadata: &BTreeMap::new(),
            },
        })
        .map_err(|error| error.to_string())
}
