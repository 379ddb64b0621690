//! Whether a daemon answers, and is of the client's own release.

use std::path::Path;

use posthouse_protocol::payload::Check;

use super::check;
use crate::exit::Failure;

/// The daemon's release beside this program's.
pub(super) fn version(daemon: &str) -> Check {
    let ours = env!("CARGO_PKG_VERSION");
    if daemon == ours {
        return check("version", "ok", format!("posthouse and posthoused are {ours}"), None);
    }
    let detail = format!("posthouse is {ours} and the daemon that runs is {daemon}");
    check("version", "warning", detail, Some("posthouse down && posthouse up".to_owned()))
}

/// Why there is no daemon to ask.
pub(super) fn unreached(socket: &Path, failure: &Failure) -> Check {
    let left = if socket.exists() { "; a dead daemon left the socket there" } else { "" };
    let detail = format!("failed to {}{left}", failure.message);
    check("daemon", "failed", detail, Some("posthouse up".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_release_is_a_warning() {
        assert_eq!(version(env!("CARGO_PKG_VERSION")).outcome, "ok");
        assert_eq!(version("99.0.0").outcome, "warning");
    }
}
