//! What response headers say: which windows are closed and when they open, and how long to wait.

use jiff::{SignedDuration, Timestamp};

use super::super::observation::Headers;
use super::{Clock, Hint, delay, epoch};

/// The windows that a response reports as used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// When the last of them opens again.
    pub opens: Timestamp,
    /// How many there are.
    pub count: usize,
    /// How long the longest of them is, where that is known.
    pub length: Option<SignedDuration>,
}

/// The closed windows of Codex (`x-codex-*`) or Claude (`anthropic-ratelimit-unified-*`) headers.
#[must_use]
pub fn closed_windows(headers: &Headers, clock: &Clock) -> Option<Closed> {
    let codex =
        ["primary", "secondary"].into_iter().filter_map(|window| codex_window(headers, window, clock));
    let closed: Vec<_> = codex.chain(claude_windows(headers)).collect();
    Some(Closed {
        opens: closed.iter().map(|window| window.0).max()?,
        count: closed.len(),
        length: closed.iter().filter_map(|window| window.1).max(),
    })
}

type Window = (Timestamp, Option<SignedDuration>);

fn codex_window(headers: &Headers, window: &str, clock: &Clock) -> Option<Window> {
    let get = |what: &str| headers.get(&format!("x-codex-{window}-{what}"))?.parse::<f64>().ok();
    if get("used-percent")? < 100.0 {
        return None;
    }
    let opens = get("reset-at").and_then(epoch).or_else(|| {
        let after = get("reset-after-seconds").and_then(delay::seconds)?;
        clock.seen.checked_add(after).ok()
    })?;
    let length = get("window-minutes").and_then(|minutes| delay::seconds(minutes * 60.0));
    Some((opens, length))
}

fn claude_windows(headers: &Headers) -> Vec<Window> {
    const PREFIX: &str = "anthropic-ratelimit-unified-";
    let reset = |claim: &str| {
        let value = headers.get(&format!("{PREFIX}{claim}reset"))?;
        value.parse::<f64>().ok().and_then(epoch).or_else(|| value.parse().ok())
    };
    if headers.get("anthropic-ratelimit-unified-status").is_some_and(|status| status != "rejected") {
        return Vec::new();
    }
    let mut closed: Vec<Window> = headers
        .iter()
        .filter_map(|(name, value)| {
            let claim = name.strip_prefix(PREFIX)?.strip_suffix("-status")?;
            let denies = value == "rejected" && claim != "overage";
            denies.then(|| reset(&format!("{claim}-")).map(|opens| (opens, length_of(claim))))?
        })
        .collect();
    if closed.is_empty() && headers.get("anthropic-ratelimit-unified-status") == Some("rejected") {
        closed.extend(reset("").map(|opens| (opens, None)));
    }
    closed
}

fn length_of(claim: &str) -> Option<SignedDuration> {
    let hours = if claim.starts_with("5h") {
        5
    } else if claim.starts_with("7d") {
        7 * 24
    } else {
        return None;
    };
    Some(SignedDuration::from_hours(hours))
}

/// `retry-after-ms`, else `retry-after` in seconds or as an HTTP date, else `x-ratelimit-reset`.
#[must_use]
pub fn retry_after(headers: &Headers) -> Option<Hint> {
    if let Some(millis) = headers.get("retry-after-ms").and_then(|value| value.parse::<f64>().ok()) {
        return delay::seconds(millis / 1000.0).map(Hint::In);
    }
    let Some(value) = headers.get("retry-after") else { return rate_limit_reset(headers) };
    match value.parse::<f64>() {
        Ok(number) => delay::seconds(number).map(Hint::In),
        Err(_) => jiff::fmt::rfc2822::parse(value).ok().map(|date| Hint::At(date.timestamp())),
    }
}

/// Some gateways give a point in time here, others a number of seconds.
fn rate_limit_reset(headers: &Headers) -> Option<Hint> {
    let number = headers.get("x-ratelimit-reset")?.parse::<f64>().ok()?;
    if number > 1e9 { epoch(number).map(Hint::At) } else { delay::seconds(number).map(Hint::In) }
}
