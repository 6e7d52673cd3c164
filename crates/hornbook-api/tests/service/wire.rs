//! What goes over the wire, which the router alone does not decide.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::app::TestApp;
use crate::fixtures::{catalog, publish, run_all, submitted};

#[tokio::test]
async fn a_file_goes_over_the_wire_and_the_server_stops_when_told() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let id = submitted(&app, 6).await;
    run_all(&app).await;
    publish(&app, id, b"0123456789").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let server = tokio::spawn(hornbook_api::serve(listener, app.state.clone(), stopped));
    let path = format!("/v1/jobs/{id}/corpus/files/data/train-00000-of-00001.parquet");
    let exchange = async |method: &str, headers: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_ascii_lowercase(), body.to_owned())
    };
    let (head, body) = exchange("GET", "").await;
    assert!(head.starts_with("http/1.1 200") && head.contains("content-length: 10"), "{head}");
    assert_eq!(body, "0123456789");
    assert!(!head.contains("transfer-encoding") && !head.contains("content-encoding"), "{head}");
    let (head, body) = exchange("GET", "Range: bytes=-3\r\nAccept-Encoding: gzip\r\n").await;
    assert!(head.starts_with("http/1.1 206") && head.contains("content-length: 3"), "{head}");
    assert!(head.contains("content-range: bytes 7-9/10"), "{head}");
    assert_eq!(body, "789");
    let (head, body) = exchange("HEAD", "").await;
    assert!(head.starts_with("http/1.1 200") && head.contains("content-length: 10"), "{head}");
    assert_eq!(body, "");
    stop.cancel();
    server.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}
