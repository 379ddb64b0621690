//! One daemon per state directory: an exclusive lock that the kernel drops with its holder.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// Name of the lock file in the state directory.
pub const LOCK_FILE: &str = "posthoused.lock";

/// The state directory is ours for as long as this lives. The file itself stays: removing it would let a third daemon
/// lock a new file of the same name while the second still waits on the old one.
#[derive(Debug)]
pub struct StateLock {
    _file: Flock<File>,
}

/// Why the state directory could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another daemon has it.
    #[error(
        "use state directory {dir}: posthoused (pid {}) is already running on it; \
         use that one, stop it with `posthouse down`, or set POSTHOUSE_HOME to another directory",
        pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string())
    )]
    Held {
        /// The state directory.
        dir: PathBuf,
        /// The other daemon's pid, if it had written it already.
        pid: Option<u32>,
    },
    /// The file system refused.
    #[error("lock state directory {dir}")]
    Io {
        /// The state directory.
        dir: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl StateLock {
    /// Takes the lock on `dir`, which must exist, without waiting. The pid in the file is only told to people: who
    /// holds the lock is the kernel's word.
    pub fn take(dir: &Path) -> Result<Self, LockError> {
        let io = |source| LockError::Io { dir: dir.to_owned(), source };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_CLOEXEC)
            .open(dir.join(LOCK_FILE))
            .map_err(io)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut file) => {
                record_pid(&mut file).map_err(io)?;
                Ok(Self { _file: file })
            }
            Err((mut file, Errno::EWOULDBLOCK)) => {
                Err(LockError::Held { dir: dir.to_owned(), pid: read_pid(&mut file) })
            }
            Err((_, errno)) => Err(io(errno.into())),
        }
    }
}

fn record_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", std::process::id())
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_daemon_is_told_who_has_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let first = StateLock::take(dir.path()).unwrap();
        let refused = StateLock::take(dir.path()).unwrap_err();
        assert!(matches!(refused, LockError::Held { pid: Some(pid), .. } if pid == std::process::id()));
        assert!(refused.to_string().contains("already running"), "{refused}");

        drop(first);
        StateLock::take(dir.path()).expect("free again");
    }

    #[test]
    fn a_lock_file_left_by_a_dead_daemon_does_not_count() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(LOCK_FILE), "1\n").unwrap();
        StateLock::take(dir.path()).expect("nobody holds it");
    }
}
