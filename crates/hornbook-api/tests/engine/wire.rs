//! What only a connection can show: clients that go away, and a server that stops.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::{TestEngine, chat};
use crate::script::Act;

/// Longest wait for something that is to happen at once.
const SOON: Duration = Duration::from_secs(10);

struct Served {
    address: SocketAddr,
    stop: CancellationToken,
    server: JoinHandle<()>,
}

async fn serve(engine: &TestEngine) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let state = engine.state.clone();
    let server = tokio::spawn(hornbook_api::engine::serve(listener, state, stopped));
    Served { address, stop, server }
}

async fn send(address: SocketAddr, body: &Value) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = body.to_string();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: {address}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + SOON;
    while !is_so() {
        assert!(tokio::time::Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_frees_its_places() {
    let engine = TestEngine::new(Act::Wait(vec!["Hello"]));
    let served = serve(&engine).await;
    for stream in [false, true] {
        let mut connection = send(served.address, &chat(json!({"stream": stream, "n": 2}))).await;
        until("both answers begin", || engine.script.running() == 2).await;
        if stream {
            let mut bytes = [0; 4096];
            let read = connection.read(&mut bytes).await.unwrap();
            assert!(bytes[..read].starts_with(b"HTTP/1.1 200"), "a stream begins early");
        }
        drop(connection);
        until("both answers are given up", || engine.script.running() == 0).await;
    }
    assert!(engine.script.asked().iter().all(|asked| asked.cancel.is_cancelled()));
    let metrics = engine.get("/metrics").await.text;
    assert!(metrics.contains("hornbook_engine_abandoned_total 2\n"), "{metrics}");
    served.stop.cancel();
    served.server.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_lets_answers_finish() {
    let engine = TestEngine::new(Act::Wait(vec!["Hello"]));
    let served = serve(&engine).await;
    let mut connection = send(served.address, &chat(json!({"stream": true}))).await;
    until("the answer begins", || engine.script.running() == 1).await;
    served.stop.cancel();
    until("nobody listens any more", || std::net::TcpStream::connect(served.address).is_err())
        .await;
    engine.script.turn.add_permits(1);
    let mut text = String::new();
    connection.read_to_string(&mut text).await.unwrap();
    assert!(text.contains(" at last") && text.contains("data: [DONE]\n\n"), "{text}");
    served.server.await.unwrap();
}
