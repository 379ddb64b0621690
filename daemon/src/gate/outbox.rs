//! What waits to be written to one connection: a bounded queue of encoded frames.
//!
//! Whoever has something for a connection (post, a session with a viewer, a verb) appends whole frames and goes on; the
//! connection's own task writes them. A full outbox is the appender's to handle: post keeps the message queued, a view
//! is redrawn later. Nobody ever waits for a slow reader.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use posthouse_protocol::{DecodeError, Encoding, Frame, Violation, limits};
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
    parcels: mpsc::UnboundedSender<Parcel>,
    gauge: Arc<Gauge>,
    encoding: Encoding,
    max_frame: usize,
}

/// The end that the connection's task empties.
#[derive(Debug)]
pub struct Outlet {
    parcels: mpsc::UnboundedReceiver<Parcel>,
    gauge: Arc<Gauge>,
    ended: bool,
}

/// What a connection finds in its outlet.
#[derive(Debug)]
pub(super) enum Parcel {
    /// Whole frames, lengths included.
    Frames(Bytes),
    /// Somebody wants to know when everything before this is written.
    Mark(Mark),
    /// The connection is to end; the violation, if there is one, is still to be told.
    End(Option<Box<Violation>>),
}

/// Called once what came before it was taken by the peer's socket; dropped if that never happens.
pub struct Mark(Box<dyn FnOnce() + Send>);

impl Mark {
    /// A mark that calls `written` on the connection's task: it must hand the news on and return at once.
    pub fn new(written: impl FnOnce() + Send + 'static) -> Self {
        Self(Box::new(written))
    }

    pub(super) fn reached(self) {
        (self.0)();
    }
}

impl std::fmt::Debug for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mark")
    }
}

/// Signs of life of a connection.
#[derive(Debug, Default)]
struct Gauge {
    waiting: AtomicUsize,
    written: AtomicU64,
    heard: AtomicBool,
}

/// An empty outbox for a connection that agreed on `encoding`. The byte limit is what bounds it.
pub fn outbox(encoding: Encoding) -> (Outbox, Outlet) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let gauge = Arc::new(Gauge::default());
    let outbox = Outbox { parcels: sender, gauge: gauge.clone(), encoding, max_frame: limits::MAX_FRAME };
    (outbox, Outlet { parcels: receiver, gauge, ended: false })
}

impl Outbox {
    /// The same with a smaller limit for a frame's payload, in bytes.
    pub fn with_max_frame(self, max_frame: usize) -> Self {
        Self { max_frame, ..self }
    }

    /// The encoding its frames are written in.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Largest payload the peer was promised, in bytes.
    pub fn max_frame(&self) -> usize {
        self.max_frame
    }

    /// Bytes waiting now.
    pub fn waiting(&self) -> usize {
        self.gauge.waiting.load(Ordering::Relaxed)
    }

    /// Appends frames that are encoded already, lengths included.
    pub fn push(&self, chunk: Bytes) -> Result<(), PushError> {
        let length = chunk.len();
        if self.gauge.waiting.fetch_add(length, Ordering::Relaxed) > LIMIT {
            self.gauge.waiting.fetch_sub(length, Ordering::Relaxed);
            return Err(PushError::Full);
        }
        self.parcels.send(Parcel::Frames(chunk)).map_err(|_| PushError::Closed)
    }

    /// Asks to be told when everything that was appended so far is written.
    pub fn mark(&self, mark: Mark) {
        // Of a connection that is gone nothing more is written.
        let _ = self.parcels.send(Parcel::Mark(mark));
    }

    /// Encodes one frame and appends it. Meant for the odd frame; streams of them are encoded together and pushed.
    pub fn push_frame(&self, frame: &Frame) -> Result<Result<(), PushError>, DecodeError> {
        let mut out = BytesMut::new();
        frame.encode(self.encoding, self.max_frame, &mut out)?;
        Ok(self.push(out.freeze()))
    }

    /// Appends the last frames of the connection, however much waits, and ends it: the reader of the outbox sees them
    /// and then `None`, whatever anyone appends later.
    pub fn end(&self, last: Bytes) {
        self.gauge.waiting.fetch_add(last.len(), Ordering::Relaxed);
        // An error means that the connection is gone, which is what was asked for.
        let _ = self.parcels.send(Parcel::Frames(last)).and_then(|()| self.parcels.send(Parcel::End(None)));
    }

    /// Ends the connection: what waits is written if the client reads, then ERROR with this violation and BYE.
    pub fn close(&self, why: Violation) {
        let _ = self.parcels.send(Parcel::End(Some(Box::new(why))));
    }

    /// Whether the connection ended.
    pub fn is_closed(&self) -> bool {
        self.parcels.is_closed()
    }

    /// Returns once the connection ended.
    pub async fn closed(&self) {
        self.parcels.closed().await;
    }

    /// Bytes that the peer's socket has taken so far.
    pub(super) fn written(&self) -> u64 {
        self.gauge.written.load(Ordering::Relaxed)
    }

    /// Whether the peer sent anything since this was asked last.
    pub(super) fn take_heard(&self) -> bool {
        self.gauge.heard.swap(false, Ordering::Relaxed)
    }
}

impl Outlet {
    /// The next chunk; `None` once all was taken and every [`Outbox`] is gone or one of them said the end.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            match std::future::poll_fn(|cx| self.poll_parcel(cx)).await? {
                Parcel::Frames(bytes) => return Some(bytes),
                Parcel::Mark(mark) => mark.reached(),
                Parcel::End(_) => return None,
            }
        }
    }

    /// The next chunk if one is there already.
    pub fn try_next(&mut self) -> Option<Bytes> {
        loop {
            match self.try_parcel()? {
                Parcel::Frames(bytes) => return Some(bytes),
                Parcel::Mark(mark) => mark.reached(),
                Parcel::End(_) => return None,
            }
        }
    }

    /// The next parcel, for hand-written polling; none follows the end.
    pub(super) fn poll_parcel(&mut self, cx: &mut Context<'_>) -> Poll<Option<Parcel>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.parcels.poll_recv(cx).map(|parcel| self.noting_the_end(parcel))
    }

    pub(super) fn try_parcel(&mut self) -> Option<Parcel> {
        if self.ended {
            return None;
        }
        let parcel = self.parcels.try_recv().ok()?;
        self.noting_the_end(Some(parcel))
    }

    fn noting_the_end(&mut self, parcel: Option<Parcel>) -> Option<Parcel> {
        self.ended = matches!(parcel, Some(Parcel::End(_)) | None);
        parcel
    }

    /// Says that `length` bytes reached the socket.
    pub fn written(&self, length: usize) {
        self.gauge.waiting.fetch_sub(length, Ordering::Relaxed);
        self.gauge.written.fetch_add(length as u64, Ordering::Relaxed);
    }

    /// Says that `length` bytes will be written that came by another way.
    pub fn expect(&self, length: usize) {
        self.gauge.waiting.fetch_add(length, Ordering::Relaxed);
    }

    /// Says that the peer sent something.
    pub fn heard(&self) {
        self.gauge.heard.store(true, Ordering::Relaxed);
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

    #[tokio::test]
    async fn a_mark_is_reached_behind_what_came_before_it() {
        let (outbox, mut outlet) = outbox(Encoding::Json);
        let (told, mut news) = mpsc::unbounded_channel();
        outbox.push(Bytes::from_static(b"first")).unwrap();
        outbox.mark(Mark::new(move || told.send(()).unwrap()));
        assert_eq!(outlet.try_next().unwrap(), "first");
        assert!(news.try_recv().is_err());
        assert_eq!(outlet.try_next(), None);
        assert!(news.try_recv().is_ok());
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
