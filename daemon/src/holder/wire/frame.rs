//! Framing: `u32 length · u16 type · u32 tag · bincode (body, extensions)`, all lengths limited and
//! every payload consumed exactly.

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::{BorrowDecode, Encode};
use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

/// Bytes of a frame's payload (type, tag, body, extensions) at most.
pub const MAX_FRAME: usize = 1 << 20;
/// Bytes of type and tag, at the start of each payload.
pub const HEADER_LEN: usize = 6;
const LENGTH_LEN: usize = 4;
/// Read at least this much at once.
const READ_STEP: usize = 8 << 10;
/// An idle buffer beyond this is given back.
const KEPT: usize = 256 << 10;

/// A numbered addition to a message from a later version: `(number, bytes)`.
pub type Extension = (u16, Vec<u8>);

/// Why bytes are not a frame of this protocol.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum WireError {
    /// The length prefix exceeds [`MAX_FRAME`].
    #[error("read a frame of {0} bytes: at most {MAX_FRAME} are allowed")]
    Oversize(usize),
    /// The payload is too short for type and tag.
    #[error("read a frame of {0} bytes: type and tag alone take {HEADER_LEN}")]
    Short(usize),
    /// No such type in this version; the frame may be skipped.
    #[error("read a frame of type {kind:#06x}: unknown to this version")]
    UnknownType {
        /// The frame's type.
        kind: u16,
        /// The frame's tag, for an answer.
        tag: u32,
    },
    /// The body or the extensions do not decode.
    #[error("decode a frame of type {kind:#06x}: {what}")]
    Body {
        /// The frame's type.
        kind: u16,
        /// The frame's tag, for an answer.
        tag: u32,
        /// What is wrong with it.
        what: String,
    },
    /// A message did not fit into one frame.
    #[error("encode a frame of type {kind:#06x}: {what}")]
    Encode {
        /// The frame's type.
        kind: u16,
        /// What is wrong with it.
        what: String,
    },
}

pub(super) const fn config() -> Configuration<LittleEndian, Varint, Limit<MAX_FRAME>> {
    bincode::config::standard().with_limit::<MAX_FRAME>()
}

/// A payload taken apart, its body still encoded.
pub(super) struct Parts<'a> {
    pub kind: u16,
    pub tag: u32,
    pub body: &'a [u8],
}

pub(super) fn split(payload: &[u8]) -> Result<Parts<'_>, WireError> {
    let short = || WireError::Short(payload.len());
    let (kind, rest) = payload.split_first_chunk::<2>().ok_or_else(short)?;
    let (tag, body) = rest.split_first_chunk::<4>().ok_or_else(short)?;
    Ok(Parts { kind: u16::from_be_bytes(*kind), tag: u32::from_be_bytes(*tag), body })
}

/// Decodes a body and the extensions after it, which are dropped: this version defines none. Both
/// must fill the slice exactly.
pub(super) fn decode_body<'a, T: BorrowDecode<'a, ()>>(parts: &Parts<'a>) -> Result<T, WireError> {
    let Parts { kind, tag, body } = *parts;
    let failed = |what: String| WireError::Body { kind, tag, what };
    let ((decoded, _), used) = bincode::borrow_decode_from_slice::<(T, Vec<(u16, &[u8])>), _>(body, config())
        .map_err(|error| failed(error.to_string()))?;
    if used != body.len() {
        return Err(failed(format!("{} bytes follow its end", body.len().saturating_sub(used))));
    }
    Ok(decoded)
}

/// Appends one whole frame to `out`. Nothing is appended on an error.
pub(super) fn encode_frame<T: Encode>(
    kind: u16,
    tag: u32,
    body: &T,
    extensions: &[Extension],
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_LEN]);
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&tag.to_be_bytes());
    let written =
        bincode::encode_into_std_write((body, extensions), out, config()).map_err(|e| e.to_string());
    let payload = out.len().saturating_sub(start + LENGTH_LEN);
    let prefix = match (written, u32::try_from(payload)) {
        (Ok(_), Ok(length)) if payload <= MAX_FRAME => Ok(length.to_be_bytes()),
        (Err(what), _) => Err(what),
        _ => Err(format!("{payload} bytes exceed the limit of {MAX_FRAME}")),
    };
    match prefix {
        Ok(prefix) => {
            if let Some(slot) = out.get_mut(start..start + LENGTH_LEN) {
                slot.copy_from_slice(&prefix);
            }
            Ok(())
        }
        Err(what) => {
            out.truncate(start);
            Err(WireError::Encode { kind, what })
        }
    }
}

/// Cuts a byte stream into payloads.
#[derive(Debug, Default)]
pub struct Deframer {
    buffer: BytesMut,
}

impl Deframer {
    /// The buffer to read into, with room for the rest of a frame that has begun.
    pub fn space(&mut self) -> &mut BytesMut {
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT {
            self.buffer = BytesMut::new();
        }
        let missing = match self.announced() {
            Some(length) if length <= MAX_FRAME => (length + LENGTH_LEN).saturating_sub(self.buffer.len()),
            _ => 0,
        };
        self.buffer.reserve(missing.max(READ_STEP));
        &mut self.buffer
    }

    /// The next whole payload, if one has arrived.
    ///
    /// # Errors
    /// [`WireError::Oversize`]; the stream cannot be read on after it.
    pub fn next_payload(&mut self) -> Result<Option<Bytes>, WireError> {
        let Some(length) = self.announced() else { return Ok(None) };
        if length > MAX_FRAME {
            return Err(WireError::Oversize(length));
        }
        if self.buffer.len() < LENGTH_LEN + length {
            return Ok(None);
        }
        self.buffer.advance(LENGTH_LEN);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// Whether no byte of an unfinished frame is waiting.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    fn announced(&self) -> Option<usize> {
        let prefix = self.buffer.first_chunk::<LENGTH_LEN>()?;
        usize::try_from(u32::from_be_bytes(*prefix)).ok()
    }
}
