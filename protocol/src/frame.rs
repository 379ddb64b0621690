//! One frame, whatever its encoding.

use bytes::{Bytes, BytesMut};
use std::fmt;

use crate::{Body, Encoding, ErrorCode, Header, Payload, binary, json};

/// A decoded frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The part that routers read.
    pub header: Header,
    /// The part that they carry.
    pub body: Body,
}

impl Frame {
    /// A frame around `payload`. The header's type is the payload's.
    pub fn of<P: Payload>(mut header: Header, payload: &P, encoding: Encoding) -> Result<Self, DecodeError> {
        header.kind = P::KIND;
        Ok(Self { header, body: Body::of(payload, encoding)? })
    }

    /// Reads one frame's payload (without its length).
    pub fn decode(payload: &Bytes, encoding: Encoding) -> Result<Self, DecodeError> {
        match encoding {
            Encoding::Bincode => binary::decode(payload),
            _ => json::decode(payload),
        }
    }

    /// Appends the frame with its length to `out`, transcoding the body if it has to.
    ///
    /// Fails without touching `out` if the payload would be larger than `max` bytes or the body cannot be transcoded.
    pub fn encode(&self, encoding: Encoding, max: usize, out: &mut BytesMut) -> Result<(), DecodeError> {
        let body = self.body.transcode(self.header.kind, encoding)?;
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        let written = match encoding {
            Encoding::Bincode => binary::encode(&self.header, &body, out),
            _ => json::encode(&self.header, &body, out),
        };
        let length = out.len() - start - 4;
        let fits = written.and_then(|()| match u32::try_from(length) {
            Ok(n) if length <= max => Ok(n),
            _ => Err(DecodeError::new(
                ErrorCode::FrameTooLarge,
                format!("{} frame of {length} bytes, the limit is {max}", self.header.kind),
            )),
        });
        match fits {
            Ok(length) => {
                if let Some(prefix) = out.get_mut(start..start + 4) {
                    prefix.copy_from_slice(&length.to_be_bytes());
                }
                Ok(())
            }
            Err(e) => {
                out.truncate(start);
                Err(e)
            }
        }
    }
}

/// Why bytes are not a frame, or a frame not the one they claim to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read a frame: {detail}")]
pub struct DecodeError {
    /// The code a peer is told.
    pub code: ErrorCode,
    /// What is wrong, for people.
    pub detail: String,
    /// The frame's id, where it could still be read.
    pub id: Option<String>,
}

impl DecodeError {
    pub(crate) fn about(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }

    /// An error about a frame whose id is not known.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), id: None }
    }
}

/// A breach of the protocol: the ERROR frame that answers it, and whether the connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The code.
    pub code: ErrorCode,
    /// One sentence for people.
    pub message: String,
    /// Whether the connection is closed after the error.
    pub fatal: bool,
    /// Id of the frame at fault.
    pub id: Option<String>,
}

impl Violation {
    /// A violation that ends the connection.
    pub fn fatal(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), fatal: true, id: None }
    }

    /// A violation that the connection survives.
    pub fn warning(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), fatal: false, id: None }
    }

    /// Names the frame at fault.
    pub fn about(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl From<DecodeError> for Violation {
    fn from(e: DecodeError) -> Self {
        Self { code: e.code, message: e.detail, fatal: false, id: e.id }
    }
}
