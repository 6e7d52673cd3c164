//! Rows in the order of a key, however many there are: buckets on disk that are sorted one by one.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use hornbook_types::CorpusRow;

use super::limits::{BUCKET_BUFFER_BYTES, BUCKET_BYTES, RECORD_BYTES};
use crate::error::AssembleError;

/// Buckets of one level: one for each value of eight bits of the position.
const BUCKETS: usize = 256;
/// Levels until all bits of a position are used up.
const LEVELS: u32 = 8;

/// Where a row goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Where it stands among all rows.
    pub(super) position: u64,
    /// The document, for those that share a position.
    pub(super) number: u32,
    /// Which time the document comes, from 0.
    pub(super) epoch: u8,
    /// The split it belongs to.
    pub(super) split: u8,
}

const PLACE_BYTES: usize = 14;

impl Place {
    fn to_bytes(self) -> [u8; PLACE_BYTES] {
        let mut bytes = [0; PLACE_BYTES];
        bytes[..8].copy_from_slice(&self.position.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.number.to_le_bytes());
        bytes[12] = self.epoch;
        bytes[13] = self.split;
        bytes
    }

    fn from_bytes(bytes: &[u8; PLACE_BYTES]) -> Self {
        let (mut position, mut number) = ([0; 8], [0; 4]);
        position.copy_from_slice(&bytes[..8]);
        number.copy_from_slice(&bytes[8..12]);
        Self {
            position: u64::from_le_bytes(position),
            number: u32::from_le_bytes(number),
            epoch: bytes[12],
            split: bytes[13],
        }
    }
}

/// Takes rows in any order; gives them back in the order of their places.
///
/// Up to a bound they are held in memory, past it they go into buckets on disk, and a bucket that is itself
/// too large is parted again: memory is the bound, whatever the number of rows.
pub(super) struct Shuffle {
    dir: PathBuf,
    level: u32,
    most_bytes: usize,
    held: Vec<(Place, Vec<u8>)>,
    held_bytes: usize,
    buckets: Vec<Bucket>,
}

struct Bucket {
    path: PathBuf,
    /// Made with the first row.
    file: Option<BufWriter<File>>,
    rows: u64,
}

impl Shuffle {
    /// Begins in a directory of its own, which is made empty and goes away at the end.
    pub(super) fn new(dir: &Path) -> Result<Self, AssembleError> {
        Self::with_bytes(dir, BUCKET_BYTES)
    }

    fn with_bytes(dir: &Path, most_bytes: usize) -> Result<Self, AssembleError> {
        match fs::remove_dir_all(dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(AssembleError::io(dir)(error));
            }
            _ => fs::create_dir_all(dir).map_err(AssembleError::io(dir))?,
        }
        Ok(Self::level(dir, 0, most_bytes))
    }

    fn level(dir: &Path, level: u32, most_bytes: usize) -> Self {
        let dir = dir.to_owned();
        Self { dir, level, most_bytes, held: Vec::new(), held_bytes: 0, buckets: Vec::new() }
    }

    /// Takes a row.
    pub(super) fn push(&mut self, place: Place, row: &CorpusRow) -> Result<(), AssembleError> {
        let json =
            serde_json::to_vec(row).map_err(|error| AssembleError::Row(error.to_string()))?;
        self.take(place, json)
    }

    fn take(&mut self, place: Place, json: Vec<u8>) -> Result<(), AssembleError> {
        if !self.buckets.is_empty() {
            return self.put_away(place, &json);
        }
        self.held_bytes += json.len() + RECORD_BYTES;
        self.held.push((place, json));
        if self.held_bytes > self.most_bytes && self.level < LEVELS {
            for bucket in 0..BUCKETS {
                let path = self.dir.join(format!("{}-{bucket:03}", self.level));
                self.buckets.push(Bucket { path, file: None, rows: 0 });
            }
            for (place, json) in std::mem::take(&mut self.held) {
                self.put_away(place, &json)?;
            }
        }
        Ok(())
    }

    fn put_away(&mut self, place: Place, json: &[u8]) -> Result<(), AssembleError> {
        let bits = place.position << (8 * self.level) >> 56;
        let bucket = &mut self.buckets[usize::try_from(bits).unwrap_or(0)];
        let file = match &mut bucket.file {
            Some(file) => file,
            None => {
                let file = File::create(&bucket.path).map_err(AssembleError::io(&bucket.path))?;
                bucket.file.insert(BufWriter::with_capacity(BUCKET_BUFFER_BYTES, file))
            }
        };
        bucket.rows += 1;
        let length = json.len() as u64;
        let written = file
            .write_all(&place.to_bytes())
            .and_then(|()| file.write_all(&length.to_le_bytes()))
            .and_then(|()| file.write_all(json));
        written.map_err(AssembleError::io(&bucket.path))
    }

    /// Hands over every row in order, and clears up.
    pub(super) fn finish(
        self,
        take: &mut dyn FnMut(Place, CorpusRow) -> Result<(), AssembleError>,
    ) -> Result<(), AssembleError> {
        let dir = self.dir.clone();
        self.drain(take)?;
        fs::remove_dir_all(&dir).map_err(AssembleError::io(&dir))
    }

    fn drain(
        mut self,
        take: &mut dyn FnMut(Place, CorpusRow) -> Result<(), AssembleError>,
    ) -> Result<(), AssembleError> {
        self.held.sort_unstable_by_key(|it| it.0);
        for (place, json) in self.held {
            let row = serde_json::from_slice(&json)
                .map_err(|error| AssembleError::Row(error.to_string()))?;
            take(place, row)?;
        }
        // All buffers go before the first bucket is read: the next level has as many of its own.
        let mut filled = Vec::new();
        for bucket in self.buckets {
            let Some(file) = bucket.file else { continue };
            let flushed = file.into_inner().map_err(std::io::IntoInnerError::into_error);
            flushed.map_err(AssembleError::io(&bucket.path))?;
            filled.push((bucket.path, bucket.rows));
        }
        for (path, rows) in filled {
            let mut next = Self::level(&self.dir, self.level + 1, self.most_bytes);
            read_bucket(&path, rows, &mut next).map_err(|error| match error {
                ReadError::Io(error) => AssembleError::io(&path)(error),
                ReadError::Taking(error) => error,
            })?;
            fs::remove_file(&path).map_err(AssembleError::io(&path))?;
            next.drain(take)?;
        }
        Ok(())
    }
}

enum ReadError {
    Io(std::io::Error),
    Taking(AssembleError),
}

fn read_bucket(path: &Path, rows: u64, next: &mut Shuffle) -> Result<(), ReadError> {
    let file = File::open(path).map_err(ReadError::Io)?;
    let mut file = BufReader::with_capacity(BUCKET_BUFFER_BYTES, file);
    for _ in 0..rows {
        let (mut place, mut length) = ([0; PLACE_BYTES], [0; 8]);
        file.read_exact(&mut place).map_err(ReadError::Io)?;
        file.read_exact(&mut length).map_err(ReadError::Io)?;
        let mut json = Vec::new();
        let length = u64::from_le_bytes(length);
        let read = file.by_ref().take(length).read_to_end(&mut json).map_err(ReadError::Io)?;
        if read as u64 != length {
            return Err(ReadError::Io(std::io::ErrorKind::UnexpectedEof.into()));
        }
        next.take(Place::from_bytes(&place), json).map_err(ReadError::Taking)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(number: u32, position: u64) -> Place {
        Place { position, number, epoch: 0, split: (number % 3) as u8 }
    }

    fn row(number: u32) -> CorpusRow {
        CorpusRow {
            text: format!("text of {number}"),
            seq: u64::from(number),
            ..CorpusRow::default()
        }
    }

    fn shuffled(places: &[Place], most_bytes: usize) -> Vec<Place> {
        let dir = tempfile::tempdir().unwrap();
        let scratch = dir.path().join("shuffle");
        let mut shuffle = Shuffle::with_bytes(&scratch, most_bytes).unwrap();
        for &place in places {
            shuffle.push(place, &row(place.number)).unwrap();
        }
        let mut out = Vec::new();
        let mut take = |place: Place, got: CorpusRow| {
            assert_eq!(got, row(place.number));
            out.push(place);
            Ok(())
        };
        shuffle.finish(&mut take).unwrap();
        assert!(!scratch.exists());
        out
    }

    #[test]
    fn rows_come_in_order_in_memory_and_through_buckets() {
        let places: Vec<Place> =
            (0..2_000).map(|n| place(n, hornbook_types::mix(5, u64::from(n)))).collect();
        let mut sorted = places.clone();
        sorted.sort_unstable();
        assert_ne!(sorted, places);
        // In memory, through one level of buckets, and through two.
        for most_bytes in [10_000_000, 100_000, 1_000] {
            assert_eq!(shuffled(&places, most_bytes), sorted, "{most_bytes}");
        }
    }

    #[test]
    fn rows_of_one_position_come_by_their_number() {
        let places: Vec<Place> = (0..50).rev().map(|n| place(n, 77)).collect();
        let mut sorted = places.clone();
        sorted.sort_unstable();
        assert_eq!(shuffled(&places, 100), sorted);
    }

    #[test]
    fn a_bucket_that_was_cut_short_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let mut shuffle = Shuffle::with_bytes(dir.path(), 100).unwrap();
        for number in 0..20 {
            shuffle.push(place(number, u64::from(number) << 56), &row(number)).unwrap();
        }
        for bucket in &mut shuffle.buckets {
            bucket.rows += u64::from(bucket.file.is_some());
        }
        let outcome = shuffle.finish(&mut |_, _| Ok(()));
        assert!(matches!(outcome, Err(AssembleError::Io { .. })), "{outcome:?}");
    }
}
