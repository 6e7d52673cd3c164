//! Cancelling, dropping, shutting down.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Waker};

use std::time::Duration;

use hornbook_inference::{Backend, CompletionRequest, ErrorClass};
use hornbook_types::limits::MAX_TOKENS;

use crate::tiny::{Loaded, Meta, Tiny, greedy, request, without_cached};

/// Many minutes of writing: attention's cost grows with every token.
const FOR_EVER: u32 = MAX_TOKENS;
/// Far longer than anything here takes, far shorter than `FOR_EVER`: a slot that was not freed
/// ends a test here instead of hanging it.
const HANG: Duration = Duration::from_secs(60);

fn one_slot() -> Loaded {
    Tiny::new()
        .set("llama.context_length", Meta::Count(2 * MAX_TOKENS))
        .load(|config| {
            config.slots = 1;
            config.context_tokens = 2 * MAX_TOKENS as usize;
        })
        .expect("the file loads")
}

/// Completes a short prompt, which with one slot happens only after every other has left.
async fn expect_free_slot(loaded: &Loaded, request: CompletionRequest) {
    let expected = u64::from(request.sampling.max_tokens);
    let answer = tokio::time::timeout(HANG, loaded.complete(request)).await;
    let answer = answer.expect("the slot is free").expect("an answer");
    assert_eq!(answer.usage.completion_tokens, expected);
}

/// Polls a future once, so that its request is on its way.
fn start(future: &mut std::pin::Pin<&mut impl Future>) {
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[tokio::test]
async fn cancelling_frees_the_slot() {
    let loaded = one_slot();
    let long = greedy("the", FOR_EVER);
    let cancel = long.cancel.clone();
    let mut answer = std::pin::pin!(loaded.complete(long));
    start(&mut answer);
    cancel.cancel();
    let error = answer.await.expect_err("cancelled");
    assert_eq!((error.class, error.code), (ErrorClass::Cancelled, "cancelled"));
    expect_free_slot(&loaded, greedy("the", 2)).await;
}

#[tokio::test]
async fn dropping_the_future_frees_the_slot() {
    let loaded = one_slot();
    for _ in 0..5 {
        let mut answer = Box::pin(loaded.complete(greedy("the", FOR_EVER)));
        start(&mut answer.as_mut());
        drop(answer);
    }
    expect_free_slot(&loaded, greedy("the", 2)).await;
}

#[tokio::test]
async fn queued_prompts_are_cancelled_without_waiting_for_a_slot() {
    let loaded = one_slot();
    let mut first = std::pin::pin!(loaded.complete(greedy("the", FOR_EVER)));
    start(&mut first);
    let second = greedy("the", 2);
    let cancel = second.cancel.clone();
    let mut second = std::pin::pin!(loaded.complete(second));
    start(&mut second);
    cancel.cancel();
    tokio::select! {
        biased;
        error = second => assert_eq!(error.expect_err("cancelled").class, ErrorClass::Cancelled),
        _ = first => panic!("the first prompt has many minutes to go"),
    }
}

#[tokio::test]
async fn cancelling_leaves_others_as_they_were() {
    let loaded = Tiny::new().load(|config| config.slots = 4).expect("the file loads");
    let expected = loaded.complete(request("the others", 300, 7)).await.expect("an answer");
    let expected = without_cached(expected);
    for _ in 0..10 {
        let given_up = request("this one goes", 2_000, 1);
        let cancel = given_up.cancel.clone();
        let mut given_up = Box::pin(loaded.complete(given_up));
        start(&mut given_up.as_mut());
        let mut kept = Box::pin(loaded.complete(request("the others", 300, 7)));
        start(&mut kept.as_mut());
        cancel.cancel();
        assert_eq!(without_cached(kept.await.expect("an answer")), expected);
        given_up.await.expect_err("cancelled");
    }
}

#[tokio::test]
async fn shutdown_answers_everything_and_refuses_more() {
    let loaded = one_slot();
    let engine = Arc::clone(&loaded.engine);
    let running: Vec<_> = (0..5)
        .map(|_| {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move { engine.complete(greedy("the", FOR_EVER)).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let stopping = Arc::clone(&engine);
    tokio::task::spawn_blocking(move || stopping.shutdown()).await.expect("shutdown returns");
    for answer in running {
        let error = answer.await.expect("no panic").expect_err("stopped");
        assert_eq!((error.class, error.code), (ErrorClass::Transient, "engine_stopped"));
    }
    let error = engine.complete(greedy("the", 1)).await.expect_err("stopped");
    assert_eq!(error.code, "engine_stopped");
    engine.shutdown();
}
