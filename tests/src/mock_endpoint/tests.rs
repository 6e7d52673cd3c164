use std::collections::BTreeSet;

use serde_json::json;

use super::*;

fn body(prompt: &str, seed: u64) -> Value {
    json!({
        "model": "mock", "messages": [{"role": "user", "content": prompt}],
        "max_tokens": 400, "seed": seed
    })
}

fn post(
    client: &reqwest::Client,
    mock: &MockEndpoint,
    prompt: &str,
    seed: u64,
) -> reqwest::RequestBuilder {
    client.post(format!("{}/chat/completions", mock.base_url())).json(&body(prompt, seed))
}

async fn text(client: &reqwest::Client, mock: &MockEndpoint, prompt: &str, seed: u64) -> String {
    let answer: Value =
        post(client, mock, prompt, seed).send().await.unwrap().json().await.unwrap();
    answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn answers_depend_on_prompt_and_seed_alone() {
    let mock = MockEndpoint::start(MockConfig::default()).await;
    let client = reqwest::Client::new();
    let first = text(&client, &mock, "Why is the sky blue?", 1).await;
    assert_eq!(text(&client, &mock, "Why is the sky blue?", 1).await, first);
    let others = [
        text(&client, &mock, "Why is the sky blue?", 2).await,
        text(&client, &mock, "Why is grass green?", 1).await,
        first.clone(),
    ];
    assert_eq!(others.iter().collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(first.split(' ').count(), 130);
    assert!(first.ends_with('.'));
    assert_eq!(mock.requests(), 4);
    assert_eq!(mock.prompts()["Why is the sky blue?"], 3);
    assert_eq!((mock.in_flight(), mock.peak_in_flight()), (0, 1));
    assert_eq!(mock.last_body()["seed"], 1);
    assert_eq!(mock.fullest(Duration::from_secs(3_600)), 4);
    assert_eq!(mock.fullest(Duration::ZERO), 0);
}

#[tokio::test]
async fn max_tokens_cuts_an_answer() {
    let mock = MockEndpoint::start(MockConfig::default()).await;
    let mut short = body("x", 1);
    short["max_tokens"] = json!(40);
    let url = format!("{}/chat/completions", mock.base_url());
    let sent = reqwest::Client::new().post(url).json(&short).send().await.unwrap();
    let answer: Value = sent.json().await.unwrap();
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(answer["usage"]["completion_tokens"], 40);
}

/// Status and body, or `None` when the connection broke.
async fn outcome(fault: Fault) -> Option<(u16, String)> {
    let config = MockConfig { always: Some(fault), ..MockConfig::default() };
    let mock = MockEndpoint::start(config).await;
    let response = post(&reqwest::Client::new(), &mock, "x", 1).send().await.ok()?;
    let status = response.status().as_u16();
    Some((status, response.text().await.ok()?))
}

#[tokio::test]
async fn every_fault_is_what_it_says() {
    assert_eq!(outcome(Fault::Drop).await, None);
    assert_eq!(outcome(Fault::Truncate).await, None);
    assert_eq!(outcome(Fault::Status(503)).await.unwrap().0, 503);
    let (status, body) = outcome(Fault::QuotaSpent).await.unwrap();
    assert!(status == 429 && body.contains("insufficient_quota"));
    let (status, body) = outcome(Fault::PromptTooLong).await.unwrap();
    assert!(status == 400 && body.contains("context_length_exceeded"));
    assert!(outcome(Fault::HtmlPage).await.unwrap().1.starts_with("<html>"));
    assert!(outcome(Fault::ErrorBody).await.unwrap().1.starts_with("{\"error\""));
    assert!(outcome(Fault::Nul).await.unwrap().1.contains("\\u0000"));
    assert!(outcome(Fault::MissingUsage).await.unwrap().1.contains("\"usage\":null"));
    assert!(outcome(Fault::OddFinishReason).await.unwrap().1.contains("moon_phase"));
    assert!(outcome(Fault::Length).await.unwrap().1.contains("\"length\""));
    assert!(outcome(Fault::OtherModel).await.unwrap().1.contains("quite-another-model"));
    assert!(outcome(Fault::ExtraFields).await.unwrap().1.contains("\"weather\":\"fair\""));
    assert!(outcome(Fault::Oversized).await.unwrap().1.len() > 16 * 1024 * 1024);
    assert!(outcome(Fault::Empty).await.unwrap().1.contains("\"content\":\"\""));

    let throttled = Fault::Throttled { retry_after_seconds: 3 };
    let config = MockConfig { always: Some(throttled), ..MockConfig::default() };
    let mock = MockEndpoint::start(config).await;
    let client = reqwest::Client::new();
    let response = post(&client, &mock, "x", 1).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (429, &"3".parse().unwrap())
    );

    // Silence lasts until somebody gives up, and other connections do not wait for it.
    mock.behave(MockConfig { always: Some(Fault::Hang), ..MockConfig::default() });
    let hanging = tokio::spawn(post(&client, &mock, "hang", 1).send());
    while mock.in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    mock.behave(MockConfig::default());
    text(&client, &mock, "x", 1).await;
    assert!(!hanging.is_finished());
    // One who gives up is noticed.
    hanging.abort();
    while mock.in_flight() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_mix_strikes_in_its_shares_and_alike_each_time() {
    let mut counts = Vec::new();
    for _ in 0..2 {
        let faults = vec![(100, Fault::Status(500)), (50, Fault::Status(400))];
        let mock = MockEndpoint::start(MockConfig { faults, ..MockConfig::default() }).await;
        let client = reqwest::Client::new();
        let mut statuses = BTreeMap::new();
        for number in 0..400 {
            let sent = post(&client, &mock, &format!("prompt {number}"), 7).send().await.unwrap();
            *statuses.entry(sent.status().as_u16()).or_insert(0) += 1;
            sent.bytes().await.unwrap();
        }
        counts.push(statuses);
    }
    assert_eq!(counts[0], counts[1]);
    assert!((20..=60).contains(&counts[0][&500]), "{:?}", counts[0]);
    assert!((8..=35).contains(&counts[0][&400]), "{:?}", counts[0]);
}

#[tokio::test]
async fn a_fault_for_good_stays_and_the_ledger_tells_who_was_answered() {
    let for_good = vec![(500, Fault::Status(500))];
    let config = MockConfig { for_good, ..MockConfig::default() };
    let mock = MockEndpoint::start(config.clone()).await;
    let client = reqwest::Client::new();
    let mut failed = 0;
    for number in 0..40 {
        let prompt = format!("prompt {number}");
        let status =
            async || post(&client, &mock, &prompt, 7).send().await.unwrap().status().as_u16();
        let first = status().await;
        assert_eq!(status().await, first);
        let key = key(&prompt, 7);
        assert_eq!(config.fault(key, 1).is_some(), first == 500);
        assert_eq!(mock.ledger().asked[&key], 2);
        assert_eq!(mock.ledger().answered.contains_key(&key), first == 200);
        failed += usize::from(first == 500);
    }
    assert!((8..=32).contains(&failed), "{failed}");
    assert_eq!(mock.prompts_answered(), 40 - failed);
}

#[test]
fn the_requests_that_a_prompt_needs_are_known_beforehand() {
    let config = MockConfig::bad_day();
    let needed: u64 = (0..2_000).map(|number| config.requests_needed(number)).sum();
    assert!((2_200..=2_350).contains(&needed), "{needed}");
    let (first, second) = (config.fault(5, 1), config.fault(5, 2));
    assert_eq!((config.fault(5, 1), config.fault(5, 2)), (first, second));
}

#[tokio::test]
async fn a_wrong_key_is_shown_back() {
    let config = MockConfig { key: Some("right".to_owned()), ..MockConfig::default() };
    let mock = MockEndpoint::start(config).await;
    let client = reqwest::Client::new();
    let refused = post(&client, &mock, "x", 1).bearer_auth("wrong").send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert!(refused.text().await.unwrap().contains("wrong"));
    let allowed = post(&client, &mock, "x", 1).bearer_auth("right").send().await.unwrap();
    assert_eq!(allowed.status(), 200);
    let elsewhere = client.get(format!("{}/models", mock.base_url())).send().await.unwrap();
    assert_eq!(elsewhere.status(), 404);
}

#[tokio::test]
async fn a_dropped_mock_is_gone() {
    let mock = MockEndpoint::start(MockConfig::default()).await;
    let url = mock.base_url();
    drop(mock);
    // The runtime needs a turn to drop the listener.
    while reqwest::get(format!("{url}/models")).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
