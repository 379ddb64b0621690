//! The holder's socket: who may come in, and the guests that have not said HELLO yet.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::sys::stat::{Mode, umask};

use super::conn::Conn;
use crate::holder::ancestry::{Runs, runs_of};
use crate::holder::wire::{Command, ErrorCode, Hello, WireError};

/// How long a guest may take to say HELLO.
const PATIENCE: Duration = Duration::from_secs(5);
/// Guests at once; the one that has waited longest goes first.
const MAX_GUESTS: usize = 8;

pub(super) struct Door {
    listener: UnixListener,
    path: PathBuf,
    inode: u64,
    guests: Vec<Guest>,
    /// Runs that this holder itself was started within: their processes are its operators.
    outer: Runs,
}

struct Guest {
    conn: Conn,
    until: Instant,
}

impl Door {
    /// Listens at `path`, mode 0600. The socket appears under its name only once it listens, so
    /// that a refused connection proves a dead holder.
    pub fn open(path: &Path, outer: Runs) -> io::Result<Self> {
        let directory = path.parent().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        if fs::metadata(directory)?.permissions().mode() & 0o077 != 0 {
            return Err(io::Error::other(format!(
                "{} must be open to its owner only (0700)",
                directory.display()
            )));
        }
        let unnamed = directory.join(format!(".{}", std::process::id()));
        let _ = fs::remove_file(&unnamed);
        let before = umask(Mode::from_bits_truncate(0o177));
        let bound = UnixListener::bind(&unnamed);
        umask(before);
        let listener = bound?;
        listener.set_nonblocking(true)?;
        // Unlike a rename, this does not replace another holder's name.
        let named = fs::hard_link(&unnamed, path);
        fs::remove_file(&unnamed)?;
        named?;
        let inode = fs::symlink_metadata(path)?.ino();
        Ok(Self { listener, path: path.to_owned(), inode, guests: Vec::new(), outer })
    }

    /// Readable when somebody knocks.
    pub fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// The guests' sockets, by index.
    pub fn guests(&self) -> impl ExactSizeIterator<Item = BorrowedFd<'_>> + DoubleEndedIterator {
        self.guests.iter().map(|guest| guest.conn.fd())
    }

    /// When the next guest's patience ends.
    pub fn deadline(&self) -> Option<Instant> {
        self.guests.iter().map(|guest| guest.until).min()
    }

    /// Takes in whoever knocks.
    pub fn accept(&mut self, now: Instant) {
        for _ in 0..MAX_GUESTS {
            let Ok((socket, _)) = self.listener.accept() else { return };
            let admitted = self.admit(&socket);
            let Ok(conn) = Conn::new(socket) else { continue };
            match admitted {
                Err((code, text)) => conn.refuse(0, 0, code, text),
                Ok(()) => {
                    if self.guests.len() >= MAX_GUESTS {
                        let oldest = self.guests.remove(0);
                        oldest.conn.refuse(0, 0, ErrorCode::HandshakeLate, "others came meanwhile".into());
                    }
                    self.guests.push(Guest { conn, until: now + PATIENCE });
                }
            }
        }
    }

    fn admit(&self, socket: &UnixStream) -> Result<(), (ErrorCode, String)> {
        let unknown = |e: String| (ErrorCode::UnknownPeer, format!("the peer cannot be told: {e}"));
        let peer = getsockopt(socket, PeerCredentials).map_err(|e| unknown(e.to_string()))?;
        if peer.uid() != nix::unistd::getuid().as_raw() {
            return Err((ErrorCode::ForeignUser, format!("user {} does not own this holder", peer.uid())));
        }
        let pid = u32::try_from(peer.pid()).map_err(|e| unknown(e.to_string()))?;
        let runs = runs_of(pid).map_err(|e| unknown(e.to_string()))?;
        match runs.iter().find(|run| !self.outer.contains(run)) {
            None => Ok(()),
            Some(run) => Err((
                ErrorCode::InsideRun,
                format!(
                    "process {pid} belongs to run {run}, and a session's processes may not speak to holders"
                ),
            )),
        }
    }

    /// Hears the guest at `index` out. Returns its connection once it has said HELLO, with the tag
    /// of that frame.
    pub fn hear(&mut self, index: usize) -> Option<(Conn, u32, Hello)> {
        let guest = self.guests.get_mut(index)?;
        let alive = matches!(guest.conn.fill(), Ok(true));
        let verdict = match guest.conn.next_payload() {
            Ok(None) if alive => return None,
            Ok(None) => None,
            Ok(Some(payload)) => Some(Command::decode(&payload)),
            Err(error) => Some(Err(error)),
        };
        let conn = self.guests.remove(index).conn;
        match verdict? {
            Ok(frame) => match frame.message {
                Command::Hello(hello) => return Some((conn, frame.tag, hello)),
                other => conn.refuse(
                    frame.tag,
                    other.kind(),
                    ErrorCode::HandshakeRequired,
                    "the first frame must be HELLO".into(),
                ),
            },
            Err(error) => {
                let (code, tag, about) = describe(&error);
                let code = if code == ErrorCode::UnknownType { ErrorCode::HandshakeRequired } else { code };
                conn.refuse(tag, about, code, format!("failed to {error}; say HELLO first"));
            }
        }
        None
    }

    /// Sends away guests that took too long.
    pub fn expire(&mut self, now: Instant) {
        while let Some(index) = self.guests.iter().position(|guest| guest.until <= now) {
            let guest = self.guests.remove(index);
            guest.conn.refuse(0, 0, ErrorCode::HandshakeLate, "no HELLO came within 5 s".into());
        }
    }

    /// Whether anybody can still find this holder.
    pub fn is_reachable(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|meta| meta.ino() == self.inode)
    }

    /// Takes the socket's name away.
    pub fn close(&self) {
        if self.is_reachable() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The code, tag and frame type to answer undecodable bytes with.
pub(super) fn describe(error: &WireError) -> (ErrorCode, u32, u16) {
    match error {
        WireError::Oversize(_) => (ErrorCode::Oversize, 0, 0),
        WireError::UnknownType { kind, tag } => (ErrorCode::UnknownType, *tag, *kind),
        WireError::Body { kind, tag, .. } => (ErrorCode::BadFrame, *tag, *kind),
        WireError::Short(_) | WireError::Encode { .. } => (ErrorCode::BadFrame, 0, 0),
    }
}
