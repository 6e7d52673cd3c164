//! Answers as server-sent events, while they are written.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::unfold;
use hornbook_inference::{Completion, CompletionError, CompletionRequest, Piece, SharedBackend};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::EngineState;
use super::fault::Fault;
use super::limits::STREAM_PARTS;
use super::underway::Underway;
use super::write::{Tally, Writer};

/// The last event of a stream that went well.
const DONE: &str = "data: [DONE]\n\n";
/// A comment, which clients pass over.
const KEEP_ALIVE: &str = ": waiting\n\n";

/// What happens to the answer of that index.
enum Event {
    Piece(usize, Piece),
    End(usize, Result<Completion, CompletionError>),
}

/// Begins a stream once the first token is there, so that a request which cannot be answered has a
/// status that says so; a long queue is waited for in the stream itself.
pub(super) async fn open(
    state: &EngineState,
    writer: Writer,
    mut underway: Underway,
    requests: Vec<CompletionRequest>,
    places: Vec<OwnedSemaphorePermit>,
) -> Result<Response, Fault> {
    let waits = state.waits;
    let (sender, mut events) = mpsc::channel(STREAM_PARTS);
    let mut answers = JoinSet::new();
    let open = requests.len();
    for (index, (request, place)) in requests.into_iter().zip(places).enumerate() {
        let answer = Answer { index, request, place, stall: waits.stall };
        answers.spawn(answer.write(state.backend.clone(), sender.clone()));
    }
    drop(sender);
    let first = timeout(waits.head, events.recv()).await;
    let next = match first {
        Ok(Some(Event::End(_, Err(error)))) => {
            underway.end();
            return Err(error.into());
        }
        Ok(first) => first,
        Err(_) => None,
    };
    let lines = Lines {
        tally: writer.tally(),
        heads: 0..open,
        next,
        events: Some(events),
        keep_alive: waits.keep_alive,
        chars: vec![0; open],
        open,
        has_ended: false,
        writer,
        underway,
        _answers: answers,
    };
    let body = unfold(lines, async |mut lines| {
        let line = lines.next().await?;
        Some((Ok::<_, Infallible>(line), lines))
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Asks a proxy that would collect the whole answer first not to.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// One answer of a stream.
struct Answer {
    index: usize,
    request: CompletionRequest,
    /// Its place in the queue, free when it ends.
    place: OwnedSemaphorePermit,
    stall: Duration,
}

impl Answer {
    /// Sends the answer's parts and its end, as long as somebody reads them.
    async fn write(self, backend: SharedBackend, events: mpsc::Sender<Event>) {
        let Self { index, request, place: _place, stall } = self;
        let send = async |event| match events.send_timeout(event, stall).await {
            Ok(()) => true,
            Err(SendTimeoutError::Closed(_)) => false,
            Err(SendTimeoutError::Timeout(_)) => {
                tracing::info!("a client left its stream unread; its answer is given up");
                false
            }
        };
        let (sender, mut pieces) = mpsc::channel(STREAM_PARTS);
        let answer = {
            let mut writing = pin!(backend.stream(request, sender));
            loop {
                tokio::select! {
                    biased;
                    Some(piece) = pieces.recv() => {
                        if !send(Event::Piece(index, piece)).await {
                            return;
                        }
                    }
                    answer = &mut writing => break answer,
                }
            }
        };
        while let Ok(piece) = pieces.try_recv() {
            if !send(Event::Piece(index, piece)).await {
                return;
            }
        }
        send(Event::End(index, answer)).await;
    }
}

/// The lines of a stream.
struct Lines {
    writer: Writer,
    /// Answers that were not begun in the stream yet.
    heads: std::ops::Range<usize>,
    /// An event that came before the stream began.
    next: Option<Event>,
    /// `None` once nothing follows.
    events: Option<mpsc::Receiver<Event>>,
    keep_alive: Duration,
    /// Characters of each answer so far.
    chars: Vec<usize>,
    tally: Tally,
    /// Answers that have not ended.
    open: usize,
    /// True once all answers have: what is left is the usage and the last event.
    has_ended: bool,
    underway: Underway,
    /// Dropping them gives the answers up.
    _answers: JoinSet<()>,
}

impl Lines {
    /// The next event, as it goes over the wire; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        for index in self.heads.by_ref() {
            if let Some(head) = self.writer.head(index) {
                return Some(data(&head));
            }
        }
        if self.has_ended {
            self.events = None;
            self.has_ended = false;
            return Some(DONE.into());
        }
        loop {
            let event = match self.next.take() {
                Some(event) => Some(event),
                None => match timeout(self.keep_alive, self.events.as_mut()?.recv()).await {
                    Ok(event) => event,
                    Err(_) => return Some(KEEP_ALIVE.into()),
                },
            };
            match event {
                Some(Event::Piece(index, piece)) => {
                    let chars = &mut self.chars[index];
                    if let Some(chunk) = self.writer.piece(index, &piece, chars) {
                        return Some(data(&chunk));
                    }
                }
                Some(Event::End(index, Ok(completion))) => {
                    return Some(self.end(index, &completion));
                }
                Some(Event::End(_, Err(error))) => return Some(self.fail(&error.into())),
                // An answer panicked, or its client did not read for too long.
                None => return Some(self.fail(&Fault::lost())),
            }
        }
    }

    /// An answer is whole; after the last one come the usage and the end.
    fn end(&mut self, index: usize, completion: &Completion) -> Bytes {
        self.tally.add(index, completion.usage);
        let mut line = data(&self.writer.end(index, &completion.finish_reason));
        self.open -= 1;
        if self.open == 0 {
            self.has_ended = true;
            self.underway.end();
            if let Some(usage) = self.writer.usage(&self.tally) {
                line = [line, data(&usage)].concat().into();
            }
        }
        line
    }

    /// Nothing follows a fault, least of all the word that all went well.
    fn fail(&mut self, fault: &Fault) -> Bytes {
        self.events = None;
        self.underway.end();
        data(&fault.body())
    }
}

fn data(value: &Value) -> Bytes {
    format!("data: {value}\n\n").into()
}
