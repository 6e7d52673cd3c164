//! Trades an API key for a session in this browser, and ends it.

use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::response::{IntoResponse, Redirect, Response};
use hornbook_types::Scope;
use http::StatusCode;
use http::header::SET_COOKIE;
use serde::{Deserialize, Serialize};

use super::chrome::Chrome;
use super::{show, text};
use crate::extract::QueryParams;
use crate::{AppState, Caller, Problem, end_session, start_session};

/// `login.html`.
#[derive(Debug, Serialize)]
pub(super) struct LoginPage {
    pub(super) fault: Option<String>,
    pub(super) next: String,
}

/// Where to go afterwards.
#[derive(Debug, Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Filled {
    key: String,
    #[serde(default)]
    next: String,
}

/// `GET /login`.
pub(super) async fn page(
    caller: Option<axum::Extension<Caller>>,
    QueryParams(query): QueryParams<Next>,
) -> Result<Response, Problem> {
    let caller = caller.map_or(Caller::Anonymous, |caller| caller.0);
    let next = own_path(&query.next);
    if caller.may(Scope::Read) {
        return Ok(Redirect::to(next).into_response());
    }
    let view = LoginPage { fault: None, next: next.to_owned() };
    show("login.html", &Chrome::new(&caller, ""), &view)
}

/// `POST /login`.
pub(super) async fn log_in(
    State(state): State<AppState>,
    filled: Result<Form<Filled>, FormRejection>,
) -> Result<Response, Problem> {
    let Form(filled) = filled.map_err(|rejection| {
        Problem::new(rejection.status(), "invalid_form", rejection.body_text())
    })?;
    let next = own_path(&filled.next);
    match start_session(&state, &filled.key).await {
        Ok(cookie) => Ok(([(SET_COOKIE, cookie)], Redirect::to(next)).into_response()),
        Err(problem) if problem.status == StatusCode::UNAUTHORIZED => {
            let fault = Some(format!("{}.", text::label_words(&problem.detail)));
            let view = LoginPage { fault, next: next.to_owned() };
            let page = show("login.html", &Chrome::new(&Caller::Anonymous, ""), &view)?;
            Ok((StatusCode::UNAUTHORIZED, page).into_response())
        }
        Err(problem) => Err(problem),
    }
}

/// `POST /logout`.
pub(super) async fn log_out(State(state): State<AppState>) -> Result<Response, Problem> {
    Ok(([(SET_COOKIE, end_session(&state)?)], Redirect::to("/login")).into_response())
}

/// `next` if it is a path of this service, else the first page.
///
/// Browsers read `//host` and `/\host` as another site's address.
fn own_path(next: &str) -> &str {
    let mut bytes = next.bytes();
    let is_own = bytes.next() == Some(b'/')
        && !matches!(bytes.next(), Some(b'/' | b'\\'))
        && next.bytes().all(|byte| byte.is_ascii_graphic());
    if is_own { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        for good in ["/", "/jobs", "/jobs/1?verdict=accepted#x"] {
            assert_eq!(own_path(good), good);
        }
        for bad in
            ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nb", "jobs"]
        {
            assert_eq!(own_path(bad), "/", "{bad}");
        }
    }
}
