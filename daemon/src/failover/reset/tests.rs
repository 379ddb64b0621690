//! Reset times in every form that providers and harnesses are known to give them.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn clock(seen: &str, zone: &str) -> Clock {
    Clock { seen: seen.parse().unwrap(), zone: TimeZone::get(zone).unwrap(), live: true }
}

/// A clock at 03:00 UTC on a Sunday, for a process in New York (where it is 22:00 on Saturday).
fn here() -> Clock {
    clock("2026-11-22T03:00:00Z", "America/New_York")
}

fn at(text: &str) -> Option<Timestamp> {
    Some(text.parse().unwrap())
}

fn said(text: &str, clock: &Clock) -> Option<Timestamp> {
    resolve(Sources { hints: &[], headers: &Headers::default(), text, daily_pacific: false }, clock)
}

fn told(headers: &[(&str, &str)]) -> Option<Timestamp> {
    let headers: Headers = headers.iter().copied().collect();
    resolve(Sources { hints: &[], headers: &headers, text: "", daily_pacific: false }, &here())
}

#[test]
fn words() {
    for (text, expected) in [
        ("try again at 11:09 PM.", "2026-11-22T04:09:00Z"),
        ("or try again at 9:30 PM.", "2026-11-23T02:30:00Z"),
        ("Try again at Nov 23rd, 2026 4:05 PM.", "2026-11-23T21:05:00Z"),
        ("try again in 2 days 17 hours 14 minutes.", "2026-11-24T20:14:00Z"),
        ("Please try again in 11.054s", "2026-11-22T03:00:11.054Z"),
        ("Please retry in 56.185908122s.", "2026-11-22T03:00:56.185908122Z"),
        ("resets 3pm (Europe/Stockholm)", "2026-11-22T14:00:00Z"),
        ("limit · resets 12:50am (America/Los_Angeles)", "2026-11-22T08:50:00Z"),
        ("resets 11pm (America/Anchorage)", "2026-11-22T08:00:00Z"),
        ("resets Nov 24, 10pm", "2026-11-25T03:00:00Z"),
        ("resets Nov 24 at 4pm (Europe/Berlin)", "2026-11-24T15:00:00Z"),
        ("resets Mon 9:00am (UTC)", "2026-11-23T09:00:00Z"),
        ("resets Thursday at 9am", "2026-11-26T14:00:00Z"),
        ("Access resets at 9:00 PM PST.", "2026-11-22T05:00:00Z"),
        ("Your limit will reset at 2026-11-23 22:19:54 (request_id: 1)", "2026-11-24T03:19:54Z"),
        ("reset at 2026-11-23T22:19:54Z", "2026-11-23T22:19:54Z"),
        ("resets at 2026-11-23 22:19:54 +08:00", "2026-11-23T14:19:54Z"),
        ("resets 23 November, 15:00 (UTC)", "2026-11-23T15:00:00Z"),
        ("Your quota will reset after 8h44m7s.", "2026-11-22T11:44:07Z"),
        ("[retrying in 1h 29m attempt #1]", "2026-11-22T04:29:00Z"),
        ("set to continue automatically at 3:22am", "2026-11-22T08:22:00Z"),
        ("Claude AI usage limit reached|1795320000", "2026-11-22T04:00:00Z"),
        ("usage limit reached|1795320000000", "2026-11-22T04:00:00Z"),
        ("wrapped: try again at\n  11:09\n PM.", "2026-11-22T04:09:00Z"),
        ("quota exceeded · resets tomorrow at 9am", "2026-11-22T14:00:00Z"),
        ("You've exceeded your monthly limit, resets on Dec 1", "2026-12-01T05:00:00Z"),
        ("Usage limit reached — available again at 18:00 (UTC)", "2026-11-22T18:00:00Z"),
        ("You will regain access on 2026-12-01 at 00:00 UTC.", "2026-12-01T00:00:00Z"),
        ("Rate limit exceeded. Retry-After: 3600", "2026-11-22T04:00:00Z"),
        ("5-hour usage limit reached. Resets in 4hr 10min.", "2026-11-22T07:10:00Z"),
    ] {
        assert_eq!(said(text, &here()), at(expected), "{text}");
    }
}

#[test]
fn words_that_give_no_time() {
    for text in [
        "Try again later.",
        "resets soon",
        "try again in a bit",
        "resets 7",
        "at 3pm",
        "reset your password",
        "",
    ] {
        assert_eq!(said(text, &here()), None, "{text}");
    }
}

#[test]
fn clocks_that_go_back_and_forward() {
    let back = clock("2026-10-25T00:45:00Z", "Europe/Berlin");
    assert_eq!(said("resets 2:30am", &back), at("2026-10-25T01:30:00Z"), "the second 2:30 of that night");
    let forward = clock("2027-03-28T00:30:00Z", "Europe/Berlin");
    assert_eq!(said("resets 2:30am", &forward), at("2027-03-28T01:30:00Z"), "2:30 never shows, 3:30 does");
    let winter = clock("2026-10-24T22:00:00Z", "Europe/Berlin");
    assert_eq!(said("resets 9am", &winter), at("2026-10-25T08:00:00Z"), "an hour later than the day before");
}

#[test]
fn retry_after() {
    assert_eq!(told(&[("Retry-After", "19014")]), at("2026-11-22T08:16:54Z"));
    assert_eq!(told(&[("retry-after", "9"), ("retry-after-ms", "1500")]), at("2026-11-22T03:00:01.5Z"));
    assert_eq!(told(&[("retry-after", "Sun, 22 Nov 2026 03:02:00 GMT")]), at("2026-11-22T03:02:00Z"));
    assert_eq!(told(&[("retry-after", "0")]), at("2026-11-22T03:00:01Z"), "never the moment it was seen");
    assert_eq!(told(&[("retry-after", "soon")]), None);
    assert_eq!(told(&[("x-ratelimit-reset", "1795320000000")]), at("2026-11-22T04:00:00Z"));
    assert_eq!(told(&[("x-ratelimit-reset", "60")]), at("2026-11-22T03:01:00Z"));
}

#[test]
fn codex_windows() {
    let both = [
        ("x-codex-primary-used-percent", "100"),
        ("x-codex-primary-window-minutes", "300"),
        ("x-codex-primary-reset-at", "1795330000"),
        ("x-codex-secondary-used-percent", "100"),
        ("x-codex-secondary-window-minutes", "10080"),
        ("x-codex-secondary-reset-after-seconds", "86400"),
    ];
    assert_eq!(told(&both), at("2026-11-23T03:00:00Z"), "both are full: the later one");
    let mut one = both;
    one[3].1 = "80";
    assert_eq!(told(&one), Timestamp::from_second(1_795_330_000).ok(), "only the full one");
    let hints = [Hint::At(Timestamp::from_second(1_795_330_000).unwrap())];
    let headers: Headers = both.into_iter().collect();
    let sources = Sources { hints: &hints, headers: &headers, text: "", daily_pacific: false };
    assert_eq!(
        resolve(sources, &here()),
        at("2026-11-23T03:00:00Z"),
        "the body's time is only the first window's"
    );
}

#[test]
fn claude_windows() {
    let five = [
        ("anthropic-ratelimit-unified-status", "rejected"),
        ("anthropic-ratelimit-unified-reset", "1795320000"),
        ("anthropic-ratelimit-unified-5h-status", "rejected"),
        ("anthropic-ratelimit-unified-5h-reset", "1795320000"),
        ("anthropic-ratelimit-unified-7d-status", "allowed"),
        ("anthropic-ratelimit-unified-7d-reset", "1795700000"),
    ];
    assert_eq!(told(&five), Timestamp::from_second(1_795_320_000).ok());
    let mut week = five;
    week[4].1 = "rejected";
    assert_eq!(told(&week), Timestamp::from_second(1_795_700_000).ok());
    let mut open = five;
    open[0].1 = "allowed";
    assert_eq!(told(&open), None, "an open window is no reset");
}

#[test]
fn typed_values() {
    assert_eq!(Hint::at(&json!(1_795_320_000)), Hint::at(&json!(1_795_320_000_000_i64)));
    assert_eq!(Hint::at(&json!("1795320000")), Hint::at(&json!("2026-11-22T04:00:00Z")));
    assert_eq!(Hint::seconds(&json!("8h44m7s")), Some(Hint::In(SignedDuration::from_secs(31_447))));
    assert_eq!(Hint::seconds(&json!({"seconds": 56})), Hint::seconds(&json!("56s")));
    assert_eq!(Hint::millis(&json!(1500)), Some(Hint::In(SignedDuration::from_millis(1500))));
    assert_eq!(Hint::at(&json!(null)), None);
    assert_eq!(Hint::seconds(&json!(-1)), None);
}

#[test]
fn days_end_at_midnight_in_california() {
    let none = Headers::default();
    let sources = Sources { hints: &[], headers: &none, text: "", daily_pacific: true };
    assert_eq!(resolve(sources, &here()), at("2026-11-22T08:00:00Z"));
    assert_eq!(resolve(sources, &clock("2026-07-01T06:59:59Z", "UTC")), at("2026-07-01T07:00:00Z"));
}

#[test]
fn nobody_believes_the_past_or_a_window_longer_than_itself() {
    let soon = at("2026-11-22T03:15:00Z");
    assert_eq!(said("usage limit reached|1751997600", &here()), soon);
    assert_eq!(said("5-hour limit reached · resets 9pm", &here()), soon, "23 hours away");
    assert_eq!(said("weekly limit · resets Jun 3 at 4pm", &here()), soon);
    assert_eq!(said("limit will reset at 2099-01-01 00:00:00", &here()), soon);
    let mut recording = here();
    recording.live = false;
    assert_eq!(
        said("usage limit reached|1751997600", &recording),
        Timestamp::from_second(1_751_997_600).ok()
    );
    assert_eq!(said("limit will reset at 2099-01-01 00:00:00", &recording), soon);
}

proptest! {
    #[test]
    fn any_words_give_a_time_after_the_observation_or_none(text in "(resets|try again|retry) (at|in|after|on)? ?\\PC{0,40}") {
        if let Some(until) = said(&text, &here()) {
            prop_assert!(until > here().seen, "{until}");
        }
    }

    #[test]
    fn a_time_of_day_comes_round_within_a_day(hour in 0i8..24, minute in 0i8..60, seen in 0i64..4_000_000_000) {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let seen = Timestamp::from_second(seen).unwrap();
        let shown = jiff::civil::Time::new(hour, minute, 0, 0).unwrap();
        let until = wall::When::Daily(shown).after(seen, &zone).unwrap();
        prop_assert!(until > seen);
        prop_assert!(until.duration_since(seen) <= SignedDuration::from_hours(26));
        let reads = zone.to_datetime(until).time();
        prop_assert!(reads == shown || reads.hour() == 3, "a time that summer time skips shows an hour later");
    }

    #[test]
    fn any_number_is_taken(number in proptest::num::f64::ANY) {
        let _ = Hint::at(&json!(number));
        let _ = Hint::seconds(&json!(number));
    }
}
