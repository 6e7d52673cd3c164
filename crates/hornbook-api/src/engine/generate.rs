//! Answering a request, whole or as a stream.

use axum::Json;
use axum::response::{IntoResponse, Response};
use futures_util::future::try_join_all;

use super::EngineState;
use super::asked::Asked;
use super::fault::Fault;
use super::stream;
use super::underway::{Underway, places};
use super::write::{Shape, Tally, Writer};

/// Answers a request in the shape that its path has.
pub(super) async fn answer(
    state: EngineState,
    shape: Shape,
    asked: Asked,
) -> Result<Response, Fault> {
    let seed = asked.drawing.seed.unwrap_or_else(|| state.new_seed());
    let places = places(&state, asked.answers())?;
    let mut underway = Underway::begin(&state);
    let requests = asked.requests(seed, underway.cancel());
    let writer = Writer::new(&state, shape, &asked);
    if asked.drawing.stream {
        return stream::open(&state, writer, underway, requests, places).await;
    }
    let answers = requests.into_iter().zip(places).map(async |(request, place)| {
        let answer = state.backend.complete(request).await;
        drop(place);
        answer
    });
    let answers = try_join_all(answers).await;
    underway.end();
    let answers = answers?;
    let mut tally = Tally::new(asked.n());
    for (index, completion) in answers.iter().enumerate() {
        tally.add(index, completion.usage);
    }
    Ok(Json(writer.whole(&answers, &tally)).into_response())
}
