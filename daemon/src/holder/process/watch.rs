//! `poll` with names: which descriptor to watch, and what to call it when it is ready.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

pub(super) struct Watch<'fd, K> {
    names: Vec<K>,
    fds: Vec<PollFd<'fd>>,
}

impl<K> Default for Watch<'_, K> {
    fn default() -> Self {
        Self { names: Vec::new(), fds: Vec::new() }
    }
}

impl<'fd, K: Copy> Watch<'fd, K> {
    pub fn add(&mut self, name: K, fd: BorrowedFd<'fd>, flags: PollFlags) {
        self.names.push(name);
        self.fds.push(PollFd::new(fd, flags));
    }

    /// Waits until something is ready or the deadline has come, and names what is ready in the
    /// order of adding.
    pub fn wait(mut self, deadline: Option<Instant>) -> Vec<K> {
        let timeout = deadline.map_or(PollTimeout::NONE, timeout);
        // An interruption is a signal, which also makes a descriptor ready.
        if poll(&mut self.fds, timeout).is_err() {
            return Vec::new();
        }
        let ready = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
        self.names.into_iter().zip(&self.fds).filter(|(_, fd)| ready(fd)).map(|(name, _)| name).collect()
    }
}

/// Whole milliseconds, rounded up: a wait is never shorter than it was asked for.
fn timeout(deadline: Instant) -> PollTimeout {
    let micros = deadline.saturating_duration_since(Instant::now()).as_micros();
    i32::try_from(micros.div_ceil(1000))
        .ok()
        .and_then(|ms| PollTimeout::try_from(ms).ok())
        .unwrap_or(PollTimeout::MAX)
}
