<<<<<<< HEAD
//! Where the daemon keeps things, and how private files are written.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
=======
//! Where things live on disk, and that nobody else may look in.
//!
//! `POSTHOUSE_HOME=DIR` puts everything under `DIR`; otherwise the XDG directories are used. Directories are 0700 and
//! files 0600, made so and tightened again at every start.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
>>>>>>> 11721d2 (Decide where the daemon's files live and keep them private)
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use posthouse_protocol::place;

<<<<<<< HEAD
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
    /// Holder sockets; gone after a reboot, as the holders are.
    pub holders: PathBuf,
}

/// Completes "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum PathsError {
    /// There is nowhere to keep anything.
    #[error("find a place for the daemon's state: set POSTHOUSE_HOME, or HOME")]
    NoHome,
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
    /// The system refused.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
=======
/// Longest path of a Unix socket, in bytes.
pub const MAX_SOCKET_PATH: usize = 107;

/// Longest file name that the daemon gives a socket in [`Places::holders`], in bytes.
const HOLDER_NAME: usize = 24;

/// The daemon's files and directories, all absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The socket that clients connect to.
    pub socket: PathBuf,
    /// The journal and what else must survive: one daemon per state directory.
    pub state: PathBuf,
    /// The user's configuration; may not exist.
    pub config: PathBuf,
    /// Where holders listen. It belongs to the state and not to the runtime directory, because a login session's end
    /// empties that one while holders may go on, and because the same state must find the same holders.
    pub holders: PathBuf,
}

/// Why a place can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// No variable says where to live.
    #[error("find a place to live: set POSTHOUSE_HOME or HOME")]
    Homeless,
    /// A variable holds a relative path.
    #[error("use {variable}={path}: the path must be absolute")]
    Relative {
        /// The variable.
        variable: &'static str,
        /// What it holds.
        path: PathBuf,
    },
    /// A socket's path would not fit into a socket address.
    #[error(
        "use {path} for sockets: the path would have {len} bytes and a socket's may have {MAX_SOCKET_PATH}; \
         set POSTHOUSE_HOME to a shorter directory"
    )]
    TooLong {
        /// The socket, or the directory of the holders' sockets.
        path: PathBuf,
        /// Bytes it would need.
        len: usize,
    },
    /// A directory belongs to another user.
    #[error("use directory {path}: it belongs to uid {uid}")]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        uid: u32,
    },
    /// A directory is meant for everyone, like `/tmp`, and must not be made private.
    #[error("use directory {path}: it is shared with other users; name one of its own, as {path}/posthouse")]
    Shared {
        /// The directory.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("prepare {path}")]
    Io {
>>>>>>> 11721d2 (Decide where the daemon's files live and keep them private)
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

<<<<<<< HEAD
impl Paths {
    /// Works them out from environment variables as `get` gives them, and checks that sockets will fit.
    ///
    /// `POSTHOUSE_HOME=DIR` puts everything under `DIR`. Otherwise the XDG directories are used, with
    /// `~/.local/state` in place of a missing `XDG_RUNTIME_DIR`.
    pub fn from_env(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, PathsError> {
        let set = |name: &str| get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let socket = place::socket(&get).ok_or(PathsError::NoHome)?;
        let paths = match set("POSTHOUSE_HOME") {
            Some(home) => Self {
                socket,
                state: home.join("state"),
                config: home.join("config"),
                holders: home.join("holders"),
            },
            None => {
                let home = || set("HOME").ok_or(PathsError::NoHome);
                let under = |xdg: &str, rest: &str| match set(xdg) {
                    Some(dir) => Ok(dir.join("posthouse")),
                    None => home().map(|home| home.join(rest).join("posthouse")),
                };
                let state = under("XDG_STATE_HOME", ".local/state")?;
                let runtime = set("XDG_RUNTIME_DIR").map(|dir| dir.join("posthouse"));
                let holders = runtime.unwrap_or_else(|| state.clone()).join("holders");
                Self { socket, config: under("XDG_CONFIG_HOME", ".config")?, holders, state }
            }
        };
        check_socket(&paths.socket)?;
        // Holder sockets have names of at most 24 bytes.
        check_socket(&paths.holders.join("x".repeat(24)))?;
        Ok(paths)
    }

    /// Makes the directories, private to the user, and tightens those that are not.
    pub fn prepare(&self) -> Result<(), PathsError> {
        for dir in [self.socket.parent(), Some(&self.state), Some(&self.config), Some(&self.holders)] {
            make_private_dir(dir.ok_or(PathsError::NoHome)?)?;
=======
impl Places {
    /// Finds the places from environment variables, as `get` gives them. Changes nothing.
    pub fn find(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, PlaceError> {
        let set = |name: &str| get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let socket = place::socket(&get).ok_or(PlaceError::Homeless)?;
        let (state, config) = if let Some(home) = set("POSTHOUSE_HOME") {
            (home.join("state"), home.join("config"))
        } else {
            // XDG wants relative paths ignored.
            let xdg = |name, fallback: &str| {
                let base = set(name).filter(|dir| dir.is_absolute());
                let base = base.or_else(|| set("HOME").map(|home| home.join(fallback)));
                base.map(|dir| dir.join("posthouse")).ok_or(PlaceError::Homeless)
            };
            (xdg("XDG_STATE_HOME", ".local/state")?, xdg("XDG_CONFIG_HOME", ".config")?)
        };
        let places = Self { socket, holders: state.join("run"), state, config };
        places.check()?;
        Ok(places)
    }

    fn check(&self) -> Result<(), PlaceError> {
        for (variable, path) in
            [("POSTHOUSE_SOCKET", &self.socket), ("POSTHOUSE_HOME", &self.state), ("HOME", &self.config)]
        {
            if path.is_relative() {
                return Err(PlaceError::Relative { variable, path: path.clone() });
            }
        }
        for (path, name) in [(&self.socket, 0), (&self.holders, 1 + HOLDER_NAME)] {
            let len = path.as_os_str().as_bytes().len() + name;
            if len > MAX_SOCKET_PATH {
                return Err(PlaceError::TooLong { path: path.clone(), len });
            }
>>>>>>> 11721d2 (Decide where the daemon's files live and keep them private)
        }
        Ok(())
    }

<<<<<<< HEAD
    /// Where keys are kept.
    pub fn keys(&self) -> PathBuf {
        self.state.join("keys")
    }

    /// The daemon's log.
    pub fn log(&self) -> PathBuf {
        self.state.join("posthoused.log")
    }

    /// The user's harness definitions.
    pub fn harnesses(&self) -> PathBuf {
        self.config.join("harnesses")
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
    if meta.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(io("make private"))?;
=======
    /// Makes the directories that are missing and tightens those that are not private. The configuration directory is
    /// the user's own affair.
    pub fn prepare(&self) -> Result<(), PlaceError> {
        let parent = self.socket.parent();
        for dir in parent.into_iter().chain([self.state.as_path(), self.holders.as_path()]) {
            private_dir(dir)?;
        }
        Ok(())
    }
}

/// Makes `path` a directory with mode 0700 that belongs to us, or says why it can't be.
pub fn private_dir(path: &Path) -> Result<(), PlaceError> {
    let io = |source| PlaceError::Io { path: path.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
    let meta = fs::metadata(path).map_err(io)?;
    if meta.uid() != nix::unistd::geteuid().as_raw() {
        return Err(PlaceError::Foreign { path: path.to_owned(), uid: meta.uid() });
    }
    if meta.mode() & nix::libc::S_ISVTX != 0 {
        return Err(PlaceError::Shared { path: path.to_owned() });
    }
    if meta.mode() & 0o777 != 0o700 {
        fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(io)?;
>>>>>>> 11721d2 (Decide where the daemon's files live and keep them private)
    }
    Ok(())
}

<<<<<<< HEAD
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
=======
/// Replaces `path` by a file of mode 0600 that holds `bytes`: after a crash at any point it is the old file or the new
/// one, whole.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().ok_or_else(|| io::Error::other("the path names no file"))?;
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce).map_err(io::Error::other)?;
    let temp = dir.join(format!(".new-{:016x}", u64::from_le_bytes(nonce)));
    let written = write_new(&temp, bytes).and_then(|()| fs::rename(&temp, path));
    if let Err(error) = written {
        // The first error is the one to tell; a leftover is private and harmless.
        let _ = fs::remove_file(&temp);
        return Err(error);
    }
    File::open(dir)?.sync_all()
>>>>>>> 11721d2 (Decide where the daemon's files live and keep them private)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
<<<<<<< HEAD
    // An unusual umask may have taken more away than the mode asked for.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
=======
>>>>>>> 11721d2 (Decide where the daemon's files live and keep them private)
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

<<<<<<< HEAD
    fn with(set: &'static [(&str, &str)]) -> Result<Paths, PathsError> {
        Paths::from_env(|name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v)))
=======
    fn find(set: &'static [(&str, &str)]) -> Result<Places, PlaceError> {
        Places::find(|name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v)))
>>>>>>> 11721d2 (Decide where the daemon's files live and keep them private)
    }

    #[test]
    fn one_home_holds_everything() {
<<<<<<< HEAD
        let paths = with(&[("POSTHOUSE_HOME", "/h"), ("XDG_RUNTIME_DIR", "/r"), ("HOME", "/u")]).unwrap();
        assert_eq!(paths.socket, Path::new("/h/posthouse.sock"));
        for path in [&paths.state, &paths.config, &paths.holders] {
            assert!(path.starts_with("/h"), "{}", path.display());
        }
=======
        let places = find(&[("POSTHOUSE_HOME", "/h"), ("HOME", "/u"), ("XDG_STATE_HOME", "/s")]).unwrap();
        assert_eq!(places.socket, Path::new("/h/posthouse.sock"));
        assert_eq!(places.state, Path::new("/h/state"));
        assert_eq!(places.config, Path::new("/h/config"));
        assert_eq!(places.holders, Path::new("/h/state/run"));
>>>>>>> 11721d2 (Decide where the daemon's files live and keep them private)
    }

    #[test]
    fn without_one_the_xdg_directories_are_used() {
<<<<<<< HEAD
        let paths = with(&[("XDG_RUNTIME_DIR", "/r"), ("HOME", "/u")]).unwrap();
        assert_eq!(paths.socket, Path::new("/r/posthouse/posthouse.sock"));
        assert_eq!(paths.state, Path::new("/u/.local/state/posthouse"));
        assert_eq!(paths.config, Path::new("/u/.config/posthouse"));
        assert!(matches!(with(&[]), Err(PathsError::NoHome)));
    }

    #[test]
    fn a_home_too_deep_for_sockets_is_refused_by_name() {
        let deep: &'static str = Box::leak(format!("/{}", "d".repeat(100)).into_boxed_str());
        let set: &'static [(&str, &str)] = Box::leak(Box::new([("POSTHOUSE_HOME", deep)]));
        assert!(matches!(with(set), Err(PathsError::SocketTooLong { .. })));
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
=======
        let places = find(&[("XDG_RUNTIME_DIR", "/run/user/1"), ("HOME", "/u"), ("XDG_CONFIG_HOME", "rel")]).unwrap();
        assert_eq!(places.socket, Path::new("/run/user/1/posthouse/posthouse.sock"));
        assert_eq!(places.state, Path::new("/u/.local/state/posthouse"));
        assert_eq!(places.config, Path::new("/u/.config/posthouse"));
    }

    #[test]
    fn places_that_can_not_work_are_refused_by_name() {
        assert!(matches!(find(&[]), Err(PlaceError::Homeless)));
        let relative = find(&[("POSTHOUSE_HOME", "here")]).unwrap_err();
        assert!(matches!(relative, PlaceError::Relative { .. }), "{relative}");

        let deep = format!("/{}", "d".repeat(80));
        let error = Places::find(|name| (name == "POSTHOUSE_HOME").then(|| deep.clone().into())).unwrap_err();
        assert!(matches!(error, PlaceError::TooLong { len: 116, .. }), "{error}");
    }

    #[test]
    fn directories_are_made_private_and_tightened_again() {
        let root = tempfile::tempdir().unwrap();
        let home = root.path().join("home");
        let places = Places::find(|name| (name == "POSTHOUSE_HOME").then(|| home.clone().into())).unwrap();
        places.prepare().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&home), mode(&places.state), mode(&places.holders)), (0o700, 0o700, 0o700));

        fs::set_permissions(&places.state, Permissions::from_mode(0o755)).unwrap();
        places.prepare().unwrap();
        assert_eq!(mode(&places.state), 0o700);
    }

    #[test]
    fn a_directory_shared_with_others_is_not_made_private() {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), Permissions::from_mode(0o1777)).unwrap();
        assert!(matches!(private_dir(root.path()), Err(PlaceError::Shared { .. })));
        assert_eq!(fs::metadata(root.path()).unwrap().mode() & 0o7777, 0o1777);
    }

    #[test]
    fn a_private_file_is_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(&path, "old and longer").unwrap();
        write_private(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["secret"]);
    }

    #[test]
    fn a_failed_replacement_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken");
        fs::create_dir(&path).unwrap();
        write_private(&path, b"new").unwrap_err();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
>>>>>>> 11721d2 (Decide where the daemon's files live and keep them private)
    }
}
