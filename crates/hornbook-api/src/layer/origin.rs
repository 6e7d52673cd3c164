//! Writes must come from this service's own pages, or from no page at all.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, HeaderName, ORIGIN};
use http::{HeaderMap, StatusCode, Uri};

use crate::Problem;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses a write that a browser sends on behalf of another site.
pub(crate) async fn check_origin(request: Request, next: Next) -> Response {
    if request.method().is_safe() || is_own(request.headers(), request.uri()) {
        return next.run(request).await;
    }
    Problem::new(
        StatusCode::FORBIDDEN,
        "cross_site",
        "a write from a page of another site is refused",
    )
    .into_response()
}

fn is_own(headers: &HeaderMap, uri: &Uri) -> bool {
    let site_is_own = headers
        .get(SEC_FETCH_SITE)
        .is_none_or(|site| matches!(site.as_bytes(), b"same-origin" | b"none"));
    let mut origins = headers.get_all(ORIGIN).iter();
    let origin_is_own = match (origins.next(), origins.next()) {
        (None, _) => true,
        (Some(origin), None) => origin.to_str().is_ok_and(|origin| names_us(origin, headers, uri)),
        (Some(_), Some(_)) => false,
    };
    site_is_own && origin_is_own
}

/// True when `origin` is `http(s)://` and the very authority that the request was sent to.
///
/// The scheme is left out: behind a proxy that ends TLS the service cannot know it.
fn names_us(origin: &str, headers: &HeaderMap, uri: &Uri) -> bool {
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let ours = uri
        .authority()
        .map(http::uri::Authority::as_str)
        .or_else(|| headers.get(HOST).and_then(|host| host.to_str().ok()));
    matches!((authority, ours), (Some(theirs), Some(ours)) if theirs.eq_ignore_ascii_case(ours))
}
