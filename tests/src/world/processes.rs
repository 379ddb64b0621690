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

/// Every live process that was started with this `POSTHOUSE_HOME`, holders and harnesses included.
pub fn of(home: &Path) -> Vec<u32> {
    let mark = [b"POSTHOUSE_HOME=".as_slice(), home.as_os_str().as_encoded_bytes()].concat();
    let socket = [home.as_os_str().as_encoded_bytes(), b"/"].concat();
    let marked = |pid: &u32| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|entry| {
            entry == mark
                || (entry.starts_with(b"POSTHOUSE_SOCKET=")
                    && entry.get(17..).is_some_and(|p| p.starts_with(&socket)))
        })
    };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| *pid != std::process::id()).filter(marked).filter(|pid| alive(*pid)).collect()
}

/// Ends what a test left running.
pub fn end_all_of(home: &Path) {
    for pid in of(home) {
        if let Ok(pid) = i32::try_from(pid) {
            // It may have ended by itself since it was found.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}
