//! A small Hub: it answers for its file and redirects to a second server that has the bytes.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use futures_util::stream::{self, StreamExt};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

/// What the byte server does with one download.
pub(crate) enum Serve {
    /// Breaks the connection after this many bytes.
    CutAfter(usize),
    /// Sends everything from the start, whatever range was asked for.
    IgnoreRange,
    /// Ends politely after this many bytes, announcing no length.
    ShortChunked(usize),
}

/// One request as it arrived at either server.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) range: Option<String>,
    pub(crate) authorization: Option<String>,
}

#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) content: Bytes,
    /// Hash that the Hub claims; the true one if empty.
    pub(crate) claimed_sha256: String,
    /// Answer of the Hub instead of a file.
    pub(crate) refusal: Option<(StatusCode, &'static str)>,
    /// Redirects among its own paths before the Hub answers.
    pub(crate) renames: usize,
    pub(crate) plan: VecDeque<Serve>,
    pub(crate) hub_saw: Vec<Seen>,
    pub(crate) bytes_saw: Vec<Seen>,
    /// Where the byte server is; set when it starts.
    pub(crate) bytes_url: String,
}

pub(crate) type Handle = Arc<Mutex<Shared>>;

/// Starts both servers and returns the Hub's URL.
pub(crate) async fn start(shared: Shared) -> (String, Handle) {
    let handle = Arc::new(Mutex::new(shared));
    let bytes_url = serve(Router::new().fallback(bytes).with_state(handle.clone())).await;
    handle.lock().unwrap().bytes_url = bytes_url;
    let hub_url = serve(Router::new().fallback(hub).with_state(handle.clone())).await;
    (hub_url, handle)
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

fn seen(method: &Method, uri: &Uri, headers: &HeaderMap) -> Seen {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    Seen {
        line: format!("{method} {uri}"),
        range: text("range"),
        authorization: text("authorization"),
    }
}

async fn hub(
    State(handle): State<Handle>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    let mut hub = handle.lock().unwrap();
    hub.hub_saw.push(seen(&method, &uri, &headers));
    if let Some((status, code)) = hub.refusal {
        return Response::builder()
            .status(status)
            .header("x-error-code", code)
            .header("x-error-message", "said the hub")
            .body(Body::empty())
            .unwrap();
    }
    let hops: usize = uri.query().map_or(0, |query| query.parse().unwrap());
    if hops < hub.renames {
        return Response::builder()
            .status(307)
            .header("location", format!("{}?{}", uri.path(), hops + 1))
            .body(Body::empty())
            .unwrap();
    }
    let sha256 = match hub.claimed_sha256.as_str() {
        "" => hex::encode(Sha256::digest(&hub.content)),
        claimed => claimed.to_owned(),
    };
    Response::builder()
        .status(302)
        .header("location", format!("{}/blob?signature=x", hub.bytes_url))
        .header("x-linked-etag", format!("\"{sha256}\""))
        .header("x-linked-size", hub.content.len())
        .header("x-repo-commit", "0".repeat(40))
        .body(Body::empty())
        .unwrap()
}

async fn bytes(
    State(handle): State<Handle>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    let mut shared = handle.lock().unwrap();
    let seen = seen(&method, &uri, &headers);
    let asked = seen.range.as_ref().map(|range| {
        range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse::<usize>().unwrap()
    });
    shared.bytes_saw.push(seen);
    let all = shared.content.clone();
    let plan = shared.plan.pop_front();
    let from = if matches!(plan, Some(Serve::IgnoreRange)) { 0 } else { asked.unwrap_or(0) };
    if from >= all.len() {
        return Response::builder().status(416).body(Body::empty()).unwrap();
    }
    let rest = all.slice(from..);
    let mut response = Response::builder();
    if from > 0 {
        let range = format!("bytes {from}-{}/{}", all.len() - 1, all.len());
        response = response.status(206).header("content-range", range);
    }
    match plan {
        Some(Serve::CutAfter(count)) => {
            let piece = rest.slice(..count);
            let cut = stream::iter([Ok(piece)]).chain(stream::once(async {
                // One turn for the server, so that the piece is sent before the cut.
                tokio::task::yield_now().await;
                Err(std::io::Error::other("cut"))
            }));
            response.header("content-length", rest.len()).body(Body::from_stream(cut)).unwrap()
        }
        Some(Serve::ShortChunked(count)) => {
            let piece = rest.slice(..count);
            let short = stream::iter([Ok::<_, Infallible>(piece)]);
            response.body(Body::from_stream(short)).unwrap()
        }
        Some(Serve::IgnoreRange) | None => response.body(Body::from(rest)).unwrap(),
    }
}
