//! From exec to the loop: read the spec, listen, start the child, answer, become independent.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::low_level::pipe;

use super::door::Door;
use super::holder::{Holder, Signals};
use super::launch::{close_stdio, failed, launch};
use crate::fail_point::{self, Point};
use crate::holder::ancestry::{HOLDER_NAME, Runs, runs_of};
use crate::holder::wire::{Command, Event, Failed, FailureCode, Launch, MAX_FRAME, Started};
use crate::sys;

/// Runs the holder process: one LAUNCH frame on standard input, one STARTED or FAILED on standard
/// output, then service at its socket until the run has been collected.
pub fn main() -> ExitCode {
    sys::close_inherited();
    match start() {
        Ok((holder, started)) => {
            fail_point::pass(Point::HolderStarted);
            // A daemon that died meanwhile finds this holder by its socket.
            let _ = answer(&Event::Started(started));
            let _ = close_stdio();
            // A session of its own, so that no terminal signals it. Not before the answer: moving
            // to a new session costs a turn in the scheduler's queue. It fails only for the leader
            // of a group, which nobody but a person at a shell makes it.
            let _ = nix::unistd::setsid();
            holder.serve_until_collected();
            ExitCode::SUCCESS
        }
        Err(failure) => {
            let _ = answer(&Event::Failed(failure));
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(Holder, Started), Failed> {
    let spec = read_spec()?;
    let outer = become_holder().map_err(|e| failed(FailureCode::Process, "become a subreaper", Some(&e)))?;
    let signals =
        listen_to_signals().map_err(|e| failed(FailureCode::Process, "handle signals", Some(&e)))?;
    let path = PathBuf::from(OsString::from_vec(spec.socket.clone()));
    let door = Door::open(&path, outer)
        .map_err(|e| failed(FailureCode::Socket, &format!("listen at {}", path.display()), Some(&e)))?;
    let launched = launch(&spec).inspect_err(|_| door.close())?;
    let _ = std::env::set_current_dir("/");
    let started = Started { holder_pid: std::process::id(), child_pid: launched.pid };
    let ring = usize::try_from(spec.ring).unwrap_or(usize::MAX);
    Ok((Holder::new(spec.run, spec.terminal, ring, launched, door, signals), started))
}

fn read_spec() -> Result<Launch, Failed> {
    let unreadable = |what: &str, e: Option<&io::Error>| failed(FailureCode::Spec, what, e);
    let mut input = io::stdin().lock();
    let mut length = [0; 4];
    input.read_exact(&mut length).map_err(|e| unreadable("read the spec", Some(&e)))?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_FRAME {
        return Err(unreadable(&format!("read a spec of {length} bytes: the limit is {MAX_FRAME}"), None));
    }
    let mut payload = vec![0; length];
    input.read_exact(&mut payload).map_err(|e| unreadable("read the spec", Some(&e)))?;
    match Command::decode(&Bytes::from(payload)).map(|frame| frame.message) {
        Ok(Command::Launch(spec)) if (1..=MAX_RING).contains(&spec.ring) => Ok(spec),
        Ok(Command::Launch(spec)) => Err(unreadable(&format!("keep a ring of {} bytes", spec.ring), None)),
        Ok(other) => Err(unreadable(&format!("read LAUNCH: got type {:#06x}", other.kind()), None)),
        Err(error) => Err(unreadable(&error.to_string(), None)),
    }
}

/// Bytes of a ring at most.
const MAX_RING: u64 = 1 << 30;

fn answer(event: &Event) -> io::Result<()> {
    let mut frame = Vec::new();
    event.encode(0, &mut frame).map_err(io::Error::other)?;
    let mut out = io::stdout().lock();
    out.write_all(&frame)?;
    out.flush()
}

/// Parent of every orphan below it, under a name that [`crate::holder::ancestry`] knows. Returns
/// the runs this holder was started within.
fn become_holder() -> io::Result<Runs> {
    let outer = runs_of(std::os::unix::process::parent_id()).unwrap_or_default();
    nix::sys::prctl::set_child_subreaper(true)?;
    let name = std::ffi::CString::new(HOLDER_NAME)?;
    nix::sys::prctl::set_name(&name)?;
    Ok(outer)
}

/// Handlers rather than "ignore": a child starts with the default action for what is handled here.
fn listen_to_signals() -> io::Result<Signals> {
    let (wake, notify) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    let terminated = Arc::new(AtomicBool::new(false));
    let ignored = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGQUIT] {
        signal_hook::flag::register(signal, Arc::clone(&ignored))?;
    }
    signal_hook::flag::register(SIGTERM, Arc::clone(&terminated))?;
    pipe::register(SIGTERM, notify.try_clone()?)?;
    pipe::register(SIGCHLD, notify)?;
    Ok(Signals { wake, terminated })
}
