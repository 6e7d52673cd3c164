//! Storing a group that holds a row the database refuses: everything else, and that row as failed.

use std::collections::VecDeque;

use hornbook_types::{Document, FinishReason, Verdict};
use serde_json::Map;

use super::{Bill, COMMIT_REJECTED, Committed, commit_billed};
use crate::chunks::LeaseKey;
use crate::{Db, DbError, limits};

/// Like [`commit_billed`], but a refused group is halved until the bad row stands alone, and that
/// row is stored as failed with [`COMMIT_REJECTED`], so that no answer can stop a job.
///
/// Groups of more than 32 MiB of text are halved beforehand. Other errors end it, with the parts
/// before it stored; calling it again with the same documents goes on from there.
pub async fn commit_group_splitting(
    db: &Db,
    key: &LeaseKey,
    documents: &[Document],
    bills: &[Bill],
) -> Result<Committed, DbError> {
    let mut committed = Committed::default();
    let mut parts = VecDeque::from([(documents, bills)]);
    while let Some((part, bills)) = parts.pop_front() {
        let halve = part.len() > 1 && bytes(part) > limits::GROUP_BYTES;
        let outcome = match halve {
            true => Err(DbError::BadData("group too large".to_owned())),
            false => commit_billed(db, key, part, bills).await,
        };
        match outcome {
            Ok(done) => committed.inserted += done.inserted,
            Err(DbError::BadData(_)) if part.len() > 1 => {
                let middle = part.len() / 2;
                let (left, right) = part.split_at(middle);
                let (left_bills, right_bills) = bills.split_at(middle);
                parts.push_front((right, right_bills));
                parts.push_front((left, left_bills));
            }
            Err(DbError::BadData(what)) => {
                let refused: Vec<Document> =
                    part.iter().map(|document| refuse(document, &what)).collect();
                committed.inserted += commit_billed(db, key, &refused, bills).await?.inserted;
                committed.refused.extend(refused.iter().map(|document| document.seq));
            }
            Err(other) => return Err(other),
        }
    }
    Ok(committed)
}

fn bytes(documents: &[Document]) -> usize {
    documents.iter().map(|document| document.prompt.len() + document.text.len()).sum()
}

/// The failed row in place of a document that cannot be stored, holding nothing that could be refused again.
///
/// What the answer cost stays: it was paid for.
fn refuse(document: &Document, what: &str) -> Document {
    Document {
        prompt: document.prompt.replace('\0', "\u{fffd}"),
        text: String::new(),
        model: document.model.replace('\0', "\u{fffd}"),
        seed_data: Map::new(),
        scores: Map::new(),
        finish_reason: FinishReason::None,
        verdict: Verdict::Failed,
        reason: Some(COMMIT_REJECTED.to_owned()),
        error: Some(format!("the database refused it: {what}")),
        ..document.clone()
    }
}
