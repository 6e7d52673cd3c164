//! Reading seeds from every format, and naming what is wrong with them.
#![expect(clippy::unwrap_used, reason = "a helper of tests may panic")]

use std::io::{Cursor, Seek, SeekFrom, Write};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int32Array, ListArray, RecordBatch, StringArray};
use hornbook_records::{RecordError, RecordFault, RecordFormat, read_records, read_text_records};
use hornbook_types::limits::{SEED_BYTES, SEED_FIELDS};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn read(
    format: RecordFormat,
    bytes: impl Into<Vec<u8>>,
) -> Result<Vec<Map<String, Value>>, RecordError> {
    read_text_records(format, Cursor::new(bytes.into()))?.collect()
}

fn refused(format: RecordFormat, bytes: impl Into<Vec<u8>>) -> String {
    read(format, bytes).expect_err("must be refused").to_string()
}

fn values(records: Vec<Map<String, Value>>) -> Vec<Value> {
    records.into_iter().map(Value::Object).collect()
}

#[test]
fn ndjson_is_read_line_by_line() {
    let text = "\u{feff}{\"topic\":\"ice\",\"n\":1}\r\n\n  \n{\"topic\":\"fire\"}";
    let records = values(read(RecordFormat::Ndjson, text).unwrap());
    assert_eq!(records, [json!({"topic": "ice", "n": 1}), json!({"topic": "fire"})]);
}

#[test]
fn ndjson_names_the_bad_line() {
    let cases = [
        ("{\"a\":1}\n\n{\"a\":}\n", "line 3: expected value at column 6"),
        ("{\"a\":1}\n[1]\n", "line 2: invalid type: sequence, expected a JSON object"),
        ("{\"a\":1}\n{\"a\":1,\"a\":2}\n", "line 2: duplicate field 'a'"),
        ("{\"a\":\"x\\u0000\"}\n", "line 1: U+0000 in field 'a'"),
        ("{\"a\":[{\"b\\u0000\":1}]}\n", "line 1: U+0000 in a name within field 'a'"),
        ("{\"\\u0000\":1}\n", "line 1: U+0000 in a field's name"),
        ("{\"a\":1} {\"a\":2}\n", "line 1: trailing characters"),
    ];
    for (text, expected) in cases {
        let message = refused(RecordFormat::Ndjson, text);
        assert!(message.starts_with(expected), "{text:?} gave {message:?}");
    }
    let message = refused(RecordFormat::Ndjson, b"{\"a\":1}\n{\"a\":\"\xff\"}\n".to_vec());
    assert!(message.starts_with("line 2:"), "{message}");
}

#[test]
fn nothing_follows_the_first_error() {
    let text = "{\"a\":1}\nnonsense\n{\"a\":2}\n";
    let read: Vec<_> =
        read_text_records(RecordFormat::Ndjson, Cursor::new(text)).unwrap().collect();
    assert_eq!(read.len(), 2);
    assert!(read[0].is_ok() && read[1].is_err());
}

#[test]
fn a_record_has_a_size_in_every_text_format() {
    let long = "x".repeat(SEED_BYTES + 1);
    let cases = [
        (RecordFormat::Ndjson, format!("{{\"a\":1}}\n{{\"a\":\"{long}\"}}\n"), Some(2)),
        (RecordFormat::Json, format!("[{{\"a\":1}},\n{{\"a\":\"{long}\"}}]"), Some(2)),
        (RecordFormat::Csv, format!("a\n1\n{long}\n"), Some(3)),
    ];
    for (format, text, line) in cases {
        let error = read(format, text).expect_err("too large");
        assert!(matches!(error.fault, RecordFault::TooLarge), "{format:?}: {error}");
        assert_eq!((error.record, error.line), (2, line), "{format:?}");
    }
    let endless = "a\n\"".to_owned() + &"y\n".repeat(4 * SEED_BYTES);
    let error = read(RecordFormat::Csv, endless).expect_err("a quote that is never closed");
    assert!(matches!(error.fault, RecordFault::TooLarge), "{error}");
}

#[test]
fn a_record_has_a_number_of_fields() {
    let record = |count: usize| {
        let fields: Map<_, _> = (0..count).map(|i| (format!("f{i}"), json!(i))).collect();
        Value::Object(fields).to_string()
    };
    assert!(read(RecordFormat::Ndjson, record(SEED_FIELDS)).is_ok());
    let error = read(RecordFormat::Ndjson, record(SEED_FIELDS + 1)).expect_err("too many");
    assert!(matches!(error.fault, RecordFault::TooManyFields));
}

#[test]
fn json_arrays_are_cut_into_elements() {
    let text = "[ {\"a\": \"],{\\\"\", \"b\": [1, {\"c\": 2}]},\n {\"a\": \"é\"} ]\n";
    let records = values(read(RecordFormat::Json, text).unwrap());
    assert_eq!(records, [json!({"a": "],{\"", "b": [1, {"c": 2}]}), json!({"a": "é"})]);
    assert_eq!(read(RecordFormat::Json, " [ ] ").unwrap().len(), 0);
}

#[test]
fn json_arrays_name_the_bad_line() {
    let cases = [
        ("", "line 1: expected a JSON array of objects"),
        ("{\"a\":1}", "line 1: expected a JSON array of objects"),
        ("[{\"a\":1},\n{\"a\":2}", "line 2: the JSON array is not closed"),
        ("[{\"a\":1},\n]", "line 2: expected a JSON object after ','"),
        ("[{\"a\":1}\n{\"a\":2}]", "line 2: trailing characters"),
        ("[{\"a\":1}]\n\nx", "line 3: something follows the JSON array"),
        ("[\n{\"a\":1},\n{\n\"a\": nope}]", "line 4: expected ident"),
        ("[\n1]", "line 2: invalid type: integer `1`, expected a JSON object"),
        ("[,{\"a\":1}]", "line 1: expected a JSON object"),
    ];
    for (text, expected) in cases {
        let message = refused(RecordFormat::Json, text);
        assert!(message.starts_with(expected), "{text:?} gave {message:?}");
    }
}

#[test]
fn csv_fields_are_strings() {
    let text = "\u{feff}topic,level\n\"ice, \"\"dry\"\"\",3\n\"two\nlines\",\n";
    let records = values(read(RecordFormat::Csv, text).unwrap());
    assert_eq!(
        records,
        [
            json!({"topic": "ice, \"dry\"", "level": "3"}),
            json!({"topic": "two\nlines", "level": ""})
        ]
    );
    assert_eq!(read(RecordFormat::Csv, "topic\n").unwrap().len(), 0);
    let lenient = "\u{feff}\"a\",b\n5\" pipe,\"x\ny\n\"";
    let records = values(read(RecordFormat::Csv, lenient).unwrap());
    assert_eq!(records, [json!({"a": "5\" pipe", "b": "x\ny\n"})]);
}

#[test]
fn records_are_measured_as_they_are_written() {
    let numbers = |count: usize| json!({"n": vec![7; count], "f": [-1.5, 0]}).to_string() + "\n";
    assert_eq!(read(RecordFormat::Ndjson, numbers(130_000)).unwrap().len(), 1);
    let told = refused(RecordFormat::Ndjson, numbers(132_000));
    assert!(told.contains("larger than 262144 bytes"), "{told}");
}

#[test]
fn csv_names_the_bad_line() {
    let cases = [
        ("a,b\n1,2\n3\n", "line 3: the row has 1 fields, but the header has 2"),
        ("a,a\n1,2\n", "line 1: the header names column 'a' twice"),
        ("a,\n1,2\n", "line 1: column 2 of the header has no name"),
        ("a\nx\0\n", "line 2: U+0000 in field 'a'"),
        ("a,b\n1,2\n3,\"x\n4,5\n", "line 3: a quoted field is never closed"),
        ("a\n\"x\"\"\n", "line 2: a quoted field is never closed"),
        ("\u{feff}\"a,b\n1,2\n", "line 1: a quoted field is never closed"),
    ];
    for (text, expected) in cases {
        assert_eq!(refused(RecordFormat::Csv, text), expected, "{text:?}");
    }
}

#[test]
fn zstd_is_seen_through() {
    for (format, text) in [
        (RecordFormat::Ndjson, "{\"a\":\"1\"}\n"),
        (RecordFormat::Json, "[{\"a\":\"1\"}]"),
        (RecordFormat::Csv, "a\n1\n"),
    ] {
        let compressed = zstd::encode_all(text.as_bytes(), 1).unwrap();
        assert_eq!(values(read(format, compressed).unwrap()), [json!({"a": "1"})]);
    }
    let mut cut = zstd::encode_all("{\"a\":1}\n".repeat(9000).as_bytes(), 1).unwrap();
    cut.truncate(cut.len() - 9);
    let error = read(RecordFormat::Ndjson, cut).expect_err("cut off");
    assert!(matches!(error.fault, RecordFault::Io(_)), "{error}");
}

fn parquet_file(batch: &RecordBatch, compression: Compression) -> std::fs::File {
    let mut file = tempfile::tempfile().unwrap();
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file
}

#[test]
fn parquet_rows_become_objects() {
    let tags = ListArray::from_iter_primitive::<arrow_array::types::Int32Type, _, _>([
        Some(vec![Some(1), None]),
        None,
    ]);
    let columns: [(&str, ArrayRef); 4] = [
        ("topic", Arc::new(StringArray::from(vec![Some("ice"), None]))),
        ("n", Arc::new(Int32Array::from(vec![1, -2]))),
        ("x", Arc::new(Float64Array::from(vec![0.5, f64::NAN]))),
        ("tags", Arc::new(tags)),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    for compression in [Compression::SNAPPY, Compression::ZSTD(ZstdLevel::default())] {
        let file = parquet_file(&batch, compression);
        let records: Result<Vec<_>, _> =
            read_records(RecordFormat::Parquet, file).unwrap().collect();
        assert_eq!(
            values(records.unwrap()),
            [
                json!({"topic": "ice", "n": 1, "x": 0.5, "tags": [1, null]}),
                json!({"topic": null, "n": -2, "x": null, "tags": null}),
            ]
        );
    }
}

#[test]
fn parquet_names_the_bad_record() {
    let column: ArrayRef = Arc::new(StringArray::from(vec!["fine", "a\0b"]));
    let batch = RecordBatch::try_from_iter([("topic", column)]).unwrap();
    let file = parquet_file(&batch, Compression::SNAPPY);
    let error = read_records(RecordFormat::Parquet, file)
        .unwrap()
        .collect::<Result<Vec<_>, _>>()
        .expect_err("U+0000");
    assert_eq!(error.to_string(), "record 2: U+0000 in field 'topic'");

    let mut nonsense = tempfile::tempfile().unwrap();
    nonsense.write_all(b"PAR1 but not really").unwrap();
    assert!(read_records(RecordFormat::Parquet, nonsense).is_err());

    let binary: ArrayRef = Arc::new(arrow_array::BinaryArray::from(vec![&b"x"[..]]));
    let batch = RecordBatch::try_from_iter([("blob", binary)]).unwrap();
    let file = parquet_file(&batch, Compression::SNAPPY);
    let error = read_records(RecordFormat::Parquet, file).err().expect("unsupported");
    assert_eq!(error.to_string(), "column 'blob' has the unsupported type Binary");
}

#[test]
fn formats_are_known_by_name_and_media_type() {
    assert_eq!(RecordFormat::of_file_name("a/b.JSONL.zst"), Some(RecordFormat::Ndjson));
    assert_eq!(RecordFormat::of_file_name("b.parquet"), Some(RecordFormat::Parquet));
    assert_eq!(RecordFormat::of_file_name("b"), None);
    let typed = RecordFormat::of_media_type("Text/CSV; charset=utf-8");
    assert_eq!(typed, Some(RecordFormat::Csv));
    assert_eq!(RecordFormat::of_media_type("text/html"), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is written as NDJSON, a JSON array or CSV is read back the same.
    #[test]
    fn text_formats_agree(rows in prop::collection::vec(("[^\0]{0,20}", "[^\0]{0,20}"), 0..12)) {
        let objects: Vec<Value> = rows.iter().map(|(a, b)| json!({"a": a, "b": b})).collect();
        let ndjson: String = objects.iter().map(|object| format!("{object}\n")).collect();
        prop_assert_eq!(&values(read(RecordFormat::Ndjson, ndjson).unwrap()), &objects);
        let array = serde_json::to_vec_pretty(&objects).unwrap();
        prop_assert_eq!(&values(read(RecordFormat::Json, array).unwrap()), &objects);
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(["a", "b"]).unwrap();
        for (a, b) in &rows {
            csv.write_record([a, b]).unwrap();
        }
        let csv = csv.into_inner().unwrap();
        prop_assert_eq!(&values(read(RecordFormat::Csv, csv).unwrap()), &objects);
    }

    /// No bytes at all make a reader panic or run on for ever.
    #[test]
    fn nonsense_is_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in [RecordFormat::Ndjson, RecordFormat::Json, RecordFormat::Csv] {
            let _ = read(format, bytes.clone());
        }
        let mut bracketed = b"[".to_vec();
        bracketed.extend(bytes);
        let _ = read(RecordFormat::Json, bracketed);
    }
}
