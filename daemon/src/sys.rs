//! The only unsafe code: what must happen between fork and exec; terminal ioctls, handles of processes and
//! [sockets](socket) on the event loop, for which there is no safe wrapper; and taking over a descriptor that systemd
//! handed to this process.
#![allow(unsafe_code)]

pub mod socket;

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::sys::stat::Mode;

/// What a new child's standard input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildInput {
    /// A terminal, which becomes the controlling terminal of the child's session.
    Terminal,
    /// Anything else.
    Other,
}

/// Closes every descriptor but the standard three. A holder lives for days: what its daemon was
/// handed by accident (the pipe of whoever started it) must not stay open that long.
pub fn close_inherited() {
    // SAFETY: called first thing in a single-threaded program, which has opened nothing yet.
    unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
}

/// Lets the child of `command` lead a session of its own and start with default signal handling.
pub fn lead_session(command: &mut Command, input: ChildInput) {
    let before_exec = move || {
        nix::unistd::setsid()?;
        if input == ChildInput::Terminal {
            // SAFETY: descriptor 0 is open (the standard library has set it up by now) and
            // TIOCSCTTY takes a plain integer.
            let result = unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) };
            nix::errno::Errno::result(result)?;
        }
        for each in Signal::iterator().filter(|each| !matches!(each, Signal::SIGKILL | Signal::SIGSTOP)) {
            // SAFETY: the default action installs no handler.
            unsafe { signal(each, SigHandler::SigDfl) }?;
        }
        SigSet::empty().thread_set_mask()?;
        Ok(())
    };
    // SAFETY: the closure makes only async-signal-safe system calls and allocates nothing.
    unsafe { command.pre_exec(before_exec) };
}

/// Lets the child of `command` join the control group whose `cgroup.procs` this is. A kernel that
/// says no is not an error: the group only makes killing faster.
pub fn join_cgroup(command: &mut Command, procs: File) {
    let before_exec = move || {
        let _ = nix::unistd::write(&procs, b"0");
        Ok(())
    };
    // SAFETY: the closure makes one async-signal-safe system call and allocates nothing.
    unsafe { command.pre_exec(before_exec) };
}

/// Gives the child of `command` this `oom_score_adj`, which its descendants inherit. A kernel that says no is not an
/// error: it only chooses as it would have.
pub fn set_oom_score(command: &mut Command, score: i32) {
    let text = score.to_string();
    let before_exec = move || {
        let own =
            nix::fcntl::open(c"/proc/self/oom_score_adj", OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty());
        let _ = own.and_then(|file| nix::unistd::write(&file, text.as_bytes()));
        Ok(())
    };
    // SAFETY: the closure makes only async-signal-safe system calls and allocates nothing.
    unsafe { command.pre_exec(before_exec) };
}

/// Sets a terminal's size; programs on it get SIGWINCH if it changed.
///
/// # Errors
/// What the kernel says, e.g. `ENOTTY`.
pub fn set_terminal_size(terminal: BorrowedFd<'_>, rows: u16, cols: u16) -> io::Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCSWINSZ reads one winsize, which outlives the call.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    nix::errno::Errno::result(result)?;
    Ok(())
}

/// A descriptor that stands for a process: it becomes readable when the process ends, and as long as it is not, the
/// process's number is nobody else's.
///
/// # Errors
/// `ESRCH` if there is no such process, `ENOSYS` before Linux 5.3, `EMFILE`.
pub fn process_handle(pid: u32) -> io::Result<OwnedFd> {
    let pid = libc::pid_t::try_from(pid).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: the call takes two integers and makes a descriptor, which has no other owner.
    let fd = unsafe {
        let fd = nix::errno::Errno::result(libc::syscall(libc::SYS_pidfd_open, pid, 0))?;
        OwnedFd::from_raw_fd(i32::try_from(fd).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?)
    };
    Ok(fd)
}

/// Puts a socket where a program that is executed next looks for what systemd hands over.
///
/// # Errors
/// What the kernel says.
pub fn hand_over(socket: OwnedFd) -> io::Result<()> {
    // By systemd's protocol.
    const FIRST: i32 = 3;
    // SAFETY: whatever was at that descriptor is given up together with this process's program; both calls only change
    // the table of descriptors.
    let result = unsafe {
        if socket.as_raw_fd() == FIRST {
            libc::fcntl(FIRST, libc::F_SETFD, 0)
        } else {
            libc::dup2(socket.as_raw_fd(), FIRST)
        }
    };
    nix::errno::Errno::result(result)?;
    // It has to outlive this call.
    std::mem::forget(socket);
    Ok(())
}

/// The first socket that systemd handed to this process at its start, if there is one. Answers only once: the
/// descriptor then has an owner.
///
/// # Errors
/// When the variables that announce it are malformed, or it is not open.
pub fn handed_socket() -> io::Result<Option<OwnedFd>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let Some(fd) = sd_notify::listen_fds()?.next() else { return Ok(None) };
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Ok(None);
    }
    // SAFETY: `listen_fds` found it open, systemd's protocol makes it this process's own, and the flag above sees to it
    // that no second owner is made.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) }))
}
