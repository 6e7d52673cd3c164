//! A panic in a handler ends that request alone.

use std::any::Any;

use axum::response::{IntoResponse, Response};

use crate::Problem;

/// The reply of a handler that panicked.
#[expect(clippy::needless_pass_by_value, reason = "the signature that tower-http asks for")]
pub(crate) fn caught(payload: Box<dyn Any + Send + 'static>) -> Response {
    let words = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("panic without words");
    Problem::internal(&words).into_response()
}

#[cfg(test)]
mod tests {
    use super::caught;
    use crate::Problem;

    #[test]
    fn a_panic_is_a_problem_that_keeps_its_words_to_the_log() {
        let response = caught(Box::new("the password is x"));
        let problem = response.extensions().get::<Problem>().unwrap();
        assert_eq!((problem.status.as_u16(), problem.code), (500, "internal"));
        assert!(!problem.detail.contains("password"));
    }
}
