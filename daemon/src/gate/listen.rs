//! The socket: bound by us at a path, or handed over by systemd.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use interprocess::local_socket::tokio::{Listener, Stream};
use interprocess::local_socket::traits::StreamCommon;
use interprocess::local_socket::traits::tokio::Listener as _;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
use interprocess::os::unix::local_socket::ListenerOptionsExt;
use interprocess::os::unix::uds_local_socket::tokio as uds;
use posthouse_protocol::{Encoding, ErrorCode, Violation};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;

use super::closing::{Closing, LastWords};
use super::door::Door;
use super::handshake::Handshaking;
use super::house::House;
use super::line::Line;
use super::peer::Peer;
use crate::fail_point::{self, Point};
use crate::holder::ancestry::Lineages;
use crate::post::command::ConnId;
use crate::sys;

/// Pause after a failed accept: without descriptors or memory, the next one would fail too.
const PAUSE: Duration = Duration::from_millis(100);

/// Why there is no socket; completes "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// A daemon answers there.
    #[error("listen on {}: another daemon answers there", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else is there.
    #[error("listen on {}: there is something that is not a socket; move it away", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The system refused.
    #[error("listen on {}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What systemd handed over is not usable.
    #[error("take over the socket that systemd handed over: {0}")]
    Handed(io::Error),
}

/// Binds `path`, readable and writable by the user alone. A socket that nobody answers on is replaced; its directory
/// must exist. To be called on a tokio runtime.
///
/// # Errors
/// When somebody answers there, and whatever the system says.
pub fn bind(path: &Path) -> Result<Listener, ListenError> {
    let io = |source| ListenError::Io { path: path.to_owned(), source };
    match std::fs::symlink_metadata(path) {
        Ok(meta) if !meta.file_type().is_socket() => {
            return Err(ListenError::NotASocket { path: path.to_owned() });
        }
        Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => return Err(ListenError::InUse { path: path.to_owned() }),
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path).map_err(io)?
            }
            Err(e) => return Err(io(e)),
        },
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(io(e)),
    }
    let name = path.to_fs_name::<GenericFilePath>().map_err(io)?;
    ListenerOptions::new().name(name).mode(0o600).create_tokio().map_err(io)
}

/// The listener that systemd handed over, if it did. To be called on a tokio runtime.
///
/// # Errors
/// When it handed over something else.
pub fn handed() -> Result<Option<Listener>, ListenError> {
    let fd = sys::handed_socket().map_err(ListenError::Handed)?;
    fd.map(|fd| take_over(fd).map_err(ListenError::Handed)).transpose()
}

/// Makes a listener of a descriptor. Whoever bound its path is to remove it.
pub(super) fn take_over(fd: OwnedFd) -> io::Result<Listener> {
    uds::Listener::try_from(fd).map(Listener::UdSocket)
}

/// The descriptor of a listener that is to outlive this program. Its path stays.
///
/// # Errors
/// When there is no descriptor left.
pub(super) fn keep(mut listener: Listener) -> io::Result<OwnedFd> {
    listener.do_not_reclaim_name_on_drop();
    let Listener::UdSocket(socket) = &listener;
    socket.as_fd().try_clone_to_owned()
}

/// Accepts connections until the daemon is to end, and gives each a task of its own.
pub(super) async fn accept(listener: Listener, house: Arc<House>, slots: Arc<Semaphore>) -> Listener {
    let mut shutdown = house.shutdown.subscribe();
    let (mut lineages, mut door) = (Lineages::default(), Door::default());
    let mut last = 0;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = shutdown.wait_for(|down| down.wanted) => return listener,
        };
        match accepted.and_then(|Stream::UdSocket(stream)| Ok((stream.peer_creds()?, line(stream)?))) {
            Ok((credentials, line)) => {
                fail_point::at(Point::GateAccept).await;
                last += 1;
                let peer = Peer::of(&credentials, &mut lineages);
                welcome(ConnId(last), line, peer, &house, &slots);
                let now = Instant::now();
                if let Some(wait) = door.let_in(house.traffic.talk(now), now) {
                    tokio::time::sleep(wait).await;
                }
            }
            Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn line(stream: uds::Stream) -> io::Result<Line> {
    Line::new(UnixStream::from(stream).into_std()?)
}

fn welcome(conn: ConnId, line: Line, peer: Peer, house: &Arc<House>, slots: &Arc<Semaphore>) {
    let refusal = if peer.uid != house.place.uid {
        Some(Violation::fatal(ErrorCode::Unauthorized, "this daemon serves another user"))
    } else if slots.available_permits() == 0 {
        let most = house.limits.connections;
        Some(Violation::fatal(ErrorCode::LimitExceeded, format!("{most} connections are open already")))
    } else {
        None
    };
    if let Some(why) = refusal {
        tracing::warn!(code = %why.code, uid = peer.uid, "connection refused");
        let last = LastWords::Violation(Box::new(why), Encoding::Json);
        tokio::spawn(Closing { line, pending: Default::default(), last }.run());
        return;
    }
    let slot = slots.clone().try_acquire_owned();
    let connection = Handshaking { conn, line, peer, house: house.clone() };
    tokio::spawn(async move {
        connection.live().await;
        drop(slot);
    });
}
