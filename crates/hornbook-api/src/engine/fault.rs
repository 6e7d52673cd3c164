//! Errors in the shape that clients of OpenAI's protocol read.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hornbook_inference::{CompletionError, ErrorClass};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::{Value, json};

use super::limits::RETRY_AFTER_SECONDS;
use crate::Problem;

const BAD_REQUEST: &str = "invalid_request_error";
const SERVER: &str = "server_error";

/// What went wrong with a request: `{"error": {message, type, param, code}}`.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    status: StatusCode,
    kind: &'static str,
    code: &'static str,
    /// The field at fault, as `messages[0].content`.
    param: Option<String>,
    message: String,
    headers: Box<HeaderMap>,
}

impl Fault {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let kind = if status.is_server_error() { SERVER } else { BAD_REQUEST };
        Self { status, kind, code, param: None, message: message.into(), headers: Box::default() }
    }

    /// 400: the field cannot have this value.
    pub(super) fn value(param: impl Into<String>, message: impl Into<String>) -> Self {
        let param = param.into();
        let message = format!("{param}: {}", message.into());
        Self::new(StatusCode::BAD_REQUEST, "invalid_value", message).at(param)
    }

    /// 400: the field asks for something that this server does not do.
    pub(super) fn unsupported(param: impl Into<String>, message: impl Into<String>) -> Self {
        let param = param.into();
        let message = format!("{param} is not supported: {}", message.into());
        Self::new(StatusCode::BAD_REQUEST, "unsupported_parameter", message).at(param)
    }

    /// 400: nobody knows such a field.
    pub(super) fn unknown(param: &str) -> Self {
        let message = format!("unrecognized request argument supplied: {param}");
        Self::new(StatusCode::BAD_REQUEST, "unknown_parameter", message).at(param)
    }

    /// 400: no model here reads that much.
    pub(super) fn too_long(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "context_length_exceeded", message)
    }

    /// 404: another model is served here.
    pub(super) fn model_not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "model_not_found", message).at("model")
    }

    /// 401: the key is missing or wrong.
    pub(super) fn key_refused() -> Self {
        let message = "the API key is missing or wrong; send it as Authorization: Bearer KEY";
        let mut fault = Self::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message);
        fault.headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        fault
    }

    /// 408: the body did not come in time.
    pub(super) fn body_too_slow() -> Self {
        let message = "the body did not arrive in time";
        Self::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", message)
    }

    /// 429: the queue is full.
    pub(super) fn busy() -> Self {
        let message = "the queue is full; try again later";
        let mut fault = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", message);
        fault.kind = "rate_limit_error";
        fault.retry_after(RETRY_AFTER_SECONDS)
    }

    /// 500: an answer ended without saying why.
    pub(super) fn lost() -> Self {
        let message = "an answer was lost; the server's log has the cause";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// The same fault, with the field that it is about.
    #[must_use]
    pub(super) fn at(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    fn retry_after(mut self, seconds: u64) -> Self {
        self.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        self
    }

    /// The body of the reply, or of an event in a stream.
    pub(super) fn body(&self) -> Value {
        let Self { message, kind, param, code, .. } = self;
        json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
    }
}

impl From<Problem> for Fault {
    /// The service's own layers speak in problems.
    fn from(problem: Problem) -> Self {
        let status = match problem.status {
            // OpenAI has no 422, and its clients have other plans for it.
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        };
        let mut fault = Self::new(status, problem.code, problem.detail);
        if let Some(first) = problem.errors.into_iter().next() {
            fault = Self::value(param(&first.pointer), first.detail);
        }
        fault.headers = problem.headers;
        fault
    }
}

impl From<CompletionError> for Fault {
    fn from(error: CompletionError) -> Self {
        if error.class == ErrorClass::Permanent
            && let Some((field, detail)) = field_at_fault(&error.message)
        {
            return Self::value(field, detail);
        }
        let seconds = error.retry_after.map_or(RETRY_AFTER_SECONDS, |wait| wait.as_secs().max(1));
        let (status, code) = match error.class {
            ErrorClass::TooLong => (StatusCode::BAD_REQUEST, "context_length_exceeded"),
            ErrorClass::Permanent => (StatusCode::BAD_REQUEST, error.code),
            ErrorClass::Refused => (StatusCode::BAD_REQUEST, "content_filter"),
            ErrorClass::Throttled => (StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded"),
            ErrorClass::Transient | ErrorClass::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, error.code)
            }
            ErrorClass::Endpoint => (StatusCode::INTERNAL_SERVER_ERROR, error.code),
            // Clients that went away read nothing: this one is told because the server stops.
            ErrorClass::Cancelled => (StatusCode::SERVICE_UNAVAILABLE, "server_shutting_down"),
        };
        let message = match error.class {
            ErrorClass::Cancelled => "the server is shutting down".to_owned(),
            _ => error.message,
        };
        let fault = Self::new(status, code, message);
        match error.class {
            ErrorClass::Throttled
            | ErrorClass::Transient
            | ErrorClass::Unavailable
            | ErrorClass::Cancelled => fault.retry_after(seconds),
            _ => fault,
        }
    }
}

/// A field that only a model could find at fault, and what it said: backends name fields as jobs do,
/// `/sampling/logit_bias names token 7`.
fn field_at_fault(message: &str) -> Option<(&str, &str)> {
    message.strip_prefix("/sampling/")?.split_once(' ')
}

/// A JSON pointer as OpenAI spells the way to a field: `/messages/0/content` is
/// `messages[0].content`.
fn param(pointer: &str) -> String {
    let mut param = String::new();
    for part in pointer.split('/').skip(1) {
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            param.push_str(&format!("[{part}]"));
        } else {
            if !param.is_empty() {
                param.push('.');
            }
            param.push_str(part);
        }
    }
    param
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body().to_string()));
        *response.status_mut() = self.status;
        *response.headers_mut() = *self.headers;
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_become_params() {
        assert_eq!(param("/messages/0/content"), "messages[0].content");
        assert_eq!(param("/temperature"), "temperature");
        assert_eq!(param(""), "");
    }

    #[test]
    fn a_field_that_the_model_refuses_is_named_as_the_client_did() {
        let message = "/sampling/logit_bias names token 9; the model has 8";
        let error = CompletionError::new(ErrorClass::Permanent, "bad_sampling", message);
        let fault = Fault::from(error);
        assert_eq!(fault.status, StatusCode::BAD_REQUEST);
        let expected = json!({"error": {
            "message": "logit_bias: names token 9; the model has 8",
            "type": "invalid_request_error", "param": "logit_bias", "code": "invalid_value"
        }});
        assert_eq!(fault.body(), expected);
    }

    #[test]
    fn a_problem_keeps_its_field_and_its_headers() {
        let problem = Problem::field("/top_p", "needs more than 0").header(RETRY_AFTER, "7");
        let fault = Fault::from(problem);
        assert_eq!(fault.status, StatusCode::BAD_REQUEST);
        assert_eq!(fault.headers[RETRY_AFTER], "7");
        let expected = json!({"error": {
            "message": "top_p: needs more than 0", "type": "invalid_request_error",
            "param": "top_p", "code": "invalid_value"
        }});
        assert_eq!(fault.body(), expected);
    }
}
