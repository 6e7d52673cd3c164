//! Files and directories as the Hub's clients know them.

use hornbook_db::corpora::StoredFile;
use serde::Serialize;
use sha1::{Digest as _, Sha1};
use time::OffsetDateTime;
use time::macros::format_description;

use super::source::Revision;

/// A file or a directory of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = DatasetEntry)]
pub(super) struct Entry {
    /// `file` or `directory`.
    pub(super) r#type: &'static str,
    /// 40 hex digits that change with the content: of a file those of its large-file pointer in git.
    pub(super) oid: String,
    /// Bytes; 0 for a directory.
    pub(super) size: u64,
    /// Path within the dataset.
    pub(super) path: String,
    /// Where the content lies; absent for a directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lfs: Option<Lfs>,
    /// The revision, when `expand` asks for it.
    #[serde(rename = "lastCommit", skip_serializing_if = "Option::is_none")]
    last_commit: Option<LastCommit>,
}

/// A file's content in large-file storage, where all of them count as being.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = DatasetEntryLfs)]
pub(super) struct Lfs {
    /// SHA-256 of the content, which is also its ETag.
    pub(super) oid: String,
    /// Bytes of the content.
    pub(super) size: u64,
    /// Bytes of the pointer that stands for it in git.
    #[serde(rename = "pointerSize")]
    pub(super) pointer_size: u64,
}

/// The revision that an entry was published with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = DatasetEntryCommit)]
pub(super) struct LastCommit {
    /// Its commit.
    id: String,
    /// What it is called.
    title: String,
    /// When it was published.
    date: String,
}

impl Entry {
    /// The entry of a file.
    pub(super) fn file(stored: &StoredFile) -> Self {
        let file = &stored.file;
        let pointer = format!(
            "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n",
            file.sha256, file.bytes
        );
        let mut oid = Sha1::new();
        oid.update(format!("blob {}\0", pointer.len()));
        oid.update(&pointer);
        Self {
            r#type: "file",
            oid: hex::encode(oid.finalize()),
            size: file.bytes,
            path: file.path.clone(),
            lfs: Some(Lfs {
                oid: file.sha256.clone(),
                size: file.bytes,
                pointer_size: pointer.len() as u64,
            }),
            last_commit: None,
        }
    }

    /// The entry of the directory that holds `files`; its id is made of theirs.
    pub(super) fn directory(path: &str, files: &[&StoredFile]) -> Self {
        let mut oid = Sha1::new();
        for stored in files {
            oid.update(format!("{}\0{}\n", stored.file.path, stored.file.sha256));
        }
        Self {
            r#type: "directory",
            oid: hex::encode(oid.finalize()),
            size: 0,
            path: path.to_owned(),
            lfs: None,
            last_commit: None,
        }
    }

    /// The same with the revision in it.
    pub(super) fn expanded(mut self, revision: &Revision) -> Self {
        self.last_commit = Some(LastCommit {
            id: revision.commit.clone(),
            title: format!("Revision {}", revision.number),
            date: timestamp(revision.published_at),
        });
        self
    }
}

/// A time with milliseconds and `Z`; clients read no other form.
pub(super) fn timestamp(at: OffsetDateTime) -> String {
    let form =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    at.to_offset(time::UtcOffset::UTC).format(form).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn times_have_three_digits_of_a_second() {
        assert_eq!(timestamp(datetime!(2026-11-23 00:00:00 UTC)), "2026-11-23T00:00:00.000Z");
        assert_eq!(timestamp(datetime!(2026-11-23 01:02:03.4567 +1)), "2026-11-23T00:02:03.456Z");
    }

    #[test]
    fn a_file_has_the_id_that_git_would_give_its_pointer() {
        let stored = StoredFile {
            commit: String::new(),
            location: String::new(),
            file: hornbook_types::CorpusFile {
                path: "data/x".to_owned(),
                bytes: 12_345,
                sha256: "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
                    .to_owned(),
                rows: None,
                tokens: None,
            },
        };
        let entry = Entry::file(&stored);
        // From `git hash-object` on the pointer file.
        assert_eq!(entry.oid, "60c8d8ab2adcf57a391163a7eeb0cdb8bf348e44");
        assert_eq!(entry.lfs.unwrap().pointer_size, 130);
    }
}
