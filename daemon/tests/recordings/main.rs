//! Recorded terminals of the real harnesses, replayed through screen, signals, readiness and observation as a
//! session would: each change of state and each notice, at its time.

#![allow(clippy::unwrap_used, reason = "tests")]

mod replay;

use replay::{Replay, recording, recordings};

/// One story per recording. Read them when they change: they are what a session would have done.
#[test]
fn every_recording_tells_its_story() {
    for (harness, name) in recordings() {
        let story = Replay::new(&harness).run(&recording(&harness, &name));
        insta::assert_snapshot!(format!("{harness}.{name}"), story);
    }
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
