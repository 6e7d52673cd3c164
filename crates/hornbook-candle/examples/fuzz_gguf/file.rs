//! A GGUF file taken apart, so that every part of it can be forged.

/// An entry of the metadata: its value as the file spells it.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) key: Vec<u8>,
    pub(crate) kind: u32,
    pub(crate) value: Value,
}

/// A value, or an array with a count of its own.
#[derive(Clone)]
pub(crate) enum Value {
    Bytes(Vec<u8>),
    Array { kind: u32, count: u64, elements: Vec<Vec<u8>> },
}

/// A tensor: what the directory says and what the data hold.
#[derive(Clone)]
pub(crate) struct Tensor {
    pub(crate) name: Vec<u8>,
    pub(crate) dims: Vec<u64>,
    pub(crate) kind: u32,
    pub(crate) offset: u64,
}

/// The parts of a file.
#[derive(Clone)]
pub(crate) struct File {
    pub(crate) magic: u32,
    pub(crate) version: u32,
    /// What the header counts, unless it is forged.
    pub(crate) counts: Option<(u64, u64)>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) tensors: Vec<Tensor>,
    pub(crate) data: Vec<u8>,
}

const TEXT: u32 = 8;
pub(crate) const ARRAY: u32 = 9;
const ALIGNMENT_BYTES: usize = 32;

/// Reads a sound file of the fixtures.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn u32(&mut self) -> u32 {
        self.take(4).iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte))
    }

    fn u64(&mut self) -> u64 {
        self.take(8).iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }

    fn text(&mut self) -> Vec<u8> {
        let count = self.u64() as usize;
        self.take(count).to_vec()
    }

    /// One value without its type, as the file spells it.
    fn value(&mut self, kind: u32) -> Vec<u8> {
        match kind {
            TEXT => text(&self.text()),
            kind => self.take(width(kind)).to_vec(),
        }
    }
}

/// Bytes of a number of that type.
pub(crate) fn width(kind: u32) -> usize {
    match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        10..=12 => 8,
        _ => 4,
    }
}

/// A text as the file spells it.
pub(crate) fn text(bytes: &[u8]) -> Vec<u8> {
    let mut spelled = (bytes.len() as u64).to_le_bytes().to_vec();
    spelled.extend(bytes);
    spelled
}

impl File {
    /// Takes a sound file apart.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut cursor = Cursor(bytes);
        let (magic, version) = (cursor.u32(), cursor.u32());
        let (tensors, entries) = (cursor.u64(), cursor.u64());
        let entries = (0..entries).map(|_| {
            let key = cursor.text();
            let kind = cursor.u32();
            let value = if kind == ARRAY {
                let (kind, count) = (cursor.u32(), cursor.u64());
                let elements = (0..count).map(|_| cursor.value(kind)).collect();
                Value::Array { kind, count, elements }
            } else {
                Value::Bytes(cursor.value(kind))
            };
            Entry { key, kind, value }
        });
        let entries = entries.collect();
        let tensors = (0..tensors).map(|_| {
            let name = cursor.text();
            let dims = (0..cursor.u32()).map(|_| cursor.u64()).collect();
            Tensor { name, dims, kind: cursor.u32(), offset: cursor.u64() }
        });
        let tensors = tensors.collect();
        let read = bytes.len() - cursor.0.len();
        let data = bytes[read.next_multiple_of(ALIGNMENT_BYTES)..].to_vec();
        Self { magic, version, counts: None, entries, tensors, data }
    }

    /// Puts it together again.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let (tensors, entries) =
            self.counts.unwrap_or((self.tensors.len() as u64, self.entries.len() as u64));
        let mut file = self.magic.to_le_bytes().to_vec();
        file.extend(self.version.to_le_bytes());
        file.extend(tensors.to_le_bytes());
        file.extend(entries.to_le_bytes());
        for Entry { key, kind, value } in &self.entries {
            file.extend(text(key));
            file.extend(kind.to_le_bytes());
            match value {
                Value::Bytes(bytes) => file.extend(bytes),
                Value::Array { kind, count, elements } => {
                    file.extend(kind.to_le_bytes());
                    file.extend(count.to_le_bytes());
                    elements.iter().for_each(|element| file.extend(element));
                }
            }
        }
        for Tensor { name, dims, kind, offset } in &self.tensors {
            file.extend(text(name));
            file.extend((dims.len() as u32).to_le_bytes());
            dims.iter().for_each(|size| file.extend(size.to_le_bytes()));
            file.extend(kind.to_le_bytes());
            file.extend(offset.to_le_bytes());
        }
        file.resize(file.len().next_multiple_of(ALIGNMENT_BYTES), 0);
        file.extend(&self.data);
        file
    }
}
