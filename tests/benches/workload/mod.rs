//! What is measured.

mod connect;
mod decision;
mod durable;
mod hostile;
mod idle;
mod messages;
mod neighbours;
mod nuisance;
mod session;
mod slow;
mod terminal;

use std::time::Duration;

use crate::report::{Better, Figure, Goal};

/// One thing that several contenders do; the first is the baseline.
pub struct Workload {
    pub title: &'static str,
    pub figures: Vec<Figure>,
    pub contenders: Vec<Contender>,
}

/// Someone who does it, in a process of its own each time.
pub struct Contender {
    pub who: &'static str,
    /// For each figure, what it is to reach.
    pub goals: Vec<Option<Goal>>,
    /// Does it once; a value for each figure.
    pub measure: Box<dyn FnMut() -> Vec<f64>>,
}

impl Contender {
    pub fn new(who: &'static str, measure: impl FnMut() -> Vec<f64> + 'static) -> Self {
        Self { who, goals: Vec::new(), measure: Box::new(measure) }
    }

    /// Goals of the first figures.
    pub fn aiming_at<const N: usize>(self, goals: [Option<Goal>; N]) -> Self {
        Self { goals: goals.to_vec(), ..self }
    }
}

/// Everything, in the order of the report. `share` of the usual effort is made, from 0 to 1.
pub fn all(share: f64) -> Vec<Workload> {
    let effort = Effort { share };
    let mut all = messages::workloads(effort);
    all.extend([connect::workload(effort), idle::workload(effort)]);
    all.extend(durable::workloads(effort));
    all.extend(slow::workloads(effort));
    all.extend(terminal::workloads(effort));
    all.extend(session::workloads(effort));
    all.extend([decision::workload(effort), neighbours::workload(effort), hostile::workload(effort)]);
    all
}

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    share: f64,
}

impl Effort {
    /// A part of the usual time.
    pub fn time(self, usual: Duration) -> Duration {
        usual.mul_f64(self.share)
    }

    /// A part of the usual count; never none.
    pub fn count(self, usual: usize) -> usize {
        ((usual as f64 * self.share) as usize).max(2)
    }
}

pub const fn figure(title: &'static str, unit: &'static str, better: Better) -> Figure {
    Figure { title, unit, better }
}

/// Runs a measurement on a thread of its own kind: one, as the daemon's message plane has.
pub fn on_one_thread<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, work)
}
