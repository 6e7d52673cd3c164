//! A service of its own for each test.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hornbook_api::{ApiConfig, AppParts, AppState, BackendFactory, KeyToken, router};
use hornbook_db::{Db, Notifier, SecretKey, keys};
use hornbook_inference::{
    Backend, Completion, CompletionError, CompletionRequest, ErrorClass, Limiter, LimiterFigures,
    SharedBackend,
};
use hornbook_types::{FinishReason, KeyQuota, Scope, SystemClock, Usage};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use object_store::local::LocalFileSystem;
use rand::SeedableRng as _;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::common::TestDb;

/// A service, its database and its corpus store.
pub(crate) struct TestApp {
    pub(crate) state: AppState,
    pub(crate) store: Arc<LocalFileSystem>,
    pub(crate) shutdown: CancellationToken,
    router: Router,
    files: tempfile::TempDir,
    // Last, so that the database outlives its users.
    pub(crate) test: TestDb,
}

/// A reply, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl TestApp {
    /// A service on loopback, open as long as there is no key.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same with another configuration.
    pub(crate) async fn with(change: impl FnOnce(&mut ApiConfig)) -> Self {
        let test = TestDb::new().await;
        let db = test.db.clone().with_secret_key(SecretKey::from_bytes([7; 32]));
        let files = tempfile::tempdir().unwrap();
        let store = Arc::new(LocalFileSystem::new_with_prefix(files.path()).unwrap());
        let mut config = ApiConfig::local("http://localhost", [9; 32]);
        change(&mut config);
        let shutdown = CancellationToken::new();
        let state = AppState::new(AppParts {
            notifier: Notifier::start(&db),
            db,
            store: store.clone(),
            clock: Arc::new(SystemClock),
            random: Arc::new(Mutex::new(rand::rngs::StdRng::from_os_rng())),
            config,
            backends: backends(),
            endpoint_figures: Arc::new(endpoint_figures),
            commits: Arc::default(),
            shutdown: shutdown.clone(),
        });
        let router = router(state.clone());
        Self { state, store, shutdown, router, files, test }
    }

    pub(crate) fn db(&self) -> &Db {
        &self.state.db
    }

    /// Where the corpus store keeps its files.
    pub(crate) fn files(&self) -> &std::path::Path {
        self.files.path()
    }

    /// Stores a key with one scope and gives it as a client would send it.
    pub(crate) async fn key(&self, scope: Scope) -> KeyToken {
        self.key_with(scope, &KeyQuota::default()).await
    }

    /// The same with quotas.
    pub(crate) async fn key_with(&self, scope: Scope, quota: &KeyQuota) -> KeyToken {
        let token = self.state.with_random(|random| KeyToken::generate(random));
        let digest = token.digest();
        keys::create(self.db(), &token.id, "test", &digest, &[scope], quota).await.unwrap();
        token
    }

    /// Sends a request; `Host` is localhost unless it says otherwise.
    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.stream(request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    /// Sends a request whose reply is not read to its end.
    pub(crate) async fn stream(&self, mut request: Request<Body>) -> http::Response<Body> {
        let host = http::HeaderValue::from_static("localhost");
        request.headers_mut().entry(http::header::HOST).or_insert(host);
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(ask("GET", path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send(with(ask("GET", path), headers).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str) -> Reply {
        self.send(ask("POST", path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send(ask("DELETE", path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn json(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.json_with(method, path, &[], body).await
    }

    pub(crate) async fn json_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Reply {
        let request = with(ask(method, path), headers).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub(crate) async fn upload(&self, path: &str, kind: &str, body: impl Into<Body>) -> Reply {
        let request = ask("PUT", path).header("content-type", kind);
        self.send(request.body(body.into()).unwrap()).await
    }
}

/// A request without a body yet.
pub(crate) fn ask(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path)
}

fn with(builder: http::request::Builder, headers: &[(&str, &str)]) -> http::request::Builder {
    headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value))
}

impl Reply {
    /// The body as JSON.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {:?}", self.status, self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts the status and gives the JSON.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{text}");
        if self.body.is_empty() { Value::Null } else { self.value() }
    }

    /// Asserts a whole problem with that status and code, and gives it.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        for member in ["type", "title", "detail", "instance"] {
            assert!(!problem[member].as_str().unwrap().is_empty(), "{member} of {problem}");
        }
        assert_eq!(problem["request_id"], self.header("x-request-id"), "{problem}");
        problem
    }
}

/// `echo` answers, `broken` fails, and no other endpoint has a backend.
fn backends() -> BackendFactory {
    Arc::new(|name| {
        Box::pin(async move {
            match name.as_str() {
                "echo" => Ok(Arc::new(Echo { works: true }) as SharedBackend),
                "broken" => Ok(Arc::new(Echo { works: false }) as SharedBackend),
                _ => Err("no model file is there".to_owned()),
            }
        })
    })
}

struct Echo {
    works: bool,
}

impl Backend for Echo {
    fn complete(
        &self,
        request: CompletionRequest,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        Box::pin(async move {
            if !self.works {
                let class = ErrorClass::Endpoint;
                return Err(CompletionError::new(class, "http_401", "the key is refused"));
            }
            Ok(Completion {
                text: request.input.last().to_owned(),
                had_nul: false,
                finish_reason: FinishReason::Stop,
                usage: Usage { prompt_tokens: 8, completion_tokens: 8, cached_tokens: 0 },
                usage_estimated: false,
                model: "echo-1".to_owned(),
                logprobs: Vec::new(),
                wasted: Usage::default(),
            })
        })
    }

    fn slots(&self) -> usize {
        1
    }

    fn model(&self) -> &str {
        "echo-1"
    }
}

/// How one endpoint stands that has been asked for two things at once.
fn endpoint_figures() -> std::collections::BTreeMap<(hornbook_types::Slug, usize), LimiterFigures> {
    let limiter = Limiter::fixed(8);
    let admitted = [limiter.admit(1).now_or_never(), limiter.admit(1).now_or_never()];
    assert!(admitted.iter().all(Option::is_some));
    [(("cluster".parse().unwrap(), 1), limiter.figures())].into()
}
