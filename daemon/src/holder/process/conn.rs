//! One non-blocking connection to a daemon: frames in, frames out, OUTPUT straight from the ring.

use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use bytes::{BufMut, Bytes};

use crate::holder::run::StreamId;
use crate::holder::wire::{Deframer, ErrorCode, Event, Fault, OUTPUT_TRAILER, WireError, output_head};

/// Answers waiting for a daemon that does not read, in bytes; beyond, it is disconnected.
const MAX_WAITING: usize = 4 << 20;

pub(super) struct Conn {
    socket: UnixStream,
    deframer: Deframer,
    /// Whole frames, and the rest of one that went out in part.
    waiting: Vec<u8>,
    sent: usize,
    head: Vec<u8>,
}

impl Conn {
    pub fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { socket, deframer: Deframer::default(), waiting: Vec::new(), sent: 0, head: Vec::new() })
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Reads once. `Ok(false)` is the peer's end.
    pub fn fill(&mut self) -> io::Result<bool> {
        let space = self.deframer.space();
        let room = space.spare_capacity_mut().len();
        let start = space.len();
        space.put_bytes(0, room);
        let read = space.get_mut(start..).map_or(Ok(0), |slot| self.socket.read(slot));
        space.truncate(start + read.as_ref().copied().unwrap_or(0));
        match read {
            Ok(count) => Ok(count > 0),
            Err(e) if is_retry(&e) => Ok(true),
            Err(e) => Err(e),
        }
    }

    pub fn next_payload(&mut self) -> Result<Option<Bytes>, WireError> {
        self.deframer.next_payload()
    }

    /// Queues a message; [`Self::flush`] sends it. A message too large for a frame (which no
    /// message of this holder can be) becomes an error the peer can see.
    pub fn push(&mut self, tag: u32, event: &Event) {
        if let Err(error) = event.encode(tag, &mut self.waiting) {
            let fault = Fault { code: ErrorCode::System, fatal: false, about: 0, text: error.to_string() };
            // A fault this short always fits.
            let _ = Event::Fault(fault).encode(tag, &mut self.waiting);
        }
    }

    /// Sends what waits, as far as the peer takes it.
    pub fn flush(&mut self) -> io::Result<()> {
        while let Some(rest) = self.waiting.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.socket.write(rest) {
                Ok(count) => self.sent += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        if self.is_flushed() {
            self.sent = 0;
            self.waiting.clear();
            // A big answer (the note) must not stay in memory for good.
            self.waiting.shrink_to(4096);
        } else if self.waiting.len() - self.sent > MAX_WAITING {
            return Err(io::Error::other("the daemon does not read"));
        }
        Ok(())
    }

    pub fn is_flushed(&self) -> bool {
        self.sent >= self.waiting.len()
    }

    /// Sends one OUTPUT frame whose bytes lie in two parts. Only to be called when all is flushed;
    /// what the socket does not take is kept, so the frame counts as sent either way.
    pub fn send_output(&mut self, stream: StreamId, offset: u64, parts: (&[u8], &[u8])) -> io::Result<()> {
        let count = parts.0.len() + parts.1.len();
        output_head(stream, offset, count, &mut self.head).map_err(io::Error::other)?;
        let pieces = [self.head.as_slice(), parts.0, parts.1, OUTPUT_TRAILER];
        let sent = match self.socket.write_vectored(&pieces.map(IoSlice::new)) {
            Ok(count) => count,
            Err(e) if is_retry(&e) => 0,
            Err(e) => return Err(e),
        };
        let mut skip = sent;
        for piece in pieces {
            let from = skip.min(piece.len());
            self.waiting.extend_from_slice(piece.get(from..).unwrap_or_default());
            skip -= from;
        }
        Ok(())
    }

    /// Says why and closes: the reason is sent before the end as far as the peer's buffer allows.
    pub fn refuse(mut self, tag: u32, about: u16, code: ErrorCode, text: String) {
        self.push(tag, &Event::Fault(Fault { code, fatal: true, about, text }));
        // What is unread at the close would reach the peer as a reset instead of an end.
        let _ = self.fill();
        let _ = self.flush();
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }
}

fn is_retry(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
