//! The part of a frame that routers carry unread.

use bytes::{Bytes, BytesMut};

use crate::{DecodeError, ErrorCode, FrameType, Payload, binary, payload};

crate::codes! {
    /// How a frame's header and body are written.
    pub enum Encoding {
        /// One JSON object per frame.
        Json = 1 => "json",
        /// bincode header and body.
        Bincode = 2 => "bincode",
    }
}

/// A payload in the encoding its sender used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    encoding: Encoding,
    bytes: Bytes,
}

impl Body {
    /// Wraps bytes that are known to be one payload in `encoding`.
    pub fn opaque(encoding: Encoding, bytes: Bytes) -> Self {
        Self { encoding, bytes }
    }

    /// Writes `payload` in `encoding`.
    pub fn of<P: Payload>(payload: &P, encoding: Encoding) -> Result<Self, DecodeError> {
        let bytes = match encoding {
            Encoding::Bincode => binary::encode_body(payload)?,
            _ => {
                let bytes = serde_json::to_vec(payload);
                Bytes::from(bytes.map_err(|e| DecodeError::new(ErrorCode::BadJson, e.to_string()))?)
            }
        };
        Ok(Self { encoding, bytes })
    }

    /// Reads the payload; the error is `BAD_JSON` or `BAD_BINARY` and says what is wrong.
    pub fn decode<P: Payload>(&self) -> Result<P, DecodeError> {
        match self.encoding {
            Encoding::Bincode => binary::decode_body(&self.bytes),
            _ => {
                let read = serde_json::from_slice(&self.bytes);
                read.map_err(|e| DecodeError::new(ErrorCode::BadJson, format!("{} payload: {e}", P::KIND)))
            }
        }
    }

    /// The same payload in `to`; free where it is in that encoding already.
    pub fn transcode(&self, kind: FrameType, to: Encoding) -> Result<Self, DecodeError> {
        if self.encoding == to { Ok(self.clone()) } else { payload::transcode(kind, self, to) }
    }

    /// The encoding the bytes are in.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The bytes as they were sent.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(crate) fn put_into(&self, out: &mut BytesMut) {
        out.extend_from_slice(&self.bytes);
    }
}
