//! Whether as many files may be open as the configured limits need.

use nix::sys::resource::{Resource, getrlimit};

use super::finding::Finding;
use crate::config::Limits;

/// Descriptors that a session and its holder's link need, with a margin.
const PER_SESSION: u64 = 4;

/// Compares the limit in force with what would be needed at most.
pub(super) fn look(limits: &Limits) -> Finding {
    let wanted = u64::from(limits.connections) + PER_SESSION * u64::from(limits.sessions);
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, _)) if soft >= wanted => Finding::Good(format!("{soft} allowed")),
        Ok((soft, hard)) => Finding::doubt(
            format!("{soft} allowed, {wanted} needed if every limit is used up"),
            Some(format!("raise the hard limit ({hard}), as LimitNOFILE={wanted} in the unit")),
        ),
        Err(e) => Finding::doubt(format!("failed to ask for the limit: {e}"), None),
    }
}
