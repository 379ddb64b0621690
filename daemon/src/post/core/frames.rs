//! Writing frames to connections: encoded at once into the connection's chunk of this turn.

use bytes::BytesMut;
use posthouse_protocol::payload::{Ack, Bye, Error};
use posthouse_protocol::{DecodeError, ErrorCode, Frame, FrameType, Header, Json, Payload, Sync, Violation};

use super::{Core, Slot};

impl Core {
    /// An id for a frame that nothing will refer to.
    pub(super) fn fresh_id(&mut self) -> String {
        self.ids.next(self.now.wall).to_string()
    }

    /// Appends a frame to the connection's chunk. A connection that is gone takes anything.
    pub(super) fn put(&mut self, slot: Slot, frame: &Frame) -> Result<(), DecodeError> {
        let Some(conn) = self.conns.get_mut(slot) else { return Ok(()) };
        if conn.out.is_empty() {
            conn.out.reserve(conn.usual_chunk);
            self.touched.push(slot);
        }
        frame.encode(conn.encoding, conn.max_frame, &mut conn.out)
    }

    /// Appends a frame made by the daemon. One too large for the connection is logged and left out, because it would
    /// make the client lose everything behind it.
    pub(super) fn say<P: Payload>(&mut self, slot: Slot, header: Header, payload: &P) {
        let Some(encoding) = self.conns.get(slot).map(|conn| conn.encoding) else { return };
        let written = Frame::of(header, payload, encoding).and_then(|frame| self.put(slot, &frame));
        if let Err(error) = written {
            tracing::warn!(%error, kind = %P::KIND, "frame left out");
        }
    }

    /// Tells a client what is wrong with one of its frames; for a blocking send also ends the call, in the one way that
    /// every client understands.
    pub(super) fn refuse(&mut self, slot: Slot, id: &str, sync: Option<&Sync>, violation: &Violation) {
        let error =
            Error { code: violation.code, message: violation.message.clone(), fatal: violation.fatal };
        self.say(slot, Header::new(FrameType::Error, id, self.now.wall), &error);
        let Some(sync) = sync.filter(|sync| sync.blocking && !sync.correlation_id.is_empty()) else { return };
        self.end_call_with_error(slot, id, &sync.correlation_id, violation);
    }

    /// The ACK that ends a blocking send without an answer.
    pub(super) fn end_call_with_error(&mut self, slot: Slot, id: &str, correlation: &str, v: &Violation) {
        let data = serde_json::json!({ "error": v.message, "code": v.code });
        let ack = Ack {
            ack_id: id.to_owned(),
            seq: 0,
            correlation_id: Some(correlation.to_owned()),
            response: Some("ERROR".to_owned()),
            response_data: Some(Json::from(data)),
        };
        let header = Header::new(FrameType::Ack, self.fresh_id(), self.now.wall);
        self.say(slot, header, &ack);
    }

    /// The last two frames of a connection that another one replaces.
    pub(super) fn farewell(&mut self, slot: Slot, code: ErrorCode, message: &str) -> BytesMut {
        let id = self.fresh_id();
        self.refuse(slot, &id, None, &Violation::fatal(code, message));
        let header = Header::new(FrameType::Bye, self.fresh_id(), self.now.wall);
        self.say(slot, header, &Bye {});
        self.conns.get_mut(slot).map(|conn| std::mem::take(&mut conn.out)).unwrap_or_default()
    }
}
