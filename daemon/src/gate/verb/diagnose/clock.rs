//! Whether this host's clock is right, by the last answer of a provider.

use std::time::Duration;

use super::finding::Finding;
use crate::credential::skew::Skew;

/// Differences up to this do no harm: reset times get a margin of as much.
const HARMLESS: Duration = Duration::from_secs(30);

/// Judges the last comparison.
pub(super) fn look(last: Option<&Skew>) -> Finding {
    let Some(skew) = last else {
        return Finding::Good(
            "not compared: no provider was asked since the daemon's start (posthouse credential check asks)"
                .to_owned(),
        );
    };
    let way = if skew.ahead.is_negative() { "behind" } else { "ahead of" };
    let by = skew.ahead.unsigned_abs().as_secs();
    if skew.exceeds(HARMLESS) {
        let detail = format!(
            "{by} s {way} {}'s: reset times are off by as much, and logins may seem expired",
            skew.host
        );
        return Finding::doubt(detail, Some("sudo timedatectl set-ntp true".to_owned()));
    }
    Finding::Good(format!("within {} s of {}'s", by.max(skew.within.as_secs()), skew.host))
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    #[test]
    fn a_clock_that_is_off_warns_and_says_by_how_much() {
        let skew = |secs| Skew {
            host: "api.example".into(),
            ahead: SignedDuration::from_secs(secs),
            within: Duration::from_secs(1),
            at: Timestamp::UNIX_EPOCH,
        };
        assert!(matches!(look(None), Finding::Good(_)));
        assert!(matches!(look(Some(&skew(-3))), Finding::Good(_)));
        let Finding::Doubt { detail, .. } = look(Some(&skew(-240))) else { panic!("it is far off") };
        assert!(detail.starts_with("240 s behind api.example's"), "{detail}");
    }
}
