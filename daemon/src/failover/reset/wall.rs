//! From what a clock on the wall shows to a point in time, in a zone with its summer time.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// A time as a message gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// Only the time of day.
    Daily(Time),
    /// The time of day, tomorrow.
    Tomorrow(Time),
    /// A day of the week.
    Weekly(Weekday, Time),
    /// A day of the year, without the year.
    Yearly(i8, i8, Time),
    /// A date.
    Once(Date, Time),
}

impl When {
    /// The first such time strictly after `seen`; a full date stands as it is.
    pub(super) fn after(self, seen: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let today = zone.to_datetime(seen).date();
        match self {
            Self::Once(date, time) => first_of(date.to_datetime(time), zone, None),
            Self::Daily(time) => (0..=2)
                .filter_map(|days| today.checked_add(days.days()).ok())
                .find_map(|date| first_of(date.to_datetime(time), zone, Some(seen))),
            Self::Tomorrow(time) => {
                let tomorrow = today.checked_add(1.day()).ok()?;
                first_of(tomorrow.to_datetime(time), zone, None)
            }
            Self::Weekly(weekday, time) => (0..=8)
                .filter_map(|days| today.checked_add(days.days()).ok())
                .filter(|date| date.weekday() == weekday)
                .find_map(|date| first_of(date.to_datetime(time), zone, Some(seen))),
            Self::Yearly(month, day, time) => (0..=8)
                .filter_map(|years| Date::new(today.year().checked_add(years)?, month, day).ok())
                .find_map(|date| first_of(date.to_datetime(time), zone, Some(seen))),
        }
    }
}

/// The point in time that a wall clock shows `shown`, after `seen` if given. When clocks go back it is shown
/// twice and the second one may be the one ahead; when they go forward it is the same moment an hour on.
fn first_of(shown: DateTime, zone: &TimeZone, seen: Option<Timestamp>) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_zoned(shown);
    let candidates = [ambiguous.clone().compatible(), ambiguous.later()];
    candidates
        .into_iter()
        .filter_map(|zoned| zoned.ok().map(|zoned| zoned.timestamp()))
        .find(|at| seen.is_none_or(|seen| *at > seen))
}

/// The zone that a message names, by its tz name or a usual abbreviation.
pub(super) fn zone_named(name: &str) -> Option<TimeZone> {
    let known = match name.to_ascii_uppercase().as_str() {
        "UTC" | "GMT" | "Z" => "UTC",
        "PT" | "PST" | "PDT" => "America/Los_Angeles",
        "MT" | "MST" | "MDT" => "America/Denver",
        "CT" | "CST" | "CDT" => "America/Chicago",
        "ET" | "EST" | "EDT" => "America/New_York",
        "BST" => "Europe/London",
        "CET" | "CEST" => "Europe/Paris",
        "EET" | "EEST" => "Europe/Helsinki",
        "IST" => "Asia/Kolkata",
        "JST" => "Asia/Tokyo",
        "KST" => "Asia/Seoul",
        "AEST" | "AEDT" => "Australia/Sydney",
        _ => name,
    };
    TimeZone::get(known).ok()
}
