//! The second reading of texts, and their sets of shingles on disk.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::documents::Members;
use super::limits::{BATCH_BYTES, BATCH_TEXTS, RUN_WRITE_BYTES};
use super::parallel;
use super::scratch::Scratch;
use super::shingles::Shingler;
use crate::AssembleError;

/// Gives texts a second time.
///
/// Only documents that may have a duplicate are asked for, each once, in ascending order: a reader that only goes
/// forward will do. The text must be the one that was signed.
pub trait Texts {
    /// The text of a document.
    fn text(&mut self, index: u32) -> Result<String, AssembleError>;
}

impl<F: FnMut(u32) -> Result<String, AssembleError>> Texts for F {
    fn text(&mut self, index: u32) -> Result<String, AssembleError> {
        self(index)
    }
}

/// Sets of shingles in a file, to be read in any order.
#[derive(Debug)]
pub(super) struct SetFile {
    file: File,
    path: PathBuf,
    /// Where each set ends, counted in shingles.
    ends: Vec<u64>,
}

impl SetFile {
    /// Reads the texts in question and writes their sets.
    pub(super) fn write(
        scratch: &Scratch,
        members: &Members,
        texts: &mut dyn Texts,
        threads: usize,
    ) -> Result<Self, AssembleError> {
        let path = scratch.path("sets");
        let open = File::options().read(true).write(true).create(true).truncate(true).open(&path);
        let file = open.map_err(AssembleError::io(&path))?;
        let mut out = BufWriter::with_capacity(RUN_WRITE_BYTES, file);
        let mut ends = Vec::new();
        let mut end = 0;
        let mut members = members.iter().peekable();
        while members.peek().is_some() {
            for set in next_sets(&mut members, texts, threads)? {
                end += set.len() as u64;
                ends.push(end);
                scratch.grew(8 * set.len() as u64);
                let bytes: Vec<u8> = set.iter().flat_map(|shingle| shingle.to_le_bytes()).collect();
                out.write_all(&bytes).map_err(AssembleError::io(&path))?;
            }
        }
        let file =
            out.into_inner().map_err(|error| AssembleError::io(&path)(error.into_error()))?;
        Ok(Self { file, path, ends })
    }

    /// How many shingles the set at a place has.
    pub(super) fn len(&self, place: usize) -> u64 {
        self.ends[place] - self.begin(place)
    }

    /// Reads the set at a place.
    pub(super) fn read(&self, place: usize, into: &mut SetBuffer) -> Result<(), AssembleError> {
        let bytes = usize::try_from(8 * self.len(place)).unwrap_or(usize::MAX);
        into.bytes.resize(bytes, 0);
        self.file
            .read_exact_at(&mut into.bytes, 8 * self.begin(place))
            .map_err(AssembleError::io(&self.path))?;
        into.set.clear();
        into.set.extend(into.bytes.as_chunks().0.iter().map(|&it| u64::from_le_bytes(it)));
        Ok(())
    }

    fn begin(&self, place: usize) -> u64 {
        if place == 0 { 0 } else { self.ends[place - 1] }
    }
}

/// A set that was read, in memory that serves the next one too.
#[derive(Debug, Default)]
pub(super) struct SetBuffer {
    bytes: Vec<u8>,
    pub(super) set: Vec<u64>,
}

fn next_sets(
    members: &mut dyn Iterator<Item = u32>,
    texts: &mut dyn Texts,
    threads: usize,
) -> Result<Vec<Vec<u64>>, AssembleError> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while batch.len() < BATCH_TEXTS && bytes < BATCH_BYTES {
        let Some(index) = members.next() else { break };
        let text = texts.text(index)?;
        bytes += text.len();
        batch.push(text);
    }
    Ok(parallel::chunks(&batch, threads, |texts| {
        let mut shingler = Shingler::default();
        texts.iter().map(|text| shingler.set(text)).collect::<Vec<_>>()
    })
    .concat())
}
