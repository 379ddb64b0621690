//! A byte ring with absolute offsets: it keeps the newest bytes of a terminal, or every byte of a
//! pipe that has not been released yet.

/// What happens when a ring is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The oldest bytes go: nobody is ever blocked.
    Newest,
    /// Nothing more fits until [`Ring::release`].
    Unreleased,
}

/// Bytes `start..end` of a stream, counted from the stream's first byte.
#[derive(Debug)]
pub struct Ring {
    bytes: Box<[u8]>,
    keep: Keep,
    start: u64,
    end: u64,
}

impl Ring {
    /// A ring of `capacity` bytes (at least 1). The memory is backed when it is first written.
    pub fn new(capacity: usize, keep: Keep) -> Self {
        // Zeroed memory of this size comes straight from the kernel, untouched.
        Self { bytes: vec![0; capacity.max(1)].into_boxed_slice(), keep, start: 0, end: 0 }
    }

    /// Absolute offset of the oldest byte kept.
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// Absolute offset after the newest byte.
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// The next contiguous place to read into; empty only if a ring that keeps everything is full.
    /// What is written here counts once it is [committed](Self::commit).
    pub fn space(&mut self) -> &mut [u8] {
        let capacity = self.bytes.len();
        let at = self.index(self.end);
        let free = match self.keep {
            Keep::Newest => capacity,
            Keep::Unreleased => capacity - self.len(),
        };
        let until = capacity.min(at + free);
        self.bytes.get_mut(at..until).unwrap_or_default()
    }

    /// Appends the first `count` bytes of [`Self::space`], at most all of it.
    pub fn commit(&mut self, count: usize) {
        let count = count.min(self.space().len());
        self.end += count as u64;
        self.start = self.start.max(self.end.saturating_sub(self.bytes.len() as u64));
    }

    /// Forgets everything before `upto`.
    pub fn release(&mut self, upto: u64) {
        self.start = upto.clamp(self.start, self.end);
    }

    /// At most `limit` bytes from `from` on, in two parts; `from` is clamped to what is kept.
    pub fn slices(&self, from: u64, limit: usize) -> (&[u8], &[u8]) {
        let from = from.clamp(self.start, self.end);
        let count = usize::try_from(self.end - from).unwrap_or(usize::MAX).min(limit);
        let at = self.index(from);
        let first = count.min(self.bytes.len() - at);
        let part = |from: usize, len: usize| self.bytes.get(from..from + len).unwrap_or_default();
        (part(at, first), part(0, count - first))
    }

    /// Whether nothing fits until a release; never for a ring that keeps the newest.
    pub fn is_full(&self) -> bool {
        self.keep == Keep::Unreleased && self.len() == self.bytes.len()
    }

    fn len(&self) -> usize {
        usize::try_from(self.end - self.start).unwrap_or(usize::MAX)
    }

    fn index(&self, offset: u64) -> usize {
        usize::try_from(offset % self.bytes.len() as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn push(ring: &mut Ring, mut bytes: &[u8]) -> usize {
        let mut pushed = 0;
        while !bytes.is_empty() {
            let space = ring.space();
            let n = space.len().min(bytes.len());
            if n == 0 {
                break;
            }
            space[..n].copy_from_slice(&bytes[..n]);
            ring.commit(n);
            bytes = &bytes[n..];
            pushed += n;
        }
        pushed
    }

    fn all(ring: &Ring) -> Vec<u8> {
        let (a, b) = ring.slices(ring.start(), usize::MAX);
        [a, b].concat()
    }

    proptest! {
        #[test]
        fn a_terminals_ring_is_the_tail_of_its_stream(
            capacity in 1usize..40,
            writes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..20),
        ) {
            let mut ring = Ring::new(capacity, Keep::Newest);
            let mut stream = Vec::new();
            for bytes in &writes {
                prop_assert_eq!(push(&mut ring, bytes), bytes.len());
                stream.extend_from_slice(bytes);
                let tail = stream.len().saturating_sub(capacity);
                prop_assert_eq!(ring.end(), stream.len() as u64);
                prop_assert_eq!(ring.start(), tail as u64);
                prop_assert_eq!(all(&ring), &stream[tail..]);
            }
        }

        #[test]
        fn a_pipes_ring_loses_nothing_and_stops_when_full(
            capacity in 1usize..40,
            moves in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..50), 0u64..60), 0..20),
        ) {
            let mut ring = Ring::new(capacity, Keep::Unreleased);
            let mut stream: Vec<u8> = Vec::new();
            for (bytes, release) in &moves {
                let room = capacity - (ring.end() - ring.start()) as usize;
                let pushed = push(&mut ring, bytes);
                prop_assert_eq!(pushed, room.min(bytes.len()));
                stream.extend_from_slice(&bytes[..pushed]);
                prop_assert_eq!(all(&ring), &stream[ring.start() as usize..]);
                ring.release(ring.start() + release);
                prop_assert!(ring.start() <= ring.end());
            }
        }

        #[test]
        fn any_slice_asked_for_is_clamped(from in any::<u64>(), limit in any::<usize>(), len in 0usize..100) {
            let mut ring = Ring::new(16, Keep::Newest);
            push(&mut ring, &vec![7; len]);
            let (a, b) = ring.slices(from, limit);
            prop_assert!(a.len() + b.len() <= limit.min(16));
        }
    }
}
