//! What a job's sampling asks for, beside the shape of the draw.

use hornbook_inference::{Completion, CompletionRequest};
use hornbook_types::FinishReason;

use crate::tiny::{Loaded, MARKS, Tiny, greedy, request, token};

/// A model that always wants to end.
fn ending() -> Loaded {
    let mut tiny = Tiny::new();
    // All logits are equal, and of equals the first token wins: a mark.
    tiny.numbers("output.weight").fill(0.0);
    tiny.load(|_| ()).expect("the file loads")
}

async fn answer(loaded: &Loaded, request: CompletionRequest) -> Completion {
    loaded.complete(request).await.expect("an answer")
}

#[tokio::test]
async fn stop_strings_end_an_answer_before_they_would_stand_in_it() {
    let loaded = Tiny::new().load(|_| ()).expect("the file loads");
    let mut letters = request("the", 60, 4);
    // Bytes of the model's own choice are seldom characters.
    letters.sampling.logit_bias =
        ('a'..='z').map(|c| (token(c.encode_utf8(&mut [0; 1])), 50.0)).collect();
    let whole = answer(&loaded, letters.clone()).await;
    for (from, to) in [(20, 21), (20, 23), (7, 30)] {
        let stop = &whole.text[from..to];
        let mut stopping = letters.clone();
        stopping.sampling.stop = vec!["not in it".to_owned(), stop.to_owned()];
        let stopped = answer(&loaded, stopping).await;
        assert_eq!(stopped.finish_reason, FinishReason::Stop);
        let before = whole.text.split(stop).next().expect("always one");
        assert_eq!(stopped.text, before, "{stop:?}");
        assert!(stopped.usage.completion_tokens < whole.usage.completion_tokens);
    }
}

#[tokio::test]
async fn a_bias_draws_a_token_and_loops_end_answers() {
    let loaded = ending();
    let mut looping = greedy("the", 1_000);
    looping.sampling.logit_bias.insert(token("x"), 5.0);
    let looped = answer(&loaded, looping.clone()).await;
    assert_eq!(looped.finish_reason, FinishReason::Loop);
    assert_eq!(looped.usage.completion_tokens, 128);
    assert_eq!(looped.text, "x".repeat(128), "what was repeated is kept");

    looping.sampling.stop_loops = false;
    let endless = answer(&loaded, looping.clone()).await;
    assert_eq!(endless.finish_reason, FinishReason::Length);
    assert_eq!(endless.usage.completion_tokens, 1_000);

    looping.sampling.logit_bias.insert(token("x"), 0.5);
    looping.sampling.frequency_penalty = 0.1;
    let penalised = answer(&loaded, looping).await;
    assert_eq!(penalised.text, "xxxxx", "after five, and a tie, the mark wins");
    assert_eq!(penalised.finish_reason, FinishReason::Stop);
}

#[tokio::test]
async fn nothing_ends_an_answer_before_min_tokens() {
    let loaded = ending();
    let mut longer = request("the", 100, 1);
    longer.sampling.min_tokens = 7;
    longer.sampling.temperature = 0.0;
    let longer = answer(&loaded, longer).await;
    assert_eq!(longer.finish_reason, FinishReason::Stop);
    assert_eq!(longer.usage.completion_tokens, 7);
}

#[tokio::test]
async fn a_bias_for_no_token_is_refused() {
    let loaded = Tiny::new().load(|_| ()).expect("the file loads");
    let mut bad = greedy("the", 3);
    bad.sampling.logit_bias.insert(u32::MAX, 1.0);
    let error = loaded.complete(bad).await.expect_err("no such token");
    assert_eq!(error.code, "bad_sampling");
    assert!(error.message.contains("logit_bias"), "{}", error.message);
}

#[tokio::test]
async fn logprobs_are_told_where_they_are_asked_for() {
    let loaded = Tiny::new().load(|_| ()).expect("the file loads");
    let plain = answer(&loaded, greedy("the", 12)).await;
    assert_eq!(plain.logprobs, []);
    let mut asking = greedy("the", 12);
    asking.logprobs = Some(3);
    let told = answer(&loaded, asking).await;
    assert_eq!((&told.text, told.logprobs.len()), (&plain.text, 12));
    let mut text = Vec::new();
    for drawn in &told.logprobs {
        text.extend_from_slice(&drawn.token.bytes);
        assert_eq!(drawn.top.len(), 3);
        assert_eq!(drawn.top[0], drawn.token, "greedy draws the likeliest");
        assert!(drawn.top.is_sorted_by(|left, right| left.logprob >= right.logprob));
        let share: f32 = drawn.top.iter().map(|token| token.logprob.exp()).sum();
        assert!(share > 0.0 && share <= 1.0, "{drawn:?}");
    }
    assert_eq!(String::from_utf8_lossy(&text), told.text);
    assert!(!MARKS.iter().any(|mark| told.text.contains(mark)));
}
