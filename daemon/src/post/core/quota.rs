//! What one name, and all names of one user, may take, so that nobody can take everything.

use super::queue::Bounds;
use crate::config::Limits;

const HOUR_MS: u64 = 60 * 60 * 1000;
/// What a message costs the journal beside its text, for each recipient, in bytes.
const OVERHEAD: u64 = 256;

/// The bounds in force.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quotas {
    /// Names of one user.
    pub names: usize,
    /// Connections of one name.
    pub connections: usize,
    /// Channels that one name is a member of.
    pub channels: usize,
    /// Topics that one connection subscribes to.
    pub topics: usize,
    /// What may wait for one name.
    pub inbox: Bounds,
    /// Bytes that one name may have the journal write in an hour.
    pub journal: u64,
}

impl From<&Limits> for Quotas {
    fn from(limits: &Limits) -> Self {
        let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Self {
            names: limits.names as usize,
            connections: limits.connections_per_name as usize,
            channels: limits.channels_per_name as usize,
            topics: limits.topics_per_connection as usize,
            inbox: Bounds { messages: size(limits.inbox_messages), bytes: size(limits.inbox_bytes) },
            journal: limits.journal_bytes_per_hour,
        }
    }
}

impl Default for Quotas {
    fn default() -> Self {
        Self::from(&Limits::default())
    }
}

/// What a name has had the journal write: a bucket that runs empty within an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    bytes: u64,
    /// Monotonic milliseconds of that level.
    at: u64,
}

impl Spent {
    /// Charges a message of `size` bytes for so many recipients at the moment `now`, or says after how many milliseconds
    /// there is room for it. One that is larger than the quota goes when nothing else was written.
    pub fn charge(&mut self, size: usize, recipients: usize, quota: u64, now: u64) -> Result<(), u64> {
        let drained = scaled(now.saturating_sub(self.at), quota, HOUR_MS);
        let level = self.bytes.saturating_sub(drained);
        let cost = (size as u64).saturating_add(OVERHEAD.saturating_mul(recipients as u64));
        let excess = level.saturating_add(cost).saturating_sub(quota);
        if level > 0 && excess > 0 {
            return Err(scaled(excess.min(level), HOUR_MS, quota).saturating_add(1));
        }
        *self = Self { bytes: level.saturating_add(cost), at: now };
        Ok(())
    }
}

/// `n * by / of`, without overflow.
fn scaled(n: u64, by: u64, of: u64) -> u64 {
    u64::try_from(u128::from(n) * u128::from(by) / u128::from(of.max(1))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_written_is_forgotten_within_an_hour() {
        let mut spent = Spent::default();
        let size = 1000 - OVERHEAD as usize;
        assert_eq!(spent.charge(size, 1, 2000, 0), Ok(()));
        assert_eq!(spent.charge(size, 1, 2000, 0), Ok(()));
        let wait = spent.charge(size, 1, 2000, 0).unwrap_err();
        assert_eq!(wait, HOUR_MS / 2 + 1);
        assert_eq!(spent.charge(size, 1, 2000, wait), Ok(()));
    }

    #[test]
    fn what_is_larger_than_the_quota_goes_alone() {
        let mut spent = Spent::default();
        assert_eq!(spent.charge(5000, 1, 2000, 0), Ok(()));
        let wait = spent.charge(1, 1, 2000, 0).unwrap_err();
        assert_eq!(spent.charge(1, 1, 2000, wait), Ok(()));
    }

    proptest! {
        /// Whoever comes back when it was told to gets through, and never more than twice the quota is written in an hour.
        #[test]
        fn waiting_helps_and_the_rate_is_bounded(
            sizes in prop::collection::vec((0usize..3000, 1usize..5, 0u64..HOUR_MS / 4), 1..60),
            quota in 4_000u64..10_000,
        ) {
            let (mut spent, mut now, mut written) = (Spent::default(), 0, Vec::new());
            for (size, recipients, pause) in sizes {
                now += pause;
                if let Err(wait) = spent.charge(size, recipients, quota, now) {
                    now += wait;
                    prop_assert_eq!(spent.charge(size, recipients, quota, now), Ok(()));
                }
                written.push((now, size as u64 + OVERHEAD * recipients as u64));
                let last_hour = written.iter().filter(|(at, _)| now - at < HOUR_MS).map(|(_, cost)| cost);
                prop_assert!(last_hour.sum::<u64>() <= 2 * quota);
            }
        }
    }
}
