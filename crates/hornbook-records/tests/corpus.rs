//! Rows of a corpus, out and back.
#![expect(clippy::unwrap_used, reason = "a helper of tests may panic")]

use std::fs::File;
use std::io::Cursor;

use hornbook_records::schema::COLUMNS;
use hornbook_records::{
    CorpusParquetReader, CorpusParquetWriter, JsonlZstReader, JsonlZstWriter, RecordFormat,
    read_records,
};
use hornbook_types::CorpusRow;
use parquet::file::reader::{FileReader, SerializedFileReader};

fn row(seq: u64) -> CorpusRow {
    CorpusRow {
        prompt: format!("Write about topic {seq}."),
        text: format!("Ein Text über {seq}: ") + &"wörd ".repeat(50),
        token_length: 100 + seq as u32,
        audience: "toddler".to_owned(),
        format: "story".to_owned(),
        seed_data: format!("{{\"topic\":{seq}}}"),
        id: format!("{seq:032x}"),
        seq,
        template: "story@1".to_owned(),
        endpoint: "local".to_owned(),
        model: "m".to_owned(),
        sampling_seed: u64::MAX.to_string(),
        finish_reason: "stop".to_owned(),
        scores: "{}".to_owned(),
    }
}

fn parquet(rows: &[CorpusRow], row_group_bytes: usize) -> Vec<u8> {
    let mut writer =
        CorpusParquetWriter::with_row_group_bytes(Vec::new(), row_group_bytes).unwrap();
    for row in rows {
        writer.write(row.clone()).unwrap();
    }
    writer.finish().unwrap()
}

fn reopen(bytes: &[u8]) -> File {
    let path = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(path.path(), bytes).unwrap();
    File::open(path.path()).unwrap()
}

#[test]
fn parquet_comes_back_the_same_and_has_the_same_bytes() {
    let rows: Vec<_> = (0..700).map(row).collect();
    let bytes = parquet(&rows, usize::MAX);
    assert_eq!(bytes, parquet(&rows, usize::MAX));
    let back: Vec<_> =
        CorpusParquetReader::open(reopen(&bytes)).unwrap().map(Result::unwrap).collect();
    assert_eq!(back, rows);
}

#[test]
fn the_end_stays_the_end() {
    let rows: Vec<_> = (0..3).map(row).collect();
    let bytes = parquet(&rows, usize::MAX);
    let mut corpus = CorpusParquetReader::open(reopen(&bytes)).unwrap();
    assert_eq!(corpus.by_ref().count(), 3);
    assert!(corpus.next().is_none() && corpus.next().is_none());
    let mut records = read_records(RecordFormat::Parquet, reopen(&bytes)).unwrap();
    assert_eq!(records.by_ref().count(), 3);
    assert!(records.next().is_none() && records.next().is_none());
}

#[test]
fn parquet_has_the_declared_columns_pages_and_row_groups() {
    let rows: Vec<_> = (0..3000).map(row).collect();
    let file = SerializedFileReader::new(reopen(&parquet(&rows, 256 * 1024))).unwrap();
    let metadata = file.metadata();
    assert!(metadata.num_row_groups() > 1);
    for group in metadata.row_groups() {
        assert!(group.total_byte_size() < 512 * 1024, "{}", group.total_byte_size());
        for (column, declared) in group.columns().iter().zip(&COLUMNS) {
            assert_eq!(column.column_path().string(), declared.name);
            assert!(
                column.column_index_offset().is_some() && column.offset_index_offset().is_some()
            );
            assert!(matches!(column.compression(), parquet::basic::Compression::ZSTD(_)));
        }
    }
    let names: Vec<_> = COLUMNS.iter().map(|column| column.name).collect();
    assert_eq!(names[..6], ["prompt", "text", "token_length", "audience", "format", "seed_data"],);
    let as_json = serde_json::to_value(row(0)).unwrap();
    let fields: Vec<_> = as_json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, fields, "Parquet and JSON lines have the same columns in the same order");
    assert_eq!(metadata.file_metadata().created_by(), Some("hornbook"));
}

#[test]
fn an_empty_corpus_is_still_a_readable_file() {
    let bytes = parquet(&[], usize::MAX);
    assert_eq!(CorpusParquetReader::open(reopen(&bytes)).unwrap().count(), 0);
}

#[test]
fn json_lines_come_back_the_same_and_have_the_same_bytes() {
    let rows: Vec<_> = (0..300).map(row).collect();
    let write = || {
        let mut writer = JsonlZstWriter::new(Vec::new()).unwrap();
        rows.iter().for_each(|row| writer.write(row).unwrap());
        writer.finish().unwrap()
    };
    let bytes = write();
    assert_eq!(bytes, write());
    let mut reader = JsonlZstReader::<_, CorpusRow>::new(Cursor::new(bytes.clone())).unwrap();
    let back: Vec<_> = reader.by_ref().map(Result::unwrap).collect();
    assert_eq!(back, rows);
    assert_eq!(reader.into_inner().unwrap().position(), bytes.len() as u64);

    let cut = Cursor::new(&bytes[..bytes.len() - 5]);
    let read: Result<Vec<CorpusRow>, _> = JsonlZstReader::new(cut).unwrap().collect();
    assert!(read.is_err(), "a file that was cut off is an error, never a short corpus");
}
