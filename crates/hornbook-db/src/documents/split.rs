//! Storing a group that holds a row the database refuses: everything else, and that row as failed.

use std::collections::VecDeque;

use hornbook_types::{Document, FinishReason, Usage, Verdict};
use serde_json::Map;

use super::{COMMIT_REJECTED, Committed, commit_group};
use crate::chunks::LeaseKey;
use crate::{Db, DbError, limits};

/// Like [`commit_group`], but a refused group is halved until the bad row stands alone, and that
/// row is stored as failed with [`COMMIT_REJECTED`], so that no answer can stop a job.
///
/// Groups of more than 32 MiB of text are halved beforehand. Other errors end it, with the parts
/// before it stored; calling it again with the same documents goes on from there.
pub async fn commit_group_splitting(
    db: &Db,
    key: &LeaseKey,
    documents: &[Document],
    usd: f64,
) -> Result<Committed, DbError> {
    let mut committed = Committed::default();
    let mut parts = VecDeque::from([documents]);
    while let Some(part) = parts.pop_front() {
        let share = usd * part.len() as f64 / documents.len() as f64;
        let halve = part.len() > 1 && bytes(part) > limits::GROUP_BYTES;
        let outcome = match halve {
            true => Err(DbError::BadData("group too large".to_owned())),
            false => commit_group(db, key, part, share).await,
        };
        match outcome {
            Ok(done) => committed.inserted += done.inserted,
            Err(DbError::BadData(_)) if part.len() > 1 => {
                let (left, right) = part.split_at(part.len() / 2);
                parts.push_front(right);
                parts.push_front(left);
            }
            Err(DbError::BadData(what)) => {
                let refused: Vec<Document> =
                    part.iter().map(|document| refuse(document, &what)).collect();
                committed.inserted += commit_group(db, key, &refused, share).await?.inserted;
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
fn refuse(document: &Document, what: &str) -> Document {
    Document {
        prompt: document.prompt.replace('\0', "\u{fffd}"),
        text: String::new(),
        usage: Usage::default(),
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
