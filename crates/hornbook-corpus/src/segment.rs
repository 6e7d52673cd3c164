//! Segments: accepted documents of consecutive prompts, exported once and read by every assembly.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use hornbook_records::{JsonlZstReader, JsonlZstWriter};
use hornbook_types::CorpusRow;
use serde::{Deserialize, Serialize};

use crate::assemble::{Part, Row, Rows};
use crate::error::AssembleError;
use crate::hashing::{Hashing, create};
use crate::sources::score_in;

/// Changes whenever rows, hashes or sidecars mean something else than before.
const SCHEME: u32 = 3;

/// What stands beside a segment; it is written last, so a segment with a sidecar is complete.
#[derive(Debug, Serialize, Deserialize)]
struct Sidecar {
    scheme: u32,
    spec_digest: String,
    lo: u64,
    hi: u64,
    rows: u64,
    sha256: String,
}

/// A complete segment on disk: the accepted documents among prompts `lo..hi`, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    path: PathBuf,
    /// First prompt.
    pub lo: u64,
    /// Prompt after the last.
    pub hi: u64,
    /// Accepted documents among them.
    pub rows: u64,
}

fn paths(dir: &Path, lo: u64, hi: u64) -> (PathBuf, PathBuf) {
    let name = format!("{lo:012}-{hi:012}");
    (dir.join(format!("{name}.jsonl.zst")), dir.join(format!("{name}.json")))
}

fn sidecar_of(path: &Path) -> PathBuf {
    // `0-8.jsonl.zst` -> `0-8.json`
    path.with_extension("").with_extension("json")
}

impl Segment {
    /// The complete segment of those prompts in `dir`, if there is one of this spec and scheme.
    ///
    /// A sidecar that cannot be parsed counts as absent: exporting again mends it.
    pub fn find(
        dir: &Path,
        spec_digest: &str,
        lo: u64,
        hi: u64,
    ) -> Result<Option<Self>, AssembleError> {
        let (path, sidecar_path) = paths(dir, lo, hi);
        let bytes = match fs::read(&sidecar_path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(AssembleError::Io { path: sidecar_path, source }),
        };
        let Ok(sidecar) = serde_json::from_slice::<Sidecar>(&bytes) else { return Ok(None) };
        let same = sidecar.scheme == SCHEME
            && sidecar.spec_digest == spec_digest
            && (sidecar.lo, sidecar.hi) == (lo, hi)
            && path.exists();
        Ok(same.then_some(Self { path, lo, hi, rows: sidecar.rows }))
    }

    /// Where its documents lie.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn damaged(&self, message: impl ToString) -> AssembleError {
        AssembleError::Segment { path: self.path.clone(), message: message.to_string() }
    }

    fn sidecar(&self) -> Result<Sidecar, AssembleError> {
        let path = sidecar_of(&self.path);
        let bytes = fs::read(&path).map_err(AssembleError::io(&path))?;
        serde_json::from_slice(&bytes).map_err(|error| self.damaged(error))
    }

    /// Deletes the segment, sidecar first, so that it will be exported again.
    pub fn remove(&self) -> Result<(), AssembleError> {
        let sidecar = sidecar_of(&self.path);
        fs::remove_file(&sidecar).map_err(AssembleError::io(&sidecar))?;
        fs::remove_file(&self.path).map_err(AssembleError::io(&self.path))
    }
}

impl Part for Segment {
    fn digest(&self) -> Result<String, AssembleError> {
        Ok(self.sidecar()?.sha256)
    }

    fn rows(&self, _: u64) -> Result<Rows<'_>, AssembleError> {
        let sidecar = self.sidecar()?;
        let file = File::open(&self.path).map_err(AssembleError::io(&self.path))?;
        let rows = JsonlZstReader::<_, CorpusRow>::new(Hashing::new(file))
            .map_err(|error| self.damaged(error))?;
        Ok(Box::new(SegmentRows {
            segment: self,
            sidecar,
            rows: Some(rows),
            next: self.lo,
            read: 0,
        }))
    }

    fn default_id(&self, row: u64) -> String {
        format!("{}#{row}", self.path.display())
    }
}

/// The rows of a segment; after the last, the file is held against its sidecar.
struct SegmentRows<'a> {
    segment: &'a Segment,
    sidecar: Sidecar,
    rows: Option<JsonlZstReader<Hashing<File>, CorpusRow>>,
    /// The least number that the next row may have.
    next: u64,
    read: u64,
}

impl SegmentRows<'_> {
    fn next_row(&mut self) -> Result<Option<Row>, AssembleError> {
        let Some(rows) = &mut self.rows else { return Ok(None) };
        let Some(row) = rows.next() else { return self.check_whole().map(|()| None) };
        let row = row.map_err(|error| self.segment.damaged(error))?;
        if !(self.next..self.segment.hi).contains(&row.seq) {
            return Err(self.segment.damaged(format!("row {} is out of order", row.seq)));
        }
        let score = score_in(&row.scores);
        self.next = row.seq + 1;
        self.read += 1;
        Ok(Some(Row { row, score, has_own_id: true, has_own_tokens: true }))
    }

    fn check_whole(&mut self) -> Result<(), AssembleError> {
        let Some(rows) = self.rows.take() else { return Ok(()) };
        let file = rows.into_inner().map_err(|error| self.segment.damaged(error))?;
        let (_, _, sha256) = file.finish();
        if sha256 != self.sidecar.sha256 || self.read != self.sidecar.rows {
            return Err(self.segment.damaged("the file is not the one that was written"));
        }
        Ok(())
    }
}

impl Iterator for SegmentRows<'_> {
    type Item = Result<Row, AssembleError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.next_row();
        if row.is_err() {
            self.rows = None;
        }
        row.transpose()
    }
}

/// Writes one segment; it exists once `finish` has returned.
pub struct SegmentWriter {
    dir: PathBuf,
    sidecar: Sidecar,
    out: JsonlZstWriter<Hashing<File>>,
    temporary: PathBuf,
}

impl SegmentWriter {
    /// Begins the segment of prompts `lo..hi` in `dir`, which must exist.
    pub fn create(dir: &Path, spec_digest: &str, lo: u64, hi: u64) -> Result<Self, AssembleError> {
        let temporary = paths(dir, lo, hi).0.with_extension("tmp");
        let out =
            JsonlZstWriter::new(create(&temporary)?).map_err(AssembleError::write(&temporary))?;
        let sidecar = Sidecar {
            scheme: SCHEME,
            spec_digest: spec_digest.to_owned(),
            lo,
            hi,
            rows: 0,
            sha256: String::new(),
        };
        Ok(Self { dir: dir.to_owned(), sidecar, out, temporary })
    }

    /// Appends the next accepted document; rows come in the order of `seq`.
    pub fn write(&mut self, row: &CorpusRow) -> Result<(), AssembleError> {
        self.out.write(row).map_err(AssembleError::write(&self.temporary))?;
        self.sidecar.rows += 1;
        Ok(())
    }

    /// Completes the segment: file first, sidecar after it, each renamed into place.
    pub fn finish(self) -> Result<Segment, AssembleError> {
        let Self { dir, mut sidecar, out, temporary } = self;
        let written = out.finish().map_err(AssembleError::write(&temporary))?;
        let (file, _, sha256) = written.finish();
        file.sync_all().map_err(AssembleError::io(&temporary))?;
        sidecar.sha256 = sha256;
        let (path, sidecar_path) = paths(&dir, sidecar.lo, sidecar.hi);
        fs::rename(&temporary, &path).map_err(AssembleError::io(&path))?;
        let temporary = sidecar_path.with_extension("tmp-json");
        let json =
            serde_json::to_vec(&sidecar).map_err(|error| AssembleError::Row(error.to_string()))?;
        fs::write(&temporary, json).map_err(AssembleError::io(&temporary))?;
        fs::rename(&temporary, &sidecar_path).map_err(AssembleError::io(&sidecar_path))?;
        Ok(Segment { path, lo: sidecar.lo, hi: sidecar.hi, rows: sidecar.rows })
    }
}
