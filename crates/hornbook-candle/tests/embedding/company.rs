//! A text's vector is its own, whatever it is sent together with; and requests end when told to.

use std::num::NonZeroUsize;
use std::sync::Arc;

use hornbook_candle::{EMBEDDING_TEXT_BYTES_MAX, EmbedError, EmbeddingModel, Overlong};
use hornbook_inference::{Embedder, EmbeddingRequest, ErrorClass, SharedEmbedder};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use crate::fixture;

fn bits(model: &EmbeddingModel, texts: &[String]) -> Vec<Vec<u32>> {
    let found = model.embed_texts(texts, Overlong::Cut, &CancellationToken::new());
    let found = found.expect("every text has a vector").into_iter();
    found.map(|text| text.vector.iter().map(|number| number.to_bits()).collect()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn alone_and_in_company_are_the_same_bits(
        texts in proptest::collection::vec("[ a-zA-Z0-9.é数\\PC]{0,60}", 1..9),
    ) {
        let [one, three] = [1, 3].map(|threads| {
            EmbeddingModel::load_with(fixture::directory(), NonZeroUsize::new(threads).unwrap(), None)
                .expect("the model loads")
        });
        let together = bits(&three, &texts);
        prop_assert_eq!(&bits(&one, &texts), &together);
        for (text, together) in texts.iter().zip(&together) {
            prop_assert_eq!(&bits(&three, std::slice::from_ref(text))[0], together);
        }
    }
}

fn request(texts: &[&str]) -> EmbeddingRequest {
    EmbeddingRequest {
        texts: texts.iter().map(|text| (*text).to_owned()).collect(),
        cancel: CancellationToken::new(),
    }
}

#[tokio::test]
async fn answers_behind_the_trait() {
    let model: SharedEmbedder = Arc::new(fixture::model());
    let found = model.embed(request(&["the cat", "", "the cat"])).await.expect("vectors");
    assert_eq!(found.iter().map(|text| text.tokens).collect::<Vec<_>>(), [4, 2, 4]);
    assert_eq!(found[0], found[2]);
    assert_ne!(found[0].vector, found[1].vector);
    assert_eq!((model.model(), model.dimensions()), ("bert", 24));
    assert_eq!(model.provenance().model_sha256.map(|hash| hash.len()), Some(64));
    assert_eq!(model.embed(request(&[])).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_text_beyond_the_context_is_refused_not_cut() {
    let model = fixture::model();
    let fits = "x ".repeat(28);
    let found = model.embed(request(&[&fits])).await.expect("a vector");
    assert_eq!(found[0].tokens, 30);
    let error = model.embed(request(&["x", &"x ".repeat(29)])).await.expect_err("too long");
    assert_eq!((error.class, error.code), (ErrorClass::TooLong, "context_length"));
    assert_eq!(error.message, "the text has 31 tokens; the model takes at most 30");

    let huge = "é".repeat(EMBEDDING_TEXT_BYTES_MAX / 2 + 1);
    let error = model.embed(request(&[&huge])).await.expect_err("too long");
    assert_eq!((error.class, error.code), (ErrorClass::TooLong, "context_length"));
    let cut = model.embed_texts(&[&huge], Overlong::Cut, &CancellationToken::new());
    let cut = &cut.expect("a vector")[0];
    assert!(cut.is_cut && cut.tokens == 3, "one long word is one unknown token");
}

#[tokio::test]
async fn cancelled_requests_end_early() {
    let model = fixture::model();
    let texts = vec!["the cat sat on the mat"; 200_000];
    let slow = request(&texts);
    let cancel = slow.cancel.clone();
    let running = tokio::spawn({
        let model = model.clone();
        async move { model.embed(slow).await }
    });
    // May have to wait for its turn.
    let waiting = model.embed(request(&["x"]));
    tokio::pin!(waiting);
    let early = tokio::time::timeout(std::time::Duration::from_millis(20), &mut waiting).await;
    cancel.cancel();
    let error = running.await.expect("no panic").expect_err("cancelled");
    assert_eq!((error.class, error.code), (ErrorClass::Cancelled, "cancelled"));
    if early.is_err() {
        assert_eq!(waiting.await.map(|found| found.len()), Ok(1));
    }
    let stale = CancellationToken::new();
    stale.cancel();
    assert_eq!(model.embed_texts(&["x"], Overlong::Cut, &stale), Err(EmbedError::Cancelled));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_request_has_its_turn_while_a_large_one_is_under_way() {
    let model = fixture::model();
    let texts = vec!["the cat sat on the mat"; 200_000];
    let slow = request(&texts);
    let cancel = slow.cancel.clone();
    let running = tokio::spawn({
        let model = model.clone();
        async move { model.embed(slow).await }
    });
    for _ in 0..3 {
        let found = model.embed(request(&["x"])).await.expect("a vector");
        assert_eq!(found.len(), 1);
    }
    assert!(!running.is_finished(), "nobody waited for the end of the large one");
    cancel.cancel();
    assert!(running.await.expect("no panic").is_err());
}

#[tokio::test]
async fn turns_change_nothing_and_leave_nothing_out() {
    let model = fixture::model();
    let texts: Vec<String> =
        (0..300).map(|number| format!("the cat {number} ").repeat(3)).collect();
    let asked: Vec<&str> = texts.iter().map(String::as_str).collect();
    let found = model.embed(request(&asked)).await.expect("vectors");
    let at_once = model.embed_texts(&texts, Overlong::Refuse, &CancellationToken::new());
    let at_once: Vec<_> = at_once.expect("vectors").into_iter().map(|text| text.vector).collect();
    assert_eq!(found.into_iter().map(|text| text.vector).collect::<Vec<_>>(), at_once);
}
