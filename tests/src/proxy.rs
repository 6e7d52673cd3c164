//! A way to the database that a test can cut.

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use url::Url;

/// A forwarder of connections; it ends, with all of them, when dropped.
pub struct Proxy {
    /// The database's URL, by this way.
    pub url: String,
    state: watch::Sender<Way>,
    accepting: AbortHandle,
}

/// What becomes of what is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Way {
    is_cut: bool,
    /// How often it was mended: connections of before are closed then.
    mended: u32,
}

/// Where the database listens.
#[derive(Clone)]
enum Target {
    Port(String, u16),
    Socket(PathBuf),
}

impl Target {
    /// A host that begins with a slash is the directory of a socket, as for libpq.
    fn of(url: &Url) -> Self {
        let host = url.host_str().expect("a host").replace("%2F", "/");
        let port = url.port().unwrap_or(5432);
        if host.starts_with('/') {
            Self::Socket(PathBuf::from(host).join(format!(".s.PGSQL.{port}")))
        } else {
            Self::Port(host, port)
        }
    }
}

impl Proxy {
    /// A way to the database at `url`.
    pub async fn to(url: &str) -> Self {
        let mut url = Url::parse(url).expect("a database URL");
        let target = Target::of(&url);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("the port");
        let (state, seen) = watch::channel(Way::default());
        let accepting = tokio::spawn(accept(listener, target, seen)).abort_handle();
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(address.port())).expect("a port");
        Self { url: url.into(), state, accepting }
    }

    /// From now on nothing goes either way, and nobody is told: packets are lost.
    pub fn cut(&self) {
        self.state.send_modify(|way| way.is_cut = true);
    }

    /// Lets new connections through again; those of before are reset.
    pub fn mend(&self) {
        self.state.send_modify(|way| *way = Way { is_cut: false, mended: way.mended + 1 });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, target: Target, state: watch::Receiver<Way>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("accepting");
        let (target, state) = (target.clone(), state.clone());
        connections.spawn(async move {
            match target {
                Target::Port(host, port) => {
                    let Ok(far) = TcpStream::connect((host, port)).await else { return };
                    forward(stream, far, state).await;
                }
                Target::Socket(path) => {
                    let Ok(far) = UnixStream::connect(path).await else { return };
                    forward(stream, far, state).await;
                }
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Forwards until either side closes, or the way is mended after a cut.
async fn forward(
    mut near: TcpStream,
    mut far: impl AsyncRead + AsyncWrite + Unpin,
    mut state: watch::Receiver<Way>,
) {
    let mended = state.borrow().mended;
    let is_open = !state.borrow().is_cut;
    let mut changes = state.clone();
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far), if is_open => return,
        _ = changes.wait_for(|way| way.is_cut) => {}
    }
    // Both ends stay open, and neither hears of the other.
    let _ = state.wait_for(|way| way.mended > mended).await;
}
