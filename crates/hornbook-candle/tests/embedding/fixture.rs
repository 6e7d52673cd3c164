//! The small random BERT of `tests/fixtures/embedding.py`, and copies of it to spoil.

use std::path::{Path, PathBuf};

use hornbook_candle::{EmbeddingLoadError, EmbeddingModel};
use tempfile::TempDir;

const FILES: [&str; 6] = [
    "config.json",
    "tokenizer.json",
    "model.safetensors",
    "sentence_bert_config.json",
    "modules.json",
    "1_Pooling/config.json",
];

/// Where the model lies.
pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bert")
}

/// The model.
pub(crate) fn model() -> EmbeddingModel {
    EmbeddingModel::load(directory()).expect("the model loads")
}

/// A copy of the model's directory that tests change.
pub(crate) struct Copy {
    directory: TempDir,
}

impl Copy {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        std::fs::create_dir(directory.path().join("1_Pooling")).expect("a directory");
        for file in FILES {
            std::fs::copy(self::directory().join(file), directory.path().join(file))
                .expect("the file is copied");
        }
        Self { directory }
    }

    pub(crate) fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.directory.path().join(file)).expect("the file is read")
    }

    pub(crate) fn write(&self, file: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.directory.path().join(file), bytes).expect("the file is written");
    }

    pub(crate) fn remove(&self, file: &str) {
        std::fs::remove_file(self.directory.path().join(file)).expect("the file is removed");
    }

    /// Replaces text that must be there.
    pub(crate) fn replace(&self, file: &str, from: &str, to: &str) {
        let text = String::from_utf8(self.read(file)).expect("text");
        assert!(text.contains(from), "{file} has no {from}");
        self.write(file, text.replace(from, to));
    }

    pub(crate) fn load(&self) -> Result<EmbeddingModel, EmbeddingLoadError> {
        EmbeddingModel::load(self.directory.path())
    }

    /// Why it does not load.
    pub(crate) fn refusal(&self) -> String {
        match self.load() {
            Ok(_) => panic!("the model loads"),
            Err(error) => error.to_string(),
        }
    }
}
