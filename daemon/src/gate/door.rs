//! How newcomers are let in while others talk: a few dozen at once, then one after the other. Each costs as much as a dozen
//! messages, and a crowd that never ends would be in everybody's way.
//!
//! How much the others say does not matter, because a crowd would keep them from saying much.

use std::time::{Duration, Instant};

/// Time between two newcomers of a crowd.
const APART: Duration = Duration::from_millis(10);
/// So many come in at once.
const AT_ONCE: u32 = 32;

/// Who came in lately.
#[derive(Debug, Default)]
pub(super) struct Door {
    /// When everyone who has come in would have, had each waited.
    due: Option<Instant>,
}

impl Door {
    /// Counts a newcomer. How long the next one is to wait, if `others_talk`.
    pub(super) fn let_in(&mut self, others_talk: bool, now: Instant) -> Option<Duration> {
        let full = APART * AT_ONCE;
        let due = self.due.map_or(now, |due| due.max(now)) + APART;
        // Those who came while nobody talked are not held against anyone for longer than this.
        let due = due.min(now + full + APART);
        self.due = Some(due);
        (due - now).checked_sub(full).filter(|wait| others_talk && !wait.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long so many take to come in if all are there from the start.
    fn time_for(count: u32, others_talk: bool) -> Duration {
        let (mut door, begun) = (Door::default(), Instant::now());
        (0..count).fold(begun, |now, _| now + door.let_in(others_talk, now).unwrap_or_default()) - begun
    }

    #[test]
    fn a_crowd_waits_while_others_talk_and_nobody_else_does() {
        assert_eq!(time_for(10_000, false), Duration::ZERO);
        assert_eq!(time_for(AT_ONCE, true), Duration::ZERO);
        assert_eq!(time_for(100, true), APART * (100 - AT_ONCE));
    }

    #[test]
    fn after_a_while_as_many_may_come_again() {
        let (mut door, begun) = (Door::default(), Instant::now());
        assert!((0..AT_ONCE).all(|_| door.let_in(true, begun).is_none()));
        assert!(door.let_in(true, begun).is_some());
        let later = begun + APART * (AT_ONCE + 1);
        assert!((0..AT_ONCE).all(|_| door.let_in(true, later).is_none()));
    }

    #[test]
    fn what_came_in_silence_is_soon_forgotten() {
        let (mut door, now) = (Door::default(), Instant::now());
        for _ in 0..10_000 {
            assert_eq!(door.let_in(false, now), None);
        }
        assert_eq!(door.let_in(true, now), Some(APART));
        assert_eq!(door.let_in(true, now + APART * 2), None);
    }
}
