//! What holds for anything that may be seen, not only for what is in the case files.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::classify;
use crate::failover::case::Case;
use crate::failover::observation::{AuthKind, Channel, Endpoint, Headers, Observation};
use crate::failover::reset::{LONGEST_WINDOW, PROBE_AFTER, SLACK};

const FILES: [&str; 4] = [
    include_str!("../../../../tests/data/cases/failures.jsonl"),
    include_str!("../../../../tests/data/cases/extra.jsonl"),
    include_str!("../../../../tests/data/cases/heldout.jsonl"),
    include_str!("../../../../tests/data/cases/heldout-again.jsonl"),
];

fn known() -> Vec<Observation> {
    let lines = FILES.iter().flat_map(|file| file.lines());
    lines.map(|line| Case::parse(line).unwrap().observation).collect()
}

fn now() -> Timestamp {
    "2026-11-22T03:00:00Z".parse().unwrap()
}

fn channels() -> impl Strategy<Value = Channel> {
    select(vec![
        Channel::Http,
        Channel::Sse,
        Channel::Ws,
        Channel::Jsonl,
        Channel::AppServer,
        Channel::Acp,
        Channel::Terminal,
        Channel::Osc,
        Channel::Exit,
        Channel::Probe,
    ])
}

/// A body of the case files that was cut, spliced with another, or had a character replaced.
fn mangled() -> impl Strategy<Value = String> {
    let bodies: Vec<String> = known().into_iter().map(|seen| seen.body).collect();
    (select(bodies.clone()), select(bodies), any::<(prop::sample::Index, prop::sample::Index, char)>())
        .prop_map(|(one, other, (at, to, c))| {
            let one: Vec<char> = one.chars().chain([' ']).collect();
            let other: Vec<char> = other.chars().chain([' ']).collect();
            let mut out: String = one.iter().take(at.index(one.len())).collect();
            out.push(c);
            out.extend(other.iter().skip(to.index(other.len())));
            out
        })
}

fn bodies() -> impl Strategy<Value = String> {
    prop_oneof![
        mangled(),
        "\\PC{0,200}",
        "(\\{|\\}|\\[|\\]|\"|:|,|error|code|429|resets at|[0-9]|\x1b|\n| ){0,60}"
    ]
}

fn headers() -> impl Strategy<Value = Headers> {
    let names = select(vec![
        "retry-after",
        "retry-after-ms",
        "x-error-json",
        "www-authenticate",
        "x-amzn-errortype",
        "x-ratelimit-reset",
        "x-codex-primary-used-percent",
        "x-codex-primary-reset-at",
        "x-codex-primary-reset-after-seconds",
        "x-codex-primary-window-minutes",
        "anthropic-ratelimit-unified-status",
        "anthropic-ratelimit-unified-5h-status",
        "anthropic-ratelimit-unified-5h-reset",
        "anthropic-ratelimit-unified-reset",
    ]);
    let values = prop_oneof![
        any::<f64>().prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        select(vec!["100", "rejected", "allowed", "1e308", "-1", "NaN", "Sun, 22 Nov 2026 05:00:00 GMT"])
            .prop_map(str::to_owned),
        "\\PC{0,20}",
    ];
    prop::collection::vec((names, values), 0..5).prop_map(|pairs| pairs.into_iter().collect())
}

fn observations() -> impl Strategy<Value = Observation> {
    let what = (select(vec!["codex", "claude", "gemini", "opencode", "generic"]), channels(), bodies());
    let how = (
        prop::option::of(any::<u16>()),
        headers(),
        prop::option::of(select(vec![Endpoint::Token, Endpoint::Inference, Endpoint::Side])),
        prop::option::of(select(vec![AuthKind::Oauth, AuthKind::ApiKey])),
        prop::option::of(any::<i32>()),
    );
    (what, how).prop_map(|((harness, channel, body), (status, headers, endpoint, auth, exit))| {
        let mut seen = Observation::new(harness, channel, body);
        (seen.status, seen.headers, seen.endpoint, seen.auth, seen.exit) =
            (status, headers, endpoint, auth, exit);
        seen.observed_at = Some(now());
        seen
    })
}

/// A frame in which a harness shows what an agent, a tool or a person said.
fn as_content(harness: &str, said: &str, which: usize) -> Value {
    let frames: Vec<Value> = match harness {
        "codex" => vec![
            json!({"type": "item.completed", "item": {"type": "agent_message", "text": said}}),
            json!({"type": "item.updated", "item": {"type": "command_execution", "aggregated_output": said, "exit_code": 1}}),
            json!({"type": "item.completed", "item": {"type": "mcp_tool_call", "error": {"message": said}, "status": "failed"}}),
            json!({"method": "item/completed", "params": {"item": {"text": said}}}),
            json!({"type": "response_item", "payload": {"type": "function_call_output", "output": said}}),
        ],
        "claude" => vec![
            json!({"type": "user", "message": {"content": [{"type": "tool_result", "content": said, "is_error": true}]}}),
            json!({"type": "assistant", "message": {"model": "claude-opus-5-5", "content": [{"type": "text", "text": said}]}}),
            json!({"type": "stream_event", "event": {"type": "content_block_delta", "delta": {"type": "text_delta", "text": said}}}),
            json!({"type": "result", "subtype": "success", "is_error": false, "result": said}),
        ],
        "gemini" => vec![
            json!({"type": "message", "role": "assistant", "content": said}),
            json!({"type": "tool_result", "status": "error", "output": said}),
            json!({"session_id": "s", "response": said}),
        ],
        "opencode" => vec![
            json!({"type": "text", "part": {"type": "text", "text": said}}),
            json!({"type": "tool_use", "part": {"state": {"status": "error", "error": said}}}),
        ],
        _ => vec![
            json!({"jsonrpc": "2.0", "method": "session/update", "params": {"update": {"content": {"text": said}}}}),
            json!({"jsonrpc": "2.0", "id": 1, "method": "session/request_permission", "params": {"title": said}}),
        ],
    };
    let which = which % frames.len();
    frames[which].clone()
}

/// A usage limit that says when it ends: in time, long past, absurdly late, in every place where that is said.
fn limits() -> impl Strategy<Value = Observation> {
    let epoch = now().as_second();
    let seconds = prop_oneof![
        -10_000_000i64..10_000_000,
        (-50i64..50).prop_map(|days| days * 86_400),
        Just(0),
        Just(i64::from(i32::MAX)),
        any::<i64>(),
    ];
    (seconds, 0usize..6).prop_map(move |(ahead, place)| {
        let at = epoch.saturating_add(ahead);
        let limit = |field: &str, value: String| {
            format!(r#"{{"error":{{"type":"usage_limit_reached","message":"The usage limit has been reached","{field}":{value}}}}}"#)
        };
        let body = match place {
            0 => limit("resets_at", at.to_string()),
            1 => limit("resets_at", at.saturating_mul(1000).to_string()),
            2 => limit("resets_in_seconds", ahead.to_string()),
            3 => limit("resets_at", format!("\"{at}\"")),
            _ => limit("plan_type", "\"pro\"".to_owned()),
        };
        let mut seen = Observation::new("codex", Channel::Http, body);
        seen.status = Some(429);
        seen.observed_at = Some(now());
        match place {
            4 => seen.headers.insert("retry-after", ahead.to_string()),
            5 => {
                seen.headers.insert("x-codex-primary-used-percent", "100");
                seen.headers.insert("x-codex-primary-reset-at", at.to_string());
            }
            _ => {}
        }
        seen
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, ..ProptestConfig::default() })]

    #[test]
    fn anything_can_be_judged(seen in observations(), zoned in any::<bool>()) {
        let zone = if zoned { TimeZone::get("Europe/Berlin").unwrap() } else { TimeZone::UTC };
        let verdict = classify(&seen, now(), &zone);
        if let Some(failure) = verdict.failure() {
            let words_only = matches!(seen.channel, Channel::Terminal | Channel::Osc) && seen.exit.is_none();
            let unaided = seen.status.is_none() && seen.headers.is_empty();
            prop_assert!(!(words_only && unaided && failure.evidence.may_condemn()), "{:?}", failure);
            prop_assert!(!(words_only && failure.corroborated), "nothing bears it out: {:?}", failure);
            prop_assert_ne!(seen.endpoint, Some(Endpoint::Side));
        }
    }

    #[test]
    fn a_limit_ends_after_now_and_within_its_window(seen in limits()) {
        let verdict = classify(&seen, now(), &TimeZone::UTC);
        let failure = verdict.failure().expect("a limit is a failure");
        if let Some(until) = failure.until {
            let ahead = until.duration_since(now());
            prop_assert!(ahead > SignedDuration::ZERO, "{} is past: {:?}", until, seen);
            prop_assert!(ahead <= LONGEST_WINDOW + SLACK || ahead == PROBE_AFTER, "{} is too far: {:?}", until, seen);
        }
    }

    #[test]
    fn what_content_holds_is_no_failure(
        quoted in select(known()),
        shell in select(vec!["codex", "claude", "gemini", "opencode", "generic"]),
        which in any::<usize>(),
        deeper in 0usize..3,
        around in "\\PC{0,20}",
    ) {
        let mut said = format!("{around}{}{around}", quoted.body);
        for level in 0..=deeper {
            said = as_content(shell, &said, which.wrapping_add(level)).to_string();
        }
        let seen = Observation::new(shell, Channel::Jsonl, said);
        let verdict = classify(&seen, now(), &TimeZone::UTC);
        prop_assert!(verdict.failure().is_none(), "{:?} in {}", verdict, seen.body);
    }
}
