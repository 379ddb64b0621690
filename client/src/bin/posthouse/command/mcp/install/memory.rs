//! What is remembered of an installation, so that it can be undone without a trace; and the former files.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use posthouse_protocol::place;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::exit::{Exit, Failure};
use crate::settings::Undo;
use crate::settings::file::Settings;

/// What is remembered.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// What stood where the entry is.
    pub undo: Undo,
    /// Whether there was no file before.
    pub made_file: bool,
}

/// The memory of one entry in one file.
#[derive(Debug)]
pub struct Memory {
    directory: PathBuf,
    key: String,
}

impl Memory {
    /// The memory of the entry `name` in `file`. Nothing is read yet.
    pub fn of(file: &Path, name: &str, get: impl Fn(&str) -> Option<OsString>) -> Result<Self, Failure> {
        let state =
            place::state(get).ok_or_else(|| Failure::new(Exit::Failed, "keep a backup: HOME is not set"))?;
        let hash =
            Sha256::new().chain_update(file.as_os_str().as_bytes()).chain_update([0]).chain_update(name);
        let key = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { directory: state.join("mcp"), key })
    }

    /// What is known, if anything is.
    pub fn recall(&self) -> Option<Remembered> {
        serde_json::from_slice(&fs::read(self.path()).ok()?).ok()
    }

    /// Remembers it.
    pub fn keep(&self, remembered: &Remembered) -> Result<(), Failure> {
        let text =
            serde_json::to_string(remembered).map_err(|e| Failure::new(Exit::Failed, e.to_string()))?;
        self.write(&self.path(), &text)
    }

    /// Forgets it.
    pub fn forget(&self) -> Result<(), Failure> {
        match fs::remove_file(self.path()) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed(&self.path(), &e)),
            _ => Ok(()),
        }
    }

    /// Copies the file as it is, if there is one.
    pub fn back_up(&self, settings: &Settings) -> Result<Option<PathBuf>, Failure> {
        let Some(text) = &settings.text else { return Ok(None) };
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%3f");
        let name = settings.path.file_name().unwrap_or_default().to_string_lossy();
        let path = self.directory.join(format!("{}-{now}-{}", self.key, name.trim_start_matches('.')));
        self.write(&path, text)?;
        Ok(Some(path))
    }

    fn path(&self) -> PathBuf {
        self.directory.join(format!("{}.json", self.key))
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), Failure> {
        let mut directories = DirBuilder::new();
        let made = directories.recursive(true).mode(0o700).create(&self.directory);
        made.map_err(|e| failed(&self.directory, &e))?;
        let fresh = path.with_extension("new");
        let mut options = OpenOptions::new();
        let opened = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh);
        let written = opened.and_then(|mut out| {
            out.write_all(text.as_bytes())?;
            out.sync_all()?;
            fs::rename(&fresh, path)
        });
        written.map_err(|e| failed(path, &e))
    }
}

fn failed(path: &Path, e: &io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("keep {}: {e}", path.display()))
}
