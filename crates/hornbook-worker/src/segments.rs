//! Export: accepted documents of consecutive prompts become segment files, which assemblies read.

use std::path::{Path, PathBuf};

use hornbook_corpus::{Segment, SegmentWriter, corpus_row};
use hornbook_db::documents;
use hornbook_types::Document;
use hornbook_types::limits::SEGMENT_PROMPTS;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::assemble::Fault;
use crate::limits::{EXPORT_PAGE_BYTES, EXPORT_ROWS_FIRST, EXPORT_ROWS_MAX};
use crate::shared::{Shared, until_answered};

/// Whose documents to export, and where to.
pub(crate) struct Export<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) job: Uuid,
    pub(crate) spec_digest: &'a str,
    /// Prompts that chunks cover.
    pub(crate) total: u64,
    /// Stops the export between pages.
    pub(crate) halt: &'a CancellationToken,
}

/// Where the segments of a job lie; the job's prompts are the same in every revision of its corpus.
pub(crate) fn segments_dir(scratch: &Path, job: Uuid) -> PathBuf {
    scratch.join("segments").join(job.to_string())
}

/// Where what was found out about those segments is kept.
pub(crate) fn sidecars_dir(scratch: &Path, job: Uuid) -> PathBuf {
    segments_dir(scratch, job).join("sidecars")
}

impl Export<'_> {
    /// Segments of every accepted document that there is now; those exported before are kept.
    ///
    /// A document that was accepted stays as it is, and a retry can only add to them, so a
    /// segment with as many rows as there are accepted documents is whole.
    pub(crate) async fn segments(&self) -> Result<Vec<Segment>, Fault> {
        let mut segments = Vec::new();
        let mut lo = 0;
        while lo < self.total {
            let hi = self.total.min(lo + SEGMENT_PROMPTS);
            segments.extend(self.one(lo, hi).await?);
            lo = hi;
        }
        Ok(segments)
    }

    /// The segment of those prompts; there is none without accepted documents.
    pub(crate) async fn one(&self, lo: u64, hi: u64) -> Result<Option<Segment>, Fault> {
        let dir = segments_dir(&self.shared.scratch, self.job);
        tokio::fs::create_dir_all(&dir).await.map_err(|error| Fault::file(&dir, &error))?;
        let accepted = until_answered(self.halt, || {
            documents::count_accepted(&self.shared.db, self.job, lo, hi)
        })
        .await?;
        if accepted == 0 {
            return Ok(None);
        }
        self.segment(&dir, lo, hi, accepted).await.map(Some)
    }

    async fn segment(&self, dir: &Path, lo: u64, hi: u64, accepted: u64) -> Result<Segment, Fault> {
        let (place, digest) = (dir.to_owned(), self.spec_digest.to_owned());
        let found = blocking(move || Segment::find(&place, &digest, lo, hi)).await??;
        if let Some(segment) = found
            && segment.rows == accepted
        {
            return Ok(segment);
        }
        let (place, digest) = (dir.to_owned(), self.spec_digest.to_owned());
        let mut writer = blocking(move || SegmentWriter::create(&place, &digest, lo, hi)).await??;
        let mut after = lo.checked_sub(1);
        let mut limit = EXPORT_ROWS_FIRST;
        loop {
            let page = until_answered(self.halt, || {
                documents::export_page(&self.shared.db, self.job, after, hi, limit, true)
            })
            .await?;
            let Some(last) = page.last() else { break };
            after = Some(last.seq);
            limit = next_limit(&page);
            writer = self.append(writer, page).await?;
            if self.halt.is_cancelled() {
                return Err(Fault::Stopped);
            }
        }
        Ok(blocking(move || writer.finish()).await??)
    }

    async fn append(
        &self,
        mut writer: SegmentWriter,
        page: Vec<Document>,
    ) -> Result<SegmentWriter, Fault> {
        let digest = self.spec_digest.to_owned();
        blocking(move || {
            for document in page {
                writer.write(&corpus_row(&digest, document))?;
            }
            Ok(writer)
        })
        .await?
    }
}

/// Rows of the next page: as many as hold about as much text as a page may, by the last page's measure.
fn next_limit(page: &[Document]) -> u32 {
    let bytes: usize = page.iter().map(|row| row.prompt.len() + row.text.len()).sum();
    let rows = EXPORT_PAGE_BYTES / (bytes / page.len().max(1)).max(1);
    u32::try_from(rows).unwrap_or(u32::MAX).clamp(1, EXPORT_ROWS_MAX)
}

/// Runs file work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Fault::Panicked(error.to_string()))
}
