//! Whatever endpoints do: every prompt ends by name, once, and none holds up its neighbours.

use std::collections::BTreeMap;
use std::time::Duration;

use hornbook_tests::database::TestDatabase;
use hornbook_tests::job::small_job;
use hornbook_tests::mock_endpoint::{Fault, MockConfig, MockEndpoint, key_of};
use hornbook_tests::service::Service;
use hornbook_tests::{environment, python};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::time::Instant;

/// Longest time for a job that has no reason to wait.
const WITHIN: Duration = Duration::from_secs(60);
/// Longest time for a job whose endpoint makes it wait.
const WITHIN_PATIENCE: Duration = Duration::from_secs(240);

async fn service() -> (TestDatabase, Service) {
    let database = TestDatabase::create().await;
    let service = Service::start(&database).await;
    (database, service)
}

/// A job of `documents` prompts with every gate at its default.
fn gated_job(endpoints: &[&str], documents: u64) -> Value {
    let mut job = small_job("mock", documents);
    job["endpoints"] = json!(endpoints);
    // All the default ones; but prose of no meaning is of no level either.
    job["gates"] = json!({"grade_tolerance": 18});
    job
}

/// Every document of a job that ended, after checking that each seq is there once.
async fn complete(service: &Service, job: &str, prompts: u64) -> Vec<Value> {
    let documents = service.documents(job).await;
    let mut seqs: Vec<u64> =
        documents.iter().map(|document| document["seq"].as_u64().expect("a seq")).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (0..prompts).collect::<Vec<_>>());
    documents
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_day_costs_requests_and_no_documents() {
    let prompts = 2_000;
    let latency = Duration::from_millis(20);
    let config = MockConfig { latency, ..MockConfig::bad_day() };
    let mock = MockEndpoint::start(config.clone()).await;
    let (_database, service) = service().await;
    // Nobody knows that an answer will never come but by waiting for it.
    let options = json!({"timeout_seconds": 3});
    service.add_endpoint_with("mock", &mock.base_url(), &json!({"in_flight": 64}), &options).await;
    let mut job = gated_job(&["mock"], prompts);
    // Faults are drawn by prompt and sampling seed: with this one about as many as the shares say.
    job["sampling"]["seed"] = json!("7");
    let job = service.submit(&job).await;
    let ended = service.wait_for_end(&job, WITHIN_PATIENCE).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(ended["counts"]["accepted"], prompts, "{ended}");
    let documents = complete(&service, &job, prompts).await;
    assert!(documents.iter().all(|document| document["verdict"] == "accepted"));

    let needed: u64 = documents.iter().map(|it| config.requests_needed(key_of(it))).sum();
    let sent = mock.requests() as u64;
    println!("{prompts} documents: {sent} requests were sent, {needed} were needed");
    assert!(sent >= needed, "a document without an answer: {sent} of {needed}");
    // Nobody asks in vain but for a request that a pooled connection swallowed as it closed.
    assert!(sent * 100 <= needed * 101, "{sent} requests where {needed} were needed");
    assert!(sent * 100 <= prompts * 115, "{sent} requests for {prompts} documents");
}

/// What an answer that is wrong, or only odd, makes of its prompt.
fn expected(fault: Option<Fault>) -> (&'static str, Option<&'static str>) {
    match fault {
        Some(Fault::HtmlPage) => ("failed", Some("html_page")),
        Some(Fault::ErrorBody) => ("failed", Some("error_body")),
        Some(Fault::Truncate | Fault::Drop) => ("failed", Some("interrupted")),
        Some(Fault::Hang) => ("failed", Some("timeout")),
        Some(Fault::Status(500)) => ("failed", Some("http_500")),
        Some(Fault::Status(400)) => ("failed", Some("http_400")),
        Some(Fault::Oversized) => ("failed", Some("body_too_large")),
        Some(Fault::PromptTooLong) => ("failed", Some("context_length")),
        Some(Fault::Length) => ("rejected", Some("truncated")),
        Some(Fault::Empty) => ("rejected", Some("empty")),
        None
        | Some(
            Fault::Nul
            | Fault::MissingUsage
            | Fault::OddFinishReason
            | Fault::OtherModel
            | Fault::ExtraFields,
        ) => ("accepted", None),
        Some(other) => panic!("{other:?} is not among the prompts"),
    }
}

/// Faults that some prompts suffer at every try, a few of each.
fn each_for_good() -> Vec<(u32, Fault)> {
    let faults = [
        Fault::HtmlPage,
        Fault::ErrorBody,
        Fault::Truncate,
        Fault::Drop,
        Fault::Hang,
        Fault::Status(500),
        Fault::Status(400),
        Fault::Oversized,
        Fault::PromptTooLong,
        Fault::Length,
        Fault::Empty,
        Fault::Nul,
        Fault::MissingUsage,
        Fault::OddFinishReason,
        Fault::OtherModel,
        Fault::ExtraFields,
    ];
    // Few that hang: as many as the endpoint counts in a row would make it one that is down.
    faults.map(|fault| (if fault == Fault::Hang { 6 } else { 15 }, fault)).to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_odd_answer_ends_by_name_and_blocks_no_neighbour() {
    let prompts = 800;
    let latency = Duration::from_millis(10);
    let config = MockConfig { latency, for_good: each_for_good(), ..MockConfig::default() };
    let odd = MockEndpoint::start(config.clone()).await;
    let good = MockEndpoint::start(MockConfig::after(latency)).await;
    let (_database, service) = service().await;
    // A single attempt: what fails, fails for good, and nothing but failing prompts would be left in the end,
    // which is how an endpoint looks that is down.
    let options = json!({"timeout_seconds": 5, "attempts": 1});
    service.add_endpoint_with("odd", &odd.base_url(), &json!({"in_flight": 32}), &options).await;
    service.add_endpoint("good", &good.base_url(), 8).await;
    let job = service.submit(&gated_job(&["odd"], prompts)).await;
    let neighbour = service.submit(&gated_job(&["good"], 200)).await;
    let beside = service.wait_for_end(&neighbour, WITHIN).await;
    assert_eq!(
        (&beside["state"], &beside["counts"]["accepted"]),
        (&json!("succeeded"), &json!(200))
    );
    let ended = service.wait_for_end(&job, WITHIN_PATIENCE).await;
    assert_eq!(ended["state"], "succeeded_with_errors", "{ended}");

    let mut suffered: BTreeMap<String, usize> = BTreeMap::new();
    let asked = odd.ledger().asked;
    for document in complete(&service, &job, prompts).await {
        let key = key_of(&document);
        let fault = config.fault(key, 1);
        let (verdict, reason) = expected(fault);
        assert_eq!(
            (document["verdict"].as_str(), document["reason"].as_str()),
            (Some(verdict), reason),
            "{fault:?}: {document}"
        );
        assert_eq!(asked[&key], 1, "{fault:?}: {document}");
        let has_error = document["error"].as_str().is_some_and(|error| !error.is_empty());
        assert_eq!(has_error, verdict == "failed", "{document}");
        check_oddity(fault, &document);
        *suffered.entry(format!("{fault:?}")).or_default() += 1;
    }
    println!("{suffered:?}");
    assert_eq!(suffered.len(), each_for_good().len() + 1, "every fault struck: {suffered:?}");
}

/// What an odd answer leaves in its document beside the verdict.
fn check_oddity(fault: Option<Fault>, document: &Value) {
    let text = document["text"].as_str().expect("a text");
    match fault {
        Some(Fault::Nul) => {
            assert!(text.contains('\u{fffd}') && !text.contains('\0'), "{document}");
            assert_eq!(document["scores"]["had_nul"], true, "{document}");
        }
        Some(Fault::MissingUsage) => {
            assert_eq!(document["scores"]["usage_estimated"], true, "{document}");
            assert!(document["usage"]["completion_tokens"].as_u64() > Some(0), "{document}");
        }
        Some(Fault::OddFinishReason) => assert_eq!(document["finish_reason"], "moon_phase"),
        Some(Fault::OtherModel) => {
            assert_eq!(document["model"], "quite-another-model", "{document}");
            assert_eq!(document["scores"]["model_mismatch"], true, "{document}");
        }
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_dawdles_for_a_while_slows_nobody_else() {
    // 100 times longer for 30 s; for 6 s where tests must be quick.
    let spell = Duration::from_secs(if environment::full() { 30 } else { 6 });
    let latency = Duration::from_millis(50);
    let in_flight = 8;
    let per_s = 1_000 / latency.as_millis() as u64 * u64::from(in_flight);
    // Both together for the quick times, and the steady one alone through the slow spell; enough that some are
    // left when the last slow answers are in and the moody one is trusted again.
    let prompts = per_s * (2 * 14 + spell.as_secs());
    let mock = async || MockEndpoint::start(MockConfig::after(latency)).await;
    let (moody, steady, measure) = (mock().await, mock().await, mock().await);
    let (_database, service) = service().await;
    for (name, endpoint) in [("moody", &moody), ("steady", &steady), ("measure", &measure)] {
        service.add_endpoint(name, &endpoint.base_url(), in_flight).await;
    }
    // A job of its own tells what this machine can do meanwhile, whatever else it does.
    let beside = service.submit(&gated_job(&["measure"], 10 * prompts)).await;
    let job = service.submit(&gated_job(&["moody", "steady"], prompts)).await;
    // In step before anything is compared.
    for id in [&job, &beside] {
        let in_step = |job: &Value| job["counts"]["accepted"].as_u64() > Some(per_s / 2);
        service.wait_for(id, WITHIN, in_step).await;
    }
    // Of the steady one's requests, for each of the measure's.
    let rate = async |seconds: Duration| {
        let before = (steady.requests(), measure.requests());
        tokio::time::sleep(seconds).await;
        (steady.requests() - before.0) as f64 / (measure.requests() - before.1).max(1) as f64
    };
    let usual = rate(Duration::from_secs(2)).await;
    let moody_before = moody.requests();
    moody.behave(MockConfig::after(latency * 100));
    let meanwhile = rate(spell).await;
    let dawdled = moody.requests() - moody_before;
    moody.behave(MockConfig::after(latency));
    let moody_before = moody.requests();
    let ended = service.wait_for_end(&job, WITHIN_PATIENCE).await;
    let (status, answer) = service.post(&format!("/v1/jobs/{beside}/cancel"), &Value::Null).await;
    assert!(status < 300, "{answer}");
    let recovered = moody.requests() - moody_before;
    println!(
        "steady: {usual:.2} of the measure, {meanwhile:.2} in the slow spell; moody: {dawdled} requests in it, \
         {recovered} after"
    );
    let documents = complete(&service, &job, prompts).await;
    let bad = documents.iter().find(|document| document["verdict"] != "accepted");
    assert_eq!(ended["counts"]["accepted"], prompts, "{bad:?}");
    assert!(meanwhile >= 0.8 * usual, "{meanwhile} of the measure after {usual}");
    assert!(dawdled <= 10 * in_flight as usize, "{dawdled} requests to an endpoint that dawdles");
    assert!(recovered > in_flight as usize, "it is not asked again: {recovered}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_without_an_address_holds_up_its_job_alone_until_it_is_mended() {
    waits_by_name("http://no-such-host.invalid/v1", "dns").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_speaks_no_tls_holds_up_its_job_alone_until_it_is_mended() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("the port");
    let plain = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ =
                stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        }
    });
    waits_by_name(&format!("https://{address}/v1"), "tls").await;
    plain.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_holds_up_its_job_alone_until_it_is_mended() {
    let (_server, address) = python::server("tls_server.py").await;
    waits_by_name(&format!("https://{address}/v1"), "tls").await;
}

/// A job for an endpoint that cannot be reached waits and says for what, its neighbour is served; once the
/// endpoint is put right, the job goes on as if nothing had been.
async fn waits_by_name(base_url: &str, code: &str) {
    let good = MockEndpoint::start(MockConfig::default()).await;
    let (_database, service) = service().await;
    service.add_endpoint("gone", base_url, 4).await;
    service.add_endpoint("good", &good.base_url(), 4).await;
    let job = service.submit(&gated_job(&["gone"], 12)).await;
    let neighbour = service.submit(&gated_job(&["good"], 100)).await;
    let beside = service.wait_for_end(&neighbour, WITHIN).await;
    assert_eq!(
        (&beside["state"], &beside["counts"]["accepted"]),
        (&json!("succeeded"), &json!(100))
    );
    let warning = until_warned(&service, &job).await;
    assert_eq!(warning["code"], "no_endpoint_answers", "{warning}");
    let message = warning["message"].as_str().expect("a message");
    assert!(message.contains("gone is down") && message.contains(code), "{warning}");
    let waiting = service.wait_for(&job, WITHIN, |_| true).await;
    assert_eq!(
        (&waiting["state"], &waiting["counts"]["accepted"], &waiting["counts"]["failed"]),
        (&json!("running"), &json!(0), &json!(0)),
        "{waiting}"
    );
    service.add_endpoint("gone", &good.base_url(), 4).await;
    let ended = service.wait_for_end(&job, WITHIN).await;
    assert_eq!((&ended["state"], &ended["counts"]["accepted"]), (&json!("succeeded"), &json!(12)));
    complete(&service, &job, 12).await;
    assert_eq!(good.requests(), 112, "each prompt was asked once where it could be");
}

/// The first warning among a job's events.
async fn until_warned(service: &Service, job: &str) -> Value {
    let deadline = Instant::now() + WITHIN;
    loop {
        let (status, page) = service.get(&format!("/v1/jobs/{job}/events")).await;
        assert_eq!(status, 200, "{page}");
        let events = page["data"].as_array().expect("a list");
        if let Some(warning) = events.iter().find(|event| event["kind"] == "warning") {
            return warning["data"].clone();
        }
        assert!(Instant::now() < deadline, "nobody was warned: {page}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_without_credit_is_paused_and_the_job_goes_on_elsewhere() {
    let always = Some(Fault::QuotaSpent);
    let spent = MockEndpoint::start(MockConfig { always, ..MockConfig::default() }).await;
    let good = MockEndpoint::start(MockConfig::after(Duration::from_millis(20))).await;
    let (_database, service) = service().await;
    service.add_endpoint("spent", &spent.base_url(), 4).await;
    service.add_endpoint("good", &good.base_url(), 4).await;
    let job = service.submit(&gated_job(&["spent", "good"], 300)).await;
    let ended = service.wait_for_end(&job, WITHIN).await;
    assert_eq!((&ended["state"], &ended["counts"]["accepted"]), (&json!("succeeded"), &json!(300)));
    complete(&service, &job, 300).await;
    let (_, endpoint) = service.get("/v1/endpoints/spent").await;
    assert_eq!(endpoint["state"], "paused", "{endpoint}");
    assert!(endpoint["message"].as_str().is_some_and(|why| why.contains("credit")), "{endpoint}");
    // What was under way when the first refusal came, and a look at the endpoints later: no more.
    assert!(spent.requests() <= 16, "{} requests to an endpoint without credit", spent.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_the_database_refuses_stands_alone() {
    let prompts = 400;
    let mock = MockEndpoint::start(MockConfig::default()).await;
    let (database, service) = service().await;
    // No answer gets past the client that a healthy database refuses; so the database is made picky.
    let picky = "CREATE FUNCTION picky() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.seq % 50 = 7 AND NEW.verdict <> 'failed' THEN
                RAISE EXCEPTION 'not this one' USING ERRCODE = '22023';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER picky BEFORE INSERT ON documents FOR EACH ROW EXECUTE FUNCTION picky();";
    sqlx::raw_sql(picky).execute(&mut database.connect().await).await.expect("a picky database");
    service.add_endpoint("mock", &mock.base_url(), 32).await;
    let job = service.submit(&gated_job(&["mock"], prompts)).await;
    let ended = service.wait_for_end(&job, WITHIN).await;
    assert_eq!(ended["state"], "succeeded_with_errors", "{ended}");
    for document in complete(&service, &job, prompts).await {
        let is_refused = document["seq"].as_u64().expect("a seq") % 50 == 7;
        let seen = (document["verdict"].as_str(), document["reason"].as_str());
        match is_refused {
            true => assert_eq!(seen, (Some("failed"), Some("commit_rejected")), "{document}"),
            false => assert_eq!(seen, (Some("accepted"), None), "{document}"),
        }
    }
    assert_eq!(mock.requests() as u64, prompts, "no answer was asked for twice");
}
