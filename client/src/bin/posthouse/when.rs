//! Times as people read them, and durations as they write them.

use std::time::Duration;

use jiff::{Timestamp, Unit, Zoned, tz::TimeZone};

/// `3s`, `5m`, `2h`, `4d`: how long ago a Unix time in milliseconds was.
pub fn ago(at_ms: u64, now_ms: u64) -> String {
    let seconds = now_ms.saturating_sub(at_ms) / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// The wall clock in Unix milliseconds.
pub fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
}

/// An RFC 3339 time in the local zone, as `14:02 CET` or `Tue 3 Mar 14:02 CET`; unreadable text stays as it is.
pub fn local(rfc3339: &str) -> String {
    let Ok(at) = rfc3339.parse::<Timestamp>() else { return rfc3339.to_owned() };
    show(&at.to_zoned(TimeZone::system()), &Zoned::now())
}

/// A Unix time in milliseconds as local `HH:MM:SS`.
pub fn clock(at_ms: u64) -> String {
    let at =
        i64::try_from(at_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or_default();
    let at = at.to_zoned(TimeZone::system());
    at.round(Unit::Second).unwrap_or(at).strftime("%H:%M:%S").to_string()
}

fn show(at: &Zoned, now: &Zoned) -> String {
    let format = if at.date() == now.date() { "%H:%M %Z" } else { "%a %-d %b %H:%M %Z" };
    at.strftime(format).to_string()
}

/// `500ms`, `30s`, `5m`, `2h`, `1d`, or a bare number of seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| format!("{text:?} is not a duration such as 30s or 5m"))?;
    let millis = match unit {
        "ms" => Some(number),
        "" | "s" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        "d" => number.checked_mul(86_400_000),
        _ => return Err(format!("{unit:?} is not a unit; use ms, s, m, h or d")),
    };
    millis.map(Duration::from_millis).ok_or_else(|| format!("{text} is too long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("30"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        for bad in ["", "s", "-1s", "1y", "99999999999999999999s", "18446744073709551615d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ago_is_short() {
        assert_eq!(ago(0, 59_999), "59s");
        assert_eq!(ago(0, 3_600_000), "1h");
        assert_eq!(ago(10, 0), "0s");
    }
}
