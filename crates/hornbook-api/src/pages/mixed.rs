//! One mixed corpus: where it stands, what it is made of, and how to pull it.

use axum::extract::{Path, State};
use axum::response::{Redirect, Response};
use hornbook_db::corpora::mixed::{self, Mixed, MixedRevision};
use hornbook_db::corpora::{self, Owner};
use hornbook_types::{MixReport, MixSource, MixedContent, RowFunnel, Scope};

use super::chrome::Chrome;
use super::view::{Fact, FileRow, LineRow, MixedPage, MixedRow, SourceRow, file_row, pull_lines};
use super::{show, text};
use crate::extract::corpus_id;
use crate::v1::version::found;
use crate::{AppState, Caller, CanRead, CanWrite, Problem};

/// Files of one corpus on its page.
const FILES_SHOWN: usize = 100;

/// `GET /corpora/{id}`.
pub(super) async fn page(
    CanRead(caller): CanRead,
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let corpus = mixed::get(&state.db, corpus_id(&id)?).await?;
    let revision = found(mixed::by_id(&state.db, corpus.id).await)?;
    let owner = Owner::Mixed(corpus.id);
    let stored = match &revision {
        Some(revision) => corpora::files(&state.db, owner, Some(&revision.commit)).await?,
        None => Vec::new(),
    };
    let files: Vec<_> = stored.into_iter().map(|stored| stored.file).collect();
    let size = files.iter().map(|file| file.bytes).sum();
    let open = caller == Caller::Local;
    let view = MixedPage {
        pull: match files.is_empty() {
            true => Vec::new(),
            false => pull_lines(&state.config.base_url, open, owner, &files),
        },
        files: file_rows(owner, files),
        may_write: caller.may(Scope::Write),
        ..view(&corpus, revision.as_ref(), size)
    };
    show("corpus.html", &Chrome::new(&caller, "corpora"), &view)
}

fn file_rows(owner: Owner, files: Vec<hornbook_types::CorpusFile>) -> Vec<FileRow> {
    files.into_iter().take(FILES_SHOWN).map(|file| file_row(owner, file)).collect()
}

fn view(corpus: &Mixed, revision: Option<&MixedRevision>, size: u64) -> MixedPage {
    let content = revision.map(|revision| &revision.manifest.content);
    let report = content.and_then(report_of).unwrap_or_default();
    let message = match (&corpus.error, revision) {
        (Some((code, words)), None) => Some(format!("{} ({code})", text::label_words(words))),
        (Some((code, words)), Some(_)) => Some(format!(
            "{} ({code}). What was published before can still be pulled.",
            text::label_words(words)
        )),
        (None, Some(revision)) if revision.partial => Some(
            "Partial: a job had not ended when this was assembled. Assemble again for what came since."
                .to_owned(),
        ),
        _ => None,
    };
    MixedPage {
        id: corpus.id.to_string(),
        name: corpus.name.clone(),
        state: corpus.state.into(),
        ended: corpus.state.has_ended(),
        message,
        figures: figures(revision, size),
        partial: revision.is_some_and(|revision| revision.partial),
        sources: corpus.spec.sources.iter().map(source_row).collect(),
        settings: settings(corpus),
        stages: content.map(|content| stages(&content.counts)).unwrap_or_default(),
        lines: report.lines.iter().map(line_row).collect(),
        warnings: report.warnings,
        plan_href: content
            .filter(|content| content.tokens > 0)
            .map(|content| format!("/corpora/plan?available_tokens={}", content.tokens)),
        pull: Vec::new(),
        files: Vec::new(),
        may_write: false,
    }
}

/// What the mix says of itself, in a corpus that was mixed.
fn report_of(content: &MixedContent) -> Option<MixReport> {
    serde_json::from_value(content.more.get("mix")?.clone()).ok()
}

fn figures(revision: Option<&MixedRevision>, size: u64) -> Vec<Fact> {
    let Some(revision) = revision else { return Vec::new() };
    let content = &revision.manifest.content;
    vec![
        Fact::new("Rows", text::count(content.rows)),
        Fact::new("Tokens", text::count(content.tokens)),
        Fact::new("Size", text::bytes(size)),
        Fact::new("Revision", revision.revision.to_string()),
    ]
}

fn settings(corpus: &Mixed) -> Vec<Fact> {
    let spec = &corpus.spec;
    let word = |value: serde_json::Value| match value {
        serde_json::Value::String(word) => word,
        _ => String::new(),
    };
    let named = |value: Result<serde_json::Value, _>| value.map(word).unwrap_or_default();
    let mut settings = vec![
        Fact::new("Preset", named(serde_json::to_value(spec.preset))),
        Fact::new("Tokens asked for", spec.tokens.map(text::count).unwrap_or_default()),
        Fact::new("Duplicates dropped", named(serde_json::to_value(spec.assembly.dedup))),
        Fact::new("Benchmarks taken out", spec.assembly.decontaminate.join(", ")),
        Fact::new("Submitted", text::date(corpus.created_at)),
        Fact::new("Ended", corpus.finished_at.map(text::date).unwrap_or_default()),
    ];
    settings.retain(|fact| !fact.is_empty());
    settings
}

fn stages(counts: &RowFunnel) -> Vec<Fact> {
    let mut stages = vec![("Documents of the sources".to_owned(), counts.prompts)];
    for (what, reasons) in [("Refused", &counts.rejected), ("Dropped", &counts.dropped)] {
        stages.extend(reasons.iter().map(|(why, n)| (format!("{what}: {why}"), *n)));
    }
    stages.push(("Rows of the corpus".to_owned(), counts.rows));
    stages.into_iter().map(|(label, n)| Fact::named(label, text::count(n))).collect()
}

fn source_row(source: &MixSource) -> SourceRow {
    let part = match (source.weight, source.tokens) {
        (Some(weight), _) => format!("weight {weight}"),
        (None, Some(tokens)) => format!("{} tokens", text::count(tokens)),
        (None, None) => "all of it".to_owned(),
    };
    let (of, href) = match (&source.job, &source.import) {
        (Some(job), _) => (format!("job {job}"), Some(format!("/jobs/{job}"))),
        (None, Some(import)) => (format!("import {import}"), None),
        (None, None) => (String::new(), None),
    };
    let epochs = source.max_epochs.unwrap_or(1).to_string();
    SourceRow { name: source.label(), of, href, part, epochs }
}

fn line_row(line: &hornbook_types::MixLineReport) -> LineRow {
    LineRow {
        name: line.asked.name.clone(),
        available: text::count(line.available_tokens),
        wanted: text::count(line.wanted_tokens),
        had: text::count(line.tokens),
        epochs: format!("{:.2}", line.epochs),
        shortfall: text::count(line.shortfall_tokens),
    }
}

/// A line of the list.
pub(super) fn row(corpus: Mixed) -> MixedRow {
    let published = corpus.published.as_ref();
    let number = |value: Option<u64>| value.map(text::count).unwrap_or_default();
    MixedRow {
        href: format!("/corpora/{}", corpus.id),
        name: text::one_line(&corpus.name),
        state: corpus.state.into(),
        partial: published.is_some_and(|it| it.partial),
        sources: corpus.spec.sources.iter().map(MixSource::label).collect::<Vec<_>>().join(", "),
        rows: number(published.map(|it| it.rows)),
        tokens: number(published.map(|it| it.tokens)),
        submitted: corpus.created_at.into(),
    }
}

/// `POST /corpora/{id}/{verb}`, then on to where the reader can see what came of it.
pub(super) async fn act(
    _: CanWrite,
    State(state): State<AppState>,
    Path((id, verb)): Path<(String, String)>,
) -> Result<Redirect, Problem> {
    let id = corpus_id(&id)?;
    match verb.as_str() {
        "assemble" => {
            mixed::request(&state.db, id, None).await?;
            Ok(Redirect::to(&format!("/corpora/{id}")))
        }
        "delete" => {
            mixed::delete(&state.db, id).await?;
            Ok(Redirect::to("/corpora"))
        }
        _ => Err(Problem::not_found("this action")),
    }
}
