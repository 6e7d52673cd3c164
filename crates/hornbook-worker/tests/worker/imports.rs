//! Text of the disk and of a stand-in for the Hub, imported by a worker and by its successor.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use hornbook_db::imports::{self, Import, NewImport};
use hornbook_records::{DocumentRow, RecordFormat, read_documents};
use hornbook_types::{ImportOrigin, ImportState};
use hornbook_worker::{DatasetFault, DatasetFound, DatasetWanted, Datasets};
use serde_json::json;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::house::{House, slug, until};

const DRAIN: Duration = Duration::from_secs(5);
const COMMIT: &str = "abababababababababababababababababababab";

/// Datasets that a test makes up.
struct Stand {
    /// Files of documents by path, as lines of JSON that become Parquet.
    files: BTreeMap<String, String>,
    pulled: Mutex<Vec<String>>,
    /// Files that may be pulled; later ones wait.
    allowed: Semaphore,
    /// What is said instead, as long as there is something.
    faults: Mutex<Vec<DatasetFault>>,
}

impl Stand {
    fn new(files: &[(&str, String)], allowed: usize) -> Arc<Self> {
        Arc::new(Self {
            files: files.iter().map(|(path, text)| ((*path).to_owned(), text.clone())).collect(),
            pulled: Mutex::default(),
            allowed: Semaphore::new(allowed),
            faults: Mutex::default(),
        })
    }
}

impl Datasets for Stand {
    fn find<'a>(
        &'a self,
        wanted: &'a DatasetWanted,
    ) -> BoxFuture<'a, Result<DatasetFound, DatasetFault>> {
        Box::pin(async move {
            if let Some(fault) = self.faults.lock().unwrap().pop() {
                return Err(fault);
            }
            assert_eq!(wanted.hub, "org/name");
            let files = self.files.keys().cloned().collect();
            Ok(DatasetFound { commit: COMMIT.to_owned(), files })
        })
    }

    fn pull<'a>(
        &'a self,
        _: &'a DatasetWanted,
        commit: &'a str,
        file: &'a str,
        dir: &'a Path,
    ) -> BoxFuture<'a, Result<PathBuf, DatasetFault>> {
        Box::pin(async move {
            assert_eq!(commit, COMMIT);
            self.allowed.acquire().await.unwrap().forget();
            self.pulled.lock().unwrap().push(file.to_owned());
            let input = dir.join("input.jsonl");
            std::fs::write(&input, &self.files[file]).unwrap();
            let import = hornbook_records::ImportFile {
                format: RecordFormat::Ndjson,
                text_column: "text",
                source: "theirs",
                first_row: 0,
                first_file: 99_999,
                rows_max: 1_000,
                text_bytes_max: 1_000_000,
                dir,
            };
            let mut made = None;
            let opened = File::open(&input).unwrap();
            hornbook_records::import_documents(&import, opened, &mut |file| {
                made = Some(file.path);
                true
            })
            .unwrap();
            Ok(made.unwrap())
        })
    }
}

fn lines(prefix: &str, count: usize) -> String {
    let line = |n| json!({"text": format!("{prefix} {n} was here."), "id": format!("{prefix}{n}")});
    (0..count).map(|n| format!("{}\n", line(n))).collect()
}

fn new(origin: ImportOrigin) -> NewImport {
    NewImport {
        origin,
        license: "odc-by-1.0".to_owned(),
        source: None,
        text_column: "text".to_owned(),
    }
}

fn hub() -> ImportOrigin {
    ImportOrigin::Hub {
        hub: "org/name".to_owned(),
        config: "default".to_owned(),
        split: "train".to_owned(),
        revision: "main".to_owned(),
        commit: None,
    }
}

async fn ended(house: &House, name: &str) -> Import {
    until("an import's end", async || {
        let import = imports::get(&house.db, &name.parse().unwrap()).await.ok()?;
        (import.state != ImportState::Importing).then_some(import)
    })
    .await
}

/// Every document of an import, after checking its files.
fn documents(house: &House, import: &Import) -> Vec<DocumentRow> {
    let mut rows = Vec::new();
    for file in &import.content.files {
        let path = house.store_dir().join(&import.location).join(&file.path);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), file.bytes);
        let read = read_documents(RecordFormat::Parquet, File::open(path).unwrap()).unwrap();
        rows.extend(read.map(Result::unwrap));
    }
    assert_eq!(rows.len() as u64, import.content.rows);
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_is_gone_on_with_where_the_worker_before_was_stopped() {
    let files = [("a.parquet", lines("ann", 3)), ("b.parquet", lines("bob", 2))];
    let stand = Stand::new(&files, 1);
    stand.faults.lock().unwrap().push(DatasetFault::Later("429 too many".to_owned()));
    let mut house = House::new(&[]).await;
    house.datasets = Some(stand.clone());
    imports::request(&house.db, Uuid::now_v7(), &slug("edu"), &new(hub())).await.unwrap();
    let first = house.worker("a").await;
    until("the first file", async || {
        let import = imports::get(&house.db, &"edu".parse().unwrap()).await.ok()?;
        (import.rows_so_far == 3).then_some(())
    })
    .await;
    first.shutdown(DRAIN).await;
    stand.allowed.add_permits(1);
    let second = house.worker("b").await;
    let import = ended(&house, "edu").await;
    second.shutdown(DRAIN).await;

    assert_eq!((import.state, &import.error), (ImportState::Ready, &None));
    assert_eq!(*stand.pulled.lock().unwrap(), ["a.parquet", "b.parquet"], "each once");
    let ImportOrigin::Hub { commit, .. } = &import.origin else { panic!() };
    assert_eq!(commit.as_deref(), Some(COMMIT));
    let rows = documents(&house, &import);
    let ids: Vec<_> = rows.iter().map(|row| row.id.as_str().unwrap()).collect();
    assert_eq!(ids, ["ann0", "ann1", "ann2", "bob0", "bob1"]);
    let names: Vec<_> = import.content.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(names, ["part-00000.parquet", "part-00001.parquet"]);
    let left = std::fs::read_dir(house.scratch_dir("b").join("imports")).unwrap().count();
    assert_eq!(left, 0, "nothing stays in scratch");

    imports::delete(&house.db, &"edu".parse().unwrap()).await.unwrap();
    let third = house.worker("c").await;
    until("the files are gone", async || {
        let place = house.store_dir().join(&import.location);
        let empty = std::fs::read_dir(place).map_or(0, Iterator::count) == 0;
        (empty && imports::next_purge(&house.db).await.unwrap().is_none()).then_some(())
    })
    .await;
    third.shutdown(DRAIN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_the_disk_is_read_and_a_bad_file_is_named() {
    let mut house = House::new(&[]).await;
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("good")).unwrap();
    std::fs::write(root.path().join("good/2.jsonl"), lines("bob", 2)).unwrap();
    std::fs::write(root.path().join("good/1.csv"), "text\nann was here.\n").unwrap();
    std::fs::write(root.path().join("bad.jsonl"), lines("ann", 2) + "{\"text\": 3}\n").unwrap();
    house.import_root = Some(root.path().to_owned());
    let path = |path: &str| new(ImportOrigin::Path { path: path.to_owned() });
    imports::request(&house.db, Uuid::now_v7(), &slug("bad"), &path("bad.jsonl")).await.unwrap();
    imports::request(&house.db, Uuid::now_v7(), &slug("good"), &path("good")).await.unwrap();
    let worker = house.worker("a").await;
    let (bad, good) = (ended(&house, "bad").await, ended(&house, "good").await);
    worker.shutdown(DRAIN).await;

    assert_eq!(bad.state, ImportState::Failed);
    assert_eq!(bad.error.as_deref(), Some("bad.jsonl: line 3: 'text' is not a string"));
    assert!(!house.store_dir().join(&bad.location).join("part-00000.parquet").exists());
    assert_eq!((good.state, good.error.as_deref()), (ImportState::Ready, None));
    let rows = documents(&house, &good);
    let ids: Vec<_> = rows.iter().map(|row| row.id.as_str().unwrap()).collect();
    assert_eq!(ids, ["good#0", "bob0", "bob1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_will_never_be_had_fails_at_once() {
    let stand = Stand::new(&[], 0);
    stand.faults.lock().unwrap().push(DatasetFault::Never("org/name was not found".to_owned()));
    let mut house = House::new(&[]).await;
    house.datasets = Some(stand.clone());
    imports::request(&house.db, Uuid::now_v7(), &slug("edu"), &new(hub())).await.unwrap();
    let worker = house.worker("a").await;
    let import = ended(&house, "edu").await;
    assert_eq!(import.error.as_deref(), Some("org/name was not found"));
    // Asked for again, the Hub has it, but there is nothing in it.
    imports::request(&house.db, Uuid::now_v7(), &slug("edu"), &new(hub())).await.unwrap();
    let import = ended(&house, "edu").await;
    worker.shutdown(DRAIN).await;
    assert_eq!(import.error.as_deref(), Some("there are no documents in it"));
}
