//! Where holders listen: one directory, one short hashed name per run, so that paths fit into a
//! socket address wherever the directory is.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::LinkError;
use crate::holder::run::RunId;

/// Bytes of a socket's path at most.
pub const MAX_PATH: usize = 107;

const PREFIX: &str = "h-";

/// The socket of `run` in `directory`.
///
/// # Errors
/// [`LinkError::SocketPath`] if it is longer than [`MAX_PATH`] or not absolute.
pub fn socket(directory: &Path, run: RunId) -> Result<PathBuf, LinkError> {
    let digest = Sha256::digest(run.uuid().as_bytes());
    let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let path = directory.join(format!("{PREFIX}{hash}"));
    let len = path.as_os_str().as_bytes().len();
    if len > MAX_PATH || !path.is_absolute() {
        return Err(LinkError::SocketPath { path, len });
    }
    Ok(path)
}

/// Every socket in `directory` that has a holder's name, dead or alive; none if there is no such
/// directory. Adopting tells which: [`LinkError::NoHolder`] is a dead one's.
///
/// # Errors
/// If the directory cannot be read.
pub fn scan(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_name().as_bytes().starts_with(PREFIX.as_bytes()) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Removes the socket of a dead holder. Returns whether it did: a refused connection proves the
/// death (a holder's name appears only once it listens), anything else leaves the socket alone.
///
/// # Errors
/// If the file cannot be removed.
pub fn bury(socket: &Path) -> io::Result<bool> {
    match UnixStream::connect(socket) {
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(socket).map(|()| true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
        Ok(_) | Err(_) => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn names_are_short_and_differ() {
        let one = socket(Path::new("/run/p"), RunId::new(Uuid::from_u128(1))).unwrap();
        let two = socket(Path::new("/run/p"), RunId::new(Uuid::from_u128(2))).unwrap();
        assert_ne!(one, two);
        assert_eq!(one.as_os_str().len(), "/run/p/".len() + 18);
    }

    #[test]
    fn a_directory_too_deep_is_refused_by_name() {
        let deep = PathBuf::from("/").join("d".repeat(100));
        let error = socket(&deep, RunId::new(Uuid::nil())).unwrap_err();
        assert!(matches!(error, LinkError::SocketPath { len: 120, .. }), "{error}");
        assert!(socket(Path::new("relative"), RunId::new(Uuid::nil())).is_err());
    }

    #[test]
    fn only_a_proven_death_is_buried() {
        let dir = tempfile::tempdir().unwrap();
        let path = socket(dir.path(), RunId::new(Uuid::nil())).unwrap();
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert_eq!(scan(dir.path()).unwrap(), std::slice::from_ref(&path));
        assert!(!bury(&path).unwrap());
        drop(listener);
        assert!(bury(&path).unwrap());
        assert!(scan(dir.path()).unwrap().is_empty());
        assert!(scan(&dir.path().join("missing")).unwrap().is_empty());
    }
}
