//! An engine of its own for each test.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use hornbook_api::engine::{EngineKey, EngineParts, EngineState, StreamWaits, router};
use hornbook_inference::Secret;
use hornbook_types::SystemClock;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use rand::SeedableRng as _;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::script::{Act, Lengths, Script};

/// The key of engines that have one.
pub(crate) const KEY: &str = "sk-0123456789abcdef";

/// An engine in front of a script.
pub(crate) struct TestEngine {
    pub(crate) script: Arc<Script>,
    pub(crate) state: EngineState,
    pub(crate) give_up: CancellationToken,
    router: Router,
}

/// How an engine is set up.
#[derive(Default)]
pub(crate) struct Setup {
    pub(crate) has_key: bool,
    pub(crate) has_embedder: bool,
    pub(crate) waits: StreamWaits,
}

/// A reply, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl TestEngine {
    /// An open engine that does this.
    pub(crate) fn new(act: Act) -> Self {
        Self::with(act, &Setup::default())
    }

    pub(crate) fn with(act: Act, setup: &Setup) -> Self {
        let script = Script::new(act);
        let give_up = CancellationToken::new();
        let state = EngineState::new(EngineParts {
            backend: script.clone(),
            embedder: setup.has_embedder.then(|| Arc::new(Lengths) as _),
            key: setup.has_key.then(|| EngineKey::new(&Secret::new(KEY)).unwrap()),
            clock: Arc::new(SystemClock),
            random: Arc::new(Mutex::new(rand::rngs::StdRng::seed_from_u64(1))),
            give_up: give_up.clone(),
            waits: setup.waits,
        });
        let router = router(state.clone());
        Self { script, state, give_up, router }
    }

    /// Sends a request; `Host` is localhost unless it says otherwise.
    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let (parts, body) = self.open(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Reply { status: parts.status, headers: parts.headers, text }
    }

    /// Sends a request whose reply is not read yet.
    pub(crate) async fn open(&self, mut request: Request<Body>) -> Response<Body> {
        let host = http::HeaderValue::from_static("localhost");
        request.headers_mut().entry(http::header::HOST).or_insert(host);
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_with(path, &[], body).await
    }

    pub(crate) async fn post_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Reply {
        let request = Request::post(path).header("content-type", "application/json");
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// A chat of one message with further fields.
    pub(crate) async fn chat(&self, fields: Value) -> Reply {
        self.post("/v1/chat/completions", &chat(fields)).await
    }

    /// A bare text with further fields.
    pub(crate) async fn complete(&self, fields: Value) -> Reply {
        let body = merged(json!({"model": "script-1", "prompt": "Once"}), fields);
        self.post("/v1/completions", &body).await
    }
}

/// The body of a chat of one message with further fields.
pub(crate) fn chat(fields: Value) -> Value {
    let messages = json!([{"role": "user", "content": "Why?"}]);
    merged(json!({"model": "script-1", "messages": messages}), fields)
}

fn merged(mut body: Value, fields: Value) -> Value {
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    body.as_object_mut().unwrap().extend(fields);
    body
}

impl Reply {
    /// The body as JSON, after the status is asserted.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        serde_json::from_str(&self.text).unwrap()
    }

    /// Asserts an error in OpenAI's shape, and gives it.
    #[track_caller]
    pub(crate) fn fault(&self, status: u16, param: Option<&str>, code: &str) -> Value {
        let body = self.expect(status);
        assert_eq!(self.headers["content-type"], "application/json");
        let error = body["error"].clone();
        assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
        assert_eq!(error["param"].as_str(), param, "{body}");
        assert_eq!(error["code"], code, "{body}");
        let message = error["message"].as_str().unwrap();
        assert!(!message.is_empty() && param.is_none_or(|param| message.contains(param)), "{body}");
        assert!(error["type"].as_str().unwrap().ends_with("_error"), "{body}");
        error
    }

    /// The events of a stream: the JSON of each, and whether the last was `[DONE]`.
    #[track_caller]
    pub(crate) fn events(&self) -> (Vec<Value>, bool) {
        assert_eq!(self.status, 200, "{}", self.text);
        assert_eq!(self.headers["content-type"], "text/event-stream; charset=utf-8");
        let (rest, done) = match self.text.strip_suffix("data: [DONE]\n\n") {
            Some(rest) => (rest, true),
            None => (self.text.as_str(), false),
        };
        let events = rest.split_terminator("\n\n");
        let read = |event: &str| {
            let data = event.strip_prefix("data: ").unwrap_or_else(|| panic!("{event:?}"));
            assert!(!data.contains('\n'), "{data:?}");
            serde_json::from_str(data).unwrap()
        };
        (events.map(read).collect(), done)
    }
}
