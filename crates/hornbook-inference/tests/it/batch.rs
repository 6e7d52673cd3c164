//! The Batch API as a backend, against a server that is slow, forgetful and worse.

use std::sync::Arc;
use std::time::Duration;

use hornbook_inference::{Backend, ErrorClass, Secret};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::batch_mock::{BatchMock, End};
use crate::batch_support::{MemoryJournal, all_answered, ask, backend, quick};
use crate::support::{KEY, request};

#[tokio::test]
async fn answers_find_their_askers_in_whatever_order_they_come() {
    let mock = BatchMock::start(KEY, vec![End::Completed]).await;
    let journal = Arc::<MemoryJournal>::default();
    let backend = backend(quick(mock.base_url()), &journal);
    assert_eq!((backend.model(), backend.slots()), ("m", 2_000));
    let outcomes = ask(&backend, 30).await;
    all_answered(&outcomes);
    let usage = outcomes[0].as_ref().unwrap().usage;
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (7, 3));
    assert_eq!(mock.sizes(), [30]);
    {
        let state = mock.state();
        let line = &state.batches[0][0];
        assert_eq!(
            (&line["method"], &line["url"]),
            (&json!("POST"), &json!("/v1/chat/completions"))
        );
        assert_eq!(line["body"]["max_completion_tokens"], 2_500);
        let made = &state.made[0];
        assert_eq!(made["endpoint"], "/v1/chat/completions");
        assert_eq!(made["completion_window"], "24h");
        assert!(
            state.uploads[0].contains("name=\"purpose\"\r\n\r\nbatch\r\n"),
            "{}",
            state.uploads[0]
        );
        assert!(state.uploads[0].contains("filename=\""), "{}", state.uploads[0]);
    }
    // Two who ask the same at once share one line; another seed is another line.
    let mut other = request("twice");
    other.seed += 1;
    let (one, two, three) = tokio::join!(
        backend.complete(request("twice")),
        backend.complete(request("twice")),
        backend.complete(other)
    );
    assert!(one.unwrap() == two.unwrap() && three.is_ok());
    assert_eq!(mock.sizes(), [30, 2]);
    assert_eq!(journal.rows().len(), 2, "until the answers are surely stored");
}

#[tokio::test]
async fn what_a_batch_answered_before_it_ended_is_kept() {
    for end in [End::Expired { answered: 12 }, End::Cancelled { answered: 12 }] {
        let mock = BatchMock::start(KEY, vec![end, End::Completed]).await;
        let backend = backend(quick(mock.base_url()), &Arc::default());
        all_answered(&ask(&backend, 20).await);
        assert_eq!(mock.sizes(), [20, 8], "only the rest is asked again");
    }
}

#[tokio::test]
async fn nothing_goes_into_another_batch_when_no_more_is_to_be_sent() {
    let mock = BatchMock::start(KEY, vec![End::Expired { answered: 0 }, End::Completed]).await;
    let backend = backend(quick(mock.base_url()), &Arc::default());
    let no_more = CancellationToken::new();
    no_more.cancel();
    let admission = backend.limiter().unwrap().admit(0).await;
    let error = backend.complete_until(request("once"), admission, no_more).await.unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::Unavailable, "batch_expired"));
    assert_eq!(mock.sizes(), [1]);
}

#[tokio::test]
async fn after_a_death_nothing_is_paid_for_twice() {
    for is_deaf in [false, true] {
        let mock = BatchMock::start(KEY, vec![End::Never]).await;
        let journal = Arc::new(MemoryJournal::deaf(is_deaf));
        let first = backend(quick(mock.base_url()), &journal);
        tokio::select! {
            _ = ask(&first, 10) => panic!("the batch never ends"),
            () = async {
                while mock.state().made.is_empty() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            } => {}
        }
        drop(first);
        mock.state().ends = vec![End::Expired { answered: 6 }, End::Completed];
        let second = backend(quick(mock.base_url()), &journal);
        all_answered(&ask(&second, 12).await);
        // Four of the ten expired; two were never asked before.
        let mut sizes = mock.sizes();
        assert_eq!(sizes.remove(0), 10);
        assert_eq!(sizes.iter().sum::<usize>(), 6, "{sizes:?}");
        assert!(journal.rows().iter().all(|row| is_deaf || row.batch_id.is_some()));
    }
}

#[tokio::test]
async fn a_batch_whose_making_was_not_heard_of_is_found_by_its_name() {
    let mock = BatchMock::start(KEY, vec![End::Completed]).await;
    mock.state().lost_answers = 1;
    let backend = backend(quick(mock.base_url()), &Arc::default());
    all_answered(&ask(&backend, 3).await);
    assert_eq!(mock.sizes(), [3]);
}

#[tokio::test]
async fn a_batch_that_the_provider_lost_is_made_anew() {
    let mock = BatchMock::start(KEY, vec![End::Completed]).await;
    let journal = Arc::<MemoryJournal>::default();
    {
        let gone = backend(quick(mock.base_url()), &journal);
        all_answered(&ask(&gone, 2).await);
    }
    journal.rows()[0].batch_id = Some("batch-99".into());
    let again = backend(quick(mock.base_url()), &journal);
    all_answered(&ask(&again, 2).await);
    assert_eq!(mock.sizes(), [2, 2]);
}

#[tokio::test]
async fn a_file_that_breaks_off_is_read_again() {
    let mock = BatchMock::start(KEY, vec![End::Completed]).await;
    mock.state().broken_files = 2;
    let backend = backend(quick(mock.base_url()), &Arc::default());
    all_answered(&ask(&backend, 10).await);
    assert_eq!(mock.sizes(), [10]);
    assert!(mock.state().reads >= 3, "{}", mock.state().reads);
}

#[tokio::test]
async fn one_bad_line_is_no_other_lines_fault() {
    let too_long = json!({"error": {"code": "context_length_exceeded", "message": "long"}});
    let cases = [
        (End::FirstLine(400, too_long), (ErrorClass::TooLong, "context_length"), vec![4]),
        (
            End::FirstLine(400, json!({"error": {"message": "no"}})),
            (ErrorClass::Permanent, "http_400"),
            vec![4],
        ),
        (
            End::Failed(json!([{"code": "invalid_line", "message": "bad", "line": 1}])),
            (ErrorClass::Permanent, "batch_line_refused"),
            vec![4, 3],
        ),
    ];
    for (end, expected, sizes) in cases {
        let mock = BatchMock::start(KEY, vec![end, End::Completed]).await;
        let backend = backend(quick(mock.base_url()), &Arc::default());
        let outcomes = ask(&backend, 4).await;
        let error = outcomes[0].as_ref().unwrap_err();
        assert_eq!((error.class, error.code), expected);
        assert!(outcomes[1..].iter().all(Result::is_ok), "{outcomes:?}");
        assert_eq!(mock.sizes(), sizes);
    }
    // A line that may pass is asked again alone.
    let mock =
        BatchMock::start(KEY, vec![End::FirstLine(500, json!({"error": {}})), End::Completed])
            .await;
    let backend = backend(quick(mock.base_url()), &Arc::default());
    all_answered(&ask(&backend, 4).await);
    assert_eq!(mock.sizes(), [4, 1]);
}

#[tokio::test]
async fn a_batch_that_is_refused_whole_says_why() {
    let full = json!([{"code": "token_limit_exceeded", "message": "enqueued token limit"}]);
    let mock = BatchMock::start(KEY, vec![End::Failed(full), End::Completed]).await;
    let willing = backend(quick(mock.base_url()), &Arc::default());
    all_answered(&ask(&willing, 3).await);
    // Later there is room, though perhaps not for so many.
    let mut sizes = mock.sizes();
    sizes[1..].sort_unstable();
    assert_eq!(sizes, [3, 1, 2]);
    assert_eq!(mock.state().deleted, ["file-0"], "of the batch that came to nothing");

    let odd = json!([{"code": "model_has_no_batches", "message": "not here"}]);
    let mock = BatchMock::start(KEY, vec![End::Failed(odd)]).await;
    let refused = backend(quick(mock.base_url()), &Arc::default());
    // One of them pauses the endpoint, whichever.
    let mut errors: Vec<_> =
        ask(&refused, 2).await.into_iter().map(|outcome| outcome.unwrap_err()).collect();
    errors.sort_by_key(|error| error.class != ErrorClass::Endpoint);
    assert_eq!(errors[1].class, ErrorClass::Unavailable);
    let error = errors.remove(0);
    assert_eq!((error.class, error.code), (ErrorClass::Endpoint, "batch_failed"));
    assert!(error.message.contains("not here"), "{error}");
    assert_eq!(mock.sizes(), [2]);

    let mut config = quick(mock.base_url());
    config.api_key = Some(Secret::new("sk-another-key-456"));
    let error = ask(&backend(config, &Arc::default()), 1).await.remove(0).unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::Endpoint, "http_401"));
    assert!(!error.message.contains("sk-another") && !error.message.contains(KEY), "{error}");
}

#[tokio::test]
async fn who_takes_a_prompt_back_does_not_wait_for_its_batch() {
    let mock = BatchMock::start(KEY, vec![End::Never]).await;
    let backend = backend(quick(mock.base_url()), &Arc::default());
    let asked = request("never mind");
    let cancel = asked.cancel.clone();
    let (outcome, ()) = tokio::join!(backend.complete(asked), async {
        while mock.state().made.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cancel.cancel();
    });
    assert_eq!(outcome.unwrap_err().class, ErrorClass::Cancelled);
}
