//! Maps keyed by numbers that the daemon itself hands out: no need to defend their hash against anyone.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map by handle, connection or message id.
pub(crate) type Keyed<K, V> = HashMap<K, V, BuildHasherDefault<Mix>>;

/// One multiplication per word written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0 ^ word).rotate_left(23).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
