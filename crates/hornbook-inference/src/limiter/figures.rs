//! How an endpoint stands, for people and for metrics.

/// Whether an endpoint is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointHealth {
    /// It is asked for all that it allows.
    Closed,
    /// It is down and left alone for a while.
    Open,
    /// It was down, and one request finds out whether it still is.
    HalfOpen,
}

impl EndpointHealth {
    /// The word used in JSON and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// What one limiter did since it was made, and how it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimiterFigures {
    /// Requests that may be under way now.
    pub window: u64,
    /// Requests under way.
    pub in_use: u64,
    /// Requests that wait for leave to be sent.
    pub waiting: u64,
    /// Whether the endpoint is asked.
    pub health: EndpointHealth,
    /// Milliseconds for which the endpoint asked to be left alone, from now.
    pub held_millis: u64,
    /// Requests sent so far, further attempts included.
    pub requests: u64,
    /// Requests that the endpoint put off so far.
    pub throttled: u64,
    /// Requests that failed on the way or in the server so far.
    pub failed: u64,
    /// Tokens used so far.
    pub tokens: u64,
    /// Requests of the last minute.
    pub requests_last_minute: u64,
    /// Tokens of the last minute; those of requests under way are estimates.
    pub tokens_last_minute: u64,
    /// This process's share of requests per minute.
    pub requests_per_minute: Option<u32>,
    /// This process's share of tokens per minute.
    pub tokens_per_minute: Option<u32>,
}
