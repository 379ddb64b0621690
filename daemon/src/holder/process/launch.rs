//! Starting the run: the terminal or pipes, and the child on them.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::stat::Mode;
use nix::sys::termios::{InputFlags, SetArg, tcgetattr, tcsetattr};

use crate::holder::cgroup::RunGroup;
use crate::holder::run::{RUN_MARK, Size, StreamId};
use crate::holder::wire::{Failed, FailureCode, Launch};
use crate::sys::{self, ChildInput};

/// A run that has just started.
pub(super) struct Launched {
    pub pid: u32,
    /// Where writes to the child go.
    pub input: OwnedFd,
    /// What the child says.
    pub outputs: Vec<(StreamId, OwnedFd)>,
    pub group: Option<RunGroup>,
}

/// Starts the child as the spec says, on non-blocking descriptors.
pub(super) fn launch(spec: &Launch) -> Result<Launched, Failed> {
    let [program, arguments @ ..] = spec.argv.as_slice() else {
        return Err(failed(FailureCode::Spec, "the command line is empty", None));
    };
    let program = OsString::from_vec(program.clone());
    let cwd = PathBuf::from(OsString::from_vec(spec.cwd.clone()));
    let mut command = Command::new(&program);
    command
        .args(arguments.iter().map(|argument| OsString::from_vec(argument.clone())))
        .env_clear()
        .envs(spec.env.iter().map(|(name, value)| (os(name), os(value))))
        .env(RUN_MARK, spec.run.to_string())
        .current_dir(&cwd);
    // The exec error cannot tell a missing directory from a missing program.
    let entry = std::fs::metadata(&cwd).and_then(|meta| {
        if meta.is_dir() { Ok(()) } else { Err(io::Error::from_raw_os_error(nix::libc::ENOTDIR)) }
    });
    entry.map_err(|e| {
        failed(FailureCode::WorkingDirectory, &format!("enter the directory {}", cwd.display()), Some(&e))
    })?;
    let ends = match spec.terminal {
        Some(size) => terminal(&mut command, size),
        None => pipes(&mut command),
    };
    let (input, outputs) =
        ends.map_err(|e| failed(FailureCode::Channel, "make the run's terminal or pipes", Some(&e)))?;
    sys::set_oom_score(&mut command, victims_score());
    // Without a group of its own the run is found by its tree and its mark alone.
    let group = spec.cgroup.as_deref().and_then(|parent| {
        let group = RunGroup::create(&PathBuf::from(os(parent)), spec.run).ok()?;
        sys::join_cgroup(&mut command, group.entrance().ok()?);
        Some(group)
    });
    let child = command.spawn().map_err(|e| {
        if let Some(group) = &group {
            group.remove();
        }
        failed(FailureCode::Program, &format!("execute {}", program.display()), Some(&e))
    })?;
    Ok(Launched { pid: child.id(), input, outputs, group })
}

/// How much sooner than its holder a run is ended where memory runs out, of 1000.
const VICTIM: i32 = 300;

/// The kernel ends what is largest; that it is rather a harness than the daemon or a holder, which others depend on, is
/// said by the score that it adds.
fn victims_score() -> i32 {
    let own = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap_or_default();
    (own.trim().parse::<i32>().unwrap_or(0) + VICTIM).min(1000)
}

pub(super) fn failed(code: FailureCode, what: &str, error: Option<&io::Error>) -> Failed {
    let errno = error.and_then(io::Error::raw_os_error).unwrap_or(0);
    let text = error.map_or_else(|| what.to_owned(), |error| format!("{what}: {error}"));
    Failed { code, errno, text }
}

type Ends = (OwnedFd, Vec<(StreamId, OwnedFd)>);

fn terminal(command: &mut Command, size: Size) -> io::Result<Ends> {
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let path = ptsname_r(&master)?;
    let slave = open(path.as_str(), OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC, Mode::empty())?;
    sys::set_terminal_size(slave.as_fd(), size.rows, size.cols)?;
    let mut modes = tcgetattr(&slave)?;
    // Lets the line discipline erase whole characters, as every modern terminal does.
    modes.input_flags |= InputFlags::IUTF8;
    tcsetattr(&slave, SetArg::TCSANOW, &modes)?;
    command
        .stdin(Stdio::from(slave.try_clone()?))
        .stdout(Stdio::from(slave.try_clone()?))
        .stderr(Stdio::from(slave));
    sys::lead_session(command, ChildInput::Terminal);
    let master = OwnedFd::from(master);
    let output = master.try_clone()?;
    // One description, so this holds for both descriptors.
    unblock(&master)?;
    Ok((master, vec![(StreamId::TERMINAL, output)]))
}

fn pipes(command: &mut Command) -> io::Result<Ends> {
    let (child_in, input) = io::pipe()?;
    let (stdout, child_out) = io::pipe()?;
    let (stderr, child_err) = io::pipe()?;
    command.stdin(child_in).stdout(child_out).stderr(child_err);
    sys::lead_session(command, ChildInput::Other);
    let (input, stdout, stderr) = (OwnedFd::from(input), OwnedFd::from(stdout), OwnedFd::from(stderr));
    for fd in [&input, &stdout, &stderr] {
        unblock(fd)?;
    }
    Ok((input, vec![(StreamId::STDOUT, stdout), (StreamId::STDERR, stderr)]))
}

fn unblock(fd: &OwnedFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

fn os(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

/// Points descriptors 0, 1 and 2 at `/dev/null`.
pub(super) fn close_stdio() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    Ok(())
}
