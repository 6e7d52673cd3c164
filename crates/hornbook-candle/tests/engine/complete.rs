//! Writing: batches, slots, lengths, ends.

use futures_util::future::join_all;
use hornbook_inference::{Backend, Completion, CompletionRequest, ErrorClass};
use hornbook_types::FinishReason;

use crate::tiny::{Loaded, Tiny, greedy, request, without_cached};

/// Prompts from one word to several passes long, drawn and greedy.
fn requests() -> Vec<CompletionRequest> {
    (0..20)
        .map(|number| {
            let prompt = "the thing that they think of ".repeat(1 + number * number % 17);
            let max_tokens = 1 + (number * 7 % 40) as u32;
            match number % 3 {
                0 => greedy(&prompt, max_tokens),
                _ => request(&prompt, max_tokens, number as u64),
            }
        })
        .collect()
}

async fn complete_all(loaded: &Loaded) -> Vec<Completion> {
    let answers = requests().into_iter().map(|request| loaded.complete(request));
    let answers = join_all(answers).await.into_iter();
    answers.map(|answer| without_cached(answer.expect("an answer"))).collect()
}

#[tokio::test]
async fn answers_do_not_depend_on_company_slots_or_threads() {
    let tiny = Tiny::new();
    let mut expected: Option<Vec<Completion>> = None;
    for (slots, threads) in [(1, 1), (1, 2), (3, 2), (16, 1), (32, 2)] {
        let loaded = tiny
            .load(|config| {
                config.slots = slots;
                config.threads = Some(threads);
            })
            .expect("the file loads");
        let answers = complete_all(&loaded).await;
        assert_eq!(*expected.get_or_insert(answers.clone()), answers, "{slots} slots");
        assert_eq!(complete_all(&loaded).await, answers, "reused slots");
    }
    let expected = expected.expect("answers");
    let different: std::collections::BTreeSet<&str> =
        expected.iter().map(|answer| answer.text.as_str()).collect();
    assert!(different.len() > 15, "the prompts must matter: {different:?}");
}

#[tokio::test]
async fn length_ends_an_answer_and_usage_counts_tokens() {
    let loaded = Tiny::new().load(|_| ()).expect("the file loads");
    let answer = loaded.complete(greedy("the end", 23)).await.expect("an answer");
    assert_eq!(answer.finish_reason, FinishReason::Length);
    assert_eq!(answer.usage.completion_tokens, 23);
    assert_eq!(answer.usage.cached_tokens, 0);
    // <|im_start|> user \n the ␣ e n d <|im_end|> \n <|im_start|> assistant \n
    assert_eq!(answer.usage.prompt_tokens, 1 + 4 + 1 + 5 + 2 + 1 + 9 + 1);
    assert!(!answer.usage_estimated);
    assert_eq!(answer.model, "tiny");
}

#[tokio::test]
async fn end_mark_ends_an_answer_and_is_no_token_of_it() {
    let mut tiny = Tiny::new();
    // All logits are equal, and of equals the first token wins: a mark.
    tiny.numbers("output.weight").fill(0.0);
    let loaded = tiny.load(|_| ()).expect("the file loads");
    let answer = loaded.complete(greedy("the end", 23)).await.expect("an answer");
    assert_eq!(answer.finish_reason, FinishReason::Stop);
    assert_eq!((answer.text.as_str(), answer.usage.completion_tokens), ("", 0));
}

#[tokio::test]
async fn full_context_ends_an_answer_and_longer_prompts_are_refused() {
    let loaded = Tiny::new().load(|config| config.context_tokens = 200).expect("the file loads");
    let answer = loaded.complete(greedy("x", 100_000)).await.expect("an answer");
    assert_eq!(answer.finish_reason, FinishReason::Length);
    assert_eq!(answer.usage.prompt_tokens + answer.usage.completion_tokens, 200);
    let overhead = answer.usage.prompt_tokens as usize - 1;

    let fitting = loaded.complete(greedy(&"x".repeat(199 - overhead), 10)).await;
    let fitting = fitting.expect("one token fits");
    assert_eq!(fitting.usage.prompt_tokens, 199);
    assert_eq!(fitting.usage.completion_tokens, 1);

    let error = loaded.complete(greedy(&"x".repeat(200 - overhead), 10)).await;
    let error = error.expect_err("no token fits");
    assert_eq!((error.class, error.code), (ErrorClass::TooLong, "prompt_too_long"));
    assert!(error.message.contains("200 tokens"), "{}", error.message);
}

#[tokio::test]
async fn context_is_never_longer_than_the_model_was_trained_for() {
    let loaded = Tiny::new().load(|config| config.context_tokens = 1_000_000).expect("loads");
    assert_eq!(loaded.engine.context_tokens(), crate::tiny::CONTEXT_TOKENS);
}

#[tokio::test]
async fn more_prompts_than_queue_and_slots_all_end() {
    let loaded = Tiny::new().load(|config| config.slots = 2).expect("the file loads");
    assert_eq!(loaded.engine.slots(), 2);
    let count = 3 * hornbook_candle::QUEUE_PROMPTS as u64;
    let answers = (0..count).map(|seed| loaded.complete(request("the", 3, seed)));
    for answer in join_all(answers).await {
        assert_eq!(answer.expect("an answer").usage.completion_tokens, 3);
    }
}

#[tokio::test]
async fn what_cannot_be_sampled_is_refused() {
    let loaded = Tiny::new().load(|_| ()).expect("the file loads");
    let mut bad = request("the", 3, 0);
    bad.sampling.top_p = 0.0;
    let error = loaded.complete(bad).await.expect_err("top_p is out of range");
    assert_eq!((error.class, error.code), (ErrorClass::Permanent, "bad_sampling"));
    assert!(error.message.contains("top_p"), "{}", error.message);
}

#[tokio::test]
async fn numbers_past_the_range_of_floats_are_an_error_of_the_prompt() {
    let mut tiny = Tiny::new();
    // Finite in the file, infinite once multiplied.
    tiny.numbers("output.weight").fill(f32::MAX);
    tiny.numbers("output_norm.weight").fill(f32::MAX);
    let loaded = tiny.load(|_| ()).expect("the file loads");
    let error = loaded.complete(greedy("the", 3)).await.expect_err("no finite logit");
    assert_eq!((error.class, error.code), (ErrorClass::Permanent, "no_token"));
}
