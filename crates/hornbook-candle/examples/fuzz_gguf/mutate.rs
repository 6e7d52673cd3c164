//! What is done to a sound file.

use crate::file::{ARRAY, Entry, File, Value, text, width};
use crate::random::Random;

macro_rules! fixtures {
    ($($name:literal),*) => {
        [$(include_bytes!(concat!("../../tests/fixtures/architectures/", $name, ".gguf"))),*]
    };
}

/// The larger one would take most of the time, and its types are tried on small ones too.
const SOUND: [&[u8]; 8] = fixtures!(
    "llama",
    "llama3",
    "qwen2",
    "qwen3",
    "llama-q4_1",
    "qwen2-q4_0",
    "qwen3-q8_0",
    "llama-q5"
);
/// Words that some part of the loader looks for, and templates that ask for much.
const WORDS: [&str; 32] = [
    "",
    "llama",
    "qwen2",
    "qwen3",
    "gpt2",
    "smollm",
    "llama-bpe",
    "none",
    "yarn",
    "Ā",
    "a b",
    "th e",
    "<|im_end|>",
    "\0",
    "{% for %}",
    "{{ messages[0].content * 100000000 }}",
    "{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' * 3000000 ~ messages }}",
    "{% for a in range(9999999) %}{% for b in range(9999999) %}x{% endfor %}{% endfor %}",
    "{% macro f(n) %}{{ f([n]) }}{% endmacro %}{{ f(messages) }}",
    "{% set ns = namespace(x='abc') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
    "{% set x = [[messages, messages], [messages, messages]] %}{{ x * 9 ~ x }}{{ x == x }}{{ x|tojson }}",
    "{% set ns = namespace(x=messages) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}{{ loop }}{{ self }}{{ caller() }}",
    "{{ 'abc'.count('') }}{{ 'abc'.split('') }}{{ 'abc'.replace('', '') }}{{ ''.join([]) }}{{ 'a'.format() }}",
    "{% for m in messages recursive %}{{ loop(messages) }}{{ loop.changed(loop) }}{% endfor %}",
    "{% set a, (b, c) = messages %}{% with x = a, y = b %}{{ x[::-1] ~ y[9:1:-3] }}{% endwith %}{% filter tojson %}{% endfilter %}",
    "{{ messages|map('upper')|list|join|replace('', 'aaaaaaaaaaaaaaaaaa') }}",
    "{{ (1, 2)[::0] }}",
    "{{ 2 ** 99999999 }}{{ 1 // 0 }}{{ 1 % 0 }}",
    "{{ messages[99999999999999999999] }}",
    "{{ '%1000000000d' | format(1) }}{{ 'a'|center(4000000000) }}{{ 'a'|indent(4000000000) }}",
];
const KEYS: [&str; 16] = [
    "general.alignment",
    "general.architecture",
    "llama.block_count",
    "llama.context_length",
    "llama.embedding_length",
    "llama.expert_count",
    "llama.rope.freq_base",
    "qwen2.block_count",
    "qwen3.attention.key_length",
    "tokenizer.ggml.pre",
    "tokenizer.ggml.tokens",
    "tokenizer.ggml.token_type",
    "tokenizer.ggml.merges",
    "tokenizer.ggml.bos_token_id",
    "tokenizer.ggml.add_bos_token",
    "tokenizer.chat_template",
];
/// Not a number and infinities as 32 and 16 bits have them, zeros, ones and the largest numbers.
const FILLS: [[u8; 4]; 8] = [
    [0, 0, 0xc0, 0x7f],
    [0, 0, 0x80, 0x7f],
    [0, 0x7e, 0, 0x7e],
    [0, 0x7c, 0, 0xfc],
    [0; 4],
    [0xff; 4],
    [0xff, 0x7b, 0xff, 0xfb],
    [0xff, 0xff, 0x7f, 0x7f],
];
const LINKS: [&str; 8] = ["+1", "~1", "**1", "|upper", "[0]", " and 1", "-", "("];

/// The damaged file of that number.
pub(crate) fn case(number: u64) -> Vec<u8> {
    let mut random = Random::new(number);
    let mut file = File::read(random.pick::<&[u8]>(&SOUND));
    let changes = 1 + random.below(4);
    let in_bytes = random.one_in(4);
    if !in_bytes || random.one_in(2) {
        for _ in 0..changes {
            change(&mut file, &mut random);
        }
    }
    let mut bytes = file.bytes();
    if in_bytes {
        for _ in 0..changes {
            change_bytes(&mut bytes, &mut random);
        }
    }
    bytes
}

fn change(file: &mut File, random: &mut Random) {
    match random.below(16) {
        0 => match random.below(3) {
            0 => file.version = random.integer() as u32,
            1 => file.magic ^= 1 << random.below(32),
            _ => {
                let exact = (file.tensors.len() as u64, file.entries.len() as u64);
                let forged = random.integer();
                file.counts =
                    Some(if random.one_in(2) { (forged, exact.1) } else { (exact.0, forged) });
            }
        },
        1 => change_set(&mut file.entries, random),
        2 => change_set(&mut file.tensors, random),
        3..=8 => change_entry(&mut file.entries, random),
        9..=12 => change_tensor(file, random),
        _ => change_data(&mut file.data, random),
    }
}

/// Leaves one out, doubles one or exchanges two.
fn change_set<T: Clone>(set: &mut Vec<T>, random: &mut Random) {
    if set.is_empty() {
        return;
    }
    let (left, right) = (random.below(set.len()), random.below(set.len()));
    match random.below(3) {
        0 => drop(set.remove(left)),
        1 => set.insert(right, set[left].clone()),
        _ => set.swap(left, right),
    }
}

fn change_entry(entries: &mut Vec<Entry>, random: &mut Random) {
    if entries.is_empty() || random.one_in(12) {
        let key = random.pick(&KEYS).as_bytes().to_vec();
        let kind = random.below(13) as u32;
        let value = scalar(kind, random);
        entries.push(Entry { key, kind, value: Value::Bytes(value) });
        return;
    }
    let index = random.below(entries.len());
    let Entry { key, kind, value } = &mut entries[index];
    match random.below(10) {
        0 => *key = random.pick(&KEYS).as_bytes().to_vec(),
        1 => *kind = random.below(14) as u32,
        2 => {
            *kind = random.below(13) as u32;
            *value = Value::Bytes(scalar(*kind, random));
        }
        _ => match value {
            Value::Bytes(bytes) if *kind != ARRAY => *bytes = scalar(*kind, random),
            Value::Bytes(_) => (),
            Value::Array { kind, count, elements } => change_array(kind, count, elements, random),
        },
    }
}

fn change_array(kind: &mut u32, count: &mut u64, elements: &mut Vec<Vec<u8>>, random: &mut Random) {
    match random.below(6) {
        0 => *count = random.integer(),
        1 => *kind = random.below(14) as u32,
        2 => {
            change_set(elements, random);
            *count = elements.len() as u64;
        }
        3 => {
            elements.truncate(random.below(elements.len() + 1));
            *count = elements.len() as u64;
        }
        4 => {
            // Many at once: a vocabulary of marks, a list of merges without an end.
            let many = 1 << random.below(13);
            elements.extend((0..many).map(|number| match *kind {
                8 => text(format!("{}{number}", random.pick(&WORDS)).as_bytes()),
                kind => scalar(kind, random),
            }));
            *count = elements.len() as u64;
        }
        _ => {
            let index = random.below(elements.len());
            if let Some(element) = elements.get_mut(index) {
                *element = scalar(*kind, random);
            }
        }
    }
}

/// A value of a type that is likely to be taken for one.
fn scalar(kind: u32, random: &mut Random) -> Vec<u8> {
    match kind {
        8 => text(&words(random)),
        ARRAY => {
            let mut array = (random.below(14) as u32).to_le_bytes().to_vec();
            array.extend(random.integer().to_le_bytes());
            array
        }
        6 => {
            let edges = [f32::NAN, f32::INFINITY, 0.0, -1.0, 1e-45, 1.0, f32::MAX];
            random.pick(&edges).to_le_bytes().to_vec()
        }
        kind => random.integer().to_le_bytes()[..width(kind)].to_vec(),
    }
}

fn words(random: &mut Random) -> Vec<u8> {
    match random.below(8) {
        0 => random.pick(&WORDS).repeat(1 << random.below(12)).into_bytes(),
        1 => {
            format!("{{{{ 1{} }}}}", random.pick(&LINKS).repeat(1 << random.below(15))).into_bytes()
        }
        2 => vec![0xff; random.below(40)],
        _ => random.pick(&WORDS).as_bytes().to_vec(),
    }
}

fn change_tensor(file: &mut File, random: &mut Random) {
    let names: Vec<Vec<u8>> = file.tensors.iter().map(|tensor| tensor.name.clone()).collect();
    let offsets: Vec<u64> = file.tensors.iter().map(|tensor| tensor.offset).collect();
    let index = random.below(names.len());
    let Some(tensor) = file.tensors.get_mut(index) else { return };
    let size = random.below(tensor.dims.len());
    match random.below(8) {
        0 => tensor.name = random.pick(&names).clone(),
        1 => tensor.kind = random.below(42) as u32,
        2 => tensor.offset = random.integer(),
        3 => tensor.offset = *random.pick(&offsets),
        4 => tensor.dims.resize(random.below(7), 1),
        5 => tensor.dims.reverse(),
        6 if !tensor.dims.is_empty() => tensor.dims[size] = random.integer(),
        _ => tensor.offset = tensor.offset.wrapping_add(random.integer() % 4_096),
    }
}

fn change_data(data: &mut Vec<u8>, random: &mut Random) {
    let start = random.below(data.len());
    let length = 1 << random.below(12);
    let end = data.len().min(start + length);
    match random.below(4) {
        0 => {
            let fill = random.pick(&FILLS);
            data[start..end]
                .iter_mut()
                .zip(fill.iter().cycle())
                .for_each(|(byte, fill)| *byte = *fill);
        }
        1 => data[start..end].iter_mut().for_each(|byte| *byte = random.next() as u8),
        2 => data.truncate(start),
        _ => data.resize(data.len() + length, 0),
    }
}

fn change_bytes(bytes: &mut Vec<u8>, random: &mut Random) {
    // Most of the file is weights; the header is where a byte means something.
    let reach = if random.one_in(4) { bytes.len() } else { bytes.len().min(12_000) };
    let at = random.below(reach);
    match random.below(6) {
        0 | 1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        2 => {
            let number = random.integer().to_le_bytes();
            let end = bytes.len().min(at + if random.one_in(2) { 4 } else { 8 });
            bytes[at..end].copy_from_slice(&number[..end - at]);
        }
        3 => bytes.truncate(at),
        4 => {
            let other = random.pick::<&[u8]>(&SOUND);
            let from = random.below(other.len().min(12_000));
            let end = other.len().min(from + (1 << random.below(11)));
            bytes.splice(at..at, other[from..end].iter().copied());
        }
        _ => {
            let end = bytes.len().min(at + (1 << random.below(8)));
            drop(bytes.drain(at..end));
        }
    }
}
