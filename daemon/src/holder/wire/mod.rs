//! The holder protocol on the wire: frames, messages and codes, free of I/O. `docs/holder-protocol.md`
//! is the contract.

mod body;
mod code;
mod frame;
mod message;
mod output;

pub use body::*;
pub use code::{ErrorCode, FailureCode, Target};
pub use frame::{Deframer, Extension, HEADER_LEN, MAX_FRAME, WireError};
pub use message::{Command, Event, Frame};
pub use output::{OUTPUT_TRAILER, output_head};

/// The oldest protocol version this build speaks.
pub const MIN_VERSION: u16 = 1;
/// The newest protocol version this build speaks.
pub const MAX_VERSION: u16 = 1;
/// Bytes of terminal or pipe output in one frame at most.
pub const MAX_OUTPUT: usize = 64 << 10;
/// Bytes of a note at most.
pub const MAX_NOTE: usize = 256 << 10;

/// Picks the version both sides speak: the newest in both ranges.
///
/// # Errors
/// A sentence saying which side to upgrade, for a peer whose range does not overlap.
pub fn negotiate(theirs: (u16, u16), ours: (u16, u16)) -> Result<u16, String> {
    let version = theirs.1.min(ours.1);
    if version >= theirs.0 && version >= ours.0 {
        return Ok(version);
    }
    let upgrade =
        if theirs.1 < ours.0 { "the daemon" } else { "the holder (end this run and start it anew)" };
    Err(format!(
        "the daemon speaks holder protocol {}..={}, this holder {}..={}: upgrade {upgrade}",
        theirs.0, theirs.1, ours.0, ours.1
    ))
}
