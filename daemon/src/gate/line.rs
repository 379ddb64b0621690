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

use crate::sys::socket::Watched;

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

    /// Has `read` read once there is something to read. That it brought all there was shows at the next attempt: whoever sends
    /// much has sent more by then.
    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        mut read: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.socket.poll_read_ready(cx))?;
            match read(self.socket.socket().as_fd()) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => return Poll::Ready(read),
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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use bytes::{BufMut, BytesMut};
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::sys::socket;

    fn pair() -> (Line, tokio::net::UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        (Line::new(ours).unwrap(), tokio::net::UnixStream::from_std(theirs).unwrap())
    }

    async fn write(line: &mut Line, bytes: &[u8]) -> usize {
        poll_fn(|cx| line.poll_write(cx, &[IoSlice::new(bytes)])).await.unwrap()
    }

    #[tokio::test]
    async fn a_full_socket_is_written_to_once_there_is_room_again_and_then_left_alone() {
        let (mut line, mut peer) = pair();
        let bytes = vec![7; 8 << 20];
        let reader = async {
            let mut read = 0;
            while read < bytes.len() {
                read += peer.read(&mut vec![0; 65_536]).await.unwrap();
            }
        };
        let (mut left, mut was_full) = (bytes.len(), false);
        let writer = async {
            while left > 0 {
                left -= write(&mut line, &bytes[..left]).await;
                was_full |= line.room.is_some();
            }
            line.flushed();
        };
        tokio::join!(reader, writer);
        assert!(was_full && line.room.is_none());
    }

    #[tokio::test]
    async fn what_was_read_to_its_end_waits_for_more_and_for_the_end_of_the_stream() {
        let (line, peer) = pair();
        let mut buffer = BytesMut::with_capacity(64);
        let mut read = async || {
            poll_fn(|cx| line.poll_read(cx, |fd| socket::receive(fd, &mut (&mut buffer).limit(64))))
                .await
                .unwrap()
        };
        peer.writable().await.unwrap();
        peer.try_write(b"one").unwrap();
        assert_eq!(read().await, 3);
        let more = async {
            tokio::task::yield_now().await;
            peer.try_write(b"three").unwrap();
        };
        assert_eq!(tokio::join!(read(), more).0, 5);
        drop(peer);
        assert_eq!(read().await, 0);
        assert_eq!(&buffer[..], b"onethree");
    }
}
