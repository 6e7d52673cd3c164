//! A job as clients see it.

use hornbook_db::jobs::{self, Job, Pace};
use hornbook_types::{
    Budget, Counts, EndpointUsage, ErrorCount, JobAction, JobState, PinnedJobSpec, QuotaProgress,
    Usage,
};
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{AppState, Problem};

/// Kinds of error named in a job.
const TOP_ERRORS: u32 = 10;

/// A job.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Job)]
pub(crate) struct JobView {
    /// UUIDv7; jobs sort by it in the order of their submission.
    pub(crate) id: Uuid,
    /// Name shown to people.
    name: String,
    /// Where it stands.
    pub(crate) state: JobState,
    /// What may be asked of it in this state.
    allowed: Vec<JobAction>,
    /// Why it failed, was paused by its budget, or is short of what was asked for.
    error: Option<JobErrorView>,
    /// How its prompts stand.
    pub(crate) counts: Counts,
    /// How far it is, when it asks for accepted documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quota: Option<QuotaProgress>,
    /// What it may cost.
    budget: Budget,
    /// Tokens and dollars so far, those of rejected documents included.
    usage: JobUsage,
    /// How fast it goes; null before that is known.
    pub(crate) throughput: Option<Throughput>,
    /// Seconds until the last prompt ends at that pace; null when it does not run.
    pub(crate) eta_seconds: Option<u64>,
    /// The commonest errors; only where one job is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<ErrorCount>>,
    /// Endpoints that may serve it.
    endpoints: Vec<String>,
    /// Higher goes first.
    priority: i32,
    /// Share of the prompts among jobs of the same priority.
    weight: f64,
    /// Commit of its current corpus, 40 hex digits.
    corpus: Option<String>,
    /// When it was submitted.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When its first prompts were sent.
    #[serde(with = "time::serde::rfc3339::option")]
    started_at: Option<OffsetDateTime>,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    finished_at: Option<OffsetDateTime>,
    /// Number of its newest event.
    #[serde(skip)]
    pub(crate) revision: i64,
    /// What it was submitted as, every reference pinned; only where one job is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    spec: Option<PinnedJobSpec>,
    /// Where its parts are.
    links: JobLinks,
}

/// Why a job failed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = JobError)]
pub(crate) struct JobErrorView {
    /// A code for programs, such as `assembly_failed`.
    code: String,
    /// What happened, for people.
    message: String,
}

/// What a job used.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct JobUsage {
    /// Tokens.
    #[serde(flatten)]
    tokens: Usage,
    /// Dollars, by the endpoints' prices.
    usd: f64,
    /// The same by endpoint, of chunks that are done; only where one job is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoints: Option<Vec<EndpointUsage>>,
}

/// How fast a job goes.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Throughput {
    /// Prompts ended per second.
    documents_per_second: f64,
    /// Completion tokens per second.
    pub(crate) tokens_per_second: f64,
}

/// Paths of a job's parts.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct JobLinks {
    #[serde(rename = "self")]
    this: String,
    events: String,
    documents: String,
    stats: String,
    corpus: String,
}

impl JobView {
    /// The job as a list shows it.
    pub(crate) fn brief(job: Job, pace: Option<Pace>, now: OffsetDateTime) -> Self {
        let throughput = match (pace, job.finished_at) {
            (Some(pace), None) => Some(Throughput {
                documents_per_second: pace.documents_per_second,
                tokens_per_second: pace.tokens_per_second,
            }),
            _ => overall(&job, now),
        };
        Self {
            eta_seconds: eta(&job, throughput),
            throughput,
            allowed: job.state.allowed().to_vec(),
            error: job.error.map(|error| JobErrorView { code: error.code, message: error.message }),
            quota: job.quota,
            budget: job.budget,
            usage: JobUsage { tokens: job.usage, usd: job.usd, endpoints: None },
            errors: None,
            spec: None,
            links: JobLinks::of(job.id),
            id: job.id,
            name: job.name,
            state: job.state,
            counts: job.counts,
            endpoints: job.endpoints,
            priority: job.priority,
            weight: job.weight,
            corpus: job.corpus,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            revision: job.revision,
        }
    }

    /// The job with everything that is said of one job.
    pub(crate) async fn whole(state: &AppState, job: Job) -> Result<Self, Problem> {
        let id = job.id;
        let pace = jobs::pace(&state.db, id).await?;
        let mut view = Self::brief(job, pace, state.clock.now());
        view.errors = Some(jobs::errors(&state.db, id, TOP_ERRORS).await?);
        view.usage.endpoints = Some(jobs::endpoints(&state.db, id).await?);
        view.spec = Some(jobs::spec(&state.db, id).await?);
        Ok(view)
    }
}

impl JobLinks {
    fn of(id: Uuid) -> Self {
        let this = format!("/v1/jobs/{id}");
        Self {
            events: format!("{this}/events"),
            documents: format!("{this}/documents"),
            stats: format!("{this}/stats"),
            corpus: format!("{this}/corpus"),
            this,
        }
    }
}

/// The pace over the job's whole time so far.
fn overall(job: &Job, now: OffsetDateTime) -> Option<Throughput> {
    let until = job.finished_at.unwrap_or(now);
    let seconds = (until - job.started_at?).as_seconds_f64();
    let ended = job.counts.ended();
    (seconds > 0.0 && ended > 0).then(|| Throughput {
        documents_per_second: ended as f64 / seconds,
        tokens_per_second: job.usage.completion_tokens as f64 / seconds,
    })
}

fn eta(job: &Job, throughput: Option<Throughput>) -> Option<u64> {
    let pace = throughput?.documents_per_second;
    let counts = &job.counts;
    let left = match job.quota {
        // As many prompts as give the rest, if they fare like those so far.
        Some(quota) if counts.accepted > 0 => {
            let prompts_each = counts.ended() as f64 / counts.accepted as f64;
            ((quota.wanted - quota.met) as f64 * prompts_each).ceil() as u64
        }
        _ => counts.total.saturating_sub(counts.ended() + counts.skipped),
    };
    (job.state == JobState::Running && pace > 0.0).then(|| (left as f64 / pace).ceil() as u64)
}
