//! How much history is kept.

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// How much history is kept. Whichever bound is reached first applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Events younger than this are kept, in milliseconds.
    pub event_age_ms: u64,
    /// At most about this many events are kept.
    pub event_rows: u64,
    /// Ended messages and their receipts younger than this are kept, in milliseconds.
    pub message_age_ms: u64,
    /// At most about this many receipts are kept; those that have not ended count, but stay.
    pub receipt_rows: u64,
    /// Above this many bytes in use, ended messages go regardless of age, then events.
    pub bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            event_age_ms: 30 * DAY_MS,
            event_rows: 2_000_000,
            message_age_ms: 30 * DAY_MS,
            receipt_rows: 1_000_000,
            bytes: 4 * 1024 * 1024 * 1024,
        }
    }
}
