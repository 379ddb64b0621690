//! Whether the limits of what a run may take are in force.

use super::finding::Finding;
use crate::holder::confines::Force;

const MIB: u64 = 1 << 20;

/// Tells what holds for each run.
pub(super) fn look(force: &Force) -> Finding {
    match force {
        Force::Unwanted => {
            Finding::Good("runs may take what the user may (runs.memory_bytes, runs.tasks)".to_owned())
        }
        Force::Held(limits) => {
            let of = |most: u64, words: String| if most > 0 { words } else { "any".to_owned() };
            let memory = of(limits.memory_bytes, format!("{} MiB of", limits.memory_bytes / MIB));
            let tasks = of(limits.tasks, limits.tasks.to_string());
            Finding::Good(format!("each run may take {memory} memory and {tasks} processes"))
        }
        Force::Unmet(why) => Finding::doubt(
            format!("runs.memory_bytes and runs.tasks are not in force: {why}"),
            Some("run posthoused as the unit in systemd/ does, with systemd 254 or later".to_owned()),
        ),
    }
}
