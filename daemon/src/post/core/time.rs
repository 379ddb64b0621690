//! The clock as an argument.

/// The moment an input is handled, by both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Now {
    /// Wall clock, Unix milliseconds: what the journal and the wire are told.
    pub wall: u64,
    /// Monotonic milliseconds since an arbitrary moment: what deadlines are measured by.
    pub mono: u64,
}

impl Now {
    /// The monotonic moment of a deadline on the wall clock, as well as the two clocks agree now.
    pub fn mono_of(self, wall: u64) -> u64 {
        self.mono.saturating_add(wall.saturating_sub(self.wall))
    }
}
