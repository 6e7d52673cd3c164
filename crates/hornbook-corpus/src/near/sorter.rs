//! Sorts more records than memory holds: sorted runs on disk, merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::sync::Arc;

use super::limits::MERGE_WAYS;
use super::run::{Run, RunReader, RunWriter};
use super::scratch::Scratch;
use crate::AssembleError;

/// Takes records in any order and gives them back in ascending order, each once.
pub(super) struct Sorter {
    scratch: Arc<Scratch>,
    name: &'static str,
    threads: usize,
    buffer: Vec<u128>,
    capacity: usize,
    runs: Vec<Run>,
    named: usize,
}

impl Sorter {
    /// An empty one that holds so many bytes in memory; its files begin with `name`.
    pub(super) fn new(
        scratch: &Arc<Scratch>,
        name: &'static str,
        memory_bytes: usize,
        threads: usize,
    ) -> Self {
        let capacity = (memory_bytes / size_of::<u128>()).max(1);
        let (runs, named) = (Vec::new(), 0);
        let scratch = scratch.clone();
        Self { scratch, name, threads, buffer: Vec::new(), capacity, runs, named }
    }

    /// Takes a record.
    pub(super) fn push(&mut self, record: u128) -> Result<(), AssembleError> {
        if self.buffer.capacity() == 0 {
            // All at once: growing would need half as much again, and untouched memory costs nothing.
            self.buffer.reserve_exact(self.capacity);
        }
        self.buffer.push(record);
        if self.buffer.len() == self.capacity {
            self.spill()?;
        }
        Ok(())
    }

    /// Everything, in order; what never left memory is read from there.
    pub(super) fn finish(mut self) -> Result<Sorted<'static>, AssembleError> {
        if self.runs.is_empty() {
            self.buffer.sort_unstable();
            return Sorted::new(vec![Source::Memory(self.buffer.into_iter())], Vec::new());
        }
        if !self.buffer.is_empty() {
            self.spill()?;
        }
        self.buffer = Vec::new();
        while self.runs.len() > MERGE_WAYS {
            let some: Vec<Run> = self.runs.drain(..MERGE_WAYS).collect();
            let merged = self.write(Sorted::of(some)?)?;
            self.runs.push(merged);
        }
        Sorted::of(self.runs)
    }

    fn spill(&mut self) -> Result<(), AssembleError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let each = buffer.len().div_ceil(self.threads);
        std::thread::scope(|scope| {
            let mut pieces = buffer.chunks_mut(each);
            let own = pieces.next();
            pieces.for_each(|piece| drop(scope.spawn(|| piece.sort_unstable())));
            own.into_iter().for_each(<[u128]>::sort_unstable);
        });
        let pieces = buffer.chunks(each).map(|piece| Source::Piece(piece.iter()));
        let sorted = Sorted::new(pieces.collect(), Vec::new())?;
        let run = self.write(sorted)?;
        self.runs.push(run);
        buffer.clear();
        self.buffer = buffer;
        Ok(())
    }

    fn write(&mut self, mut sorted: Sorted<'_>) -> Result<Run, AssembleError> {
        self.named += 1;
        let mut writer = RunWriter::new(&self.scratch, &format!("{}-{}", self.name, self.named))?;
        while let Some(record) = sorted.next()? {
            writer.push(record)?;
        }
        writer.finish()
    }
}

enum Source<'a> {
    File(RunReader),
    Memory(std::vec::IntoIter<u128>),
    Piece(std::slice::Iter<'a, u128>),
}

impl Source<'_> {
    fn next(&mut self) -> Result<Option<u128>, AssembleError> {
        match self {
            Self::File(reader) => reader.next(),
            Self::Memory(records) => Ok(records.next()),
            Self::Piece(records) => Ok(records.next().copied()),
        }
    }
}

/// Records in ascending order, each once.
pub(super) struct Sorted<'a> {
    sources: Vec<Source<'a>>,
    heads: BinaryHeap<Reverse<(u128, usize)>>,
    last: Option<u128>,
    /// Kept until all is read: their files go away with them.
    _runs: Vec<Run>,
}

impl Sorted<'_> {
    fn of(runs: Vec<Run>) -> Result<Sorted<'static>, AssembleError> {
        let sources: Result<Vec<_>, _> =
            runs.iter().map(|run| Ok(Source::File(run.read()?))).collect();
        Sorted::new(sources?, runs)
    }
}

impl<'a> Sorted<'a> {
    fn new(mut sources: Vec<Source<'a>>, runs: Vec<Run>) -> Result<Self, AssembleError> {
        let mut heads = BinaryHeap::with_capacity(sources.len());
        for (number, source) in sources.iter_mut().enumerate() {
            heads.extend(source.next()?.map(|record| Reverse((record, number))));
        }
        Ok(Self { sources, heads, last: None, _runs: runs })
    }

    /// The next record.
    pub(super) fn next(&mut self) -> Result<Option<u128>, AssembleError> {
        loop {
            let Some(mut head) = self.heads.peek_mut() else { return Ok(None) };
            let Reverse((record, number)) = *head;
            match self.sources[number].next()? {
                Some(next) => head.0.0 = next,
                None => drop(PeekMut::pop(head)),
            }
            if self.last.replace(record) != Some(record) {
                return Ok(Some(record));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::near::hashing::drawn;

    fn sorted(records: &[u128], memory_bytes: usize, threads: usize) -> (Vec<u128>, u64) {
        let dir = tempfile::tempdir().unwrap();
        let scratch = Arc::new(Scratch::new(dir.path()).unwrap());
        let mut sorter = Sorter::new(&scratch, "it", memory_bytes, threads);
        records.iter().for_each(|&record| sorter.push(record).unwrap());
        let mut sorted = sorter.finish().unwrap();
        let mut all = Vec::new();
        while let Some(record) = sorted.next().unwrap() {
            all.push(record);
        }
        (all, scratch.peak_bytes())
    }

    #[test]
    fn any_memory_and_any_number_of_threads_give_the_same() {
        let records: Vec<u128> =
            drawn(1).take(5_000).map(|number| u128::from(number % 4_000) << 64 | 1).collect();
        let mut expected = records.clone();
        expected.sort_unstable();
        expected.dedup();
        // 160 bytes are 500 runs: more than are merged at once.
        for memory_bytes in [160, 1_600, 20_000, 1 << 20] {
            for threads in [1, 3] {
                assert_eq!(sorted(&records, memory_bytes, threads).0, expected);
            }
        }
        assert_eq!(sorted(&records, 1 << 20, 1).1, 0);
        assert_eq!(sorted(&[], 160, 1).0, []);
    }

    #[test]
    fn a_full_run_is_written_and_its_file_goes_away() {
        let dir = tempfile::tempdir().unwrap();
        let scratch = Arc::new(Scratch::new(dir.path()).unwrap());
        let mut sorter = Sorter::new(&scratch, "it", 32, 1);
        for record in [3, 1, 2] {
            sorter.push(record).unwrap();
        }
        assert!(scratch.path("it-1").exists());
        drop(sorter.finish().unwrap());
        assert!(!scratch.path("it-1").exists());
        assert_eq!(scratch.peak_bytes(), 48);
    }

    #[test]
    fn a_run_cut_short_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let scratch = Arc::new(Scratch::new(dir.path()).unwrap());
        let mut sorter = Sorter::new(&scratch, "it", 32, 1);
        (0..4).for_each(|record| sorter.push(record).unwrap());
        std::fs::write(scratch.path("it-1"), [0; 20]).unwrap();
        let mut sorted = sorter.finish().unwrap();
        let error = std::iter::from_fn(|| sorted.next().transpose()).find_map(Result::err);
        assert!(error.unwrap().to_string().contains("it-1"));
    }
}
