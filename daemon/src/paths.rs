//! Where the daemon keeps things, and how private files are written.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use posthouse_protocol::place;

/// Longest path a Unix socket can have on Linux, in bytes.
pub const SOCKET_PATH_MAX: usize = 107;

/// The daemon's places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The socket clients connect to.
    pub socket: PathBuf,
    /// Journal, keys and logs.
    pub state: PathBuf,
    /// The user's configuration and harness definitions.
    pub config: PathBuf,
    /// Holder sockets. They belong to the state and not to the runtime directory: the end of a login empties that one
    /// while holders go on, and whoever opens the same state must find the same holders.
    pub holders: PathBuf,
}

/// Completes "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum PathsError {
    /// There is nowhere to keep anything.
    #[error("find a place for the daemon's state: set POSTHOUSE_HOME, or HOME")]
    NoHome,
    /// A place that depends on where the daemon was started would be lost by the next one.
    #[error("use {}: POSTHOUSE_HOME, POSTHOUSE_SOCKET and the XDG directories must be absolute paths", path.display())]
    Relative {
        /// The path.
        path: PathBuf,
    },
    /// A socket's path does not fit the system's limit.
    #[error(
        "use {}: a socket's path may have {SOCKET_PATH_MAX} bytes and this one would have {length}; set POSTHOUSE_HOME to a shorter one", path.display()
    )]
    SocketTooLong {
        /// The path.
        path: PathBuf,
        /// Its length, in bytes.
        length: usize,
    },
    /// A directory belongs to somebody else.
    #[error("use {}: it belongs to user {owner}", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
    },
    /// A directory is everybody's, like `/tmp`, and must not be made private.
    #[error("use {}: it is shared with other users; name a directory below it", path.display())]
    Shared {
        /// The directory.
        path: PathBuf,
    },
    /// The system refused.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Paths {
    /// Works them out from environment variables as `get` gives them, and checks that sockets will fit.
    ///
    /// `POSTHOUSE_HOME=DIR` puts everything under `DIR`. Otherwise the XDG directories are used, with
    /// `~/.local/state` in place of a missing `XDG_RUNTIME_DIR`.
    pub fn from_env(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, PathsError> {
        let set = |name: &str| get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let socket = place::socket(&get).ok_or(PathsError::NoHome)?;
        let state = place::state(&get).ok_or(PathsError::NoHome)?;
        let paths = match set("POSTHOUSE_HOME") {
            Some(home) => Self { socket, state, config: home.join("config"), holders: home.join("holders") },
            None => {
                let home = || set("HOME").ok_or(PathsError::NoHome);
                let under = |xdg: &str, rest: &str| match set(xdg) {
                    Some(dir) => Ok(dir.join("posthouse")),
                    None => home().map(|home| home.join(rest).join("posthouse")),
                };
                Self {
                    socket,
                    config: under("XDG_CONFIG_HOME", ".config")?,
                    holders: state.join("holders"),
                    state,
                }
            }
        };
        for path in [&paths.socket, &paths.state, &paths.config] {
            if path.is_relative() {
                return Err(PathsError::Relative { path: path.clone() });
            }
        }
        check_socket(&paths.socket)?;
        // Holder sockets have names of at most 24 bytes.
        check_socket(&paths.holders.join("x".repeat(24)))?;
        Ok(paths)
    }

    /// Makes the directories, private to the user, and tightens those that are not.
    pub fn prepare(&self) -> Result<(), PathsError> {
        for dir in [self.socket.parent(), Some(&self.state), Some(&self.config), Some(&self.holders)] {
            make_private_dir(dir.ok_or(PathsError::NoHome)?)?;
        }
        Ok(())
    }

    /// Where keys are kept.
    pub fn keys(&self) -> PathBuf {
        self.state.join("keys")
    }

    /// The daemon's log.
    pub fn log(&self) -> PathBuf {
        self.state.join("posthoused.log")
    }

    /// Where harness definitions are looked for, the user's last.
    pub fn definitions(&self) -> Vec<PathBuf> {
        vec![PathBuf::from("/etc/posthouse/harnesses"), self.config.join("harnesses")]
    }
}

fn check_socket(path: &Path) -> Result<(), PathsError> {
    let length = path.as_os_str().len();
    if length > SOCKET_PATH_MAX {
        return Err(PathsError::SocketTooLong { path: path.to_owned(), length });
    }
    Ok(())
}

/// Makes `dir` and what leads to it, and sees to it that `dir` is 0700 and the user's own.
pub fn make_private_dir(dir: &Path) -> Result<(), PathsError> {
    let io = |action| move |source| PathsError::Io { action, path: dir.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io("make"))?;
    let meta = fs::metadata(dir).map_err(io("look at"))?;
    if meta.uid() != nix::unistd::geteuid().as_raw() {
        return Err(PathsError::Foreign { path: dir.to_owned(), owner: meta.uid() });
    }
    if meta.mode() & nix::libc::S_ISVTX != 0 {
        return Err(PathsError::Shared { path: dir.to_owned() });
    }
    if meta.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(io("make private"))?;
    }
    Ok(())
}

/// Replaces `path` with `bytes`, readable by the user alone. A reader sees the old or the new file whole, also after a
/// power cut.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), PathsError> {
    let io = |action| move |source| PathsError::Io { action, path: path.to_owned(), source };
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temp = dir.join(format!(".{name}.{}", uuid::Uuid::now_v7().simple()));
    let written = write_new(&temp, bytes).and_then(|()| fs::rename(&temp, path));
    if written.is_err() {
        // The first error is the one to tell; a temporary file that cannot be removed does no harm.
        let _ = fs::remove_file(&temp);
    }
    written.map_err(io("write"))?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io("make durable"))
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    // An unusual umask may have taken more away than the mode asked for.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(set: &'static [(&str, &str)]) -> Result<Paths, PathsError> {
        Paths::from_env(|name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v)))
    }

    #[test]
    fn one_home_holds_everything() {
        let paths = with(&[("POSTHOUSE_HOME", "/h"), ("XDG_RUNTIME_DIR", "/r"), ("HOME", "/u")]).unwrap();
        assert_eq!(paths.socket, Path::new("/h/posthouse.sock"));
        for path in [&paths.state, &paths.config, &paths.holders] {
            assert!(path.starts_with("/h"), "{}", path.display());
        }
    }

    #[test]
    fn without_one_the_xdg_directories_are_used() {
        let paths = with(&[("XDG_RUNTIME_DIR", "/r"), ("HOME", "/u")]).unwrap();
        assert_eq!(paths.socket, Path::new("/r/posthouse/posthouse.sock"));
        assert_eq!(paths.state, Path::new("/u/.local/state/posthouse"));
        assert_eq!(paths.config, Path::new("/u/.config/posthouse"));
        assert_eq!(paths.holders, Path::new("/u/.local/state/posthouse/holders"));
        assert!(matches!(with(&[]), Err(PathsError::NoHome)));
        assert!(matches!(with(&[("POSTHOUSE_HOME", "here")]), Err(PathsError::Relative { .. })));
    }

    #[test]
    fn a_home_too_deep_for_sockets_is_refused_by_name() {
        let deep: &'static str = Box::leak(format!("/{}", "d".repeat(100)).into_boxed_str());
        let set: &'static [(&str, &str)] = Box::leak(Box::new([("POSTHOUSE_HOME", deep)]));
        assert!(matches!(with(set), Err(PathsError::SocketTooLong { .. })));
    }

    #[test]
    fn directories_are_made_private_and_tightened_again() {
        let root = tempfile::tempdir().unwrap();
        let home = root.path().join("home");
        let paths = Paths::from_env(|name| (name == "POSTHOUSE_HOME").then(|| home.clone().into())).unwrap();
        paths.prepare().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!((mode(&home), mode(&paths.state), mode(&paths.holders)), (0o700, 0o700, 0o700));
        fs::set_permissions(&paths.state, fs::Permissions::from_mode(0o755)).unwrap();
        paths.prepare().unwrap();
        assert_eq!(mode(&paths.state), 0o700);
    }

    #[test]
    fn a_directory_shared_with_others_is_not_made_private() {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        assert!(matches!(make_private_dir(root.path()), Err(PathsError::Shared { .. })));
        assert_eq!(fs::metadata(root.path()).unwrap().mode() & 0o7777, 0o1777);
    }

    #[test]
    fn a_failed_replacement_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let taken = dir.path().join("taken");
        fs::create_dir(&taken).unwrap();
        write_private(&taken, b"new").unwrap_err();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn private_files_are_private_and_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        write_private(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
    }
}
