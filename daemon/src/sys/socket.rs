//! Sockets as the gate wants them: watched for one direction only, and read into memory that need not be zeroed.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll};

use bytes::BufMut;
use nix::libc;
use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

/// A socket on the event loop.
#[derive(Debug)]
pub struct Watched(AsyncFd<UnixStream>);

impl Watched {
    /// Takes over a socket that does not block, to be waited on for `interest` alone. To be called on a runtime.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn new(socket: UnixStream, interest: Interest) -> io::Result<Self> {
        // SAFETY: the socket keeps its descriptor open until it is dropped, together with the registration; nothing
        // hands out a mutable reference by which another could take its place.
        Ok(Self(unsafe { AsyncFd::register_with_interest(socket, interest) }?))
    }

    /// The socket.
    pub fn socket(&self) -> &UnixStream {
        self.0.get_ref()
    }

    /// Waits for something to read.
    ///
    /// # Errors
    /// When the runtime is being taken down.
    pub fn poll_read_ready(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'_, UnixStream>>> {
        self.0.poll_read_ready(cx)
    }

    /// Waits for room to write.
    ///
    /// # Errors
    /// When the runtime is being taken down.
    pub fn poll_write_ready(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'_, UnixStream>>> {
        self.0.poll_write_ready(cx)
    }
}

/// Reads what a socket has into the next free room of `buffer`, which need not be zeroed for it. Returns how many bytes that
/// were; none at the end of the stream.
///
/// # Errors
/// What the kernel says, e.g. `EAGAIN` where nothing is there.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut impl BufMut) -> io::Result<usize> {
    let room = buffer.chunk_mut();
    let size = room.len();
    // SAFETY: the kernel writes at most `size` bytes to the room, which is as large and borrowed for the call.
    let read = unsafe { libc::recv(socket.as_raw_fd(), room.as_mut_ptr().cast(), size, 0) };
    let bytes = usize::try_from(nix::errno::Errno::result(read)?).unwrap_or_default();
    // SAFETY: the kernel has just written so many.
    unsafe { buffer.advance_mut(bytes) };
    Ok(bytes)
}
