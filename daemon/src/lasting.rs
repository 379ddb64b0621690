//! What a state directory keeps beside the journal: how many daemons it has seen, and the secret behind the marks of
//! header lines.

use std::io;
use std::path::{Path, PathBuf};

use crate::paths::{PathsError, write_private};
use crate::session::injection::header::MarkKey;

const GENERATION_FILE: &str = "generation";
const MARKS_FILE: &str = "marks.key";

/// Why it could not be read or kept; completes "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum LastingError {
    /// The file cannot be read.
    #[error("read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] PathsError),
    /// The system has no randomness to give.
    #[error("make a secret: {0}")]
    Random(getrandom::Error),
}

/// Counts one more daemon on the state directory `dir`; the answer counts from 1. A count that cannot be read as one
/// begins anew, because nothing but its growth within one boot matters.
///
/// # Errors
/// What the file system said.
pub fn next_generation(dir: &Path) -> Result<u64, LastingError> {
    let path = dir.join(GENERATION_FILE);
    let before = read(&path)?.and_then(|bytes| String::from_utf8(bytes).ok()?.trim().parse::<u64>().ok());
    let generation = before.unwrap_or(0).saturating_add(1);
    write_private(&path, format!("{generation}\n").as_bytes())?;
    Ok(generation)
}

/// The secret of the state directory `dir`, made at its first daemon.
///
/// # Errors
/// What the file system said.
pub fn marks(dir: &Path) -> Result<MarkKey, LastingError> {
    let path = dir.join(MARKS_FILE);
    if let Some(key) = read(&path)?.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) {
        return Ok(MarkKey::new(key));
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(LastingError::Random)?;
    write_private(&path, &key)?;
    Ok(MarkKey::new(key))
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, LastingError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LastingError::Read { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn daemons_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!((next_generation(dir.path()).unwrap(), next_generation(dir.path()).unwrap()), (1, 2));
        std::fs::write(dir.path().join(GENERATION_FILE), "half a nu").unwrap();
        assert_eq!(next_generation(dir.path()).unwrap(), 1);
    }

    #[test]
    fn the_secret_outlives_the_daemon_and_is_its_directorys_own() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mark = |dir: &Path| marks(dir).unwrap().mark(Uuid::nil());
        assert_eq!(mark(one.path()), mark(one.path()));
        assert_ne!(mark(one.path()), mark(other.path()));
    }
}
