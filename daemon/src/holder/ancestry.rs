//! Which runs a process belongs to: by the holders above it and by the mark in its environment and
//! its ancestors'. Used by holders to refuse a session's own processes, and by the gate to tell
//! agents from operators.

use std::collections::HashMap;

use thiserror::Error;

use super::proc::{self, Stat};
use super::run::RunId;

/// The kernel keeps 15 bytes of a process's name; holders set exactly this one.
pub(super) const HOLDER_NAME: &str = "posthouse-holde";

/// Longer chains of parents than this end here; real ones are a dozen long.
const MAX_DEPTH: usize = 512;
/// Answers kept by [`Lineages`].
const MAX_CACHED: usize = 1024;

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
    known: HashMap<(u32, u64), Runs>,
}

impl Lineages {
    /// As [`runs_of`], at the price of one read when the process is known already.
    ///
    /// # Errors
    /// As [`runs_of`].
    pub fn runs_of(&mut self, pid: u32) -> Result<&Runs, Vanished> {
        let stat = proc::stat(pid).map_err(|source| Vanished { pid, source })?;
        if self.known.len() >= MAX_CACHED {
            self.known.clear();
        }
        Ok(self.known.entry((pid, stat.started)).or_insert_with(|| climb(stat)))
    }
}
