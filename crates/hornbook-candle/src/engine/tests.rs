//! What callers see when computing fails.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hornbook_inference::{Backend, ErrorClass, Piece};
use tokio::sync::mpsc;

use crate::pages::PageBook;
use crate::schedule::tests::abacus::{Abacus, Mishap};
use crate::schedule::tests::{common, intake, request};

use super::{Engine, Facts};

/// Far longer than anything here takes.
const HANG: Duration = Duration::from_secs(60);

fn engine(mishap: Option<(usize, Mishap)>) -> Engine {
    let intake = intake();
    let facts = Facts {
        model_name: "abacus".to_owned(),
        slots: 4,
        context_tokens: intake.context_tokens,
        kv_bytes: 0,
        weight_bytes: 0,
        provenance: Default::default(),
    };
    let mut abacus = Abacus::new(intake.vocabulary);
    abacus.mishap = mishap;
    let team = Arc::clone(&common(&intake, 4).team);
    Engine::start(facts, intake, abacus, PageBook::new(400, true), team).expect("threads start")
}

#[tokio::test]
async fn everybody_is_told_when_computing_fails() {
    for mishap in [Mishap::Panic, Mishap::Error] {
        let engine = engine(Some((30, mishap)));
        assert!(engine.is_alive());
        // Some under way, some ready, some queued, and some waiting for room in the queue.
        let prompts = (0..150).map(|seed| engine.complete(request("some text", 100, seed)));
        let (sender, mut pieces) = mpsc::channel(1);
        let stream = engine.stream(request("some text", 100, 1), sender);
        let all = async { tokio::join!(join_all(prompts), stream) };
        let (answers, streamed) = tokio::time::timeout(HANG, all).await.expect("no hang");
        for answer in answers.into_iter().chain([streamed]) {
            let error = answer.expect_err("nobody is done by then");
            assert_eq!((error.class, error.code), (ErrorClass::Endpoint, "engine_died"));
        }
        while pieces.recv().await.is_some() {}
        let late = tokio::time::timeout(HANG, engine.complete(request("more", 1, 0))).await;
        assert_eq!(late.expect("no hang").expect_err("it is dead").code, "engine_died");
        assert_eq!(engine.load().expect("figures").queued_prompts, 0);
        // Whoever waits is told a moment before the thread itself is gone.
        let dead = async {
            while engine.is_alive() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(HANG, dead).await.expect("it is not alive");
        engine.shutdown();
    }
}

#[tokio::test]
async fn shutting_down_ends_every_way_of_waiting() {
    let engine = Arc::new(engine(None));
    let prompts: Vec<_> = (0..150)
        .map(|seed| {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move { engine.complete(request("some text", 900, seed)).await })
        })
        .collect();
    let (sender, pieces) = mpsc::channel::<Piece>(1);
    let streaming = Arc::clone(&engine);
    let stream = tokio::spawn(async move { streaming.stream(request("a", 900, 1), sender).await });
    // Asked once and forgotten: it waits for room in the queue for ever.
    let mut forgotten = Box::pin(engine.complete(request("b", 900, 2)));
    tokio::task::yield_now().await;
    let _ = futures_util::poll!(&mut forgotten);
    let stopping = Arc::clone(&engine);
    let stopped = tokio::task::spawn_blocking(move || stopping.shutdown());
    tokio::time::timeout(HANG, stopped).await.expect("no hang").expect("no panic");
    for prompt in prompts.into_iter().chain([stream]) {
        let answer = tokio::time::timeout(HANG, prompt).await.expect("no hang");
        assert_eq!(answer.expect("no panic").expect_err("stopped").code, "engine_stopped");
    }
    assert_eq!(forgotten.await.expect_err("stopped").code, "engine_stopped");
    drop(pieces);
    assert!(!engine.is_alive());
}
