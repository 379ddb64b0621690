//! Finds when a limit ends in a message: `try again at 3:09 PM`, `resets Jun 3 at 4pm (Europe/Berlin)`,
//! `will reset after 8h44m7s`, `limit reached|1751997600`.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{Offset, TimeZone};
use regex::{Captures, Regex};

use super::wall::{When, zone_named};
use super::{Clock, delay, epoch};

static PATTERNS: LazyLock<Option<Patterns>> = LazyLock::new(|| Patterns::compile().ok());

struct Patterns {
    epoch: Regex,
    anchor: Regex,
    iso: Regex,
    month_day: Regex,
    day_month: Regex,
    weekday: Regex,
    tomorrow: Regex,
    bare_date: Regex,
    time: Regex,
    zone: Regex,
}

const TIME: &str = r"(?<h>\d{1,2})(?::(?<m>\d{2}))?(?::(?<s>\d{2}))?\s*(?<half>[ap]\.?m\b\.?)?";
const MONTH: &str = r"(?<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?";

impl Patterns {
    fn compile() -> Result<Self, regex::Error> {
        Ok(Self {
            epoch: Regex::new(r"(?i)(?:\||resets?[_ ]?at\W{1,4})(?<epoch>\d{10}(?:\d{3})?)\b")?,
            anchor: Regex::new(concat!(
                r"(?i)\b(?:try again|retry(?:ing|-after)?|regain access|resets?|renews?|available(?: again)?|refills?|reopens?|",
                r"continu(?:e|ing)(?: automatically)?|until|wait)\b:?(?<by>(?: (?:at|on|in|after|by|for|about|",
                r"approximately|around|every|again))*):? ~?"
            ))?,
            iso: Regex::new(concat!(
                r"(?i)^(?<y>\d{4})[-/](?<mo>\d{1,2})[-/](?<d>\d{1,2})(?:T| at |[ ,]+)(?<h>\d{1,2}):(?<m>\d{2})",
                r"(?::(?<s>\d{2}))?(?:\.\d+)?"
            ))?,
            month_day: Regex::new(&format!(
                r"(?i)^{MONTH} (?<d>\d{{1,2}})(?:st|nd|rd|th)?(?:,? (?<y>\d{{4}}))?,?(?: at| @)? {TIME}"
            ))?,
            day_month: Regex::new(&format!(
                r"(?i)^(?<d>\d{{1,2}})(?:st|nd|rd|th)? {MONTH}(?:,? (?<y>\d{{4}}))?,?(?: at| @)? {TIME}"
            ))?,
            weekday: Regex::new(&format!(
                r"(?i)^(?<weekday>mon|tue|wed|thu|fri|sat|sun)[a-z]*,?(?: at| @)? {TIME}"
            ))?,
            tomorrow: Regex::new(&format!(r"(?i)^tomorrow,?(?: at)? {TIME}"))?,
            bare_date: Regex::new(&format!(
                r"(?i)^{MONTH} (?<d>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? (?<y>\d{{4}}))?"
            ))?,
            time: Regex::new(&format!(r"(?i)^(?:today,?(?: at)? )?{TIME}"))?,
            zone: Regex::new(
                r"^ ?(?:\((?<paren>[A-Za-z][A-Za-z0-9_+/-]{1,40})\)|(?<abbr>Z\b|[A-Z]{2,4}\b)|(?<offset>[+-]\d{2}:?\d{2})\b)",
            )?,
        })
    }
}

/// The first end of a limit that `text` speaks of. A zone that it names wins over the clock's.
pub(super) fn find(text: &str, clock: &Clock) -> Option<Timestamp> {
    let patterns = PATTERNS.as_ref()?;
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(found) = patterns.epoch.captures(&text).and_then(|found| found.name("epoch")) {
        return found.as_str().parse().ok().and_then(epoch);
    }
    patterns.anchor.captures_iter(&text).find_map(|anchor| {
        let tail = text.get(anchor.get(0)?.end()..)?;
        let seconds = || bare_seconds(anchor.get(0)?.as_str(), tail);
        delay::leading(tail)
            .or_else(seconds)
            .and_then(|delay| clock.seen.checked_add(delay.max(jiff::SignedDuration::from_secs(1))).ok())
            .or_else(|| wall_clock(patterns, tail, clock))
    })
}

/// `Retry-After: 3600` counts seconds although it does not say so.
fn bare_seconds(anchor: &str, tail: &str) -> Option<jiff::SignedDuration> {
    let digits = tail.split(|c: char| !c.is_ascii_digit()).next()?;
    let named = anchor.to_ascii_lowercase().starts_with("retry-after");
    if named && !digits.is_empty() { delay::parse(digits) } else { None }
}

fn wall_clock(patterns: &Patterns, tail: &str, clock: &Clock) -> Option<Timestamp> {
    type Read = fn(&Captures<'_>) -> Option<When>;
    let forms: [(&Regex, Read); 7] = [
        (&patterns.iso, iso),
        (&patterns.month_day, date),
        (&patterns.day_month, date),
        (&patterns.weekday, weekday),
        (&patterns.tomorrow, |found| time(found, false).map(When::Tomorrow)),
        (&patterns.bare_date, date),
        (&patterns.time, |found| time(found, true).map(When::Daily)),
    ];
    forms.into_iter().find_map(|(form, read)| {
        let found = form.captures(tail)?;
        let when = read(&found)?;
        let zone = tail.get(found.get(0)?.end()..).and_then(|rest| zone(patterns, rest));
        when.after(clock.seen, &zone.unwrap_or_else(|| clock.zone.clone()))
    })
}

fn iso(found: &Captures<'_>) -> Option<When> {
    let date = Date::new(number(found, "y")?, number(found, "mo")?, number(found, "d")?).ok()?;
    Some(When::Once(date, time(found, false)?))
}

fn date(found: &Captures<'_>) -> Option<When> {
    let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let name = found.name("month")?.as_str().to_ascii_lowercase();
    let month = months.iter().zip(1i8..).find(|(month, _)| **month == name)?.1;
    let (day, time) = (number(found, "d")?, time(found, false).unwrap_or(Time::midnight()));
    match number::<i16>(found, "y") {
        Some(year) => Date::new(year, month, day).ok().map(|date| When::Once(date, time)),
        None => Some(When::Yearly(month, day, time)),
    }
}

fn weekday(found: &Captures<'_>) -> Option<When> {
    let day = match found.name("weekday")?.as_str().to_ascii_lowercase().as_str() {
        "mon" => Weekday::Monday,
        "tue" => Weekday::Tuesday,
        "wed" => Weekday::Wednesday,
        "thu" => Weekday::Thursday,
        "fri" => Weekday::Friday,
        "sat" => Weekday::Saturday,
        _ => Weekday::Sunday,
    };
    Some(When::Weekly(day, time(found, false)?))
}

/// A time of day. Where nothing else says that it is one, it needs minutes or am/pm.
fn time(found: &Captures<'_>, sure: bool) -> Option<Time> {
    let hour: i8 = number(found, "h")?;
    let minute: Option<i8> = number(found, "m");
    let half = found.name("half").map(|half| half.as_str().to_ascii_lowercase());
    if sure && minute.is_none() && half.is_none() {
        return None;
    }
    let hour = match half.as_deref().and_then(|half| half.chars().next()) {
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some('a') => hour % 12,
        Some(_) => hour % 12 + 12,
        None => hour,
    };
    Time::new(hour, minute.unwrap_or(0), number(found, "s").unwrap_or(0), 0).ok()
}

fn zone(patterns: &Patterns, rest: &str) -> Option<TimeZone> {
    let found = patterns.zone.captures(rest)?;
    if let Some(offset) = found.name("offset") {
        let digits: String = offset.as_str().chars().filter(char::is_ascii_digit).collect();
        let (hours, minutes) = digits.split_at_checked(2)?;
        let seconds = hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60;
        let sign = if offset.as_str().starts_with('-') { -1 } else { 1 };
        return Offset::from_seconds(sign * seconds).ok().map(TimeZone::fixed);
    }
    zone_named(found.name("paren").or_else(|| found.name("abbr"))?.as_str())
}

fn number<T: std::str::FromStr>(found: &Captures<'_>, name: &str) -> Option<T> {
    found.name(name)?.as_str().parse().ok()
}
