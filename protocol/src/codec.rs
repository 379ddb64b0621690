//! Framing: a big-endian `u32` length, then that many bytes of payload. No magic, no checksum, no delimiter.

use bytes::{Buf, Bytes, BytesMut};

/// Bytes of the length in front of every payload.
pub const PREFIX: usize = 4;

/// Why the stream cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum FramingError {
    /// The peer announced more than the limit in force; what follows cannot be told apart any more.
    #[error("read a frame: its length is {length} bytes, the limit here is {max}")]
    TooLarge {
        /// What was announced, in bytes.
        length: u64,
        /// The limit, in bytes.
        max: usize,
    },
    /// The stream ended inside a frame.
    #[error("read a frame: the stream ended after {have} of {want} bytes")]
    Truncated {
        /// Bytes that came, the length included.
        have: usize,
        /// Bytes that were announced, the length included; 4 where not even the length came whole.
        want: usize,
    },
    /// The socket failed.
    #[error("read a frame: {0}")]
    Io(#[from] std::io::Error),
}

/// Takes the next whole payload off `buffer`, or `None` if it is not there yet.
///
/// After `TooLarge` the buffer is as it was: nothing after it can be trusted to be a frame.
pub fn split(buffer: &mut BytesMut, max: usize) -> Result<Option<Bytes>, FramingError> {
    let Some(prefix) = buffer.first_chunk::<PREFIX>() else { return Ok(None) };
    let announced = u32::from_be_bytes(*prefix);
    let length = usize::try_from(announced).unwrap_or(usize::MAX);
    if length > max {
        return Err(FramingError::TooLarge { length: u64::from(announced), max });
    }
    if buffer.len() < PREFIX + length {
        return Ok(None);
    }
    buffer.advance(PREFIX);
    Ok(Some(buffer.split_to(length).freeze()))
}

/// What an end of stream means for what is left in `buffer`.
pub fn finish(buffer: &BytesMut) -> Result<(), FramingError> {
    if buffer.is_empty() {
        return Ok(());
    }
    let want = match buffer.first_chunk::<PREFIX>() {
        Some(prefix) => PREFIX + usize::try_from(u32::from_be_bytes(*prefix)).unwrap_or(usize::MAX - PREFIX),
        None => PREFIX,
    };
    Err(FramingError::Truncated { have: buffer.len(), want })
}

/// The same as a [`tokio_util::codec`], for peers that read one frame at a time.
#[derive(Debug)]
pub struct FrameCodec {
    /// Largest payload accepted, in bytes. May be changed between frames, as WELCOME does.
    pub max: usize,
}

impl tokio_util::codec::Decoder for FrameCodec {
    type Item = Bytes;
    type Error = FramingError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, FramingError> {
        split(buffer, self.max)
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, FramingError> {
        match split(buffer, self.max)? {
            Some(frame) => Ok(Some(frame)),
            None => finish(buffer).map(|()| None),
        }
    }
}

impl tokio_util::codec::Encoder<Bytes> for FrameCodec {
    type Error = FramingError;

    fn encode(&mut self, payload: Bytes, out: &mut BytesMut) -> Result<(), FramingError> {
        match u32::try_from(payload.len()) {
            Ok(length) if payload.len() <= self.max => {
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(&payload);
                Ok(())
            }
            _ => Err(FramingError::TooLarge { length: payload.len() as u64, max: self.max }),
        }
    }
}
