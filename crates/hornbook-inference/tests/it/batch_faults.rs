//! What providers do to batches, and what becomes of the prompts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hornbook_inference::ErrorClass;
use serde_json::json;

use crate::batch_mock::{BatchMock, End};
use crate::batch_support::{MemoryJournal, SPEED, all_answered, ask, fast};
use crate::support::KEY;

#[tokio::test]
async fn an_outage_of_minutes_fails_no_prompt() {
    let mock = BatchMock::start(KEY, vec![End::Completed]).await;
    mock.state().outages = 25;
    let backend = fast(mock.base_url(), &Arc::default());
    let (outcomes, ()) = tokio::join!(ask(&backend, 5), async {
        while mock.state().made.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        mock.state().outages = 25;
    });
    all_answered(&outcomes);
    assert_eq!(mock.sizes(), [5]);
}

#[tokio::test]
async fn an_upload_waits_as_long_as_it_was_asked_to() {
    let mock = BatchMock::start(KEY, vec![End::Completed]).await;
    (mock.state().outages, mock.state().retry_after_seconds) = (1, Some(900));
    let begun = Instant::now();
    all_answered(&ask(&fast(mock.base_url(), &Arc::default()), 2).await);
    assert!(begun.elapsed() * SPEED >= Duration::from_secs(900), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_the_queue_has_no_room_for_is_halved_and_then_a_persons_business() {
    let full = json!([{"code": "token_limit_exceeded", "message": "enqueued token limit"}]);
    let ends = vec![End::Failed(full.clone()), End::Failed(full.clone()), End::Completed];
    let mock = BatchMock::start(KEY, ends).await;
    all_answered(&ask(&fast(mock.base_url(), &Arc::default()), 8).await);
    let sizes = mock.sizes();
    assert_eq!(sizes[0], 8);
    assert!(sizes[1..].iter().all(|size| *size <= 4), "{sizes:?}");
    assert_eq!(sizes[1..].iter().sum::<usize>(), 8 + sizes[1], "{sizes:?}");

    let mock = BatchMock::start(KEY, vec![End::Failed(full)]).await;
    let journal = Arc::<MemoryJournal>::default();
    let outcomes = ask(&fast(mock.base_url(), &journal), 1).await;
    let error = outcomes[0].as_ref().unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::Endpoint, "batch_queue_full"));
    assert_eq!(mock.state().deleted, ["file-0"], "no file is left behind");
    assert!(journal.rows().is_empty());
}

#[tokio::test]
async fn what_was_paid_for_and_cannot_be_read_is_not_asked_again() {
    let damaged = "{\"id\": \"r\", \"custom_id\": \"ID\", \"response\": {\"sta\n".to_owned();
    let overlong = format!("{{\"custom_id\": \"ID\", \"x\": \"{}\"}}\n", "x".repeat(17 << 20));
    for (first_result, code) in [
        (damaged, "batch_answer_damaged"),
        (overlong, "body_too_large"),
        ("{{{{\n".to_owned(), "batch_answer_missing"),
        (String::new(), "batch_answer_missing"),
    ] {
        let mock = BatchMock::start(KEY, vec![End::Completed]).await;
        mock.state().first_result = Some(first_result);
        let outcomes = ask(&fast(mock.base_url(), &Arc::default()), 3).await;
        let failed: Vec<_> = outcomes.iter().filter_map(|it| it.as_ref().err()).collect();
        assert_eq!(failed.len(), 1, "{outcomes:?}");
        assert_eq!((failed[0].class, failed[0].code), (ErrorClass::Permanent, code));
        assert_eq!(failed[0].usage.completion_tokens, 2_500, "as much as it may have been");
        assert_eq!(mock.sizes(), [3], "{code}");
    }
    for is_odd in [true, false] {
        let mock = BatchMock::start(KEY, vec![End::Completed]).await;
        (mock.state().has_odd_output, mock.state().has_no_output) = (is_odd, !is_odd);
        let outcomes = ask(&fast(mock.base_url(), &Arc::default()), 3).await;
        assert!(
            outcomes
                .iter()
                .all(|it| { it.as_ref().is_err_and(|error| error.class == ErrorClass::Permanent) }),
            "{outcomes:?}"
        );
        assert_eq!(mock.sizes(), [3]);
    }
}

#[tokio::test]
async fn prompts_that_all_fail_pause_the_endpoint_once() {
    let mock = BatchMock::start(KEY, vec![End::Completed]).await;
    mock.state().declines_all = true;
    let outcomes = ask(&fast(mock.base_url(), &Arc::default()), 60).await;
    let of = |class| {
        outcomes.iter().filter(|it| it.as_ref().is_err_and(|error| error.class == class)).count()
    };
    assert_eq!((of(ErrorClass::Permanent), of(ErrorClass::Endpoint)), (31, 1));
    assert_eq!(of(ErrorClass::Unavailable), 28);
}
