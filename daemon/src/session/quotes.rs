//! Words on a screen that read like a failure without being one: an agent, a tool or a person quotes it.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::failover::classify::classify;
use crate::failover::observation::{Channel, Observation};

/// The first sentence among `rows` that would be a failure if the harness itself had said it.
pub fn quoted_failure(harness: &str, rows: &[&str]) -> Option<String> {
    let sentences = rows.iter().flat_map(|row| std::iter::once(*row).chain(row.split(". ")));
    sentences.into_iter().find_map(|part| {
        let sentence = part.trim_start_matches(|c: char| !c.is_alphanumeric());
        let said = Observation::new(harness, Channel::Terminal, sentence);
        let verdict = classify(&said, Timestamp::UNIX_EPOCH, &TimeZone::UTC);
        verdict.failure().map(|_| sentence.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_failure_is_found_in_prose() {
        for row in [
            "• ■ You’ve hit your usage limit. Try again later.",
            "● The log says: nothing. OAuth token revoked · Please run /login",
            "  - Quota exceeded. Check your plan and billing details.",
        ] {
            assert!(quoted_failure("codex", &[row]).is_some(), "{row}");
        }
        assert_eq!(quoted_failure("codex", &["• All tests pass. I limited the usage of unwrap."]), None);
    }
}
