//! Where a service lets its endpoints lead: not inside, unless its operator says so.

#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hornbook_tests::database::TestDatabase;
use hornbook_tests::mock_endpoint::{MockConfig, MockEndpoint};
use hornbook_tests::service::{Options, Service};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A key as a deployment brings it along.
const KEY: &str =
    "hb_0123456789ab_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A server that nobody should ask; sends whoever does on to `onward`.
struct Canary {
    port: u16,
    asked: Arc<AtomicUsize>,
}

impl Canary {
    async fn start(onward: Option<u16>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                let location = format!("http://127.0.0.1:{}/v1", onward.unwrap_or(port));
                let answer = format!(
                    "HTTP/1.1 307 X\r\nlocation: {location}\r\nconnection: close\r\n\
                     content-length: 0\r\n\r\n"
                );
                // All of the request is taken, or its sender sees a broken connection.
                let _ = stream.read(&mut [0; 65_536]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { port, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// What a test of an endpoint at `base_url` says: its error's code, or nothing.
async fn try_out(service: &Service, base_url: &str) -> String {
    let spec = json!({
        "kind": "openai", "base_url": base_url, "model": "m",
        "options": {"attempts": 1, "timeout_seconds": 5}
    });
    let (status, stored) = service.put("/v1/endpoints/there", &spec).await;
    assert!(status == 200 || status == 201, "{stored}");
    let (_, tried) = service.post("/v1/endpoints/there/test", &json!({})).await;
    tried["error"]["code"].as_str().unwrap_or_default().to_owned()
}

fn options(database: &TestDatabase, proxy: u16, arguments: &[&str]) -> Options {
    let proxy = format!("http://127.0.0.1:{proxy}");
    let names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"];
    Options {
        database_url: Some(database.url.clone()),
        arguments: ["--no-local-engine"].iter().chain(arguments).map(|&a| a.to_owned()).collect(),
        environment: names.map(|name| (name.to_owned(), proxy.clone())).into(),
        ..Options::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_on_a_network_leads_nobody_into_it() {
    let mock = MockEndpoint::start(MockConfig::default()).await;
    let proxy = Canary::start(None).await;
    let database = TestDatabase::create().await;
    let directory = tempfile::tempdir().expect("a directory");
    let key_file = directory.path().join("key");
    std::fs::write(&key_file, KEY).expect("writing the key");
    let key_file = key_file.display().to_string();
    let open = |arguments: &[&str]| {
        let arguments = [&["--initial-key-file", &key_file], arguments].concat();
        let options = options(&database, proxy.port, &arguments);
        Options { listen: Some("0.0.0.0:0".to_owned()), ..options }
    };
    let ours = async |options: Options| {
        let mut service = Service::start_with(options).await;
        service.url = service.url.replace("0.0.0.0", "127.0.0.1");
        let key = HeaderValue::from_str(&format!("Bearer {KEY}")).unwrap();
        let headers = HeaderMap::from_iter([(AUTHORIZATION, key)]);
        service.http = reqwest::Client::builder().default_headers(headers).build().unwrap();
        service
    };
    let port = mock.base_url().rsplit(':').next().unwrap().to_owned();
    let mut service = ours(open(&[])).await;
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:7f00:1]", "0x7f.1", "0.0.0.0"] {
        let base_url = format!("http://{host}:{port}");
        assert_eq!(try_out(&service, &base_url).await, "address_refused", "{host}");
    }
    for host in ["169.254.169.254", "10.0.0.1", "[fd00:ec2::254]", "[fe80::1]", "100.100.100.200"] {
        let base_url = format!("http://{host}/v1");
        assert_eq!(try_out(&service, &base_url).await, "address_refused", "{host}");
    }
    assert_eq!((mock.requests(), proxy.asked()), (0, 0), "nothing was sent");
    service.kill().await;

    let service = ours(open(&["--allowed-networks", "127.0.0.0/8"])).await;
    assert_eq!(try_out(&service, &mock.base_url()).await, "");
    assert_eq!(try_out(&service, "http://169.254.169.254/v1").await, "address_refused");
    // An answer that sends one elsewhere is an answer.
    let target = Canary::start(None).await;
    let sends_on = Canary::start(Some(target.port)).await;
    assert_eq!(
        try_out(&service, &format!("http://127.0.0.1:{}/v1", sends_on.port)).await,
        "redirect"
    );
    assert_eq!((sends_on.asked(), target.asked()), (1, 0));
    assert_eq!(proxy.asked(), 0, "no proxy of the environment's choice");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_local_mode_this_machine_can_be_reached_and_no_other_inside() {
    let mock = MockEndpoint::start(MockConfig::default()).await;
    let proxy = Canary::start(None).await;
    let database = TestDatabase::create().await;
    let service = Service::start_with(options(&database, proxy.port, &[])).await;
    assert_eq!(try_out(&service, &mock.base_url()).await, "");
    for host in ["169.254.169.254", "10.0.0.1", "192.168.0.1", "[::ffff:a9fe:a9fe]"] {
        assert_eq!(
            try_out(&service, &format!("http://{host}/v1")).await,
            "address_refused",
            "{host}"
        );
    }
    assert_eq!((mock.requests(), proxy.asked()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_goes_to_the_server_that_it_was_given_for_and_to_no_other() {
    let config =
        || MockConfig { key: Some("sk-for-one-alone-77".to_owned()), ..MockConfig::default() };
    let (one, other) = (MockEndpoint::start(config()).await, MockEndpoint::start(config()).await);
    let database = TestDatabase::create().await;
    let service = Service::start(&database).await;
    let put = async |base_url: &str, key: Option<&str>| -> Value {
        let mut spec = json!({"kind": "openai", "base_url": base_url, "model": "m"});
        if let Some(key) = key {
            spec["api_key"] = key.into();
        }
        service.put("/v1/endpoints/mine", &spec).await.1
    };
    let tried = async || service.post("/v1/endpoints/mine/test", &json!({})).await.1;
    put(&one.base_url(), Some("sk-for-one-alone-77")).await;
    assert_eq!(tried().await["ok"], true);
    // Another path at the same server keeps the key.
    let elsewhere = format!("{}/v1/", one.base_url().trim_end_matches("/v1"));
    assert_eq!(put(&elsewhere, None).await["has_api_key"], true);
    assert_eq!(tried().await["ok"], true);
    let moved = put(&other.base_url(), None).await;
    assert_eq!(moved["has_api_key"], false, "another port is another server: {moved}");
    assert_eq!(tried().await["error"]["code"], "http_401");
    // Nor does it come back with the old address.
    assert_eq!(put(&one.base_url(), None).await["has_api_key"], false);
    let scheme = one.base_url().replace("http:", "https:");
    put(&one.base_url(), Some("sk-for-one-alone-77")).await;
    assert_eq!(put(&scheme, None).await["has_api_key"], false, "another scheme");
    put(&one.base_url(), Some("sk-for-one-alone-77")).await;
    let host = one.base_url().replace("127.0.0.1", "localhost");
    assert_eq!(put(&host, None).await["has_api_key"], false, "another name");
}
