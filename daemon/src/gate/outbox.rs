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
    chunks: mpsc::UnboundedSender<Bytes>,
    waiting: Arc<AtomicUsize>,
    encoding: Encoding,
}

/// The end that the connection's task empties.
#[derive(Debug)]
pub struct Outlet {
    chunks: mpsc::UnboundedReceiver<Bytes>,
    waiting: Arc<AtomicUsize>,
}

/// An empty outbox for a connection that agreed on `encoding`. The byte limit is what bounds it.
pub fn outbox(encoding: Encoding) -> (Outbox, Outlet) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    (Outbox { chunks: sender, waiting: waiting.clone(), encoding }, Outlet { chunks: receiver, waiting })
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
        self.chunks.send(chunk).map_err(|_| PushError::Closed)
    }

    /// Encodes one frame and appends it. Meant for the odd frame; streams of them are encoded together and pushed.
    pub fn push_frame(&self, frame: &Frame) -> Result<Result<(), PushError>, DecodeError> {
        let mut out = BytesMut::new();
        frame.encode(self.encoding, limits::MAX_FRAME, &mut out)?;
        Ok(self.push(out.freeze()))
    }
}

impl Outlet {
    /// The next chunk; `None` once every [`Outbox`] is gone and all is written.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.chunks.recv().await
    }

    /// The next chunk if one is there already.
    pub fn try_next(&mut self) -> Option<Bytes> {
        self.chunks.try_recv().ok()
    }

    /// Says that `length` bytes reached the socket.
    pub fn written(&self, length: usize) {
        self.waiting.fetch_sub(length, Ordering::Relaxed);
    }
}
