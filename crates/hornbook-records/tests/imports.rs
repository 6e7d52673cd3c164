//! Importing documents: what is kept of them, what is refused, and where.
#![expect(clippy::unwrap_used, reason = "a helper of tests may panic")]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use hornbook_records::{
    BelowError, DocumentRow, ImportError, ImportFile, Imported, RecordFormat, files_below,
    import_documents, read_documents,
};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};
use tempfile::TempDir;

fn import(
    format: RecordFormat,
    bytes: &[u8],
    text_column: &str,
) -> Result<(Vec<DocumentRow>, Imported), ImportError> {
    let dir = TempDir::new().unwrap();
    let input = dir.path().join("input");
    std::fs::write(&input, bytes).unwrap();
    let import = ImportFile {
        format,
        text_column,
        source: "web",
        first_row: 40,
        first_file: 3,
        rows_max: 1_000_000,
        text_bytes_max: 1 << 40,
        dir: dir.path(),
    };
    let mut files = Vec::new();
    let done = import_documents(&import, File::open(&input).unwrap(), &mut |file| {
        files.push(file);
        true
    })?;
    let mut rows = Vec::new();
    for file in &files {
        assert!(file.path.ends_with(&file.name));
        let documents = read_documents(RecordFormat::Parquet, File::open(&file.path).unwrap());
        rows.extend(documents.unwrap().map(Result::unwrap));
    }
    assert_eq!(files.iter().map(|file| file.rows).sum::<u64>(), done.rows);
    if let Some(first) = files.first() {
        assert_eq!(first.name, "part-00003.parquet");
    }
    Ok((rows, done))
}

fn refused(format: RecordFormat, bytes: &[u8]) -> String {
    import(format, bytes, "text").map(|(rows, _)| rows).expect_err("must be refused").to_string()
}

fn lines(rows: &[Value]) -> Vec<u8> {
    rows.iter().flat_map(|row| format!("{row}\n").into_bytes()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn columns_of_a_corpus_are_kept_and_ids_are_made() {
    let input = lines(&[
        json!({"text": "Ponds are small.", "id": "p1", "audience": "toddler", "score": 0.5,
               "token_length": 4, "url": "https://example.org", "seed_data": {"a": [1]}}),
        json!({"text": "", "model": null}),
    ]);
    for bytes in [input.clone(), gzip(&input), zstd::encode_all(&input[..], 3).unwrap()] {
        let (rows, done) = import(RecordFormat::Ndjson, &bytes, "text").unwrap();
        assert_eq!((rows[0].id.clone(), rows[1].id.clone()), (json!("p1"), json!("web#41")));
        assert_eq!((&rows[0].audience, &rows[0].score), (&json!("toddler"), &json!(0.5)));
        assert_eq!(rows[0].seed_data, json!("{\"a\":[1]}"));
        assert_eq!((&rows[1].model, &rows[1].score), (&Value::Null, &Value::Null));
        assert_eq!(done, Imported { rows: 2, text_bytes: 16, tokens: 4, files: 1 });
    }
}

#[test]
fn csv_and_another_column_are_read_as_well() {
    let csv = b"body,token_length,text\nIce is cold.,3,title\n\"Fire, too\",,title\n";
    let (rows, done) = import(RecordFormat::Csv, csv, "body").unwrap();
    assert_eq!((&rows[0].text, &rows[0].token_length), (&json!("Ice is cold."), &json!(3)));
    assert_eq!((&rows[1].text, done.tokens), (&json!("Fire, too"), 3 + 3));
    let (rows, _) =
        import(RecordFormat::Ndjson, &lines(&[json!({"body": "x", "text": 1})]), "body").unwrap();
    assert_eq!(rows[0].text, json!("x"));
    let missing = import(RecordFormat::Ndjson, &lines(&[json!({"text": "x"})]), "body");
    assert_eq!(missing.unwrap_err().to_string(), "line 1: there is no 'body'");
    let missing = import(RecordFormat::Csv, b"a,b\n1,2\n", "body");
    assert_eq!(missing.unwrap_err().to_string(), "record 1: there is no text in 'body'");
}

#[test]
fn hostile_lines_are_named() {
    let good = json!({"text": "x"}).to_string();
    let with = |line: &[u8]| [good.as_bytes(), b"\n\n", line, b"\n"].concat();
    for (line, expected) in [
        (&b"{\"text\": \"a\\u0000b\"}"[..], "line 3: U+0000 in 'text'"),
        (b"{\"text\": \"a\", \"model\": \"\\u0000\"}", "line 3: U+0000 in 'model'"),
        (b"{\"text\": \"\xff\xfe\"}", "line 3: invalid unicode code point"),
        (b"{\"text\": 7}", "line 3: 'text' is not a string"),
        (b"[\"x\"]", "line 3: the line is not a JSON object"),
        (b"{\"text\": \"", "line 3: control character"),
    ] {
        let message = refused(RecordFormat::Ndjson, &with(line));
        assert!(message.starts_with(expected), "{message}");
    }
    let message = refused(RecordFormat::Parquet, b"PAR1 but not really");
    assert!(!message.is_empty());
    let cut = gzip(&lines(&vec![json!({"text": "abc"}); 100]));
    let message = refused(RecordFormat::Ndjson, &cut[..cut.len() - 9]);
    assert!(message.contains("cannot be read"), "{message}");
}

#[test]
fn a_line_without_end_is_refused_in_bounded_memory() {
    // Half a gigabyte in one line, half a megabyte on the disk.
    let mut out = zstd::Encoder::new(Vec::new(), 1).unwrap();
    out.write_all(b"{\"text\": \"").unwrap();
    let piece = vec![b'a'; 1 << 20];
    for _ in 0..512 {
        out.write_all(&piece).unwrap();
    }
    let message = refused(RecordFormat::Ndjson, &out.finish().unwrap());
    assert!(message.starts_with("line 1: the line is longer than"), "{message}");
}

#[test]
fn a_bomb_of_many_rows_is_stopped() {
    let row = format!("{}\n", json!({"text": "a".repeat(1 << 20)}));
    let mut out = zstd::Encoder::new(Vec::new(), 1).unwrap();
    for _ in 0..300 {
        out.write_all(row.as_bytes()).unwrap();
    }
    let message = refused(RecordFormat::Ndjson, &out.finish().unwrap());
    assert!(message.contains("bytes of file have become more than"), "{message}");
}

#[test]
fn a_bomb_of_one_value_in_a_dictionary_is_stopped() {
    // Ten thousand rows name one value of eight megabytes: 80 GB of text in a few kilobytes.
    let value = "a".repeat(8 << 20);
    let keys = Int32Array::from(vec![0; 10_000]);
    let values: ArrayRef = Arc::new(StringArray::from(vec![value.as_str()]));
    let column: ArrayRef = Arc::new(DictionaryArray::new(keys, values));
    for kind in [column.data_type().clone(), DataType::Utf8] {
        let schema = Schema::new(vec![Field::new("text", column.data_type().clone(), false)]);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap()))
            .set_dictionary_page_size_limit(64 << 20)
            .build();
        // Without the hint in the file the column is plain text to whoever reads it.
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_skip_arrow_metadata(kind == DataType::Utf8);
        let schema = Arc::new(schema);
        let mut writer =
            ArrowWriter::try_new_with_options(Vec::new(), schema.clone(), options).unwrap();
        writer.write(&RecordBatch::try_new(schema, vec![column.clone()]).unwrap()).unwrap();
        let bytes = writer.into_inner().unwrap();
        assert!(bytes.len() < 1 << 20, "{} bytes", bytes.len());
        let message = refused(RecordFormat::Parquet, &bytes);
        assert!(message.contains("bytes of file have become more than"), "{message}");
    }
}

#[test]
fn what_may_be_taken_is_bounded() {
    let dir = TempDir::new().unwrap();
    let input = dir.path().join("input");
    std::fs::write(&input, lines(&vec![json!({"text": "abcd"}); 10])).unwrap();
    let run = |rows_max, text_bytes_max| {
        let import = ImportFile {
            format: RecordFormat::Ndjson,
            text_column: "text",
            source: "web",
            first_row: 0,
            first_file: 0,
            rows_max,
            text_bytes_max,
            dir: dir.path(),
        };
        import_documents(&import, File::open(&input).unwrap(), &mut |_| true)
    };
    assert_eq!(run(10, 40).unwrap().rows, 10);
    assert_eq!(run(9, 40).unwrap_err().to_string(), "more than 9 documents");
    assert_eq!(run(10, 39).unwrap_err().to_string(), "more than 39 bytes of text");
}

#[test]
fn nothing_outside_of_the_root_is_found() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("root");
    let write = |path: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "{}").unwrap();
    };
    for path in [
        "root/b/2.jsonl",
        "root/b/1.parquet",
        "root/b/.hidden/3.jsonl",
        "root/b/n.txt",
        "secret.jsonl",
    ] {
        write(path);
    }
    std::os::unix::fs::symlink(dir.path().join("secret.jsonl"), root.join("out.jsonl")).unwrap();
    std::os::unix::fs::symlink(dir.path(), root.join("b/up")).unwrap();
    let labels = |path: &str| {
        let found = files_below(&root, path)?;
        Ok::<_, BelowError>(found.into_iter().map(|file| file.label).collect::<Vec<_>>())
    };
    assert_eq!(labels("b").unwrap(), ["b/1.parquet", "b/2.jsonl"]);
    assert_eq!(labels(".").unwrap(), ["b/1.parquet", "b/2.jsonl"]);
    assert_eq!(labels("./b/2.jsonl").unwrap(), ["b/2.jsonl"]);
    let secret = dir.path().join("secret.jsonl");
    for outside in ["../secret.jsonl", "b/../../secret.jsonl", secret.to_str().unwrap(), "b/.."] {
        assert!(matches!(labels(outside), Err(BelowError::Outside(_))), "{outside}");
    }
    assert!(matches!(labels("out.jsonl"), Err(BelowError::Link(_))));
    assert!(matches!(labels("b/up/secret.jsonl"), Err(BelowError::Link(_))));
    assert!(matches!(labels("b/n.txt"), Err(BelowError::NoDocuments(_))));
    assert!(matches!(labels("none.jsonl"), Err(BelowError::Missing(_))));
    assert!(matches!(labels("b/2.jsonl/x"), Err(BelowError::Missing(_))));
    let said = labels("none.jsonl").unwrap_err().to_string();
    assert!(!said.contains(Path::new(&root).to_str().unwrap()), "{said}");
}
