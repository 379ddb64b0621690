//! Where fixtures are kept: a folder of small private files, of which the oldest go first.

use std::path::{Path, PathBuf};

use super::fixture::Fixture;
use crate::paths::{PathsError, make_private_dir, write_private};

/// Most fixtures that are kept.
pub const MOST: usize = 100;

/// Why a fixture is not kept; completes "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// The folder or a file in it.
    #[error(transparent)]
    Paths(#[from] PathsError),
    /// It has no form as JSON.
    #[error("write a failure as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// The folder.
#[derive(Clone, Debug)]
pub struct Shelf {
    dir: PathBuf,
}

impl Shelf {
    /// The one in a state directory. Nothing is made before something is kept.
    #[must_use]
    pub fn of(state: &Path) -> Self {
        Self { dir: state.join("failures") }
    }

    /// Everything that is kept, oldest first. Blocks on the disk; what can't be read is passed over.
    #[must_use]
    pub fn list(&self) -> Vec<Fixture> {
        let read = |name: &String| serde_json::from_slice(&std::fs::read(self.dir.join(name)).ok()?).ok();
        self.names().iter().filter_map(read).collect()
    }

    /// Keeps one. Returns it if nothing like it was there; else counts the one that is. Blocks on the disk.
    ///
    /// # Errors
    /// What keeps it from being written.
    pub fn keep(&self, fixture: Fixture) -> Result<Option<Fixture>, ShelfError> {
        make_private_dir(&self.dir)?;
        if let Some(mut known) = self.list().into_iter().find(|known| known.is_like(&fixture)) {
            known.count = known.count.saturating_add(1);
            known.at = fixture.at;
            self.write(&known)?;
            return Ok(None);
        }
        let names = self.names();
        for name in names.iter().take((names.len() + 1).saturating_sub(MOST)) {
            if let Err(error) = std::fs::remove_file(self.dir.join(name)) {
                tracing::warn!(name, %error, "failed to remove an old failure");
            }
        }
        self.write(&fixture)?;
        Ok(Some(fixture))
    }

    fn write(&self, fixture: &Fixture) -> Result<(), ShelfError> {
        let path = self.dir.join(format!("{}.json", fixture.id));
        Ok(write_private(&path, serde_json::to_string(fixture)?.as_bytes())?)
    }

    /// Names sort by the time of their ids.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> =
            names.filter(|name| name.ends_with(".json") && !name.starts_with('.')).collect();
        names.sort();
        names
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use jiff::Timestamp;

    use super::*;
    use crate::failover::observation::{Channel, Observation};

    fn fixture(words: &str) -> Fixture {
        let mut seen = Observation::new("codex", Channel::Exit, words);
        seen.exit = Some(3);
        Fixture::of(&seen, "s", Timestamp::UNIX_EPOCH, None)
    }

    #[test]
    fn what_is_like_another_is_counted_and_the_oldest_goes() {
        let state = tempfile::tempdir().unwrap();
        let shelf = Shelf::of(state.path());
        assert!(shelf.list().is_empty());
        let first = shelf.keep(fixture("jammed at step 9")).unwrap().unwrap();
        assert_eq!(shelf.keep(fixture("jammed at step 11")).unwrap(), None);
        assert_eq!((shelf.list().len(), shelf.list()[0].count), (1, 2));
        for word in 0..MOST {
            let letters: String = word.to_string().chars().map(|c| char::from(c as u8 + 49)).collect();
            assert!(shelf.keep(fixture(&format!("no way {letters}"))).unwrap().is_some());
        }
        let kept = shelf.list();
        assert_eq!(kept.len(), MOST);
        assert!(kept.iter().all(|kept| kept.id != first.id), "the first one is gone");
        let file = state.path().join("failures").join(format!("{}.json", kept[0].id));
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_fixture_is_small_however_much_was_said() {
        let large = fixture(&"é\u{1b}[1m".repeat(100_000));
        assert!(serde_json::to_string(&large).unwrap().len() <= 16 * 1024);
    }
}
