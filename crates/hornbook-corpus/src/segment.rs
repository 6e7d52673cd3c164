//! Segments: accepted documents of consecutive prompts, exported once and read by every assembly.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use hornbook_records::{JsonlZstReader, JsonlZstWriter};
use hornbook_types::CorpusRow;
use serde::{Deserialize, Serialize};

use crate::assemble::{Fact, Part, Row, Rows};
use crate::dedup::{TextHash, text_hash};
use crate::error::AssembleError;
use crate::hashing::{Hashing, create};
use crate::sources::score_in;

/// Changes whenever rows, hashes or sidecars mean something else than before.
const SCHEME: u32 = 2;

/// What stands beside a segment; it is written last, so a segment with a sidecar is complete.
#[derive(Debug, Serialize, Deserialize)]
struct Sidecar {
    scheme: u32,
    spec_digest: String,
    lo: u64,
    hi: u64,
    rows: u64,
    sha256: String,
    /// Hash of each row's normalised text, in the order of the rows.
    hashes: Vec<TextHash>,
    /// Number of each row's prompt.
    seqs: Vec<u64>,
    /// How good each row is; empty when nobody said of any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    scores: Vec<Option<f32>>,
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

    fn damaged(&self, message: impl ToString) -> AssembleError {
        AssembleError::Segment { path: self.path.clone(), message: message.to_string() }
    }

    fn sidecar(&self) -> Result<Sidecar, AssembleError> {
        let path = sidecar_of(&self.path);
        let bytes = fs::read(&path).map_err(AssembleError::io(&path))?;
        let sidecar: Sidecar =
            serde_json::from_slice(&bytes).map_err(|error| self.damaged(error))?;
        let rows = sidecar.hashes.len();
        let scores = sidecar.scores.len();
        if sidecar.seqs.len() != rows || (scores != rows && scores != 0) {
            return Err(self.damaged("a row has no hash"));
        }
        Ok(sidecar)
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
        Ok(Box::new(SegmentRows { segment: self, sidecar, rows: Some(rows), read: 0 }))
    }

    fn default_id(&self, row: u64) -> String {
        format!("{}#{row}", self.path.display())
    }

    fn known(&self) -> Result<Option<Vec<Fact>>, AssembleError> {
        let Sidecar { hashes, seqs, scores, .. } = self.sidecar()?;
        let facts = hashes.into_iter().zip(seqs).enumerate().map(|(row, (hash, seq))| Fact {
            hash,
            seq,
            id_end: 0,
            score: scores.get(row).copied().flatten().unwrap_or(f32::NAN),
            kept_bytes: 0,
            gate: 0,
            contaminated: false,
            trimmed: false,
        });
        Ok(Some(facts.collect()))
    }
}

/// The rows of a segment; after the last, the file is held against its sidecar.
struct SegmentRows<'a> {
    segment: &'a Segment,
    sidecar: Sidecar,
    rows: Option<JsonlZstReader<Hashing<File>, CorpusRow>>,
    read: usize,
}

impl SegmentRows<'_> {
    fn next_row(&mut self) -> Result<Option<Row>, AssembleError> {
        let Some(rows) = &mut self.rows else { return Ok(None) };
        let Some(row) = rows.next() else { return self.check_whole().map(|()| None) };
        let row = row.map_err(|error| self.segment.damaged(error))?;
        if self.sidecar.seqs.get(self.read) != Some(&row.seq) {
            return Err(self.segment.damaged(format!("row {} is out of order", row.seq)));
        }
        let score = self.sidecar.scores.get(self.read).copied().flatten();
        self.read += 1;
        Ok(Some(Row { row, score, has_own_id: true, has_own_tokens: true }))
    }

    fn check_whole(&mut self) -> Result<(), AssembleError> {
        let Some(rows) = self.rows.take() else { return Ok(()) };
        let file = rows.into_inner().map_err(|error| self.segment.damaged(error))?;
        let (_, _, sha256) = file.finish();
        if sha256 != self.sidecar.sha256 || self.read != self.sidecar.seqs.len() {
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
            hashes: Vec::new(),
            seqs: Vec::new(),
            scores: Vec::new(),
        };
        Ok(Self { dir: dir.to_owned(), sidecar, out, temporary })
    }

    /// Appends the next accepted document; rows come in the order of `seq`.
    pub fn write(&mut self, row: &CorpusRow) -> Result<(), AssembleError> {
        self.out.write(row).map_err(AssembleError::write(&self.temporary))?;
        let score = score_in(&row.scores);
        let scores = &mut self.sidecar.scores;
        if score.is_some() || !scores.is_empty() {
            scores.resize(self.sidecar.hashes.len(), None);
            scores.push(score);
        }
        self.sidecar.hashes.push(text_hash(&row.text));
        self.sidecar.seqs.push(row.seq);
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
