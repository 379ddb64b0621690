//! What a run is, as far as its holder cares: its id, what to start, where its bytes flow and how
//! it ended. Shared by both ends of the holder protocol.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use bincode::{Decode, Encode};
use uuid::Uuid;

/// Name of the environment variable that marks every process of a run.
pub const RUN_MARK: &str = "POSTHOUSE_RUN";

/// The size of a terminal's ring unless the spec says otherwise, in bytes.
pub const DEFAULT_RING: usize = 1 << 20;

/// Identity of one run (one harness process tree on one mount).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(Uuid);

impl RunId {
    /// Wraps an id made by the daemon (a UUIDv7).
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// The id as a UUID.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunId({self})")
    }
}

impl FromStr for RunId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}

/// A terminal's size in character cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Size {
    /// Rows, at least 1.
    pub rows: u16,
    /// Columns, at least 1.
    pub cols: u16,
}

/// One numbered output stream of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
pub struct StreamId(pub u8);

impl StreamId {
    /// What a terminal run shows.
    pub const TERMINAL: Self = Self(0);
    /// Standard output of a run on pipes.
    pub const STDOUT: Self = Self(1);
    /// Standard error of a run on pipes.
    pub const STDERR: Self = Self(2);
}

/// How the harness is connected to its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A pseudo-terminal of this size; its ring overwrites.
    Terminal(Size),
    /// Three pipes; output that nobody has acknowledged blocks the writer.
    Pipes,
}

/// How the leader of a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It returned this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// A way of ending that only a later holder knows: `(kind, value)`.
    Other(u16, i32),
}

/// A process that outlives its run's leader.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Survivor {
    /// Its process id.
    pub pid: u32,
    /// The kernel's short name for it (15 bytes at most).
    pub name: String,
}

/// Everything a holder needs to start a run. It travels over the holder's standard input only, so
/// secrets in `env` reach neither a command line nor a disk.
#[derive(Clone, PartialEq, Eq)]
pub struct RunSpec {
    /// Which run this is; also the value of [`RUN_MARK`] in the child's environment.
    pub run: RunId,
    /// Program and arguments; must not be empty.
    pub argv: Vec<OsString>,
    /// The child's whole environment (nothing is inherited), without [`RUN_MARK`].
    pub env: Vec<(OsString, OsString)>,
    /// The child's working directory, absolute.
    pub cwd: PathBuf,
    /// Terminal or pipes.
    pub channel: Channel,
    /// Where the holder listens, absolute, in an existing 0700 directory; see
    /// [`super::link::place`].
    pub socket: PathBuf,
    /// Bytes kept per output stream.
    pub ring: usize,
    /// A delegated control group to make the run's own in; see [`super::confines`].
    pub cgroup: Option<PathBuf>,
}

impl fmt::Debug for RunSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunSpec")
            .field("run", &self.run)
            .field("program", &self.argv.first())
            .field("cwd", &self.cwd)
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}
