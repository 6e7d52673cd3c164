//! Answers that are read while they are written.

use std::time::Duration;

use hornbook_inference::{Backend, Completion, Piece};
use tokio::sync::mpsc;

use crate::tiny::{Loaded, Tiny, greedy, request, without_cached};

/// Far longer than anything here takes.
const HANG: Duration = Duration::from_secs(60);

fn loaded(slots: usize) -> Loaded {
    Tiny::new().load(|config| config.slots = slots).expect("the file loads")
}

async fn read_all(mut pieces: mpsc::Receiver<Piece>) -> Vec<Piece> {
    let mut all = Vec::new();
    while let Some(piece) = pieces.recv().await {
        all.push(piece);
    }
    all
}

fn joined(pieces: &[Piece]) -> Piece {
    Piece {
        text: pieces.iter().map(|piece| piece.text.as_str()).collect(),
        logprobs: pieces.iter().flat_map(|piece| piece.logprobs.clone()).collect(),
    }
}

fn whole(answer: &Completion) -> Piece {
    Piece { text: answer.text.clone(), logprobs: answer.logprobs.clone() }
}

#[tokio::test]
async fn pieces_together_are_the_answer() {
    let loaded = loaded(4);
    for (seed, logprobs) in [(1, None), (2, Some(2)), (3, None)] {
        let mut asked = request("the text", 200, seed);
        asked.logprobs = logprobs;
        let expected = loaded.complete(asked.clone()).await.expect("an answer");
        // A stop string ends a piece before it, also where it was begun and not ended.
        let stop: String = expected.text.chars().skip(60).take(3).collect();
        for stops in [vec![], vec![stop, "not in it".to_owned()]] {
            asked.sampling.stop = stops;
            let (sender, pieces) = mpsc::channel(256);
            let answer = loaded.engine.stream(asked.clone(), sender);
            let (answer, pieces) = tokio::join!(answer, read_all(pieces));
            let answer = without_cached(answer.expect("an answer"));
            let alone = loaded.complete(asked.clone()).await.expect("an answer");
            assert_eq!(answer, without_cached(alone));
            assert_eq!(joined(&pieces), whole(&answer));
            assert!(pieces.iter().all(|piece| *piece != Piece::default()));
            assert!(pieces.len() > 10, "{} pieces are no stream", pieces.len());
        }
    }
}

#[tokio::test]
async fn a_slow_reader_gets_fewer_pieces_and_holds_nobody_up() {
    let loaded = loaded(2);
    let (sender, mut pieces) = mpsc::channel(1);
    let mut streamed = Box::pin(loaded.engine.stream(greedy("the slow", 300), sender));
    assert!(futures_util::poll!(&mut streamed).is_pending());
    // Nobody reads while others are answered.
    for seed in 0..3 {
        let other = loaded.complete(request("another", 300, seed));
        let other = tokio::time::timeout(HANG, other).await.expect("nobody is held up");
        assert_eq!(other.expect("an answer").usage.completion_tokens, 300);
    }
    assert!(futures_util::poll!(&mut streamed).is_pending(), "the last piece is not read");
    let first = pieces.recv().await.expect("a piece");
    let (answer, rest) = tokio::join!(streamed, read_all(pieces));
    let answer = answer.expect("an answer");
    assert_eq!(rest.len(), 1, "all that was not read in one");
    assert_eq!(joined(&[&[first], &*rest].concat()), whole(&answer));
    assert_eq!(answer.usage.completion_tokens, 300);
}

#[tokio::test]
async fn a_reader_who_leaves_does_not_end_the_answer() {
    let loaded = loaded(1);
    let expected = loaded.complete(greedy("the text", 100)).await.expect("an answer");
    let (sender, mut pieces) = mpsc::channel(1);
    let streamed = loaded.engine.stream(greedy("the text", 100), sender);
    let leave = async move {
        pieces.recv().await.expect("a piece");
    };
    let (answer, ()) = tokio::join!(streamed, leave);
    assert_eq!(without_cached(answer.expect("an answer")), without_cached(expected));
}

#[tokio::test]
async fn dropping_the_answer_ends_it_and_its_pieces() {
    let loaded = loaded(1);
    let (sender, mut pieces) = mpsc::channel(1);
    let mut streamed = Box::pin(loaded.engine.stream(greedy("the text", 4_000), sender));
    let first = tokio::select! {
        _ = &mut streamed => panic!("it has thousands of tokens to go"),
        piece = pieces.recv() => piece,
    };
    assert!(first.is_some_and(|piece| !piece.text.is_empty()));
    drop(streamed);
    let ended = async { while pieces.recv().await.is_some() {} };
    tokio::time::timeout(HANG, ended).await.expect("the pieces end");
    let next = tokio::time::timeout(HANG, loaded.complete(greedy("the", 2))).await;
    next.expect("the slot is free").expect("an answer");
}

#[tokio::test]
async fn cancelling_ends_a_stream_whose_last_piece_nobody_reads() {
    let loaded = loaded(1);
    let (sender, _pieces) = mpsc::channel(1);
    let asked = greedy("the text", 50);
    let cancel = asked.cancel.clone();
    let mut streamed = Box::pin(loaded.engine.stream(asked, sender));
    assert!(futures_util::poll!(&mut streamed).is_pending());
    loaded.complete(greedy("the", 2)).await.expect("the first has left its slot");
    assert!(futures_util::poll!(&mut streamed).is_pending());
    cancel.cancel();
    let answer = tokio::time::timeout(HANG, streamed).await.expect("no hang");
    assert_eq!(answer.expect_err("cancelled").code, "cancelled");
}
