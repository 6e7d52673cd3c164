//! What handlers and pages share; the binary makes it.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use hornbook_db::documents::CommitMeter;
use hornbook_db::{Db, Notifier};
use hornbook_inference::{LimiterFigures, SharedBackend};
use hornbook_types::{Clock, Slug};
use object_store::ObjectStore;
use rand::RngCore;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::layer::Limiter;
use crate::limits::{IMPORTS_AT_ONCE, REQUESTS_PER_MINUTE, WATCHERS_AT_ONCE};
use crate::metrics::Metrics;
use crate::render::RenderPool;

/// Makes the backend of an endpoint by name, with its stored secret; the words say why it cannot.
pub type BackendFactory =
    Arc<dyn Fn(Slug) -> BoxFuture<'static, Result<SharedBackend, String>> + Send + Sync>;

/// How the endpoints stand that this process has asked, by name and by the number of its worker:
/// each has its share of their limits.
pub type EndpointFigures = Arc<dyn Fn() -> BTreeMap<(Slug, usize), LimiterFigures> + Send + Sync>;

/// A random source that requests share.
pub type SharedRandom = Arc<Mutex<dyn RngCore + Send>>;

/// How the service is reached and what it allows.
#[derive(Clone)]
pub struct ApiConfig {
    /// True when bound to loopback only; the service is then open until a key is created.
    pub loopback: bool,
    /// Names and addresses, besides loopback, that `Host` may say; without ports.
    pub allowed_hosts: Vec<String>,
    /// Where clients reach the service, such as `https://books.example`; no slash at the end.
    pub base_url: String,
    /// Signs dashboard sessions; the same in every process of an installation.
    pub session_secret: [u8; 32],
    /// Requests that one key may make in a minute.
    pub requests_per_minute: u32,
    /// Where uploads lie while they are read; made when it is not there.
    pub spool_dir: PathBuf,
    /// Directory below which files of this machine may be imported; none unless the operator names one.
    pub import_root: Option<PathBuf>,
    /// Directories in which an assembly's tokenizer is looked for.
    pub tokenizers: Vec<PathBuf>,
}

impl ApiConfig {
    /// A service on loopback at `base_url`, with the default limits.
    pub fn local(base_url: impl Into<String>, session_secret: [u8; 32]) -> Self {
        Self {
            loopback: true,
            allowed_hosts: Vec::new(),
            base_url: base_url.into(),
            session_secret,
            requests_per_minute: REQUESTS_PER_MINUTE,
            spool_dir: std::env::temp_dir(),
            import_root: None,
            tokenizers: Vec::new(),
        }
    }

    /// True when clients reach the service over TLS.
    pub fn https(&self) -> bool {
        self.base_url.starts_with("https://")
    }
}

/// Everything that [`AppState`] is made of.
pub struct AppParts {
    /// The database.
    pub db: Db,
    /// Tells of changes to jobs.
    pub notifier: Notifier,
    /// Where corpora lie.
    pub store: Arc<dyn ObjectStore>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Where ids and secrets come from.
    pub random: SharedRandom,
    /// How the service is reached and what it allows.
    pub config: ApiConfig,
    /// Makes backends for testing endpoints.
    pub backends: BackendFactory,
    /// Says how endpoints stand.
    pub endpoint_figures: EndpointFigures,
    /// Says how long documents wait to be stored.
    pub commits: Arc<CommitMeter>,
    /// Cancelled when the service stops: streams and long polls end then.
    pub shutdown: CancellationToken,
}

/// What handlers and pages share; cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

/// The shared parts, reached through [`AppState`].
pub struct Shared {
    /// The database.
    pub db: Db,
    /// Tells of changes to jobs.
    pub notifier: Notifier,
    /// Where corpora lie.
    pub store: Arc<dyn ObjectStore>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// How the service is reached and what it allows.
    pub config: ApiConfig,
    /// Makes backends for testing endpoints.
    pub backends: BackendFactory,
    /// Says how endpoints stand.
    pub endpoint_figures: EndpointFigures,
    /// Says how long documents wait to be stored.
    pub commits: Arc<CommitMeter>,
    /// Renders templates off the async threads.
    pub render: RenderPool,
    random: SharedRandom,
    pub(crate) shutdown: CancellationToken,
    pub(crate) watchers: Arc<Semaphore>,
    pub(crate) imports: Semaphore,
    pub(crate) limiter: Limiter,
    pub(crate) metrics: Metrics,
    /// Set once a key was seen to exist; the service is never open again.
    pub(crate) closed: AtomicBool,
}

impl AppState {
    /// The state of a service made of `parts`.
    pub fn new(parts: AppParts) -> Self {
        Self(Arc::new(Shared {
            db: parts.db,
            notifier: parts.notifier,
            store: parts.store,
            clock: parts.clock,
            limiter: Limiter::new(parts.config.requests_per_minute),
            config: parts.config,
            backends: parts.backends,
            endpoint_figures: parts.endpoint_figures,
            commits: parts.commits,
            render: RenderPool::default(),
            shutdown: parts.shutdown,
            imports: Semaphore::new(IMPORTS_AT_ONCE),
            watchers: Arc::new(Semaphore::new(WATCHERS_AT_ONCE)),
            random: parts.random,
            metrics: Metrics::default(),
            closed: AtomicBool::new(false),
        }))
    }

    /// A new id that sorts by the time it was made (UUIDv7).
    pub fn new_id(&self) -> Uuid {
        let now = self.clock.now();
        let millis = u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
        let mut bytes = [0_u8; 10];
        self.with_random(|random| random.fill_bytes(&mut bytes));
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }

    /// A random id (UUIDv4).
    pub fn random_id(&self) -> Uuid {
        let mut bytes = [0_u8; 16];
        self.with_random(|random| random.fill_bytes(&mut bytes));
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// Draws from the shared random source.
    pub fn with_random<T>(&self, draw: impl FnOnce(&mut dyn RngCore) -> T) -> T {
        self::draw(&self.0.random, draw)
    }
}

/// Draws from a shared random source.
pub(crate) fn draw<T>(source: &SharedRandom, draw: impl FnOnce(&mut dyn RngCore) -> T) -> T {
    // A panic while drawing leaves the source as good as before.
    let mut random = source.lock().unwrap_or_else(PoisonError::into_inner);
    draw(&mut *random)
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
