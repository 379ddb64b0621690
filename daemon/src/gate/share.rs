//! Fair shares: a client that sends far more than the others, while they send too, is read a little later each time.
//!
//! A client's messages are as safe as before, and nothing is refused. But what it sends comes in larger pieces with time between
//! them, and the others' messages find the processor free. Alone, or among equals, everyone is read at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Messages are counted over this time.
const WINDOW: Duration = Duration::from_millis(50);
/// Fewer messages in a window are nobody's burden.
const HARMLESS: u64 = 250;
/// How many times what the others send on average is too much.
const EXCESS: u64 = 8;
/// How much later a client is read that sends too much.
pub(super) const REST: Duration = Duration::from_millis(1);

/// What all connections sent in the window that runs and in the one before it. All of them run on one thread; the atomics
/// only make it shareable.
#[derive(Debug)]
pub(super) struct Traffic {
    began: Instant,
    window: AtomicU64,
    now: Count,
    before: Count,
}

#[derive(Debug, Default)]
struct Count {
    senders: AtomicU64,
    messages: AtomicU64,
}

/// What one connection sent in the window that runs.
#[derive(Debug, Default)]
pub(super) struct Share {
    window: u64,
    messages: u64,
}

impl Default for Traffic {
    fn default() -> Self {
        let window = AtomicU64::new(0);
        Self { began: Instant::now(), window, now: Count::default(), before: Count::default() }
    }
}

impl Traffic {
    /// Counts messages that a connection sent. Whether it is to be read a little later.
    pub(super) fn sent(&self, share: &mut Share, messages: u64, now: Instant) -> bool {
        let window = self.window_of(now);
        self.turn(window);
        if share.window != window || share.messages == 0 {
            *share = Share { window, messages: 0 };
            self.now.senders.fetch_add(1, Ordering::Relaxed);
        }
        share.messages += messages;
        self.now.messages.fetch_add(messages, Ordering::Relaxed);
        share.messages > HARMLESS
            && share.messages > EXCESS * self.others(share.messages).unwrap_or(u64::MAX / EXCESS)
    }

    /// Whether anybody has sent a message in this window or the last.
    pub(super) fn talk(&self, now: Instant) -> bool {
        self.turn(self.window_of(now));
        [&self.now, &self.before].iter().any(|count| count.messages.load(Ordering::Relaxed) > 0)
    }

    fn window_of(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.began).as_millis() / WINDOW.as_millis();
        u64::try_from(passed).unwrap_or(u64::MAX)
    }

    /// What the others send on average in a window; `None` if there are none.
    fn others(&self, own: u64) -> Option<u64> {
        let of = |count: &Count| {
            let others = count.senders.load(Ordering::Relaxed).checked_sub(1).filter(|others| *others > 0)?;
            Some(count.messages.load(Ordering::Relaxed).saturating_sub(own) / others)
        };
        // The window that runs may be too young to have seen them.
        match (of(&self.now), of(&self.before)) {
            (Some(now), Some(before)) => Some(now.min(before)),
            (now, before) => now.or(before),
        }
    }

    fn turn(&self, window: u64) {
        let last = self.window.swap(window, Ordering::Relaxed);
        if last == window {
            return;
        }
        let take = |of: &AtomicU64| of.swap(0, Ordering::Relaxed);
        let (senders, messages) = (take(&self.now.senders), take(&self.now.messages));
        let recent = last + 1 == window;
        self.before.senders.store(if recent { senders } else { 0 }, Ordering::Relaxed);
        self.before.messages.store(if recent { messages } else { 0 }, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many messages every millisecond for half a second; whether the first is ever read later.
    fn rests(rates: &[u64]) -> bool {
        let traffic = Traffic::default();
        let mut shares: Vec<Share> = rates.iter().map(|_| Share::default()).collect();
        let mut rested = false;
        for ms in 0..500 {
            let now = traffic.began + Duration::from_millis(ms);
            for (at, (share, rate)) in shares.iter_mut().zip(rates).enumerate() {
                if *rate > 0 {
                    rested |= traffic.sent(share, *rate, now) && at == 0;
                }
            }
        }
        rested
    }

    #[test]
    fn alone_and_among_equals_everyone_is_read_at_once() {
        assert!(!rests(&[1_000]));
        assert!(!rests(&[1_000, 1_000, 900]));
        assert!(!rests(&[1_000, 0, 0]), "those who are silent are not in the way");
    }

    #[test]
    fn a_flood_beside_a_trickle_goes_slower_and_the_trickle_does_not() {
        assert!(rests(&[100, 1]));
        assert!(!rests(&[1, 100]));
        assert!(!rests(&[4, 0, 1]), "a few messages are nobody's burden");
    }

    #[test]
    fn what_is_long_past_does_not_count() {
        let traffic = Traffic::default();
        let (mut flood, mut other) = (Share::default(), Share::default());
        traffic.sent(&mut other, 1, traffic.began);
        let later = traffic.began + Duration::from_secs(1);
        assert!(traffic.talk(traffic.began + WINDOW) && !traffic.talk(later));
        assert!(!traffic.sent(&mut flood, 10_000, later));
    }
}
