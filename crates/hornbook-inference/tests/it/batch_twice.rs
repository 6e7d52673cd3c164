//! No batch is paid for twice, whatever is not heard of it and whoever dies.

use std::sync::Arc;
use std::time::Duration;

use hornbook_inference::{Backend, ErrorClass};

use crate::batch_mock::{BatchMock, End};
use crate::batch_support::{MemoryJournal, all_answered, ask, fast};
use crate::support::{KEY, request};

/// Waits until the mock was asked for lists often enough.
async fn listed(mock: &BatchMock, times: usize) {
    while mock.state().lists < times {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_batch_is_looked_for_until_it_is_known_whether_it_was_made() {
    for (name, list_faults, blind_lists, odd_ids) in
        [("lists that fail", 6, 0, 0), ("lists that lag", 0, 6, 0), ("odd names", 0, 3, 1)]
    {
        let mock = BatchMock::start(KEY, vec![End::Completed]).await;
        {
            let mut state = mock.state();
            state.lost_answers = 1 - odd_ids;
            state.odd_ids = odd_ids;
            (state.list_faults, state.blind_lists) = (list_faults, blind_lists);
        }
        let backend = fast(mock.base_url(), &Arc::default());
        all_answered(&ask(&backend, 3).await);
        assert_eq!(mock.sizes(), [3], "{name}");
    }
}

#[tokio::test]
async fn a_death_between_making_and_hearing_costs_nothing() {
    let mock = BatchMock::start(KEY, vec![End::Completed]).await;
    (mock.state().lost_answers, mock.state().blind_lists) = (1, usize::MAX);
    let journal = Arc::<MemoryJournal>::default();
    let first = fast(mock.base_url(), &journal);
    tokio::select! {
        _ = ask(&first, 3) => panic!("nobody knows of the batch"),
        () = listed(&mock, 3) => {}
    }
    drop(first);
    let second = fast(mock.base_url(), &journal);
    let (outcomes, ()) = tokio::join!(ask(&second, 3), async {
        listed(&mock, 8).await;
        mock.state().blind_lists = 0;
    });
    all_answered(&outcomes);
    assert_eq!(mock.sizes(), [3]);
}

#[tokio::test]
async fn a_batch_that_surely_was_not_made_is_made_in_the_end() {
    // Nobody knows what a 500 made: an hour of complete lists does.
    let mock = BatchMock::start(KEY, vec![End::Completed]).await;
    mock.state().create_faults = vec![(500, "server_error")];
    let journal = Arc::<MemoryJournal>::default();
    let backend = fast(mock.base_url(), &journal);
    let begun = std::time::Instant::now();
    all_answered(&ask(&backend, 3).await);
    assert!(begun.elapsed() >= Duration::from_millis(3_500), "{:?}", begun.elapsed());
    assert_eq!((mock.sizes(), mock.state().uploads.len()), (vec![3], 2));

    // A 429 says that there is none: the same file, later.
    let mock = BatchMock::start(KEY, vec![End::Completed]).await;
    mock.state().create_faults = vec![(429, "rate_limit_exceeded"); 12];
    all_answered(&ask(&fast(mock.base_url(), &Arc::default()), 3).await);
    assert_eq!((mock.sizes(), mock.state().uploads.len()), (vec![3], 1));

    // A 400 is no prompt's fault: somebody has to look, and once will do.
    let mock = BatchMock::start(KEY, vec![End::Completed]).await;
    mock.state().create_faults = vec![(400, "no_batches_here")];
    let journal = Arc::<MemoryJournal>::default();
    let outcomes = ask(&fast(mock.base_url(), &journal), 3).await;
    let mut classes: Vec<ErrorClass> =
        outcomes.into_iter().map(|outcome| outcome.unwrap_err().class).collect();
    classes.retain(|class| *class != ErrorClass::Unavailable);
    assert_eq!(classes, [ErrorClass::Endpoint]);
    assert_eq!(mock.state().deleted, ["file-0"]);
    assert!(journal.rows().is_empty());
}

#[tokio::test]
async fn who_dies_while_uploading_is_followed_and_who_is_slow_yields() {
    // The first stands still within its upload for longer than anybody waits for it.
    let mock = BatchMock::start(KEY, vec![End::Never]).await;
    mock.state().slow_uploads = vec![Duration::from_secs(4)];
    let journal = Arc::<MemoryJournal>::default();
    let slow = fast(mock.base_url(), &journal);
    let heir = fast(mock.base_url(), &journal);
    let (first, second) = tokio::join!(ask(&slow, 3), async {
        while journal.rows().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let (outcomes, ()) = tokio::join!(ask(&heir, 3), async {
            while mock.state().made.is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert!(mock.state().deleted.is_empty(), "the first has not gone on yet");
            while mock.state().deleted.is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            mock.state().ends = vec![End::Completed];
        });
        outcomes
    });
    all_answered(&first);
    all_answered(&second);
    assert_eq!(mock.sizes(), [3], "the slow one finds the batch of the other");
    assert_eq!(mock.state().deleted, ["file-0"]);
}

#[tokio::test]
async fn a_young_batch_that_is_not_known_everywhere_is_not_lost() {
    let mock = BatchMock::start(KEY, vec![End::Completed]).await;
    mock.state().unknown_looks = 4;
    all_answered(&ask(&fast(mock.base_url(), &Arc::default()), 3).await);
    assert_eq!(mock.sizes(), [3]);
}

#[tokio::test]
async fn who_waits_for_nothing_any_more_sends_nothing() {
    let mock = BatchMock::start(KEY, vec![End::Completed]).await;
    mock.state().outages = usize::MAX;
    let journal = Arc::<MemoryJournal>::default();
    let backend = fast(mock.base_url(), &journal);
    let asked = request("never mind");
    let cancel = asked.cancel.clone();
    let (outcome, ()) = tokio::join!(backend.complete(asked), async {
        while mock.state().outages > usize::MAX - 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        cancel.cancel();
    });
    assert_eq!(outcome.unwrap_err().class, ErrorClass::Cancelled);
    while !journal.rows().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(mock.sizes().is_empty());
}
