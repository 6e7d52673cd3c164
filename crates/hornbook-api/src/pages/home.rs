//! The first page: recent jobs, what is here, the ladder.

use axum::extract::State;
use axum::response::Response;
use hornbook_db::{endpoints, jobs, seed_sets, templates};
use hornbook_types::EndpointState;

use super::chrome::Chrome;
use super::view::{HomePage, JobRow, Tally};
use super::{CATALOG_ROWS, audiences, show};
use crate::{AppState, CanRead, Problem};

/// Jobs on the first page.
const RECENT_JOBS: u32 = 6;

/// `GET /`.
pub(super) async fn page(
    CanRead(caller): CanRead,
    State(state): State<AppState>,
) -> Result<Response, Problem> {
    let db = &state.db;
    let ladder = audiences::ladder(&state).await?;
    let templates = templates::list(db, &Default::default(), None, CATALOG_ROWS).await?.len();
    let seed_sets = seed_sets::list(db, None, CATALOG_ROWS).await?.len();
    let endpoints = endpoints::list(db, None, CATALOG_ROWS).await?;
    let tally = |href, count: usize, label| {
        let more = if count == CATALOG_ROWS as usize { "+" } else { "" };
        Tally { href, count: format!("{count}{more}"), label }
    };
    let view = HomePage {
        tally: vec![
            tally("/audiences", ladder.len(), "audiences"),
            tally("/templates", templates, "templates"),
            tally("/seed-sets", seed_sets, "seed sets"),
            tally("/endpoints", endpoints.len(), "endpoints"),
        ],
        troubled: endpoints
            .iter()
            .filter(|endpoint| endpoint.state != EndpointState::Ready)
            .map(super::endpoints::card)
            .collect(),
        jobs: jobs::list(db, None, None, RECENT_JOBS).await?.iter().map(JobRow::from).collect(),
        ladder,
    };
    show("home.html", &Chrome::new(&caller, "home").exact(), &view)
}
