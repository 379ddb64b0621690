//! The head of an OUTPUT frame, written apart from its bytes so that they go from the ring to the
//! socket without a copy.

use super::frame::{HEADER_LEN, WireError, config};
use crate::holder::run::StreamId;

/// What follows the bytes of an OUTPUT frame: an empty list of extensions.
pub const OUTPUT_TRAILER: &[u8] = &[0];

const OUTPUT_KIND: u16 = 0x8004;
const PREFIX: usize = 4 + HEADER_LEN;

/// Replaces `head` with what precedes the `len` bytes of an OUTPUT frame; [`OUTPUT_TRAILER`] must
/// follow them.
///
/// # Errors
/// [`WireError::Encode`] if `len` bytes do not fit into a frame.
pub fn output_head(stream: StreamId, offset: u64, len: usize, head: &mut Vec<u8>) -> Result<(), WireError> {
    let failed = |what: String| WireError::Encode { kind: OUTPUT_KIND, what };
    head.clear();
    head.extend_from_slice(&[0; PREFIX]);
    bincode::encode_into_std_write((stream, offset, len), head, config())
        .map_err(|e| failed(e.to_string()))?;
    let payload = head.len() - 4 + len + OUTPUT_TRAILER.len();
    let length = u32::try_from(payload)
        .ok()
        .filter(|_| payload <= super::MAX_FRAME)
        .ok_or_else(|| failed(format!("{payload} bytes exceed the limit")))?;
    for (slot, byte) in head.iter_mut().zip(length.to_be_bytes().into_iter().chain(OUTPUT_KIND.to_be_bytes()))
    {
        *slot = byte;
    }
    Ok(())
}
