//! How the faults of other crates become problems.

use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use hornbook_db::{Conflict, DbError, QuotaExceeded};
use hornbook_types::Invalid;
use http::StatusCode;
use http::header::RETRY_AFTER;

use super::Problem;

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Self::invalid(invalid.0)
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        // axum puts the cause behind a sentence of its own; the cause names the parameter.
        let detail = rejection.body_text();
        let detail = detail.strip_prefix("Failed to deserialize query string: ").unwrap_or(&detail);
        Self::query(detail)
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_path", rejection.body_text())
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::too_large(crate::limits::JSON_BODY_BYTES as u64);
        }
        Self::new(StatusCode::BAD_REQUEST, "incomplete_body", "the body ended before its time")
    }
}

impl Problem {
    /// 413, naming the limit.
    pub fn too_large(limit_bytes: u64) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the body is larger than {limit_bytes} bytes"),
        )
        .member("limit_bytes", limit_bytes)
    }

    /// 415, naming what is taken here.
    pub fn unsupported_media(accepted: &[&str]) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            format!("send the body as {}", accepted.join(", ")),
        )
        .member("accepted", accepted.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    /// A problem for a bare status that the router or a library answered with.
    pub(crate) fn from_status(status: StatusCode) -> Self {
        let (code, detail) = match status {
            StatusCode::BAD_REQUEST => ("bad_request", "the request is not well-formed"),
            StatusCode::NOT_FOUND => ("not_found", "there is nothing at this path"),
            StatusCode::METHOD_NOT_ALLOWED => {
                ("method_not_allowed", "this path does not take that method; see Allow")
            }
            StatusCode::PAYLOAD_TOO_LARGE => ("body_too_large", "the body is too large"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                ("unsupported_media_type", "the body's media type is not taken here")
            }
            _ if status.is_server_error() => ("internal", "the service failed"),
            _ => ("refused", "the request was refused"),
        };
        Self::new(status, code, detail)
    }
}

impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        match error {
            DbError::NotFound(what) => Self::not_found(format_args!("this {what}")),
            DbError::Conflict(conflict) => conflict.into(),
            DbError::Quota(exceeded) => exceeded.into(),
            DbError::BadData(what) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid",
                format!("the database refuses a value: {what}"),
            ),
            DbError::Unavailable(why) => {
                tracing::warn!(why, "the database did not answer");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "unavailable",
                    "the database does not answer at present",
                )
                .header(RETRY_AFTER, "2")
            }
            DbError::Fenced | DbError::Other(_) => Self::internal(&error),
        }
    }
}

impl From<QuotaExceeded> for Problem {
    fn from(exceeded: QuotaExceeded) -> Self {
        let problem =
            Self::new(StatusCode::TOO_MANY_REQUESTS, "quota_exceeded", exceeded.to_string())
                .member("quota", exceeded.quota.as_str())
                .member("limit", exceeded.limit)
                .member("used", exceeded.used);
        match exceeded.retry_after_seconds {
            Some(seconds) => problem.header(RETRY_AFTER, seconds.to_string()),
            None => problem,
        }
    }
}

impl From<Conflict> for Problem {
    fn from(conflict: Conflict) -> Self {
        let detail = conflict.to_string();
        match conflict {
            Conflict::State { found, action } => {
                let allowed: Vec<&str> =
                    found.allowed().iter().map(|action| action.as_str()).collect();
                Self::new(StatusCode::CONFLICT, "invalid_transition", detail)
                    .member("state", found.as_str())
                    .member("action", action.as_str())
                    .member("allowed", allowed)
            }
            Conflict::Unready { found } => {
                Self::new(StatusCode::CONFLICT, "not_ready", detail).member("state", found.as_str())
            }
            Conflict::BudgetSpent { found } => {
                Self::new(StatusCode::CONFLICT, "budget_spent", detail)
                    .member("state", found.as_str())
            }
            Conflict::Stale { latest } => {
                Self::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", detail)
                    .member("latest", latest)
            }
            Conflict::VersionNeeded { latest } => {
                Self::new(StatusCode::PRECONDITION_REQUIRED, "precondition_required", detail)
                    .member("latest", latest)
            }
            Conflict::Exists => Self::new(StatusCode::CONFLICT, "exists", detail),
            Conflict::InUse => Self::new(StatusCode::CONFLICT, "in_use", detail),
        }
    }
}
