//! Token counts and ids of one part in files, so that no document is encoded twice.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::assemble::limits::FACTS_BUFFER_BYTES;
use crate::error::AssembleError;

/// What an assembly needs of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// It is in no corpus.
    Nothing,
    /// The tokens of its whole text.
    Whole,
    /// The tokens of so many bytes at its beginning.
    Beginning(u32),
}

/// What is known of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Bytes of the text that were encoded; [`WHOLE`] for all of them.
    pub(super) bytes: u32,
    /// How many tokens they are; [`UNKNOWN`] if nobody encoded them.
    pub(super) tokens: u32,
    /// Where their ids begin, in bytes; [`NO_IDS`] if only their number was kept.
    pub(super) ids_start: u64,
}

const ENTRY_BYTES: usize = 16;
const WHOLE: u32 = u32::MAX;
const UNKNOWN: u32 = u32::MAX;
pub(super) const NO_IDS: u64 = u64::MAX;

impl Entry {
    pub(super) const NONE: Self = Self { bytes: 0, tokens: UNKNOWN, ids_start: NO_IDS };

    pub(super) fn bytes_of(wanted: Wanted) -> u32 {
        match wanted {
            Wanted::Nothing => 0,
            Wanted::Whole => WHOLE,
            Wanted::Beginning(bytes) => bytes.min(WHOLE - 1),
        }
    }

    /// Whether it answers what is wanted.
    pub(super) fn answers(self, wanted: Wanted, with_ids: bool) -> bool {
        wanted == Wanted::Nothing
            || (self.tokens != UNKNOWN
                && self.bytes == Self::bytes_of(wanted)
                && (!with_ids || self.ids_start != NO_IDS))
    }

    fn ids_end(self, width: usize) -> u64 {
        match self.ids_start {
            NO_IDS => 0,
            start => start + u64::from(self.tokens) * width as u64,
        }
    }

    fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..4].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.tokens.to_le_bytes());
        bytes[8..].copy_from_slice(&self.ids_start.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; ENTRY_BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = bytes;
        Self {
            bytes: u32::from_le_bytes([a, b, c, d]),
            tokens: u32::from_le_bytes([e, f, g, h]),
            ids_start: u64::from_le_bytes([i, j, k, l, m, n, o, p]),
        }
    }
}

/// The files of one part and one tokenizer.
#[derive(Clone, Debug)]
pub(super) struct Place {
    stem: PathBuf,
    /// Bytes of an id.
    pub(super) width: usize,
}

/// How far an interrupted pass got, for certain.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Checkpoint {
    rows: u64,
    ids_bytes: u64,
}

impl Place {
    pub(super) fn new(dir: &Path, key: &str, width: usize) -> Self {
        Self { stem: dir.join(key), width }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.stem.with_extension(name)
    }

    /// Every entry in order, of a part with so many documents; none if there is no complete record of it.
    pub(super) fn entries(
        &self,
        documents: u64,
    ) -> Result<
        Option<impl Iterator<Item = Result<Entry, AssembleError>> + Send + use<>>,
        AssembleError,
    > {
        let path = self.path(ENTRIES);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(AssembleError::io(&path)(error)),
        };
        let length = file.metadata().map_err(AssembleError::io(&path))?.len();
        if length != documents * ENTRY_BYTES as u64 {
            return Ok(None);
        }
        let mut file = BufReader::with_capacity(FACTS_BUFFER_BYTES, file);
        Ok(Some((0..documents).map(move |_| {
            let mut bytes = [0; ENTRY_BYTES];
            file.read_exact(&mut bytes).map_err(AssembleError::io(&path))?;
            Ok(Entry::from_bytes(bytes))
        })))
    }

    /// Opens the ids for reading.
    pub(super) fn reader(&self) -> Result<IdReader, AssembleError> {
        let open = |name| {
            let path = self.path(name);
            let file = File::open(&path).map_err(AssembleError::io(&path))?;
            Ok((path, BufReader::with_capacity(FACTS_BUFFER_BYTES, file)))
        };
        Ok(IdReader { entries: open(ENTRIES)?, ids: open(IDS)?, width: self.width })
    }
}

const ENTRIES: &str = "tokens";
const IDS: &str = "ids";
const UNFINISHED: &str = "tokens-tmp";
const CHECKPOINT: &str = "tokens-at";

/// Reads ids of documents; reading them in order is cheapest.
pub(super) struct IdReader {
    entries: (PathBuf, BufReader<File>),
    ids: (PathBuf, BufReader<File>),
    width: usize,
}

impl IdReader {
    /// Replaces `ids` by those of a document.
    pub(super) fn read(&mut self, row: u64, ids: &mut Vec<u32>) -> Result<(), AssembleError> {
        let (path, entries) = &mut self.entries;
        let mut bytes = [0; ENTRY_BYTES];
        read_at(entries, row * ENTRY_BYTES as u64, &mut bytes).map_err(AssembleError::io(path))?;
        let entry = Entry::from_bytes(bytes);
        ids.clear();
        if entry.tokens == UNKNOWN || entry.ids_start == NO_IDS {
            return Err(AssembleError::Row(format!("row {row} has no ids in {}", path.display())));
        }
        let (path, file) = &mut self.ids;
        let mut bytes = vec![0; entry.tokens as usize * self.width];
        read_at(file, entry.ids_start, &mut bytes).map_err(AssembleError::io(path))?;
        match self.width {
            2 => {
                ids.extend(bytes.as_chunks().0.iter().map(|it| u32::from(u16::from_le_bytes(*it))))
            }
            _ => ids.extend(bytes.as_chunks().0.iter().map(|it| u32::from_le_bytes(*it))),
        }
        Ok(())
    }
}

/// Reads from a place; a place a little further on costs no system call.
fn read_at(file: &mut BufReader<File>, at: u64, bytes: &mut [u8]) -> std::io::Result<()> {
    let here = file.stream_position()?;
    match i64::try_from(i128::from(at) - i128::from(here)) {
        Ok(0) => {}
        Ok(offset) => file.seek_relative(offset)?,
        Err(_) => {
            file.seek(SeekFrom::Start(at))?;
        }
    }
    file.read_exact(bytes)
}

/// Writes the record of one part, and goes on from where an interrupted pass was certain of.
pub(super) struct KeptWriter {
    place: Place,
    entries: BufWriter<File>,
    ids: BufWriter<File>,
    /// Documents that are written.
    pub(super) rows: u64,
    ids_bytes: u64,
}

impl KeptWriter {
    /// Begins or goes on; `ids_bytes` is where the ids of a complete record end.
    pub(super) fn open(place: &Place, ids_bytes: u64) -> Result<Self, AssembleError> {
        let checkpoint = read_checkpoint(&place.path(CHECKPOINT));
        let open = |name, bytes: u64| {
            let path = place.path(name);
            let open = || {
                let mut file =
                    File::options().write(true).create(true).truncate(false).open(&path)?;
                if file.metadata()?.len() < bytes {
                    return Ok(None);
                }
                file.set_len(bytes)?;
                file.seek(SeekFrom::End(0))?;
                Ok(Some(BufWriter::with_capacity(FACTS_BUFFER_BYTES, file)))
            };
            open().map_err(AssembleError::io(&path))
        };
        let at = checkpoint.filter(|at| at.ids_bytes >= ids_bytes);
        for at in at.into_iter().chain([Checkpoint { rows: 0, ids_bytes }]) {
            let entries = open(UNFINISHED, at.rows * ENTRY_BYTES as u64)?;
            let ids = open(IDS, at.ids_bytes)?;
            if let Some((entries, ids)) = entries.zip(ids) {
                let Checkpoint { rows, ids_bytes } = at;
                return Ok(Self { place: place.clone(), entries, ids, rows, ids_bytes });
            }
        }
        let path = place.path(IDS);
        Err(AssembleError::Row(format!("{} has lost ids; remove it", path.display())))
    }

    /// Appends the next document, as it was known before or with fresh ids.
    pub(super) fn write(
        &mut self,
        entry: Entry,
        fresh: Option<&[u32]>,
    ) -> Result<(), AssembleError> {
        let mut entry = entry;
        if let Some(ids) = fresh {
            entry.ids_start = self.ids_bytes;
            let path = self.place.path(IDS);
            let width = self.place.width;
            let mut write =
                || ids.iter().try_for_each(|id| self.ids.write_all(&id.to_le_bytes()[..width]));
            write().map_err(AssembleError::io(&path))?;
            self.ids_bytes += (ids.len() * width) as u64;
        }
        let path = self.place.path(UNFINISHED);
        self.entries.write_all(&entry.to_bytes()).map_err(AssembleError::io(&path))?;
        self.rows += 1;
        Ok(())
    }

    /// Makes certain of everything so far.
    pub(super) fn checkpoint(&mut self) -> Result<(), AssembleError> {
        for (name, file) in [(IDS, &mut self.ids), (UNFINISHED, &mut self.entries)] {
            let path = self.place.path(name);
            file.flush()
                .and_then(|()| file.get_ref().sync_data())
                .map_err(AssembleError::io(&path))?;
        }
        let at = Checkpoint { rows: self.rows, ids_bytes: self.ids_bytes };
        let json =
            serde_json::to_vec(&at).map_err(|error| AssembleError::Row(error.to_string()))?;
        let (path, temporary) = (self.place.path(CHECKPOINT), self.place.path("tokens-at-tmp"));
        fs::write(&temporary, json).map_err(AssembleError::io(&temporary))?;
        fs::rename(&temporary, &path).map_err(AssembleError::io(&path))
    }

    /// Completes the record in one step.
    pub(super) fn finish(mut self) -> Result<(), AssembleError> {
        self.checkpoint()?;
        let (from, to) = (self.place.path(UNFINISHED), self.place.path(ENTRIES));
        fs::rename(&from, &to).map_err(AssembleError::io(&to))?;
        let path = self.place.path(CHECKPOINT);
        fs::remove_file(&path).map_err(AssembleError::io(&path))
    }
}

/// A checkpoint that makes no sense is none.
fn read_checkpoint(path: &Path) -> Option<Checkpoint> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Where the ids of a complete record end.
pub(super) fn ids_end(entries: &[Entry], width: usize) -> u64 {
    entries.iter().map(|entry| entry.ids_end(width)).max().unwrap_or(0)
}
