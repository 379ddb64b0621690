//! Reading and replacing a file that belongs to somebody else's program.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Largest file that is edited, in bytes.
const MAX: u64 = 64 * 1024 * 1024;

/// Why a file can't be read or replaced; completes "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A link that leads nowhere.
    #[error("edit {}: it is a link to a file that does not exist", .0.display())]
    Dangling(PathBuf),
    /// Not a file.
    #[error("edit {}: it is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// Larger than any settings.
    #[error("edit {}: it is larger than {MAX} bytes", .0.display())]
    TooLarge(PathBuf),
    /// Not text.
    #[error("edit {}: it is not UTF-8", .0.display())]
    NotText(PathBuf),
    /// Another program wrote it.
    #[error("edit {}: it was changed meanwhile; run the command again", .0.display())]
    Changed(PathBuf),
    /// The system refused.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A settings file as it was found.
#[derive(Debug)]
pub struct Settings {
    /// Where it really is, links followed.
    pub path: PathBuf,
    /// Its text; `None` where there is no file.
    pub text: Option<String>,
}

impl Settings {
    /// Reads the file that `path` leads to.
    ///
    /// # Errors
    /// If there is something that is not a text file.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let path = match fs::canonicalize(path) {
            Ok(path) => path,
            Err(e) if e.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_ok() => {
                return Err(FileError::Dangling(path.to_owned()));
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { path: real(path), text: None });
            }
            Err(source) => return Err(FileError::Io { action: "read", path: path.to_owned(), source }),
        };
        let bytes = bytes(&path)?;
        let text = String::from_utf8(bytes).map_err(|_| FileError::NotText(path.clone()))?;
        Ok(Self { path, text: Some(text) })
    }

    /// Puts `text` in its place, in one step. Owner and mode stay; a new file gets `mode`.
    ///
    /// # Errors
    /// If another program has changed it since it was read, or the system refuses.
    pub fn replace(&self, text: &str, mode: u32) -> Result<(), FileError> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        self.try_io("make the directory of", fs::create_dir_all(directory))?;
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let fresh = directory.join(format!(".{name}.posthouse-{}", std::process::id()));
        let written = self.write(&fresh, text, mode).and_then(|()| self.unchanged());
        let moved = written.and_then(|()| self.try_io("replace", fs::rename(&fresh, &self.path)));
        if moved.is_err() {
            let _ = fs::remove_file(&fresh);
            return moved;
        }
        self.try_io("keep", File::open(directory).and_then(|directory| directory.sync_all()))
    }

    /// Removes it.
    ///
    /// # Errors
    /// As for [`Self::replace`].
    pub fn remove(&self) -> Result<(), FileError> {
        self.unchanged()?;
        self.try_io("remove", fs::remove_file(&self.path))
    }

    fn write(&self, fresh: &Path, text: &str, mode: u32) -> Result<(), FileError> {
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let mut out = self.try_io("write beside", options.open(fresh))?;
        let before = fs::metadata(&self.path).ok();
        if let Some(before) = &before {
            let mine = self.try_io("look at", out.metadata())?;
            if (mine.uid(), mine.gid()) != (before.uid(), before.gid()) {
                let given = std::os::unix::fs::fchown(&out, Some(before.uid()), Some(before.gid()));
                self.try_io("keep the owner of", given)?;
            }
        }
        let mode = before.map_or(mode, |before| before.mode() & 0o7777);
        self.try_io("keep the mode of", out.set_permissions(fs::Permissions::from_mode(mode)))?;
        let written = out.write_all(text.as_bytes()).and_then(|()| out.sync_all());
        self.try_io("write beside", written)
    }

    fn unchanged(&self) -> Result<(), FileError> {
        let now = match bytes(&self.path) {
            Ok(bytes) => Some(bytes),
            Err(FileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        if now.as_deref() == self.text.as_deref().map(str::as_bytes) {
            Ok(())
        } else {
            Err(FileError::Changed(self.path.clone()))
        }
    }

    fn try_io<T>(&self, action: &'static str, outcome: io::Result<T>) -> Result<T, FileError> {
        outcome.map_err(|source| FileError::Io { action, path: self.path.clone(), source })
    }
}

/// Where a file will really be that is not there yet: the links of the directories that are there followed.
fn real(path: &Path) -> PathBuf {
    let there = path.ancestors().skip(1).find_map(|above| Some((above, fs::canonicalize(above).ok()?)));
    match there.and_then(|(above, found)| Some(found.join(path.strip_prefix(above).ok()?))) {
        Some(found) => found,
        None => path.to_owned(),
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, FileError> {
    let io = |source| FileError::Io { action: "read", path: path.to_owned(), source };
    let meta = fs::metadata(path).map_err(io)?;
    if !meta.is_file() {
        return Err(FileError::NotAFile(path.to_owned()));
    }
    if meta.len() > MAX {
        return Err(FileError::TooLarge(path.to_owned()));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX).read_to_end(&mut bytes)).map_err(io)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_is_written_through_and_the_mode_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real.json"), dir.path().join("link.json"));
        fs::write(&real, "{}").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&real, &link).unwrap();
        Settings::read(&link).unwrap().replace("{ }", 0o600).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "{ }");
        assert_eq!(fs::metadata(&real).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_new_file_is_known_by_the_path_it_will_have() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("real")).unwrap();
        symlink(dir.path().join("real"), dir.path().join("link")).unwrap();
        let path = dir.path().join("link/new/s.json");
        let settings = Settings::read(&path).unwrap();
        settings.replace("{}", 0o600).unwrap();
        assert_eq!(Settings::read(&path).unwrap().path, settings.path);
    }

    #[test]
    fn what_another_program_wrote_meanwhile_is_not_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.json");
        fs::write(&path, "{}").unwrap();
        let settings = Settings::read(&path).unwrap();
        fs::write(&path, "{\"new\":1}").unwrap();
        assert!(matches!(settings.replace("{ }", 0o600), Err(FileError::Changed(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"new\":1}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_text_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("binary"), [0xff, 0xfe]).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        assert!(matches!(Settings::read(&at("binary")), Err(FileError::NotText(_))));
        assert!(matches!(Settings::read(&at("dangling")), Err(FileError::Dangling(_))));
        assert!(matches!(Settings::read(dir.path()), Err(FileError::NotAFile(_))));
        assert_eq!(Settings::read(&at("none")).unwrap().text, None);
    }
}
