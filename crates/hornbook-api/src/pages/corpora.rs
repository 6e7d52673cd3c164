//! Finished corpora and the lines that pull them.

use axum::extract::State;
use axum::response::Response;
use hornbook_db::corpora::mixed as mixed_corpora;
use hornbook_db::corpora::{self, CorpusSummary, StoredFile};
use uuid::Uuid;

use super::chrome::Chrome;
use super::view::{CorporaPage, CorpusCard, file_row, pull_lines};
use super::{mixed, show, text};
use crate::extract::{Page, QueryParams, decode_cursor};
use crate::{AppState, Caller, CanRead, Problem};

/// Corpora on one page; each is a card with its files.
const CARDS: u32 = 10;
/// Files of one corpus on its card.
const FILES_SHOWN: usize = 100;

/// Mixed corpora on one page; each is a line.
const MIXED_ROWS: u32 = 20;

/// Where the page begins.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Window {
    cursor: Option<String>,
    mixed: Option<String>,
}

/// `GET /corpora`.
pub(super) async fn page(
    CanRead(caller): CanRead,
    State(state): State<AppState>,
    QueryParams(window): QueryParams<Window>,
) -> Result<Response, Problem> {
    let before = decode_cursor::<i64>(window.cursor.as_deref())?;
    let rows = corpora::list(&state.db, before, CARDS + 1).await?;
    let page = Page::cut(rows, CARDS, |last| last.id);
    let mut cards = Vec::with_capacity(page.data.len());
    for summary in page.data {
        let files = corpora::files(&state.db, summary.job_id, None).await?;
        cards.push(card(&state, &caller, &summary, &files));
    }
    let from = decode_cursor::<Uuid>(window.mixed.as_deref())?;
    let rows = mixed_corpora::list(&state.db, from, None, MIXED_ROWS + 1).await?;
    let mixed_page = Page::cut(rows, MIXED_ROWS, |last| last.id);
    let view = CorporaPage {
        mixed: mixed_page.data.into_iter().map(mixed::row).collect(),
        more_mixed: mixed_page.next_cursor.map(|cursor| format!("/corpora?mixed={cursor}")),
        corpora: cards,
        next: page.next_cursor.map(|cursor| format!("/corpora?cursor={cursor}")),
        first: before.map(|_| "/corpora".to_owned()),
    };
    show("corpora.html", &Chrome::new(&caller, "corpora").exact(), &view)
}

fn card(
    state: &AppState,
    caller: &Caller,
    summary: &CorpusSummary,
    stored: &[StoredFile],
) -> CorpusCard {
    let job = summary.job_id;
    let files: Vec<_> = stored.iter().map(|stored| stored.file.clone()).collect();
    let bytes = files.iter().map(|file| file.bytes).sum();
    CorpusCard {
        id: job.to_string(),
        name: text::one_line(&summary.name),
        partial: summary.partial,
        rows: text::count(summary.rows),
        tokens: text::count(summary.tokens),
        size: text::bytes(bytes),
        published: summary.created_at.into(),
        pull: pull_lines(&state.config.base_url, *caller == Caller::Local, job, &files),
        files: files.into_iter().take(FILES_SHOWN).map(|file| file_row(job.into(), file)).collect(),
    }
}
