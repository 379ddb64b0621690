//! Variables that a person set for a session. They may be secrets, so they are kept in a private file and never in
//! the journal.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn file(directory: &Path, session: &str) -> PathBuf {
    directory.join(format!("{session}.env.json"))
}

/// Stores them; nothing is written where there are none.
///
/// # Errors
/// If the file cannot be written.
pub fn store(directory: &Path, session: &str, variables: &BTreeMap<String, String>) -> io::Result<()> {
    if variables.is_empty() {
        return forget(directory, session);
    }
    let path = file(directory, session);
    let fresh = path.with_extension("new");
    let mut out = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    let map = variables.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    out.write_all(Value::Object(map).to_string().as_bytes())?;
    fs::rename(fresh, path)
}

/// Reads them.
///
/// # Errors
/// If the file is there and cannot be read.
pub fn load(directory: &Path, session: &str) -> io::Result<BTreeMap<String, String>> {
    match fs::read(file(directory, session)) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

/// Removes them.
///
/// # Errors
/// If the file is there and cannot be removed.
pub fn forget(directory: &Path, session: &str) -> io::Result<()> {
    match fs::remove_file(file(directory, session)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn they_come_back_from_a_private_file_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let variables = BTreeMap::from([("KEY".to_owned(), "secret".to_owned())]);
        store(dir.path(), "alice", &variables).unwrap();
        assert_eq!(fs::metadata(file(dir.path(), "alice")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(load(dir.path(), "alice").unwrap(), variables);
        forget(dir.path(), "alice").unwrap();
        forget(dir.path(), "alice").unwrap();
        assert_eq!(load(dir.path(), "alice").unwrap(), BTreeMap::new());
    }
}
