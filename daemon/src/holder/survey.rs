//! Who is left of a run: every descendant of its holder, and every process of the same user that
//! carries the run's mark.

use std::collections::{HashMap, HashSet};
use std::io;

use super::proc::{self, Stat};
use super::run::{RunId, Survivor};

/// Finds what is alive of `run` below the process `holder` or under the run's mark. Zombies don't
/// count: they run nothing. Without a `holder` (it is dead itself) the mark alone decides.
///
/// # Errors
/// If `/proc` cannot be listed; nothing is proven then.
pub fn survivors(run: RunId, holder: Option<u32>) -> io::Result<Vec<Survivor>> {
    let table: HashMap<u32, Stat> =
        proc::all()?.filter_map(|pid| proc::stat(pid).ok()).map(|stat| (stat.pid, stat)).collect();
    let below = holder.map(|holder| descendants(&table, holder)).unwrap_or_default();
    let me = nix::unistd::getuid().as_raw();
    let of_the_run = |stat: &&Stat| {
        below.contains(&stat.pid) || (proc::owner(stat.pid) == Some(me) && proc::mark(stat.pid) == Some(run))
    };
    let mut found: Vec<Survivor> = table
        .values()
        .filter(|stat| stat.is_alive() && Some(stat.pid) != holder)
        .filter(of_the_run)
        .map(|stat| Survivor { pid: stat.pid, name: stat.name.clone() })
        .collect();
    found.sort_by_key(|survivor| survivor.pid);
    Ok(found)
}

fn descendants(table: &HashMap<u32, Stat>, root: u32) -> HashSet<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for stat in table.values() {
        children.entry(stat.parent).or_default().push(stat.pid);
    }
    let mut found = HashSet::new();
    let mut open = vec![root];
    while let Some(pid) = open.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            if found.insert(*child) {
                open.push(*child);
            }
        }
    }
    found
}
