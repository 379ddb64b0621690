//! Where a session is in its life. Each phase owns what only it needs, so that nothing can be done to a run that is
//! not there.

use std::time::Instant;

use crate::failover::command::{Assignment, Parking};
use crate::session::command::Reply;
use crate::session::ending::Ending;
use crate::session::live::Live;

/// The phases.
#[derive(Debug)]
pub(super) enum Phase {
    /// A mount is being chosen, or a run started.
    Starting {
        /// It was released meanwhile.
        then_release: Option<Releasing>,
    },
    /// A run lives.
    Running(Box<Live>),
    /// A run is being ended.
    Ending {
        /// The run.
        live: Box<Live>,
        /// How far that is.
        ending: Ending,
        /// What comes after it.
        then: Then,
    },
    /// No mount is usable.
    Parked {
        /// Until when, if that is known.
        parking: Parking,
        /// The same on the monotonic clock.
        until: Option<Instant>,
    },
    /// The harness ended by itself, and is started again.
    Restarting {
        /// How it ended, for people.
        how: String,
        /// When the next run is due, Unix milliseconds.
        at: u64,
        /// The same on the monotonic clock.
        due: Instant,
        /// What can still be read of the last one.
        live: Option<Box<Live>>,
    },
    /// The harness ended by itself.
    Exited {
        /// How, for people.
        how: String,
        /// What can still be read of it.
        live: Option<Box<Live>>,
    },
    /// The session could not go on.
    Failed {
        /// Why, for people.
        why: String,
        /// What can still be read of it.
        live: Option<Box<Live>>,
    },
}

/// What comes after the end of a run.
#[derive(Debug)]
pub(super) enum Then {
    /// The session is gone.
    Release(Releasing),
    /// It goes on elsewhere.
    Move(Box<Assignment>),
    /// It goes on wherever it can.
    Choose,
    /// It waits.
    Park(Parking),
}

/// Who wants a session gone.
#[derive(Debug)]
pub(super) struct Releasing {
    /// Why.
    pub reason: Option<String>,
    /// By whom.
    pub by: String,
    /// Whether the name stays known.
    pub keep_name: bool,
    /// Who waits for it.
    pub replies: Vec<Reply<()>>,
}

impl Phase {
    /// The run that is there, alive or not.
    pub fn live_mut(&mut self) -> Option<&mut Live> {
        match self {
            Self::Running(live) | Self::Ending { live, .. } => Some(live),
            Self::Restarting { live, .. } | Self::Exited { live, .. } | Self::Failed { live, .. } => {
                live.as_deref_mut()
            }
            Self::Starting { .. } | Self::Parked { .. } => None,
        }
    }

    /// The same, to look at.
    pub fn live(&self) -> Option<&Live> {
        match self {
            Self::Running(live) | Self::Ending { live, .. } => Some(live),
            Self::Restarting { live, .. } | Self::Exited { live, .. } | Self::Failed { live, .. } => {
                live.as_deref()
            }
            Self::Starting { .. } | Self::Parked { .. } => None,
        }
    }

    /// Takes the run out.
    pub fn into_live(self) -> Option<Box<Live>> {
        match self {
            Self::Running(live) | Self::Ending { live, .. } => Some(live),
            Self::Restarting { live, .. } | Self::Exited { live, .. } | Self::Failed { live, .. } => live,
            Self::Starting { .. } | Self::Parked { .. } => None,
        }
    }

    /// When something is due.
    pub fn wakes_at(&self) -> Option<Instant> {
        match self {
            Self::Ending { ending, .. } => ending.wakes_at(),
            Self::Parked { until, .. } => *until,
            Self::Restarting { due, .. } => Some(*due),
            _ => None,
        }
    }
}
