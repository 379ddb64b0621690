//! Reading `/proc`: one process's place in the tree, its owner and its run mark.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

use super::run::{RUN_MARK, RunId};

/// The first fields of `/proc/PID/stat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub pid: u32,
    pub name: String,
    pub state: char,
    pub parent: u32,
    /// Clock ticks after boot; together with `pid` it names a process for good.
    pub started: u64,
}

impl Stat {
    /// A zombie holds no resources and runs no code.
    pub fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }
}

pub(super) fn stat(pid: u32) -> io::Result<Stat> {
    let text = slurp(pid, "stat")?;
    parse_stat(&String::from_utf8_lossy(&text)).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// The name sits in parentheses and may contain anything, so the fields after it count from the
/// last closing one.
fn parse_stat(text: &str) -> Option<Stat> {
    let (pid, rest) = text.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let started = fields.nth(17)?.parse().ok()?;
    Some(Stat { pid: pid.trim().parse().ok()?, name: name.to_owned(), state, parent, started })
}

/// The run a process's environment says it belongs to. `None` also when the environment cannot be
/// read: it is another user's, or the process is gone.
pub(super) fn mark(pid: u32) -> Option<RunId> {
    let environment = slurp(pid, "environ").ok()?;
    environment
        .split(|byte| *byte == 0)
        .find_map(|entry| entry.strip_prefix(RUN_MARK.as_bytes())?.strip_prefix(b"="))
        .and_then(|run| std::str::from_utf8(run).ok()?.parse().ok())
}

/// The second word of a process's command line.
pub(super) fn first_argument(pid: u32) -> Option<String> {
    let line = slurp(pid, "cmdline").ok()?;
    let word = line.split(|byte| *byte == 0).nth(1)?;
    String::from_utf8(word.to_vec()).ok()
}

/// The user a process runs as.
pub(super) fn owner(pid: u32) -> Option<u32> {
    fs::metadata(format!("/proc/{pid}")).ok().map(|meta| meta.uid())
}

/// Every process id there is.
pub(super) fn all() -> io::Result<impl Iterator<Item = u32>> {
    let entries = fs::read_dir("/proc")?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()))
}

/// Files here claim to be empty, so that reading them into a small buffer takes many small reads.
fn slurp(pid: u32, file: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(4096);
    File::open(format!("/proc/{pid}/{file}"))?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_full_of_parentheses_does_not_shift_the_fields() {
        let line = "42 (a) (b) S 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 1 1";
        let stat = parse_stat(line).unwrap();
        assert_eq!((stat.pid, stat.name.as_str(), stat.parent, stat.started), (42, "a) (b", 7, 12345));
    }

    #[test]
    fn this_process_has_its_real_parent_and_owner() {
        let me = std::process::id();
        assert_eq!(stat(me).unwrap().parent, std::os::unix::process::parent_id());
        assert_eq!(owner(me), Some(nix::unistd::getuid().as_raw()));
        assert!(all().unwrap().any(|pid| pid == me));
    }

    proptest! {
        #[test]
        fn no_line_panics(line in ".*") {
            parse_stat(&line);
        }
    }
}
