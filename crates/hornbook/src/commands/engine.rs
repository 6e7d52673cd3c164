//! `hornbook engine`: a local model for others, over OpenAI's protocol and without a database.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hornbook_api::engine::{EngineKey, EngineParts, EngineState, StreamWaits, serve};
use hornbook_candle::EmbeddingModel;
use hornbook_inference::{Secret, SharedBackend, SharedEmbedder};
use hornbook_types::SystemClock;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::EngineServerConfig;
use crate::exit::{Context as _, Failure, Outcome};
use crate::output;
use crate::wiring::{load_file, stop_signal};

/// Longest wait for clients to read that their answers were given up.
const FAREWELL: Duration = Duration::from_secs(5);
/// Connections that wait to be accepted, as many as a listener of tokio's has.
const BACKLOG: u32 = 1_024;

/// Serves until asked to stop.
pub(crate) async fn run(config: EngineServerConfig) -> Outcome {
    let key = config.api_key_file.as_deref().map(read_key).transpose()?;
    if key.is_none() && !config.listen.ip().is_loopback() {
        return Err(Failure::usage(format!(
            "refusing to listen on {} without a key; name a file that holds one with --api-key-file",
            config.listen
        )));
    }
    let (listen, drain) = (config.listen, config.drain);
    let unheard = |error| Failure::error(format!("listening on {listen}: {error}"));
    // Loading takes long, so an address that is taken is found before; nobody is let in until after.
    let socket = bind(listen).map_err(unheard)?;
    let loading = tokio::task::spawn_blocking(move || load(config));
    let (backend, embedder) = loading.await.context("loading the model")??;
    let listener = socket.listen(BACKLOG).map_err(unheard)?;
    let address = listener.local_addr().context("listening")?;
    let (stop, give_up) = (CancellationToken::new(), CancellationToken::new());
    let state = EngineState::new(EngineParts {
        backend,
        embedder,
        key,
        clock: Arc::new(SystemClock),
        random: Arc::new(Mutex::new(StdRng::from_os_rng())),
        give_up: give_up.clone(),
        waits: StreamWaits::default(),
    });
    let server = tokio::spawn(serve(listener, state, stop.clone().cancelled_owned()));
    output::line(&format!("listening on http://{address}"))?;
    stop_signal().await;
    stop.cancel();
    finish(server, drain, &give_up).await;
    Ok(())
}

/// Takes the address without letting anybody in.
fn bind(listen: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As a listener of tokio's: an engine that starts again need not wait for old connections.
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    Ok(socket)
}

/// Lets answers under way finish; those that take longer are given up, and their clients told.
async fn finish(mut server: JoinHandle<()>, drain: Duration, give_up: &CancellationToken) {
    if tokio::time::timeout(drain, &mut server).await.is_ok() {
        return;
    }
    tracing::warn!("answers under way took too long and are given up");
    give_up.cancel();
    if tokio::time::timeout(FAREWELL, &mut server).await.is_err() {
        server.abort();
    }
}

fn read_key(file: &Path) -> Result<EngineKey, Failure> {
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("reading the key {shown}: {error}")))?;
    EngineKey::new(&Secret::new(text))
        .map_err(|why| Failure::usage(format!("{shown} holds no key: {why}")))
}

/// Loads the models; takes seconds and blocks.
fn load(config: EngineServerConfig) -> Result<(SharedBackend, Option<SharedEmbedder>), Failure> {
    let (threads, isa) = (config.engine.threads, config.engine.isa);
    let engine = load_file(config.engine).context("loading the model")?;
    let embedder = match config.embedding_model {
        None => None,
        Some(directory) => {
            let threads = threads.and_then(NonZeroUsize::new);
            let threads = threads.map_or_else(std::thread::available_parallelism, Ok);
            let threads = threads.unwrap_or(NonZeroUsize::MIN);
            let model = EmbeddingModel::load_with(&directory, threads, isa)
                .context("loading the embedding model")?;
            Some(Arc::new(model) as SharedEmbedder)
        }
    };
    Ok((Arc::new(engine), embedder))
}
