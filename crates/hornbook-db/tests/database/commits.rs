//! Group commits: all or none, once, and no answer can stop a job.

use hornbook_db::documents::{self, COMMIT_REJECTED, Filter};
use hornbook_db::{DbError, jobs};
use hornbook_types::{Cell, Verdict};
use uuid::Uuid;

use crate::common::TestDb;
use crate::fixtures::{accepted, claim, failed, rejected, slug, submitted};

#[tokio::test]
async fn what_is_stored_is_what_was_sent() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 8).await;
    let lease = claim(&test.db, Uuid::now_v7(), 8).await.unwrap();
    let sent = vec![accepted(0), rejected(1, "too_short"), failed(2, "http_500"), accepted(7)];
    let committed = documents::commit_group(&test.db, &lease.key, &sent, 4.0).await.unwrap();
    assert_eq!(committed.inserted, 4);
    for document in &sent {
        assert_eq!(documents::get(&test.db, id, document.seq).await.unwrap().document, *document);
    }
    let read = documents::export_page(&test.db, id, None, 8, 100, false).await.unwrap();
    assert_eq!(read, sent);
    let read = documents::export_page(&test.db, id, Some(0), 8, 100, true).await.unwrap();
    assert_eq!(read, sent[3..]);
    assert!(documents::export_page(&test.db, id, None, 7, 100, true).await.unwrap().len() == 1);
}

#[tokio::test]
async fn sending_a_group_again_changes_nothing() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 8).await;
    let lease = claim(&test.db, Uuid::now_v7(), 8).await.unwrap();
    let group = [accepted(0), rejected(1, "empty")];
    documents::commit_group(&test.db, &lease.key, &group, 1.0).await.unwrap();
    let before = jobs::counts(&test.db, id).await.unwrap();
    let again = documents::commit_group(&test.db, &lease.key, &group, 1.0).await.unwrap();
    assert_eq!(again.inserted, 0);
    assert_eq!(jobs::counts(&test.db, id).await.unwrap(), before);

    // One old, one new: only the new one counts, and costs its share.
    let mixed = [accepted(1), accepted(2)];
    let mixed = documents::commit_group(&test.db, &lease.key, &mixed, 1.0).await.unwrap();
    assert_eq!(mixed.inserted, 1);
    let after = jobs::counts(&test.db, id).await.unwrap();
    assert_eq!((after.counts.accepted, after.counts.rejected, after.usd), (2, 1, 1.5));
    let first = documents::get(&test.db, id, 1).await.unwrap().document;
    assert_eq!(first.verdict, Verdict::Rejected, "the first outcome stays");
}

#[tokio::test]
async fn counts_are_live_before_the_chunk_is_done() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 8).await;
    let lease = claim(&test.db, Uuid::now_v7(), 8).await.unwrap();
    let group =
        [accepted(0), accepted(1), rejected(2, "a reason with spaces"), failed(3, "timeout")];
    documents::commit_group(&test.db, &lease.key, &group, 0.0).await.unwrap();
    let tally = jobs::counts(&test.db, id).await.unwrap();
    let counts = tally.counts;
    assert_eq!((counts.total, counts.accepted, counts.rejected, counts.failed), (8, 2, 1, 1));
    assert_eq!(counts.running, 4);
    assert_eq!(tally.usage.completion_tokens, 10 + 11 + 12);
    let cell = |verdict, reason: &str, count, tokens| Cell {
        audience: slug("toddler"),
        format: slug("story"),
        verdict,
        reason: reason.to_owned(),
        count,
        tokens,
    };
    assert_eq!(
        jobs::cells(&test.db, id).await.unwrap(),
        [
            cell(Verdict::Accepted, "", 2, 21),
            cell(Verdict::Failed, "timeout", 1, 0),
            cell(Verdict::Rejected, "a reason with spaces", 1, 12),
        ]
    );
    let errors = jobs::errors(&test.db, id, 5).await.unwrap();
    assert_eq!(errors.len(), 1);
    assert_eq!((errors[0].code.as_str(), errors[0].count), ("timeout", 1));
    assert_eq!(errors[0].message, "timeout said the endpoint");
}

#[tokio::test]
async fn a_bad_row_becomes_a_failed_one_and_the_rest_is_stored() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 64).await;
    let lease = claim(&test.db, Uuid::now_v7(), 64).await.unwrap();
    let mut group: Vec<_> = (0..64).map(accepted).collect();
    group[17].text.push('\0');
    group[40].prompt.push('\0');
    group[41].model = "a\0b".to_owned();
    let refused = documents::commit_group(&test.db, &lease.key, &group, 0.0).await;
    assert!(matches!(refused, Err(DbError::BadData(_))), "{refused:?}");
    assert_eq!(test.number("SELECT count(*) FROM documents").await, 0, "all or none");
    assert_eq!(jobs::counts(&test.db, id).await.unwrap().counts.ended(), 0);

    let bills = vec![documents::Bill::default(); group.len()];
    let committed =
        documents::commit_group_splitting(&test.db, &lease.key, &group, &bills).await.unwrap();
    assert_eq!((committed.inserted, committed.refused), (64, vec![17, 40, 41]));
    let counts = jobs::counts(&test.db, id).await.unwrap().counts;
    assert_eq!((counts.accepted, counts.failed), (61, 3));
    let bad = documents::get(&test.db, id, 17).await.unwrap().document;
    assert_eq!(bad.reason.as_deref(), Some(COMMIT_REJECTED));
    assert_eq!((bad.verdict, bad.text.as_str()), (Verdict::Failed, ""));
    assert!(bad.error.unwrap().contains("U+0000"));
}

#[tokio::test]
async fn a_document_outside_its_chunk_is_refused() {
    let test = TestDb::new().await;
    submitted(&test.db, 16).await;
    let lease = claim(&test.db, Uuid::now_v7(), 8).await.unwrap();
    let outside = documents::commit_group(&test.db, &lease.key, &[accepted(8)], 0.0).await;
    assert!(matches!(outside, Err(DbError::BadData(_))), "{outside:?}");
    assert_eq!(test.number("SELECT count(*) FROM documents").await, 0);
}

#[tokio::test]
async fn pages_follow_filters_and_end() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 30).await;
    let lease = claim(&test.db, Uuid::now_v7(), 30).await.unwrap();
    let group: Vec<_> = (0..30)
        .map(|seq| match seq % 3 {
            0 => accepted(seq),
            1 => rejected(seq, "too_short"),
            _ => failed(seq, "http_500"),
        })
        .collect();
    documents::commit_group(&test.db, &lease.key, &group, 0.0).await.unwrap();
    let filter = Filter { verdict: Some(Verdict::Rejected), ..Filter::default() };
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = documents::page(&test.db, id, &filter, after, 4).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.document.seq);
        seen.extend(page.iter().map(|row| row.document.seq));
    }
    assert_eq!(seen, (0..30).filter(|seq| seq % 3 == 1).collect::<Vec<_>>());
    for (filter, count) in [
        (Filter { reason: Some("http_500".to_owned()), ..Filter::default() }, 10),
        (Filter { audience: Some(slug("toddler")), ..Filter::default() }, 30),
        (Filter { audience: Some(slug("college")), ..Filter::default() }, 0),
        (Filter { format: Some(slug("faq")), ..Filter::default() }, 0),
    ] {
        let page = documents::page(&test.db, id, &filter, None, 100).await.unwrap();
        assert_eq!(page.len(), count, "{filter:?}");
    }
    assert!(matches!(documents::get(&test.db, id, 30).await, Err(DbError::NotFound(_))));
}
