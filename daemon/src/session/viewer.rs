//! The viewers of one session. Output is encoded once per encoding and pushed to each; who reads too slowly is
//! skipped and later shown the whole screen anew, so that nobody waits for anybody.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use posthouse_protocol::payload::{AttachResponse, Detach, Notice, Output, REDRAW, Resize, WindowSize};
use posthouse_protocol::{Blob, Encoding, Frame, FrameType, Header, Payload, limits};

use super::house::{new_id, now_ms};
use crate::gate::outbox::{LIMIT, Outbox, PushError};
use crate::holder::run::Size;
use crate::post::command::ConnId;

/// Bytes of output in one frame, so that base64 and envelope fit the frame limit.
const CHUNK: usize = 256 * 1024;
/// One attached terminal.
#[derive(Debug)]
struct Viewer {
    conn: ConnId,
    outbox: Outbox,
    read_only: bool,
    size: Option<Size>,
    active_at: Instant,
    /// It missed output and has to be drawn anew.
    behind: bool,
}

/// All viewers of a session.
#[derive(Debug)]
pub struct Viewers {
    session: String,
    viewers: Vec<Viewer>,
}

impl Viewers {
    /// None, of the session called so.
    pub fn new(session: &str) -> Self {
        Self { session: session.to_owned(), viewers: Vec::new() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.viewers.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.viewers.is_empty()
    }

    /// Adds a viewer; one of the same connection is replaced.
    pub fn add(&mut self, conn: ConnId, outbox: Outbox, read_only: bool, size: Option<Size>, now: Instant) {
        self.remove(conn);
        self.viewers.push(Viewer { conn, outbox, read_only, size, active_at: now, behind: false });
    }

    /// Answers a viewer's ATTACH; to be called before anything is shown to it.
    pub fn answer(&mut self, conn: ConnId, request: String, response: &AttachResponse) {
        let Some(viewer) = self.of(conn) else { return };
        let header = Header::new(FrameType::AttachResponse, request, now_ms());
        let frame = Frame::of(header, response, viewer.outbox.encoding());
        // A viewer that cannot even be told this much is cut off by the gate.
        let _ = frame.and_then(|frame| viewer.outbox.push_frame(&frame));
    }

    /// Removes a viewer; the answer is whether it was there.
    pub fn remove(&mut self, conn: ConnId) -> bool {
        let before = self.viewers.len();
        self.viewers.retain(|viewer| viewer.conn != conn);
        before != self.viewers.len()
    }

    /// Whether a viewer may send keys; it becomes the most recently active one.
    pub fn types(&mut self, conn: ConnId, now: Instant) -> bool {
        let Some(viewer) = self.of(conn) else { return false };
        viewer.active_at = now;
        !viewer.read_only
    }

    /// A viewer's window changed.
    pub fn resized(&mut self, conn: ConnId, size: Size, now: Instant) {
        if let Some(viewer) = self.of(conn) {
            viewer.size = Some(size);
            viewer.active_at = now;
        }
    }

    /// The size that the most recently active viewer wants.
    pub fn size(&self) -> Option<Size> {
        let sized = self.viewers.iter().filter(|viewer| viewer.size.is_some() && !viewer.read_only);
        sized.max_by_key(|viewer| viewer.active_at).and_then(|viewer| viewer.size)
    }

    /// Output for everyone who keeps up.
    pub fn output(&mut self, offset: u64, bytes: &Bytes) {
        for encoding in [Encoding::Json, Encoding::Bincode] {
            if self.viewers.iter().any(|v| !v.behind && v.outbox.encoding() == encoding) {
                let frames = output_frames(&self.session, Some(offset), bytes, encoding);
                self.push(encoding, &frames);
            }
        }
    }

    /// Draws the screen anew for one viewer, or for those who fell behind and caught up reading. `picture` is asked
    /// for only if someone needs it.
    pub fn redraw(&mut self, conn: Option<ConnId>, picture: impl FnOnce() -> Vec<u8>) {
        let needs = |v: &Viewer| match conn {
            Some(conn) => v.conn == conn,
            None => v.behind && v.outbox.waiting() < LIMIT / 4,
        };
        if !self.viewers.iter().any(needs) {
            return;
        }
        let bytes = Bytes::from([REDRAW, &picture()].concat());
        let session = self.session.clone();
        for viewer in self.viewers.iter_mut().filter(|v| needs(v)) {
            let frames = output_frames(&session, None, &bytes, viewer.outbox.encoding());
            viewer.behind = !frames.is_empty() && viewer.outbox.push(frames) == Err(PushError::Full);
        }
    }

    /// What everyone sees is no longer true.
    pub fn lose_sight(&mut self) {
        for viewer in &mut self.viewers {
            viewer.behind = true;
        }
    }

    /// Whether somebody waits to be drawn anew.
    pub fn has_stragglers(&self) -> bool {
        self.viewers.iter().any(|viewer| viewer.behind)
    }

    /// Old output for one viewer, at its true offset.
    pub fn replay(&mut self, conn: ConnId, offset: u64, bytes: Vec<u8>) {
        let session = self.session.clone();
        if let Some(viewer) = self.of(conn) {
            let frames = output_frames(&session, Some(offset), &Bytes::from(bytes), viewer.outbox.encoding());
            viewer.behind |= viewer.outbox.push(frames) == Err(PushError::Full);
        }
    }

    /// The harness's terminal has another size: what everyone sees is to be drawn anew, but for a viewer that has seen
    /// nothing yet.
    pub fn harness_resized(&mut self, size: Size, newcomer: Option<ConnId>) {
        let newcomer: Vec<Viewer> =
            self.viewers.extract_if(.., |viewer| Some(viewer.conn) == newcomer).collect();
        let size = WindowSize { cols: size.cols, rows: size.rows };
        self.tell(&Resize { name: self.session.clone(), size });
        self.lose_sight();
        self.viewers.extend(newcomer);
    }

    /// A new status line for everyone.
    pub fn notice(&mut self, text: &str, state: &str) {
        let notice = Notice { name: self.session.clone(), text: text.to_owned(), state: state.to_owned() };
        self.tell(&notice);
    }

    /// Ends every view.
    pub fn end(&mut self, reason: &str) {
        let detach = Detach { name: self.session.clone(), reason: Some(reason.to_owned()) };
        self.tell(&detach);
        self.viewers.clear();
    }

    fn tell(&mut self, payload: &impl Payload) {
        for encoding in [Encoding::Json, Encoding::Bincode] {
            if self.viewers.iter().any(|viewer| viewer.outbox.encoding() == encoding) {
                let mut out = BytesMut::new();
                append(payload, encoding, &mut out);
                self.push(encoding, &out.freeze());
            }
        }
    }

    fn push(&mut self, encoding: Encoding, frames: &Bytes) {
        self.viewers.retain_mut(|viewer| {
            if viewer.behind || viewer.outbox.encoding() != encoding {
                return true;
            }
            match viewer.outbox.push(frames.clone()) {
                Ok(()) => true,
                Err(PushError::Full) => {
                    viewer.behind = true;
                    true
                }
                Err(PushError::Closed) => false,
            }
        });
    }

    fn of(&mut self, conn: ConnId) -> Option<&mut Viewer> {
        self.viewers.iter_mut().find(|viewer| viewer.conn == conn)
    }
}

/// Without an offset the bytes draw the screen, which the wire says by offset 0.
fn output_frames(session: &str, offset: Option<u64>, bytes: &Bytes, encoding: Encoding) -> Bytes {
    let mut out = BytesMut::new();
    let mut at = offset;
    for chunk in bytes.chunks(CHUNK) {
        let output = Output { name: session.to_owned(), offset: at.unwrap_or(0), data: Blob(chunk.to_vec()) };
        append(&output, encoding, &mut out);
        at = at.map(|at| at + chunk.len() as u64);
    }
    out.freeze()
}

fn append<P: Payload>(payload: &P, encoding: Encoding, out: &mut BytesMut) {
    let header = Header::new(FrameType::Output, new_id().to_string(), now_ms());
    let encoded =
        Frame::of(header, payload, encoding).and_then(|frame| frame.encode(encoding, limits::MAX_FRAME, out));
    if let Err(error) = encoded {
        tracing::error!(%error, "a frame for viewers was dropped");
    }
}
