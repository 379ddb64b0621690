//! Noticing that a login changed, without reading what it says.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// What the login files of a home look like from outside. Any rewrite of one changes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(Vec<Option<Seen>>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Fingerprint {
    /// Looks at `files` in `home`; links are followed to the file that holds the login.
    pub fn of(home: &Path, files: &[String]) -> Self {
        let look = |file: &String| {
            let meta = std::fs::metadata(home.join(file)).ok()?;
            Some(Seen { inode: meta.ino(), size: meta.size(), modified: (meta.mtime(), meta.mtime_nsec()) })
        };
        Self(files.iter().map(look).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rewritten_login_looks_different_and_an_untouched_one_the_same() {
        let home = tempfile::tempdir().unwrap();
        let files = vec!["auth.json".to_owned()];
        let absent = Fingerprint::of(home.path(), &files);
        std::fs::write(home.path().join("auth.json"), "a").unwrap();
        let first = Fingerprint::of(home.path(), &files);
        assert_ne!(absent, first);
        assert_eq!(first, Fingerprint::of(home.path(), &files));
        std::fs::write(home.path().join("new"), "b").unwrap();
        std::fs::rename(home.path().join("new"), home.path().join("auth.json")).unwrap();
        assert_ne!(first, Fingerprint::of(home.path(), &files));
    }
}
