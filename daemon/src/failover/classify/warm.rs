//! The tables and their automata are built by their first use, which takes longer than any decision may. They are used
//! once before they are needed.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::classify;
use crate::failover::observation::{Channel, Observation};

/// One message by each way in, and each way to say when a limit ends.
const MESSAGES: [(&str, Channel, &str); 7] = [
    (
        "codex",
        Channel::Jsonl,
        r#"{"type":"turn.failed","error":{"message":"unexpected status 401 Unauthorized: no key"}}"#,
    ),
    (
        "claude",
        Channel::Http,
        r#"{"type":"error","error":{"type":"rate_limit_error","message":"Too many requests, try again at 3:09 AM."}}"#,
    ),
    ("claude", Channel::Terminal, "⎿ API Error: 500 Internal server error\n⎿ You've hit your limit"),
    ("claude", Channel::Terminal, "⎿ You've hit your session limit · resets Jun 3 at 4:40pm (UTC)"),
    ("codex", Channel::Terminal, "■ You’ve hit your usage limit. Try again at 3:09 AM."),
    ("claude", Channel::Http, r#"{"error":{"message":"Rate limit reached, try again in 2.5s"}}"#),
    ("gemini", Channel::Exit, "TerminalQuotaError: You have exhausted your daily quota on this model."),
];

/// Builds what [`classify`] needs. Takes a tenth of a second or so.
pub fn warm() {
    for (harness, channel, message) in MESSAGES {
        let _ = classify(
            &Observation::new(harness, channel, message.to_owned()),
            Timestamp::UNIX_EPOCH,
            &TimeZone::UTC,
        );
    }
}
