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

/// A stop string's bytes begin other characters, come in tokens of one byte, and follow broken
/// ones; the text before is what it would be without them.
#[tokio::test]
async fn a_stop_string_is_found_among_parts_of_characters() {
    let loaded = Tiny::new().load(|_| ()).expect("the file loads");
    // Tokens of single bytes, spelled as GPT-2 does: C3 A9 is e-acute, C3 A8 is e-grave.
    let bytes = ["\u{c3}", "\u{a8}", "\u{a9}", "a"];
    let mut stopped_early = 0;
    for seed in 0..12 {
        let mut drawing = request("the", 40, seed);
        drawing.sampling.logit_bias = bytes.map(|byte| (token(byte), 90.0)).into();
        drawing.sampling.repetition_penalty = 1.0;
        (drawing.sampling.temperature, drawing.sampling.top_p) = (5.0, 1.0);
        let whole = answer(&loaded, drawing.clone()).await.text;
        for stop in ["\u{e9}", "\u{e8}\u{e9}", "a\u{e8}"] {
            let mut stopping = drawing.clone();
            stopping.sampling.stop = vec![stop.to_owned()];
            let stopped = answer(&loaded, stopping).await;
            let before = whole.split(stop).next().expect("always one");
            assert_eq!(stopped.text, before, "{stop:?} in {whole:?}");
            stopped_early += usize::from(before.len() < whole.len());
        }
    }
    assert!(stopped_early > 12, "{stopped_early} of 36 answers have their stop");
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
