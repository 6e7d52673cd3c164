//! One prompt's way: completion, judgement, document.

use std::sync::Arc;
use std::time::Instant;

use hornbook_db::documents::Paid;
use hornbook_db::{DbError, endpoints, events};
use hornbook_inference::limiter::Admission;
use hornbook_inference::{CompletionError, CompletionRequest, ErrorClass, Input, is_put_off};
use hornbook_prompt::PlannedPrompt;
use hornbook_types::{Document, EndpointState, FinishReason, PinnedLine, Usage, Verdict};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::chunk::{Chunk, Prompt};
use super::commit::Committer;
use super::desk::Desk;
use super::job::JobRun;
use super::judge::judged;
use super::puller::Live;
use crate::limits::ERROR_BYTES;

/// Code of a prompt that its endpoints put off again and again.
const THROTTLED: &str = "throttled";

/// A prompt that an endpoint has taken.
pub(crate) struct Task {
    pub(crate) desk: Arc<Desk>,
    pub(crate) committer: Committer,
    pub(crate) live: Arc<Live>,
    pub(crate) chunk: Arc<Chunk>,
}

enum Outcome {
    /// It ended, well or badly: a document to store.
    Document(Box<Document>),
    /// Another endpoint, or this one later, should have it: before the others, or after them.
    PutBack { prompt: Prompt, is_first: bool },
    /// Nobody wants it any more.
    Dropped,
}

impl Task {
    /// The endpoint was paid for tokens that are part of no document.
    fn waste(&self, usage: &Usage) {
        if *usage != Usage::default() {
            let (endpoint, usage) = (self.live.name.clone(), *usage);
            let usd = self.live.usd(&usage);
            self.chunk.group.waste(Paid { endpoint, usage, usd });
        }
    }
}

/// Tells the chunk that a prompt is gone when its task panics; else the chunk would wait for ever.
struct Watch<'a> {
    task: &'a Task,
    seq: u64,
    panicked: bool,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if self.panicked {
            tracing::error!(job = %self.task.chunk.job.id, seq = self.seq, "a prompt's task panicked");
            self.task.chunk.ended(1, false);
            self.task.desk.announce();
        }
    }
}

/// Takes the prompt to its end; the chunk hears of it, whatever happens.
pub(crate) async fn run(task: Task, prompt: Prompt, admission: Admission) {
    let mut watch = Watch { task: &task, seq: prompt.planned.seq, panicked: true };
    let outcome = outcome(&task, prompt, admission).await;
    watch.panicked = false;
    drop(watch);
    match outcome {
        Outcome::Document(mut document) => {
            let usd = task.live.usd(&document.usage);
            document.endpoint = task.live.name.clone();
            task.committer.store(&task.desk, &task.chunk, *document, usd);
            return;
        }
        Outcome::PutBack { prompt, is_first } => task.chunk.put_back(prompt, is_first),
        Outcome::Dropped => task.chunk.ended(1, false),
    }
    task.desk.end_if_over(&task.chunk).await;
    task.desk.announce();
}

async fn outcome(task: &Task, prompt: Prompt, admission: Admission) -> Outcome {
    let Task { live, chunk, .. } = task;
    let job = &chunk.job;
    let cancel = match live.is_local {
        true => chunk.job_cancelled.child_token(),
        false => chunk.given_up.child_token(),
    };
    let request = CompletionRequest {
        input: Input::user(prompt.text.clone()),
        sampling: job.spec.sampling.clone(),
        seed: prompt.planned.sampling_seed,
        logprobs: None,
        cancel: cancel.clone(),
    };
    let sent = Instant::now();
    let answered_before = live.answered();
    // The lease is looked at before every step, so that nothing is sent after its end: neither now nor
    // as a further attempt. Of a job that is paused, nothing is tried again either.
    let exchange = live.backend.complete_until(request, admission, chunk.cleared.clone());
    let Some(answered) = chunk.held.during(exchange).await else { return Outcome::Dropped };
    let latency_ms = u32::try_from(sent.elapsed().as_millis()).unwrap_or(u32::MAX);
    let mut document = match answered {
        Ok(completion) => {
            live.has_answered();
            task.waste(&completion.wasted);
            // What is ready to be sent goes first: an endpoint waits for that, nobody for the judgement.
            tokio::task::yield_now().await;
            judged(job, prompt, completion).await
        }
        Err(error) => {
            let answered_others = live.answered() > answered_before;
            match fate(task, prompt, &error, &cancel, answered_others).await {
                Fate::Fails(prompt, code) => {
                    let Prompt { planned, seed_data, text, .. } = prompt;
                    let mut document = failed(job, planned, seed_data, code, &error.message);
                    document.prompt = text;
                    document.usage = error.usage;
                    document
                }
                Fate::GoesOn(outcome) => {
                    task.waste(&error.usage);
                    return outcome;
                }
            }
        }
    };
    document.latency_ms = latency_ms;
    if hornbook_inference::is_other_model(live.backend.model(), &document.model) {
        // Kept all the same: it was paid for, and routers answer with what they have.
        document.scores.insert("model_mismatch".to_owned(), Value::Bool(true));
    }
    if document.model.is_empty() {
        live.backend.model().clone_into(&mut document.model);
    }
    Outcome::Document(Box::new(document))
}

/// What an error means for its prompt.
enum Fate {
    /// It ends here, with this code.
    Fails(Prompt, &'static str),
    GoesOn(Outcome),
}

async fn fate(
    task: &Task,
    mut prompt: Prompt,
    error: &CompletionError,
    cancel: &CancellationToken,
    answered_others: bool,
) -> Fate {
    let Task { live, chunk, desk, .. } = task;
    let put_back = |prompt, is_first| Fate::GoesOn(Outcome::PutBack { prompt, is_first });
    let code = match error.class {
        ErrorClass::Cancelled if cancel.is_cancelled() => return Fate::GoesOn(Outcome::Dropped),
        ErrorClass::Cancelled => {
            // The endpoint gave up by itself, because it is going away for instance.
            tokio::select! {
                () = cancel.cancelled() => {}
                () = tokio::time::sleep(crate::limits::ENDPOINTS_INTERVAL) => {}
            }
            return put_back(prompt, true);
        }
        ErrorClass::Endpoint => {
            pause_endpoint(task, error).await;
            return put_back(prompt, true);
        }
        // Down, or it takes no more: its limiter keeps it from taking the same one again at once. Where
        // it takes all others, the prompt is at fault after all.
        ErrorClass::Unavailable => {
            let is_put_off = is_put_off(error.code) && !live.limiter.is_down();
            let now = tokio::time::Instant::now();
            if !is_put_off || !prompt.trials.refused(&live.name, answered_others, now) {
                return put_back(prompt, false);
            }
            THROTTLED
        }
        // Its attempts here are used up, but the job may name other endpoints.
        ErrorClass::Transient | ErrorClass::Throttled => error.code,
        _ => return Fate::Fails(prompt, error.code),
    };
    prompt.trials.tried(&live.name);
    match desk.has_another(chunk, &prompt) {
        true => put_back(prompt, false),
        false => Fate::Fails(prompt, code),
    }
}

/// A document that says why there is no answer.
pub(crate) fn failed(
    job: &JobRun,
    planned: PlannedPrompt,
    seed_data: Map<String, Value>,
    code: &str,
    message: &str,
) -> Document {
    let mut document = blank(job, planned, seed_data);
    document.reason = Some(code.to_owned());
    let end = message.floor_char_boundary(ERROR_BYTES);
    document.error = Some(message[..end].replace('\0', "\u{FFFD}"));
    document
}

/// What is known of a prompt before anybody answered it.
pub(crate) fn blank(
    job: &JobRun,
    planned: PlannedPrompt,
    seed_data: Map<String, Value>,
) -> Document {
    let line: &PinnedLine = &job.spec.lines[planned.line];
    Document {
        seq: planned.seq,
        prompt: String::new(),
        text: String::new(),
        usage: Usage::default(),
        audience: line.audience.clone(),
        template: line.template.clone(),
        format: line.template_spec.format.clone(),
        seed_seq: planned.seed_seq,
        seed_data,
        // Of a prompt that nobody was asked: the first that might have been.
        endpoint: job.spec.endpoints[0].clone(),
        model: String::new(),
        sampling_seed: planned.sampling_seed,
        finish_reason: FinishReason::None,
        latency_ms: 0,
        verdict: Verdict::Failed,
        reason: None,
        error: None,
        scores: Map::new(),
    }
}

/// Only a person can mend this endpoint: nothing more goes there, and the job's owner is told.
async fn pause_endpoint(task: &Task, error: &CompletionError) {
    // Until its loop ends, with the next look at the endpoints, nobody else is sent there in vain.
    if let Some(limiter) = task.live.backend.limiter() {
        limiter.hold(2 * crate::limits::ENDPOINTS_INTERVAL);
    }
    let db = &task.desk.shared.db;
    let name = &task.live.name;
    let message = error.to_string();
    let noted: Result<(), DbError> = async {
        if endpoints::set_state(db, name, EndpointState::Paused, Some(&message)).await? {
            tracing::warn!(endpoint = %name, message, "endpoint paused");
            let warning = format!("endpoint {name} was paused: {message}");
            events::warning(db, task.chunk.job.id, "endpoint_paused", &warning).await?;
        }
        Ok(())
    }
    .await;
    if let Err(error) = noted {
        tracing::warn!(%error, endpoint = %name, "cannot pause an endpoint");
    }
    // The loop of this endpoint ends with the next look at the endpoints; until then it must not
    // take the same prompt again at once.
    tokio::time::sleep(crate::limits::ENDPOINTS_INTERVAL).await;
}
