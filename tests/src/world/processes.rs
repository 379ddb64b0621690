//! Processes of one world, found by the home in their environment.

use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Whether `pid` is a live process (a zombie is not).
pub fn alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    state.is_some_and(|state| state != 'Z')
}

/// The process that started `pid`, or that took it over.
///
/// # Panics
/// When there is no such process.
pub fn parent(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
    parent.expect("a parent")
}

/// Sends a signal to a process that a test started; one that is gone takes anything.
pub fn signal(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// Every live process that was started with this `POSTHOUSE_HOME`, holders and harnesses included.
pub fn of(home: &Path) -> Vec<u32> {
    let mark = [b"POSTHOUSE_HOME=".as_slice(), home.as_os_str().as_encoded_bytes()].concat();
    let socket = [home.as_os_str().as_encoded_bytes(), b"/"].concat();
    let marked = |pid: &u32| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|entry| {
            entry == mark
                || [b"POSTHOUSE_SOCKET=".as_slice(), b"POSTHOUSE_FAIL_POINTS="]
                    .iter()
                    .any(|name| entry.strip_prefix(*name).is_some_and(|path| path.starts_with(&socket)))
        })
    };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| *pid != std::process::id()).filter(marked).filter(|pid| alive(*pid)).collect()
}

/// Ends what a test left running.
pub fn end_all_of(home: &Path) {
    for pid in of(home) {
        signal(pid, Signal::SIGKILL);
    }
}
