//! Which runs a process belongs to: by the holders above it and by the mark in its environment and
//! its ancestors'. Used by holders to refuse a session's own processes, and by the gate to tell
//! agents from operators.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use thiserror::Error;

use super::proc::{self, Stat};
use super::run::RunId;
use crate::sys;

/// The kernel keeps 15 bytes of a process's name; holders set exactly this one.
pub(super) const HOLDER_NAME: &str = "posthouse-holde";

/// Longer chains of parents than this end here; real ones are a dozen long.
const MAX_DEPTH: usize = 512;
/// Answers kept by [`Lineages`].
const MAX_CACHED: usize = 1024;
/// Descriptors that it takes to watch them.
const MAX_WATCHED: usize = 32;

/// The runs a process belongs to, nearest first: the first is the session it acts for, further
/// ones are sessions that this one was started from. Empty for a process outside of all runs.
pub type Runs = Vec<RunId>;

/// The process could not be looked up: it has ended meanwhile.
#[derive(Debug, Error)]
#[error("find process {pid} among the living")]
pub struct Vanished {
    /// The process that was asked about.
    pub pid: u32,
    /// What the kernel said.
    #[source]
    pub source: std::io::Error,
}

/// Finds the runs that `pid` belongs to. The mark alone would miss a process that scrubbed its
/// environment, the tree alone one whose holder died; both together miss neither.
///
/// # Errors
/// [`Vanished`] if there is no such process (any more).
pub fn runs_of(pid: u32) -> Result<Runs, Vanished> {
    let own = proc::stat(pid).map_err(|source| Vanished { pid, source })?;
    Ok(climb(own))
}

fn climb(own: Stat) -> Runs {
    let mut runs = Runs::new();
    let mut next = Some(own);
    for _ in 0..MAX_DEPTH {
        let Some(stat) = next else { break };
        for run in [held_by(&stat), proc::mark(stat.pid)].into_iter().flatten() {
            if !runs.contains(&run) {
                runs.push(run);
            }
        }
        next = if stat.parent > 1 { proc::stat(stat.parent).ok() } else { None };
    }
    runs
}

/// A holder's command line names the run it holds.
fn held_by(stat: &Stat) -> Option<RunId> {
    if stat.name != HOLDER_NAME {
        return None;
    }
    proc::first_argument(stat.pid)?.parse().ok()
}

/// Whether a process is there that holds `run`, or is about to.
pub fn is_held(run: RunId) -> bool {
    let mut pids = proc::all().into_iter().flatten();
    pids.any(|pid| proc::stat(pid).is_ok_and(|stat| stat.is_alive() && held_by(&stat) == Some(run)))
}

/// A bounded memory of [`runs_of`] for a listener whose peers connect over and over. A process's
/// runs never shrink: orphans fall to the holder of their run.
#[derive(Debug, Default)]
pub struct Lineages {
    known: HashMap<u32, Known>,
}

/// A process that connected before.
#[derive(Debug)]
struct Known {
    started: u64,
    runs: Runs,
    /// What tells whether it still lives; only of processes that connect again.
    handle: Option<OwnedFd>,
}

impl Known {
    /// Whether its number cannot be another process's by now.
    fn surely_lives(&self) -> bool {
        let Some(handle) = &self.handle else { return false };
        let mut ended = [PollFd::new(handle.as_fd(), PollFlags::POLLIN)];
        poll(&mut ended, PollTimeout::ZERO) == Ok(0)
    }
}

impl Lineages {
    /// As [`runs_of`], at the price of one read when the process connects for the second time, and of next to nothing
    /// afterwards.
    ///
    /// # Errors
    /// As [`runs_of`].
    pub fn runs_of(&mut self, pid: u32) -> Result<&Runs, Vanished> {
        if !self.known.get(&pid).is_some_and(Known::surely_lives) {
            self.look(pid)?;
        }
        let known = self.known.get(&pid).map(|known| &known.runs);
        known.ok_or_else(|| Vanished { pid, source: io::ErrorKind::NotFound.into() })
    }

    fn look(&mut self, pid: u32) -> Result<(), Vanished> {
        // Opened before the process is looked at: what is read then is about the process that the handle stands for.
        let handle = self.known.get(&pid).and_then(|_| sys::process_handle(pid).ok());
        let stat = proc::stat(pid).map_err(|source| Vanished { pid, source })?;
        if self.known.len() >= MAX_CACHED || (handle.is_some() && self.watched() >= MAX_WATCHED) {
            self.known.clear();
        }
        match self.known.get_mut(&pid).filter(|known| known.started == stat.started) {
            Some(known) => known.handle = handle,
            None => {
                let known = Known { started: stat.started, runs: climb(stat), handle: None };
                self.known.insert(pid, known);
            }
        }
        Ok(())
    }

    fn watched(&self) -> usize {
        self.known.values().filter(|known| known.handle.is_some()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_connects_again_is_watched_and_one_that_ends_is_not_known() {
        let mut lineages = Lineages::default();
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let pid = child.id();
        for watched in [0, 1, 1] {
            assert_eq!(lineages.runs_of(pid).unwrap(), &runs_of(pid).unwrap());
            assert_eq!(lineages.watched(), watched);
        }
        assert!(lineages.known[&pid].surely_lives());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!lineages.known[&pid].surely_lives());
        assert!(lineages.runs_of(pid).is_err());
    }

    #[test]
    fn a_number_that_went_to_another_process_is_looked_at_anew() {
        let mut lineages = Lineages::default();
        let own = std::process::id();
        let earlier = Known { started: 1, runs: vec![RunId::new(uuid::Uuid::from_u128(1))], handle: None };
        lineages.known.insert(own, earlier);
        assert_eq!(lineages.runs_of(own).unwrap(), &runs_of(own).unwrap());
    }

    #[test]
    fn few_processes_are_watched_at_a_time() {
        let mut lineages = Lineages::default();
        let handle = || sys::process_handle(std::process::id()).ok();
        for pid in 0..MAX_WATCHED as u32 {
            lineages.known.insert(pid, Known { started: 1, runs: Runs::new(), handle: handle() });
        }
        for _ in 0..3 {
            lineages.runs_of(std::process::id()).unwrap();
        }
        assert_eq!(lineages.watched(), 1);
    }
}
