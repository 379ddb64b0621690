//! Puts threads where they are to run, so that what is measured is what the daemon does and not where the scheduler has put
//! it: two threads that wake each other up take half as long on one processor as on two, and any third that runs
//! beside them may move them apart for a second or two.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::{Pid, gettid};

/// Puts the calling thread and the first thread of a process on one processor, the first that may be used.
pub fn together(pid: u32) {
    let allowed = sched_getaffinity(gettid()).expect("the processors");
    let first = (0..CpuSet::count()).find(|cpu| allowed.is_set(*cpu) == Ok(true)).expect("a processor");
    let mut one = CpuSet::new();
    one.set(first).expect("its number");
    for thread in [gettid(), Pid::from_raw(i32::try_from(pid).expect("a process"))] {
        sched_setaffinity(thread, &one).expect("a place");
    }
}
