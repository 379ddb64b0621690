//! Recordings of the real harnesses. Terminals are replayed through screen, signals, readiness and observation as a
//! session would: each change of state and each notice, at its time. All of them, one-shot runs and structured channels
//! included, are replayed to what would have been decided.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod replay;

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use posthoused::harness::catalog::Catalog;
use replay::{Replay, recording, recordings};

/// One story per recording. Read them when they change: they are what a session would have done.
#[test]
fn every_recording_tells_its_story() {
    for (harness, name) in recordings() {
        let story = Replay::new(&harness).run(&recording(&harness, &name));
        insta::assert_snapshot!(format!("{harness}.{name}"), story);
    }
}

/// What `posthouse failure replay` prints for each recording. No run that ended well, and nothing that a harness was still
/// trying, ever moves a session.
#[test]
fn every_recording_leads_to_its_decisions() {
    let catalog = Catalog::builtin().unwrap();
    let now = "2026-11-22T03:30:00Z".parse().unwrap();
    let mut all = String::new();
    for (harness, file) in replay::files() {
        let mut output = Vec::new();
        posthoused::replay::replay(&catalog, &harness, &file, &mut output, now, &TimeZone::UTC).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        writeln!(all, "{harness}/{name}").unwrap();
        for line in String::from_utf8(output).unwrap().lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let word = |key: &str| line[key].as_str().unwrap_or("-").to_owned();
            let borne_out = if line["corroborated"] == true { ", borne out" } else { "" };
            let (class, evidence, decision) = (word("class"), word("evidence"), word("decision"));
            writeln!(
                all,
                "  {:7.2} {class} ({evidence}{borne_out}): {decision}",
                line["at"].as_f64().unwrap()
            )
            .unwrap();
            let moves = matches!(decision.as_str(), "rotate" | "next_mount" | "park");
            let harmless = [".ok", "usage_warn", ".hang", "injection", "osc7501r", "fresh"]
                .iter()
                .any(|word| name.contains(word));
            // These two were recorded without a login, and without a model that the provider knows.
            let is_none =
                name.starts_with("none.ok") || name.starts_with("oai.ok") || name.contains("refresh_invalid");
            assert!(!(moves && harmless && !is_none), "{harness}/{name}: {line}");
        }
    }
    insta::assert_snapshot!(all);
}

/// Invariant: the split of output into reads changes nothing that is concluded once it has come to rest.
#[test]
fn the_split_into_reads_does_not_change_the_story() {
    for (harness, name) in recordings() {
        let events = recording(&harness, &name);
        let whole = Replay::new(&harness).run(&events);
        let split = Replay::new(&harness).in_pieces_of(7).run(&events);
        assert_eq!(whole, split, "{harness}/{name}");
    }
}

/// The terminal that recorded them answered; ours has to answer the same questions.
#[test]
fn every_question_of_every_harness_is_recognised() {
    let mut asked = String::new();
    for (harness, name) in
        [("claude", "key.osc7501"), ("codex", "key.osc7501"), ("gemini", "key.ok"), ("opencode", "ant.ok")]
    {
        asked.push_str(&format!("{harness}: {}\n", replay::questions(&recording(harness, name))));
    }
    insta::assert_snapshot!(asked);
}

/// A harness whose conversation quotes every failure there is stays without a notice.
#[test]
fn quoting_failures_yields_no_notice() {
    for (harness, name, typed) in [("claude", "key.ok", "hello mock"), ("codex", "key.osc7501", "hi")] {
        for quoted in [
            "■ You've hit your usage limit.",
            "⎿  OAuth token revoked · Please run /login",
            "● Please run /login",
        ] {
            // The recorded answer is replaced in place, so it is drawn exactly as the harness draws an answer.
            let events = replay::with_answer(recording(harness, name), quoted);
            assert!(events.iter().any(|e| e.text.contains(quoted)), "{harness}: nothing was replaced");
            let story = Replay::new(harness).run(&events);
            assert!(!story.contains("notice"), "{harness} after {typed}: {story}");
        }
    }
}
