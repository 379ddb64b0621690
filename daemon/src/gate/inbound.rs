//! Bytes that came from a peer and are not frames yet.
//!
//! An idle connection holds no buffer: reads go into one block per thread, and frames are slices of that block. Only
//! the beginning of an unfinished frame is kept, copied out so that it does not hold the block.

use std::cell::RefCell;
use std::io;
use std::os::fd::BorrowedFd;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use posthouse_protocol::codec::{self, FramingError};

use super::line::Line;
use crate::sys::socket;

/// Size of the shared block, in bytes.
const BLOCK: usize = 128 * 1024;
/// Least and most room offered to one read, in bytes. What one read brings is handled in one go, so the most is also how
/// long others may have to wait for it.
const ROOM: usize = 32 * 1024;
const MOST: usize = 64 * 1024;
/// A kept beginning longer than this grows in place instead of being copied in front of the next read.
const SMALL: usize = 8 * 1024;

thread_local! {
    static SHARED: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// The reading side of one connection.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    bytes: BytesMut,
}

impl Inbound {
    /// Reads what is there, at least one byte; 0 is the end of the stream. After it, frames are to be taken until there
    /// is none, and then [`Self::settle`] is to be called.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, line: &Line) -> Poll<io::Result<usize>> {
        line.poll_read(cx, |fd| {
            if self.bytes.len() <= SMALL {
                SHARED.with_borrow_mut(|shared| self.read_through(shared, fd))
            } else {
                self.bytes.reserve(ROOM);
                socket::receive(fd, &mut (&mut self.bytes).limit(MOST))
            }
        })
    }

    fn read_through(&mut self, shared: &mut BytesMut, fd: BorrowedFd<'_>) -> io::Result<usize> {
        if shared.capacity() < self.bytes.len() + ROOM {
            shared.reserve(BLOCK);
        }
        shared.extend_from_slice(&self.bytes);
        let read = socket::receive(fd, &mut (&mut *shared).limit(MOST));
        match read {
            Ok(1..) => self.bytes = shared.split(),
            _ => shared.clear(),
        }
        read
    }

    /// The next whole frame.
    pub(super) fn next(&mut self, max: usize) -> Result<Option<Bytes>, FramingError> {
        codec::split(&mut self.bytes, max)
    }

    /// Lets go of the shared block, now that no whole frame is left.
    pub(super) fn settle(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = BytesMut::new();
        } else if self.bytes.len() <= SMALL {
            self.bytes = BytesMut::from(self.bytes.as_ref());
        }
    }

    /// What the end of the stream means for what is left.
    pub(super) fn finish(&self) -> Result<(), FramingError> {
        codec::finish(&self.bytes)
    }
}
