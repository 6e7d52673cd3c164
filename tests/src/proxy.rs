//! A way to the database that a test can cut.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
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

impl Proxy {
    /// A way to the database at `url`.
    pub async fn to(url: &str) -> Self {
        let mut url = Url::parse(url).expect("a database URL");
        let host = url.host_str().expect("a host").to_owned();
        let port = url.port().unwrap_or(5432);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("the port");
        let (state, seen) = watch::channel(Way::default());
        let accepting = tokio::spawn(accept(listener, (host, port), seen)).abort_handle();
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

async fn accept(listener: TcpListener, target: (String, u16), state: watch::Receiver<Way>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("accepting");
        connections.spawn(forward(stream, target.clone(), state.clone()));
        while connections.try_join_next().is_some() {}
    }
}

/// Forwards until either side closes, or the way is mended after a cut.
async fn forward(mut near: TcpStream, target: (String, u16), mut state: watch::Receiver<Way>) {
    let Ok(mut far) = TcpStream::connect(target).await else { return };
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
