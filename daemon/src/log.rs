//! The daemon's own log: to standard error, and to a file that stays within a bound.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{EnvFilter, ParseError, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config;

/// Why logging could not begin; completes "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not one.
    #[error("read the log filter {filter:?}: {source}")]
    Filter {
        /// As it was given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// The file cannot be written.
    #[error("open the log {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Sends what is logged from now on to standard error and to `path`. Does nothing where a log is being kept already, as
/// in tests.
///
/// # Errors
/// When the filter is malformed or the file cannot be opened.
pub fn start(log: &config::Log, path: &Path) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(&log.filter)
        .map_err(|source| LogError::Filter { filter: log.filter.clone(), source })?;
    let file = Bounded::open(path, log.file_bytes)
        .map_err(|source| LogError::File { path: path.to_owned(), source })?;
    let coloured = io::stderr().is_terminal();
    let to_stderr =
        tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(false).with_ansi(coloured);
    let to_file = tracing_subscriber::fmt::layer().with_writer(file).with_target(false).with_ansi(false);
    // An error means that a log is being kept already.
    let _ = tracing_subscriber::registry()
        .with(filter_fn(may_be_kept))
        .with(filter)
        .with(to_stderr)
        .with(to_file)
        .try_init();
    Ok(())
}

/// Libraries write down requests and answers as they are, with the tokens in them: of these only warnings are kept,
/// whatever the filter asks for.
fn may_be_kept(what: &Metadata<'_>) -> bool {
    what.target().starts_with("posthouse") || *what.level() <= Level::WARN
}

/// A file that is set aside as `NAME.1` when it is full, in place of the one set aside before.
#[derive(Debug)]
struct Bounded {
    path: PathBuf,
    limit: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    written: u64,
}

impl Bounded {
    fn open(path: &Path, limit: u64) -> io::Result<Self> {
        let file = private(path)?;
        let written = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), limit, state: Mutex::new(State { file, written }) })
    }

    fn full(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".1");
        name.into()
    }
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

impl<'a> MakeWriter<'a> for Bounded {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        // A thread that panicked while it wrote a line leaves a log that can go on.
        Line { log: self, state: self.state.lock().unwrap_or_else(PoisonError::into_inner) }
    }
}

/// The right to write one line.
struct Line<'a> {
    log: &'a Bounded,
    state: MutexGuard<'a, State>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.state.written > 0 && self.state.written + bytes.len() as u64 > self.log.limit {
            std::fs::rename(&self.log.path, self.log.full())?;
            self.state.file = private(&self.log.path)?;
            self.state.written = 0;
        }
        let written = self.state.file.write(bytes)?;
        self.state.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.state.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_is_set_aside_and_what_follows_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("posthoused.log");
        let log = Bounded::open(&path, 100).unwrap();
        for n in 0..25 {
            log.make_writer().write_all(format!("line {n:04}\n").as_bytes()).unwrap();
        }
        let (now, before) =
            (std::fs::read_to_string(&path).unwrap(), std::fs::read_to_string(log.full()).unwrap());
        assert!(now.len() <= 100 && before.len() <= 100);
        assert!(now.ends_with("line 0024\n") && before.ends_with("line 0019\n"), "{before}{now}");
    }

    #[test]
    fn a_wrong_filter_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let log = config::Log { filter: "loud=very".into(), ..config::Log::default() };
        let error = start(&log, &dir.path().join("l")).unwrap_err().to_string();
        assert!(error.contains("loud=very"), "{error}");
    }
}
