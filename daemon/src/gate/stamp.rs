//! Ids and times of the frames that the gate writes.

use std::time::{SystemTime, UNIX_EPOCH};

use posthouse_protocol::{DecodeError, Encoding, Frame, Header, Payload, Violation, payload};
use uuid::Uuid;

/// Unix milliseconds; 0 on a clock before 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// An id for a frame that answers nothing.
pub(super) fn fresh_id() -> String {
    Uuid::now_v7().to_string()
}

/// A frame of the gate's own around `payload`.
pub(super) fn frame<P: Payload>(id: String, payload: &P, encoding: Encoding) -> Result<Frame, DecodeError> {
    Frame::of(Header::new(P::KIND, id, now_ms()), payload, encoding)
}

/// The ERROR frame that tells of `violation`.
pub(super) fn error(violation: &Violation, encoding: Encoding) -> Result<Frame, DecodeError> {
    let id = violation.id.clone().unwrap_or_else(fresh_id);
    let error =
        payload::Error { code: violation.code, message: violation.message.clone(), fatal: violation.fatal };
    frame(id, &error, encoding)
}
