//! When a limit ends: typed times first, then typed delays, then headers, then words.

mod delay;
mod headers;
mod wall;
mod words;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::Value;

use super::observation::Headers;

pub use headers::{closed_windows, retry_after};

/// Where an unbelievable reset time is put instead, so that a probe finds out.
pub const PROBE_AFTER: SignedDuration = SignedDuration::from_mins(15);
/// The longest window that any provider is known to have.
pub const LONGEST_WINDOW: SignedDuration = SignedDuration::from_hours(31 * 24);
/// How far beyond its window a reset may lie before nobody believes it.
pub const SLACK: SignedDuration = SignedDuration::from_hours(1);
/// Beyond this a time is wrong whatever it was meant to be, in a recording of any age.
const UNBELIEVABLE: SignedDuration = SignedDuration::from_hours(366 * 24);
const PACIFIC: &str = "America/Los_Angeles";

/// What the times in an observation are relative to.
#[derive(Debug, Clone)]
pub struct Clock {
    /// When it was seen; every reset lies after it.
    pub seen: Timestamp,
    /// The zone of times that name none.
    pub zone: TimeZone,
    /// Whether `seen` is the real time of the observation. A recording of unknown age has none, and what it
    /// says can't be held against today.
    pub live: bool,
}

/// A typed reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// A point in time.
    At(Timestamp),
    /// So long after the observation.
    In(SignedDuration),
}

impl Hint {
    /// Reads a point in time: an epoch in seconds or (beyond 10^12) milliseconds, or RFC 3339.
    #[must_use]
    pub fn at(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => epoch(number.as_f64()?).map(Self::At),
            Value::String(text) => match text.trim().parse::<f64>() {
                Ok(number) => epoch(number).map(Self::At),
                Err(_) => text.trim().parse().ok().map(Self::At),
            },
            _ => None,
        }
    }

    /// Reads a delay in seconds, or with its units in it, as in `8h44m7s`.
    #[must_use]
    pub fn seconds(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => delay::seconds(number.as_f64()?).map(Self::In),
            Value::String(text) => delay::parse(text.trim()).map(Self::In),
            Value::Object(parts) => parts.get("seconds").and_then(Self::seconds),
            _ => None,
        }
    }

    /// Reads a delay in milliseconds.
    #[must_use]
    pub fn millis(value: &Value) -> Option<Self> {
        let millis = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
        delay::seconds(millis / 1000.0).map(Self::In)
    }

    fn resolve(self, clock: &Clock) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::In(delay) => clock.seen.checked_add(delay.max(SignedDuration::from_secs(1))).ok(),
        }
    }
}

/// Everything that may say when a limit ends.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// Typed resets of the body.
    pub hints: &'a [Hint],
    /// The response's headers.
    pub headers: &'a Headers,
    /// The message, in plain text.
    pub text: &'a str,
    /// The quota rolls over at midnight in California, where its provider counts days.
    pub daily_pacific: bool,
}

/// When the limit ends, or `None` when nothing says so.
#[must_use]
pub fn resolve(sources: Sources<'_>, clock: &Clock) -> Option<Timestamp> {
    let closed = headers::closed_windows(sources.headers, clock);
    let typed = sources.hints.iter().find_map(|hint| match hint {
        Hint::At(at) => Some(*at),
        Hint::In(_) => None,
    });
    let delayed = || {
        let hint = sources.hints.iter().find(|hint| matches!(hint, Hint::In(_))).copied();
        hint.or_else(|| headers::retry_after(sources.headers))?.resolve(clock)
    };
    let in_words = || words::find(sources.text, clock);
    let midnight = || sources.daily_pacific.then(|| next_midnight(clock.seen, PACIFIC)).flatten();
    let at = match (typed, &closed) {
        (Some(typed), Some(closed)) if closed.count > 1 => typed.max(closed.opens),
        (Some(typed), _) => typed,
        (None, Some(closed)) => closed.opens,
        (None, None) if sources.daily_pacific => midnight()?,
        (None, None) => delayed().or_else(in_words)?,
    };
    let window = closed.and_then(|closed| closed.length).or_else(|| window_in(sources.text));
    // A window may be claimed to be of any length.
    Some(believable(at, window.unwrap_or(LONGEST_WINDOW).min(LONGEST_WINDOW), clock))
}

/// `at`, unless it is past or further away than its window is long: then soon, to find out.
fn believable(at: Timestamp, window: SignedDuration, clock: &Clock) -> Timestamp {
    let ahead = at.duration_since(clock.seen);
    let wrong = if clock.live {
        ahead <= SignedDuration::ZERO || ahead > window.saturating_add(SLACK)
    } else {
        ahead > UNBELIEVABLE
    };
    if wrong { clock.seen.saturating_add(PROBE_AFTER).unwrap_or(clock.seen) } else { at }
}

/// How long the window is that a message speaks of.
fn window_in(text: &str) -> Option<SignedDuration> {
    let text = text.to_lowercase();
    if ["5-hour", "5 hour", "five_hour", "five-hour", "session limit"].iter().any(|word| text.contains(word))
    {
        Some(SignedDuration::from_hours(5))
    } else if ["weekly limit", "seven_day", "7-day"].iter().any(|word| text.contains(word)) {
        Some(SignedDuration::from_hours(7 * 24))
    } else {
        None
    }
}

/// A point in time from an epoch in seconds or milliseconds.
fn epoch(number: f64) -> Option<Timestamp> {
    let seconds = if number.abs() > 1e12 { number / 1000.0 } else { number };
    if !seconds.is_finite() || seconds < 1.0 {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float beyond i64 saturates, and is then out of range"
    )]
    let whole = seconds as i64;
    Timestamp::from_second(whole).ok()
}

/// The first midnight after `seen` in a zone.
fn next_midnight(seen: Timestamp, zone: &str) -> Option<Timestamp> {
    let zone = TimeZone::get(zone).ok()?;
    let tomorrow = zone.to_datetime(seen).date().checked_add(1.day()).ok()?;
    tomorrow.to_zoned(zone).ok().map(|midnight| midnight.timestamp())
}

#[cfg(test)]
mod tests;
