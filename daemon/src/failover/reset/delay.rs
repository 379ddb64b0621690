//! Delays as people and services write them: `56s`, `8h44m7s`, `2 days 17 hours 14 minutes`, `11.054s`.

use std::sync::LazyLock;

use jiff::SignedDuration;
use regex::Regex;

/// A delay that no limit has; more is a mistake.
const MAX_SECONDS: f64 = 400.0 * 86_400.0;

/// A number and the word after it.
static PART: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)^[\s,]*(?:and\s+)?(?<n>\d+(?:\.\d+)?)\s*(?<unit>[a-z]+)").ok());

/// A delay that is all of `text`; a bare number counts seconds.
pub(super) fn parse(text: &str) -> Option<SignedDuration> {
    match text.parse::<f64>() {
        Ok(number) => seconds(number),
        Err(_) => leading(text),
    }
}

/// The delay that `text` begins with.
pub(super) fn leading(text: &str) -> Option<SignedDuration> {
    let mut rest = text;
    let mut total = 0.0;
    let mut any = false;
    while let Some(part) = PART.as_ref().and_then(|part| part.captures(rest)) {
        let number: f64 = part.name("n")?.as_str().parse().ok()?;
        let Some(unit) = unit(part.name("unit")?.as_str()) else { break };
        total += number * unit;
        any = true;
        rest = rest.get(part.get(0)?.end()..)?;
    }
    if any { seconds(total) } else { None }
}

/// So many seconds; `None` for what is no delay.
pub(super) fn seconds(number: f64) -> Option<SignedDuration> {
    if number.is_finite() && (0.0..=MAX_SECONDS).contains(&number) {
        SignedDuration::try_from_secs_f64(number).ok()
    } else {
        None
    }
}

fn unit(name: &str) -> Option<f64> {
    let name = name.to_ascii_lowercase();
    let seconds = match name.as_str() {
        "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => 0.001,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        "w" | "wk" | "wks" | "week" | "weeks" => 604_800.0,
        "month" | "months" => 2_592_000.0,
        _ => return None,
    };
    Some(seconds)
}
