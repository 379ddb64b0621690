//! What waits to be written to one connection: a bounded queue of encoded frames.
//!
//! Whoever has something for a connection (post, a session with a viewer, a verb) appends whole frames and goes on; the
//! connection's own task writes them. A full outbox is the appender's to handle: post keeps the message queued, a view
//! is redrawn later. Nobody ever waits for a slow reader.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use posthouse_protocol::{DecodeError, Encoding, Frame, limits};
use tokio::sync::mpsc;

/// Most bytes that may wait for one connection.
pub const LIMIT: usize = 4 * 1024 * 1024;

/// The connection's outbox is full or the connection is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// The reader is behind by [`LIMIT`] bytes.
    #[error("queue a frame: the client reads too slowly")]
    Full,
    /// The connection ended.
    #[error("queue a frame: the connection is closed")]
    Closed,
}

/// The writing end; cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbox {
    chunks: mpsc::UnboundedSender<Chunk>,
    waiting: Arc<AtomicUsize>,
    encoding: Encoding,
}

#[derive(Debug)]
enum Chunk {
    Frames(Bytes),
    End,
}

/// The end that the connection's task empties.
#[derive(Debug)]
pub struct Outlet {
    chunks: mpsc::UnboundedReceiver<Chunk>,
    waiting: Arc<AtomicUsize>,
    ended: bool,
}

/// An empty outbox for a connection that agreed on `encoding`. The byte limit is what bounds it.
pub fn outbox(encoding: Encoding) -> (Outbox, Outlet) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    (
        Outbox { chunks: sender, waiting: waiting.clone(), encoding },
        Outlet { chunks: receiver, waiting, ended: false },
    )
}

impl Outbox {
    /// The encoding its frames are written in.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Bytes waiting now.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Appends frames that are encoded already, lengths included.
    pub fn push(&self, chunk: Bytes) -> Result<(), PushError> {
        let length = chunk.len();
        if self.waiting.fetch_add(length, Ordering::Relaxed) > LIMIT {
            self.waiting.fetch_sub(length, Ordering::Relaxed);
            return Err(PushError::Full);
        }
        self.chunks.send(Chunk::Frames(chunk)).map_err(|_| PushError::Closed)
    }

    /// Appends the last frames of the connection, however much waits, and ends it: the reader of the outbox sees them
    /// and then `None`, whatever anyone appends later.
    pub fn end(&self, last: Bytes) {
        self.waiting.fetch_add(last.len(), Ordering::Relaxed);
        // An error means that the connection is gone, which is what was asked for.
        let _ = self.chunks.send(Chunk::Frames(last)).and_then(|()| self.chunks.send(Chunk::End));
    }

    /// Encodes one frame and appends it. Meant for the odd frame; streams of them are encoded together and pushed.
    pub fn push_frame(&self, frame: &Frame) -> Result<Result<(), PushError>, DecodeError> {
        let mut out = BytesMut::new();
        frame.encode(self.encoding, limits::MAX_FRAME, &mut out)?;
        Ok(self.push(out.freeze()))
    }
}

impl Outlet {
    /// The next chunk; `None` once all is written and every [`Outbox`] is gone or one of them said the end.
    pub async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let chunk = self.chunks.recv().await;
        self.frames(chunk)
    }

    /// The next chunk if one is there already.
    pub fn try_next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let chunk = self.chunks.try_recv().ok()?;
        self.frames(Some(chunk))
    }

    fn frames(&mut self, chunk: Option<Chunk>) -> Option<Bytes> {
        match chunk {
            Some(Chunk::Frames(bytes)) => Some(bytes),
            Some(Chunk::End) | None => {
                self.ended = true;
                None
            }
        }
    }

    /// Says that `length` bytes reached the socket.
    pub fn written(&self, length: usize) {
        self.waiting.fetch_sub(length, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_follows_the_end() {
        let (outbox, mut outlet) = outbox(Encoding::Json);
        outbox.push(Bytes::from_static(b"first")).unwrap();
        outbox.end(Bytes::from_static(b"last"));
        outbox.push(Bytes::from_static(b"late")).unwrap();
        assert_eq!(outlet.next().await.unwrap(), "first");
        assert_eq!(outlet.next().await.unwrap(), "last");
        assert_eq!((outlet.next().await, outlet.try_next()), (None, None));
    }

    #[test]
    fn a_full_outbox_still_takes_the_end() {
        let (outbox, mut outlet) = outbox(Encoding::Json);
        outbox.push(Bytes::from(vec![0; LIMIT + 1])).unwrap();
        assert_eq!(outbox.push(Bytes::from_static(b"more")), Err(PushError::Full));
        outbox.end(Bytes::from_static(b"last"));
        assert_eq!(outlet.try_next().map(|c| c.len()), Some(LIMIT + 1));
        assert_eq!(outlet.try_next().unwrap(), "last");
    }
}
