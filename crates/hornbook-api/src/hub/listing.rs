//! The files of a revision as a tree.

use std::collections::BTreeMap;

use hornbook_db::corpora::StoredFile;

use super::entry::Entry;

/// A revision's files and the directories that they lie in, by path.
pub(super) struct Listing<'a> {
    files: BTreeMap<&'a str, &'a StoredFile>,
    directories: BTreeMap<&'a str, Vec<&'a StoredFile>>,
}

impl<'a> Listing<'a> {
    /// The tree of these files.
    pub(super) fn of(files: &'a [StoredFile]) -> Self {
        let files: BTreeMap<&str, &StoredFile> =
            files.iter().map(|stored| (stored.file.path.as_str(), stored)).collect();
        let mut directories: BTreeMap<&str, Vec<&StoredFile>> = BTreeMap::new();
        for (path, stored) in &files {
            for (end, _) in path.match_indices('/') {
                directories.entry(&path[..end]).or_default().push(stored);
            }
        }
        Self { files, directories }
    }

    /// The entry at a path; a slash at its end says nothing.
    pub(super) fn entry(&self, path: &str) -> Option<Entry> {
        let path = path.trim_end_matches('/');
        let file = self.files.get(path).map(|stored| Entry::file(stored));
        file.or_else(|| self.directories.get(path).map(|files| Entry::directory(path, files)))
    }

    /// Paths below a directory (the root is the empty one), in order; `None` when there is no such directory.
    pub(super) fn below(&self, directory: &str, recursive: bool) -> Option<Vec<&'a str>> {
        let directory = directory.trim_matches('/');
        if !directory.is_empty() && !self.directories.contains_key(directory) {
            return None;
        }
        let is_below = |path: &&str| {
            let inner = match directory {
                "" => Some(*path),
                _ => path.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/')),
            };
            inner.is_some_and(|inner| recursive || !inner.contains('/'))
        };
        let paths = self.files.keys().chain(self.directories.keys());
        let mut paths: Vec<&str> = paths.copied().filter(|path| is_below(path)).collect();
        paths.sort_unstable();
        Some(paths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(path: &str) -> StoredFile {
        StoredFile {
            commit: String::new(),
            location: String::new(),
            file: hornbook_types::CorpusFile {
                path: path.to_owned(),
                bytes: 1,
                sha256: "0".repeat(64),
                rows: None,
                tokens: None,
            },
        }
    }

    #[test]
    fn directories_are_found_between_the_files() {
        let files = ["README.md", "data/a/x", "data/b", "database"].map(stored);
        let listing = Listing::of(&files);
        let all = ["README.md", "data", "data/a", "data/a/x", "data/b", "database"];
        assert_eq!(listing.below("", true).unwrap(), all);
        assert_eq!(listing.below("", false).unwrap(), ["README.md", "data", "database"]);
        assert_eq!(listing.below("data", false).unwrap(), ["data/a", "data/b"]);
        assert_eq!(listing.below("data/", true).unwrap(), ["data/a", "data/a/x", "data/b"]);
        assert_eq!(listing.below("README.md", true), None);
        assert_eq!(listing.below("dat", true), None);
        assert!(listing.entry("data/a").is_some() && listing.entry("data/a/").is_some());
        assert!(listing.entry("").is_none() && listing.entry("data/c").is_none());
    }
}
