//! Ids of messages and frames: UUIDv7, in the order they were made.

use uuid::Uuid;

/// Makes ids. They need to be unique and ordered, not secret, so one seed serves a daemon's whole life.
#[derive(Debug)]
pub(crate) struct Ids {
    state: u64,
    last: u64,
    counter: u16,
}

/// Counter values within one millisecond: the 12 bits beside the version.
const COUNTER: u16 = 1 << 12;

impl Ids {
    pub fn new(seed: u64) -> Self {
        Self { state: seed, last: 0, counter: 0 }
    }

    /// The next id, larger than every one before even where the wall clock stands still or jumps back.
    pub fn next(&mut self, wall: u64) -> Uuid {
        if wall > self.last {
            self.last = wall;
            self.counter = 0;
        } else {
            self.counter += 1;
            if self.counter == COUNTER {
                self.last += 1;
                self.counter = 0;
            }
        }
        let time = u128::from(self.last & 0xffff_ffff_ffff) << 80;
        let counter = u128::from(0x7000 | self.counter) << 64;
        let random = u128::from(0x8000_0000_0000_0000 | (self.random() >> 2));
        Uuid::from_u128(time | counter | random)
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_7_and_ordered_whatever_the_clock_does() {
        let mut ids = Ids::new(7);
        let clock = (0..10_000).map(|i| if i % 97 == 0 { 5 } else { 1_700_000_000_000 + i / 5000 });
        let made: Vec<Uuid> = clock.map(|wall| ids.next(wall)).collect();
        assert!(made.is_sorted_by(|a, b| a < b));
        assert!(made.iter().all(|id| id.get_version_num() == 7));
    }
}
