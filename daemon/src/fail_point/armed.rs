//! The points as they are in a debug build with the feature.
//!
//! The file that arms a point holds one line: `abort`, `pause`, `error` or `delay MILLISECONDS`, and behind it, if the
//! point is to act only the n+1st time, `after N`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Injected, Point, VARIABLE};

/// How often a paused process looks whether it may go on.
const LOOK: Duration = Duration::from_millis(1);

/// What an armed point does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Abort,
    Pause,
    Error,
    Delay(Duration),
}

/// A point of synchronous code that cannot fail. A pause holds the thread.
pub fn pass(point: Point) {
    let _ = reach(point);
}

/// A point of synchronous code that can fail. A pause holds the thread.
///
/// # Errors
/// If the point is armed with one.
pub fn reach(point: Point) -> Result<(), Injected> {
    match claim(point) {
        None => Ok(()),
        Some(Action::Abort) => die(),
        Some(Action::Error) => Err(Injected(point)),
        Some(Action::Delay(time)) => {
            std::thread::sleep(time);
            Ok(())
        }
        Some(Action::Pause) => {
            while !may_go_on(point) {
                std::thread::sleep(LOOK);
            }
            Ok(())
        }
    }
}

/// A point of asynchronous code, which leaves the thread to others while it waits.
pub async fn at(point: Point) {
    match claim(point) {
        None | Some(Action::Error) => {}
        Some(Action::Abort) => die(),
        Some(Action::Delay(time)) => tokio::time::sleep(time).await,
        Some(Action::Pause) => {
            while !may_go_on(point) {
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

/// The variable for a holder, which gets nothing else of the daemon's environment.
pub fn inherited() -> Option<(&'static str, OsString)> {
    directory().map(|dir| (VARIABLE, dir.into()))
}

fn directory() -> Option<&'static Path> {
    static DIRECTORY: OnceLock<Option<PathBuf>> = OnceLock::new();
    DIRECTORY.get_or_init(|| std::env::var_os(VARIABLE).map(PathBuf::from)).as_deref()
}

/// What to do here, if it is armed and its turn has come. Whoever renames the file acts, and nobody else.
fn claim(point: Point) -> Option<Action> {
    // Threads that come by at once are to be counted one after the other.
    static COUNTING: Mutex<()> = Mutex::new(());
    let dir = directory()?;
    let _counting = COUNTING.lock().ok()?;
    let file = dir.join(point.name());
    let line = fs::read_to_string(&file).ok()?;
    let (action, after) = parse(&line)?;
    if let Some((words, left)) = after {
        let fewer = dir.join(format!("{}.{}", point.name(), std::process::id()));
        fs::write(&fewer, format!("{words} after {left}")).ok()?;
        // It may have been disarmed since it was read, or armed anew: what is not there is not put there, and what is
        // another's is put back.
        match exchange(&fewer, &file) {
            Ok(()) if fs::read_to_string(&fewer).is_ok_and(|old| old != line) => {
                exchange(&fewer, &file).ok()?;
            }
            Ok(()) | Err(Errno::ENOENT) => {}
            // A file system that cannot exchange.
            Err(_) => fs::rename(&fewer, &file).ok()?,
        }
        let _ = fs::remove_file(&fewer);
        return None;
    }
    fs::rename(&file, dir.join(format!("{}.reached", point.name()))).ok()?;
    Some(action)
}

/// Puts each of two files in the other's place, if both are there.
fn exchange(one: &Path, other: &Path) -> Result<(), Errno> {
    renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE)
}

/// The action, and the words that remain if it is for a later time, with how often after this one.
fn parse(line: &str) -> Option<(Action, Option<(&str, u32)>)> {
    let line = line.trim();
    let (words, after) = match line.split_once(" after ") {
        Some((words, count)) => (words, count.parse::<u32>().ok()?),
        None => (line, 0),
    };
    let action = match words.split_once(' ') {
        None if words == "abort" => Action::Abort,
        None if words == "pause" => Action::Pause,
        None if words == "error" => Action::Error,
        Some(("delay", time)) => Action::Delay(Duration::from_millis(time.parse().ok()?)),
        _ => return None,
    };
    Some((action, after.checked_sub(1).map(|left| (words, left))))
}

fn may_go_on(point: Point) -> bool {
    directory().is_none_or(|dir| fs::remove_file(dir.join(format!("{}.go", point.name()))).is_ok())
}

/// As by the kernel or a person: nothing unwinds and nothing is flushed.
fn die() -> ! {
    loop {
        let _ = kill(Pid::this(), Signal::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_to_do_and_when() {
        assert_eq!(parse("abort\n"), Some((Action::Abort, None)));
        assert_eq!(parse("pause after 0"), Some((Action::Pause, None)));
        assert_eq!(parse("error after 2"), Some((Action::Error, Some(("error", 1)))));
        let delay = Action::Delay(Duration::from_millis(30));
        assert_eq!(parse("delay 30 after 1"), Some((delay, Some(("delay 30", 0)))));
        assert_eq!((parse("nonsense"), parse("delay"), parse("abort after x")), (None, None, None));
    }

    #[test]
    fn what_was_disarmed_is_not_armed_again_by_who_counted_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let (mine, point) = (dir.path().join("mine"), dir.path().join("point"));
        fs::write(&mine, "abort after 1").unwrap();
        assert_eq!(exchange(&mine, &point), Err(Errno::ENOENT));
        assert!(!point.exists());
        fs::write(&point, "abort after 2").unwrap();
        exchange(&mine, &point).unwrap();
        assert_eq!(fs::read_to_string(&point).unwrap(), "abort after 1");
    }

    #[test]
    fn names_are_files_and_differ() {
        let names: std::collections::HashSet<_> = Point::ALL.iter().map(|point| point.name()).collect();
        assert_eq!(names.len(), Point::ALL.len());
        assert!(names.iter().all(|name| !name.contains('/') && !name.ends_with(".go")));
    }
}
