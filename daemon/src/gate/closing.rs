//! The end of a connection: what is still to be said reaches the peer before the socket closes.
//!
//! Everything goes out in one piece, then the write side is shut, then what the peer was still sending is read away for
//! a moment: a socket that is closed with unread data reports a reset to the peer, which may hide our last words.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::IoSlice;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use posthouse_protocol::{Encoding, Violation, limits, payload};

use super::line::Line;
use super::stamp;
use crate::sys::socket;

/// How long a peer may take to read our last words.
const FLUSH: Duration = Duration::from_secs(1);
/// How long we go on reading after them.
const DRAIN: Duration = Duration::from_millis(250);
/// How much is read away at a time, and the pause after it: whoever sends as fast as it can is not to keep others waiting.
const SCRAP: usize = 16 << 10;
const PAUSE: Duration = Duration::from_millis(2);

/// A connection that is about to end.
#[derive(Debug)]
pub(super) struct Closing {
    /// Its socket.
    pub(super) line: Line,
    /// What was queued before the end and is to be written still.
    pub(super) pending: VecDeque<Bytes>,
    /// Our last words.
    pub(super) last: LastWords,
}

/// What a peer is told at the end.
#[derive(Debug)]
pub(super) enum LastWords {
    /// Nothing: the peer is gone, or cannot be told any more.
    Nothing,
    /// Only what is queued.
    Queued,
    /// BYE.
    Bye(Encoding),
    /// ERROR and BYE.
    Violation(Box<Violation>, Encoding),
}

impl Closing {
    /// Says the last words and closes.
    pub(super) async fn run(mut self) {
        let Some(words) = self.last.encode() else { return };
        self.pending.push_back(words);
        // A peer that does not read in time, or is gone, has had its chance.
        if let Ok(Ok(())) = tokio::time::timeout(FLUSH, self.flush()).await {
            let _ = tokio::time::timeout(DRAIN, drain(&self.line)).await;
        }
    }

    async fn flush(&mut self) -> std::io::Result<()> {
        while !self.pending.is_empty() {
            let mut slices = Vec::with_capacity(self.pending.len().min(64));
            slices.extend(self.pending.iter().take(64).map(|chunk| IoSlice::new(chunk)));
            let mut written = poll_fn(|cx| self.line.poll_write(cx, &slices)).await?;
            while let Some(chunk) = self.pending.front_mut() {
                if written < chunk.len() {
                    chunk.advance(written);
                    break;
                }
                written -= chunk.len();
                self.pending.pop_front();
            }
        }
        self.line.shut()
    }
}

async fn drain(line: &Line) {
    // On the heap: every connection's task has room for this future.
    let mut scrap = Vec::with_capacity(SCRAP);
    loop {
        let read = poll_fn(|cx| {
            line.poll_read(cx, |fd| {
                scrap.clear();
                socket::receive(fd, &mut (&mut scrap).limit(SCRAP))
            })
        });
        if !matches!(read.await, Ok(1..)) {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl LastWords {
    fn encode(&self) -> Option<Bytes> {
        let (violation, encoding) = match self {
            Self::Nothing => return None,
            Self::Queued => return Some(Bytes::new()),
            Self::Bye(encoding) => (None, *encoding),
            Self::Violation(violation, encoding) => (Some(violation), *encoding),
        };
        let mut out = BytesMut::new();
        if let Some(violation) = violation {
            let frame = stamp::error(violation, encoding).ok()?;
            frame.encode(encoding, limits::MAX_FRAME, &mut out).ok()?;
        }
        let bye = stamp::frame(stamp::fresh_id(), &payload::Bye {}, encoding).ok()?;
        bye.encode(encoding, limits::MAX_FRAME, &mut out).ok()?;
        Some(out.freeze())
    }
}
