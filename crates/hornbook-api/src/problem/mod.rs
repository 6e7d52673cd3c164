//! Errors as the client sees them: RFC 9457 `application/problem+json`.

mod convert;
mod finish;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hornbook_types::FieldError;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

pub use finish::RequestId;
pub(crate) use finish::{X_REQUEST_ID, finish, harden, is_bare, taken_over};

/// Media type of every error.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// What went wrong with a request, in the form that the client gets.
///
/// `instance` and `request_id` are filled in by the outermost layer, which alone
/// knows them for every reply.
#[derive(Clone, Debug)]
pub struct Problem {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable word for programs.
    pub code: &'static str,
    /// What happened, for people.
    pub detail: String,
    /// Faults by field.
    pub errors: Vec<FieldError>,
    /// Further members of the problem object.
    pub extra: Vec<(&'static str, serde_json::Value)>,
    /// Headers that go with it; boxed, because nearly every function here may return a problem.
    pub headers: Box<HeaderMap>,
}

/// The body of an error reply.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// A URI reference that names the kind of problem.
    pub r#type: String,
    /// The status in words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened, for people.
    pub detail: String,
    /// Path of the request.
    pub instance: String,
    /// Stable word for programs.
    pub code: String,
    /// The reply's `X-Request-Id`.
    pub request_id: String,
    /// Faults by field; absent when none can be named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Further members, by kind of problem (such as `state` and `allowed`).
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl Problem {
    /// A problem with nothing but status, code and words.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            extra: Vec::new(),
            headers: Box::default(),
        }
    }

    /// 404: there is no such thing.
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("{what} does not exist"))
    }

    /// 422 with every fault; `not_supported` when all of them are things not built yet.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let all_unbuilt = !errors.is_empty() && errors.iter().all(|fault| fault.not_supported);
        let (code, detail) = if all_unbuilt {
            ("not_supported", "the request asks for something that is not supported yet")
        } else {
            ("invalid", "the request was understood, but some of its values are wrong")
        };
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
        problem.errors = errors;
        problem
    }

    /// 422 with one fault.
    pub fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(pointer, detail)])
    }

    /// 422 `not_supported` for one field.
    pub fn unbuilt(pointer: &str, what: &str) -> Self {
        Self::invalid(vec![FieldError::not_supported(pointer, what)])
    }

    /// 400: the query string is not well-formed.
    pub fn query(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_query", detail)
    }

    /// 500, with the cause in the log and not in the reply.
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(cause = %cause, "request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the service failed; its log has the cause under this request id",
        )
    }

    /// The same problem with a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        if let Ok(value) = HeaderValue::try_from(value.into()) {
            self.headers.insert(name, value);
        }
        self
    }

    /// The same problem with a further member.
    #[must_use]
    pub fn member(mut self, name: &'static str, value: impl Into<serde_json::Value>) -> Self {
        self.extra.push((name, value.into()));
        self
    }

    fn body(&self, instance: &str, request_id: &str) -> ProblemBody {
        ProblemBody {
            r#type: format!("urn:hornbook:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            instance: instance.to_owned(),
            code: self.code.to_owned(),
            request_id: request_id.to_owned(),
            errors: self.errors.clone(),
            extra: self.extra.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect(),
        }
    }

    /// The reply, with what only the outermost layer knows.
    fn render(&self, instance: &str, request_id: &str) -> Response {
        let bytes = serde_json::to_vec(&self.body(instance, request_id)).unwrap_or_default();
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() = self.status;
        *response.headers_mut() = (*self.headers).clone();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.render("", "");
        response.extensions_mut().insert(self);
        response
    }
}
