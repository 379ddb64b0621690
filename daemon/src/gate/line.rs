//! A connection's socket on the event loop, waited on for what is of interest and for nothing else.
//!
//! A registration for both directions would have the kernel wake the daemon each time that a peer reads what it was sent,
//! which for a message there and back is as often as there is something to do. So the socket waits for bytes to
//! read; only while it is full does a second descriptor of it wait for room.

use std::io::{self, IoSlice, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll, ready};

use tokio::io::Interest;

use crate::sys::socket::{Received, Watched};

/// The socket.
#[derive(Debug)]
pub(super) struct Line {
    socket: Watched,
    /// Waits for room; there while something is to be written that the socket has not taken.
    room: Option<Watched>,
}

impl Line {
    /// Takes over a socket that does not block. To be called on the gate's runtime.
    pub(super) fn new(socket: UnixStream) -> io::Result<Self> {
        Ok(Self { socket: Watched::new(socket, Interest::READABLE)?, room: None })
    }

    /// Has `read` read once there is something to read.
    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        mut read: impl FnMut(BorrowedFd<'_>) -> io::Result<Received>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.socket.poll_read_ready(cx))?;
            match read(self.socket.socket().as_fd()) {
                Ok(Received { bytes, drained }) => {
                    if drained {
                        // What comes from now on makes it ready again, and so did its end if that has come.
                        ready.clear_ready();
                    }
                    return Poll::Ready(Ok(bytes));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }

    /// Writes as much as the socket takes at once; pending if that is nothing.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.socket.socket().write_vectored(slices) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => ready!(self.poll_room(cx))?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                written => return Poll::Ready(written),
            }
        }
    }

    /// Nothing more is waiting to be written.
    pub(super) fn flushed(&mut self) {
        self.room = None;
    }

    /// Tells the peer that nothing more will come.
    pub(super) fn shut(&self) -> io::Result<()> {
        self.socket.socket().shutdown(Shutdown::Write)
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let room = match self.room.take() {
            Some(room) => self.room.insert(room),
            None => {
                let again = self.socket.socket().try_clone()?;
                self.room.insert(Watched::new(again, Interest::WRITABLE)?)
            }
        };
        // Whatever was known is forgotten: there was no room just now.
        let mut ready = ready!(room.poll_write_ready(cx))?;
        ready.clear_ready();
        Poll::Ready(Ok(()))
    }
}
