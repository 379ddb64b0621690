//! How far this host's clock is from a provider's, as the `Date` of an answer tells it.
//!
//! A clock that is off makes reset times wrong by as much, and a valid login look expired.

use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};

use super::http::Answer;

/// `Date` counts whole seconds.
const GRAIN: Duration = Duration::from_secs(1);

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skew {
    /// The host that answered.
    pub host: String,
    /// How far this host's clock is ahead; negative if it is behind.
    pub ahead: SignedDuration,
    /// How far off that may be: the answer was written at some time while it was waited for.
    pub within: Duration,
    /// When it was compared, by this host's clock.
    pub at: Timestamp,
}

impl Skew {
    /// What an answer of `host` says of this host's clock, if it says when it was written.
    #[must_use]
    pub fn of(host: &str, answer: &Answer) -> Option<Self> {
        let written = jiff::fmt::rfc2822::parse(answer.headers.get("date")?).ok()?.timestamp();
        let middle = answer.at.checked_sub(answer.took / 2).unwrap_or(SystemTime::UNIX_EPOCH);
        let middle = Timestamp::try_from(middle).ok()?;
        // The second that `Date` names is half over on the average.
        let ahead = middle.duration_since(written) - SignedDuration::from_millis(500);
        let at = Timestamp::try_from(answer.at).ok()?;
        Some(Self { host: host.to_owned(), ahead, within: answer.took / 2 + GRAIN, at })
    }

    /// Whether the clocks differ by more than `most`, whatever the comparison left open.
    #[must_use]
    pub fn exceeds(&self, most: Duration) -> bool {
        self.ahead.unsigned_abs() > most + self.within
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failover::observation::Headers;

    fn answered(at: &str, took: Duration, date: &str) -> Option<Skew> {
        let at: Timestamp = at.parse().unwrap();
        let headers: Headers = [("date", date)].into_iter().collect();
        let answer = Answer { status: 200, headers, body: String::new(), at: at.into(), took };
        Skew::of("api.example", &answer)
    }

    #[test]
    fn a_clock_is_judged_by_what_an_answer_cannot_explain() {
        let date = "Sun, 22 Nov 2026 03:00:00 GMT";
        let right = answered("2026-11-22T03:00:02Z", Duration::from_secs(3), date).unwrap();
        assert!(right.ahead.abs() < SignedDuration::from_secs(1), "{right:?}");
        let fast = answered("2026-11-22T03:05:00.500Z", Duration::ZERO, date).unwrap();
        assert_eq!(fast.ahead, SignedDuration::from_mins(5));
        assert!(fast.exceeds(Duration::from_mins(4)) && !fast.exceeds(Duration::from_mins(5)));
        let slow = answered("2026-11-22T02:00:00Z", Duration::ZERO, date).unwrap();
        assert!(slow.ahead.is_negative() && slow.exceeds(Duration::from_mins(30)));
        let late = answered("2026-11-22T03:00:50Z", Duration::from_secs(100), date).unwrap();
        assert!(!late.exceeds(Duration::ZERO), "it may have been written at any time of those");
        assert_eq!(answered("2026-11-22T03:00:00Z", Duration::ZERO, "today"), None);
    }
}
