//! Shares: what each worker may use of an endpoint's limits, so that all of them together keep to it.
//!
//! A share is leased with the heartbeat and runs out with it. In flight, requests and tokens a
//! minute are divided equally among the workers that have a use for the endpoint. What the workers
//! hold, and what of a rate still counts in somebody's last minute, never adds up to more than the
//! limit: a share grows only into what is free. The arithmetic is the function `lease_shares` of
//! the schema; its rules are told in `docs/DATA_MODEL.md`.

use hornbook_types::Slug;
use hornbook_types::limits::LEASE_SECONDS;
use uuid::Uuid;

use crate::convert::{name, to_sql};
use crate::{Db, DbError, limits};

/// What a worker may use of an endpoint's limits; an absent part is not limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Requests under way at once.
    pub in_flight: Option<u32>,
    /// Requests in any 60 seconds.
    pub requests_per_minute: Option<u32>,
    /// Tokens in any 60 seconds.
    pub tokens_per_minute: Option<u32>,
}

impl Share {
    /// Nothing may be sent.
    pub const NONE: Self =
        Self { in_flight: Some(0), requests_per_minute: Some(0), tokens_per_minute: Some(0) };
    /// The endpoint names no limits.
    pub const UNLIMITED: Self =
        Self { in_flight: None, requests_per_minute: None, tokens_per_minute: None };

    /// True when something may be sent.
    pub fn admits(&self) -> bool {
        ![self.in_flight, self.requests_per_minute, self.tokens_per_minute].contains(&Some(0))
    }
}

/// How much of an endpoint a worker has a use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// It will send nothing more; what it has in flight ends by itself.
    Leaving,
    /// It has no prompts for it. Where some can be claimed, the database takes it for busy.
    Idle,
    /// It has prompts for it.
    Busy,
}

/// A worker's word on one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The endpoint.
    pub endpoint: Slug,
    /// Whether it has prompts for it.
    pub demand: Demand,
    /// True when it sent nothing within the last window of a rate, so that what it gives up is free at once.
    pub quiet: bool,
    /// Most tokens that one of its requests needs; 0 when that is not known.
    pub need_tokens: u64,
    /// Requests under way.
    pub used_in_flight: u32,
    /// The share that it keeps to at this moment.
    pub held: Share,
}

#[derive(sqlx::FromRow)]
struct Row {
    endpoint: String,
    share_in_flight: Option<i64>,
    share_requests: Option<i64>,
    share_tokens: Option<i64>,
}

/// Renews the shares of `worker` and says what each is now; an endpoint that is not among them
/// names no limits, or is gone.
///
/// One round trip however many endpoints there are. The shares last [`LEASE_SECONDS`] from the
/// call, on the database's clock; whoever does not know whether the call arrived may use what it
/// held before until then. Calls of one worker must not overlap. `worker_name` is that of
/// [`workers::register`](crate::workers::register): what an earlier process of that name held is
/// this worker's own, and need not cool.
pub async fn lease(
    db: &Db,
    worker: Uuid,
    worker_name: &str,
    uses: &[Use],
) -> Result<Vec<(Slug, Share)>, DbError> {
    let held = |part: fn(&Share) -> Option<u32>| -> Vec<Option<i64>> {
        uses.iter().map(|one| part(&one.held).map(i64::from)).collect()
    };
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT endpoint, share_in_flight, share_requests, share_tokens
           FROM lease_shares($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(worker)
    .bind(worker_name)
    .bind(LEASE_SECONDS as f64)
    .bind(limits::SHARE_COOLING_SECONDS)
    .bind(uses.iter().map(|one| one.endpoint.as_str()).collect::<Vec<_>>())
    .bind(uses.iter().map(|one| one.demand.to_sql()).collect::<Vec<_>>())
    .bind(uses.iter().map(|one| one.quiet).collect::<Vec<_>>())
    .bind(uses.iter().map(|one| to_sql(one.need_tokens)).collect::<Vec<_>>())
    .bind(uses.iter().map(|one| i64::from(one.used_in_flight)).collect::<Vec<_>>())
    .bind(held(|share| share.in_flight))
    .bind(held(|share| share.requests_per_minute))
    .bind(held(|share| share.tokens_per_minute))
    .fetch_all(db.pool())
    .await?;
    rows.into_iter().map(Row::into_share).collect()
}

impl Demand {
    fn to_sql(self) -> i32 {
        match self {
            Self::Leaving => 0,
            Self::Idle => 1,
            Self::Busy => 2,
        }
    }
}

impl Row {
    fn into_share(self) -> Result<(Slug, Share), DbError> {
        // Limits are 32 bits wide where they are configured, so parts of them are as well.
        let part = |number: Option<i64>| number.map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        let share = Share {
            in_flight: part(self.share_in_flight),
            requests_per_minute: part(self.share_requests),
            tokens_per_minute: part(self.share_tokens),
        };
        Ok((name(&self.endpoint, "endpoint name")?, share))
    }
}
