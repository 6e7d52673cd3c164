//! The form that asks for a mixed corpus.

use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::response::{IntoResponse, Redirect, Response};
use hornbook_db::{imports, jobs};
use hornbook_types::{
    CorpusSpec, DedupMode, FieldError, ImportState, Invalid, MixPreset, MixSource,
};
use http::StatusCode;

use super::chrome::Chrome;
use super::errors::sentences;
use super::view::{Choice, MixForm, NewMixPage, SourceChoice};
use super::{CATALOG_ROWS, show, text};
use crate::{AppState, Caller, CanWrite, Problem};

/// What someone filled in, as sent: names with values, names more than once.
type Fields = Vec<(String, String)>;

/// `GET /corpora/new`.
pub(super) async fn page(
    CanWrite(caller): CanWrite,
    State(state): State<AppState>,
) -> Result<Response, Problem> {
    let first = [("dedup", "exact")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    form(&state, &caller, &first, Vec::new()).await
}

/// `POST /corpora`: to the new corpus's page, or back to the form with what is wrong.
pub(super) async fn submit(
    CanWrite(caller): CanWrite,
    State(state): State<AppState>,
    fields: Result<Form<Fields>, FormRejection>,
) -> Result<Response, Problem> {
    let Form(fields) = fields.map_err(|rejection| {
        Problem::new(rejection.status(), "invalid_form", rejection.body_text())
    })?;
    let submitted = match spec(&fields) {
        Ok(spec) => crate::v1::corpora::submit(&state, spec).await,
        Err(invalid) => Err(invalid.into()),
    };
    match submitted {
        Ok(id) => Ok(Redirect::to(&format!("/corpora/{id}")).into_response()),
        Err(problem)
            if matches!(
                problem.status,
                StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT
            ) =>
        {
            let status = problem.status;
            let page = form(&state, &caller, &fields, sentences(problem)).await?;
            Ok((status, page).into_response())
        }
        Err(problem) => Err(problem),
    }
}

fn first<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
    fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
}

/// The form with `filled` in it and `faults` above it.
async fn form(
    state: &AppState,
    caller: &Caller,
    filled: &[(String, String)],
    faults: Vec<String>,
) -> Result<Response, Problem> {
    let is_chosen =
        |value: &str| filled.iter().any(|(key, chosen)| key == "source" && chosen == value);
    let choice = |value: String, label: &str, detail: String| SourceChoice {
        label: text::one_line(label),
        detail,
        selected: is_chosen(&value),
        weight: first(filled, &format!("weight-{value}")).to_owned(),
        epochs: first(filled, &format!("epochs-{value}")).to_owned(),
        value,
    };
    let mut sources = Vec::new();
    let jobs = jobs::list(&state.db, None, None, CATALOG_ROWS).await?;
    for job in jobs.iter().filter(|job| job.counts.accepted > 0) {
        let (documents, state) = (text::count(job.counts.accepted), job.state.as_str());
        let state = text::label(state).to_lowercase();
        let detail = format!("job, {documents} documents, {state}");
        sources.push(choice(format!("job:{}", job.id), &job.name, detail));
    }
    let imports = imports::list(&state.db, None, CATALOG_ROWS).await?;
    for import in imports.iter().filter(|import| import.state == ImportState::Ready) {
        let (documents, tokens) = (import.content.rows, import.content.tokens);
        let (documents, tokens) = (text::count(documents), text::count(tokens));
        let detail = format!("import, {documents} documents, {tokens} tokens");
        let name = import.pinned.slug.as_str();
        sources.push(choice(format!("import:{name}"), name, detail));
    }
    let (preset, dedup) = (first(filled, "preset"), first(filled, "dedup"));
    let view = NewMixPage {
        faults,
        form: MixForm {
            name: first(filled, "name").to_owned(),
            presets: vec![
                Choice::labelled("", "by the weights below", Some(preset)),
                Choice::labelled(
                    "cosmopedia-v2",
                    "Cosmopedia v2: 40 % middle school, 30 % college, 30 % other",
                    Some(preset),
                ),
            ],
            tokens: first(filled, "tokens").to_owned(),
            dedup: vec![
                Choice::labelled("exact", "the same text", Some(dedup)),
                Choice::labelled("near", "similar texts too", Some(dedup)),
                Choice::labelled("none", "none", Some(dedup)),
            ],
            sources,
        },
        post_line: format!("curl --json @corpus.json {}/v1/corpora", state.config.base_url),
    };
    show("corpus_new.html", &Chrome::new(caller, "corpora"), &view)
}

/// The corpus that these fields ask for.
fn spec(fields: &[(String, String)]) -> Result<CorpusSpec, Invalid> {
    let mut faults = Vec::new();
    let mut spec = CorpusSpec {
        name: first(fields, "name").to_owned(),
        tokens: number(first(fields, "tokens"), "/tokens", &mut faults),
        ..CorpusSpec::default()
    };
    spec.preset = match first(fields, "preset") {
        "cosmopedia-v2" => Some(MixPreset::CosmopediaV2),
        _ => None,
    };
    spec.assembly.dedup = match first(fields, "dedup") {
        "near" => DedupMode::Near,
        "none" => DedupMode::None,
        _ => DedupMode::Exact,
    };
    let chosen = fields.iter().filter(|(key, _)| key == "source").map(|(_, value)| value.trim());
    for (index, value) in chosen.enumerate() {
        let at = format!("/sources/{index}");
        let mut source = MixSource::default();
        match value.split_once(':') {
            Some(("job", id)) => source.job = id.parse().ok(),
            Some(("import", name)) => source.import = name.parse().ok(),
            _ => {}
        }
        let weight = first(fields, &format!("weight-{value}"));
        let epochs = first(fields, &format!("epochs-{value}"));
        source.weight = number(weight, &format!("{at}/weight"), &mut faults);
        source.max_epochs = number(epochs, &format!("{at}/max_epochs"), &mut faults);
        spec.sources.push(source);
    }
    if spec.sources.is_empty() {
        faults.push(FieldError::new("/sources", "choose at least one"));
    }
    Invalid::from_faults(faults)?;
    Ok(spec)
}

/// A number; an empty field is none.
fn number<T: std::str::FromStr>(
    typed: &str,
    pointer: &str,
    faults: &mut Vec<FieldError>,
) -> Option<T> {
    if typed.is_empty() {
        return None;
    }
    let number = typed.parse().ok();
    if number.is_none() {
        faults.push(FieldError::new(pointer, "is not a number"));
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn chosen_sources_come_with_their_weights() {
        let (a, b) = ("job:01900000-0000-7000-8000-000000000001", "import:web");
        let asked = spec(&fields(&[
            ("name", " mix "),
            ("source", a),
            ("source", b),
            (&format!("weight-{a}"), "0.7"),
            (&format!("weight-{b}"), "0.3"),
            (&format!("epochs-{b}"), "4"),
            ("weight-job:other", "9"),
            ("dedup", "none"),
            ("tokens", ""),
        ]))
        .unwrap();
        assert_eq!((asked.name.as_str(), asked.sources.len(), asked.tokens), ("mix", 2, None));
        assert_eq!((asked.sources[0].weight, asked.sources[1].max_epochs), (Some(0.7), Some(4)));
        assert_eq!(asked.assembly.dedup, DedupMode::None);
        asked.check().unwrap();
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let a = "job:01900000-0000-7000-8000-000000000001";
        let typed = fields(&[("source", a), (&format!("weight-{a}"), "much"), ("tokens", "x")]);
        let pointers: Vec<String> =
            spec(&typed).unwrap_err().0.into_iter().map(|fault| fault.pointer).collect();
        assert_eq!(pointers, ["/tokens", "/sources/0/weight"]);
        assert_eq!(spec(&fields(&[])).unwrap_err().0[0].pointer, "/sources");
    }
}
