//! Bodies of the holder protocol's messages, as they lie on the wire. Fields are fixed for good:
//! a later version adds extensions or new types, never fields.

use bincode::enc::Encoder;
use bincode::error::EncodeError;
use bincode::{BorrowDecode, Decode, Encode};
use bytes::Bytes;

use super::code::{ErrorCode, FailureCode, Target};
use super::frame::{Parts, WireError, decode_body};
use crate::holder::run::{Exit, RunId, Size, StreamId, Survivor};
use crate::holder::script::{OperationId, Report, Step};

/// Opens a conversation: the range of versions the daemon speaks, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Hello {
    /// The oldest.
    pub min_version: u16,
    /// The newest.
    pub max_version: u16,
}

/// Answers HELLO.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Welcome {
    /// The version spoken from now on.
    pub version: u16,
    /// Which run this holder holds.
    pub run: RunId,
    /// The holder's process id.
    pub holder_pid: u32,
    /// The leader's process id (also after its end).
    pub child_pid: u32,
}

/// Sends a stream's output from `from` on, and never more than `window` bytes beyond the last ACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Follow {
    /// Which stream.
    pub stream: StreamId,
    /// Absolute offset; what is older than the ring is skipped.
    pub from: u64,
    /// Bytes in flight at most.
    pub window: u32,
}

/// Output of `stream` before `upto` has been taken; a pipe's ring forgets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Ack {
    /// Which stream.
    pub stream: StreamId,
    /// Absolute offset of the first byte not yet taken.
    pub upto: u64,
}

/// Runs a write script once.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Write {
    /// Names the script; a repeat answers with its progress.
    pub operation: OperationId,
    /// What to do, in order.
    pub steps: Vec<WireStep>,
}

/// A step on the wire: kind 1 writes `bytes`, kind 2 waits `wait_ms`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct WireStep {
    /// What the step does.
    pub kind: u16,
    /// Milliseconds to wait.
    pub wait_ms: u32,
    /// Bytes to write.
    pub bytes: Vec<u8>,
}

impl WireStep {
    /// The kind that writes.
    pub const BYTES: u16 = 1;
    /// The kind that waits.
    pub const WAIT: u16 = 2;
}

/// Stops a write script before its next step, and a step that is only partly written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Cancel {
    /// Which script.
    pub operation: OperationId,
}

/// Asks how far a write script got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HowFar {
    /// Which script.
    pub operation: OperationId,
}

/// Sets the terminal's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Resize {
    /// The new size.
    pub size: Size,
}

/// Sends a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SendSignal {
    /// The signal's number on this machine.
    pub signal: i32,
    /// Who receives it.
    pub target: Target,
}

/// Terminal queries before `offset` have been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Answered {
    /// Absolute offset in the terminal's stream; it only grows.
    pub offset: u64,
}

/// A note that the holder keeps for the daemon (its screen checkpoint); replaces the last one.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Note {
    /// Opaque to the holder.
    pub bytes: Vec<u8>,
}

/// Ends the run: each rung's signal goes to the leader and its group, then KILL to everything.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct End {
    /// Signals in order, each with its grace.
    pub rungs: Vec<Rung>,
}

/// One signal of the ladder and how long to wait after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Rung {
    /// The signal's number on this machine.
    pub signal: i32,
    /// Milliseconds until the next rung.
    pub grace_ms: u32,
}

/// Starts a run.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Launch {
    /// Which run.
    pub run: RunId,
    /// Program and arguments.
    pub argv: Vec<Vec<u8>>,
    /// The child's whole environment.
    pub env: Vec<(Vec<u8>, Vec<u8>)>,
    /// The child's working directory.
    pub cwd: Vec<u8>,
    /// The terminal's size; none for pipes.
    pub terminal: Option<Size>,
    /// Where to listen.
    pub socket: Vec<u8>,
    /// Bytes kept per output stream.
    pub ring: u64,
    /// A delegated control group to make the run's own in.
    pub cgroup: Option<Vec<u8>>,
}

// The environment carries secrets: a derived Debug would print them.
impl std::fmt::Debug for Launch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Launch").field("run", &self.run).finish_non_exhaustive()
    }
}

/// Refuses a frame or a peer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Fault {
    /// Why.
    pub code: ErrorCode,
    /// Whether the connection ends here.
    pub fatal: bool,
    /// The type of the frame it answers, 0 if none.
    pub about: u16,
    /// A sentence for people.
    pub text: String,
}

/// Output of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Which stream.
    pub stream: StreamId,
    /// Absolute offset of the first byte.
    pub offset: u64,
    /// The bytes, a slice of the frame they came in.
    pub bytes: Bytes,
}

/// A stream has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct StreamEnd {
    /// Which stream.
    pub stream: StreamId,
    /// Its length.
    pub offset: u64,
}

/// How far a write script is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Operation {
    /// The progress.
    pub report: Report,
}

/// The holder does not remember this script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct NotSeen {
    /// Which script.
    pub operation: OperationId,
}

/// The leader has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Exited {
    /// How.
    pub exit: Exit,
}

/// Processes that are left.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Remains {
    /// At most 64 of them.
    pub survivors: Vec<Survivor>,
}

/// Everything a holder knows.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Status {
    /// The output streams.
    pub streams: Vec<StreamStatus>,
    /// How the leader ended, if it did.
    pub exit: Option<Exit>,
    /// Whether the run is proven gone.
    pub gone: bool,
    /// Processes that outlive the leader (at most 64); empty while it runs.
    pub survivors: Vec<Survivor>,
    /// The terminal's size; none for pipes.
    pub size: Option<Size>,
    /// The largest answered offset.
    pub answered: u64,
    /// The daemon's note.
    pub note: Vec<u8>,
    /// Write scripts, oldest first: remembered, running, queued.
    pub operations: Vec<Report>,
}

/// The state of one output stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct StreamStatus {
    /// Which stream.
    pub stream: StreamId,
    /// Absolute offset of the oldest byte kept.
    pub start: u64,
    /// Absolute offset after the newest byte.
    pub end: u64,
    /// Whether nothing can follow.
    pub ended: bool,
}

/// The run has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Started {
    /// The holder's process id.
    pub holder_pid: u32,
    /// The leader's process id.
    pub child_pid: u32,
}

/// The run could not be started.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Failed {
    /// What could not be done.
    pub code: FailureCode,
    /// The operating system's error number, 0 if it is not about one.
    pub errno: i32,
    /// A sentence for people.
    pub text: String,
}

/// A message's body, decoded from a payload that has been taken apart.
pub(super) trait Body: Sized {
    fn decode_from(payload: &Bytes, parts: &Parts<'_>) -> Result<Self, WireError>;
}

macro_rules! bodies {
    ($($body:ty),* $(,)?) => {
        $(impl Body for $body {
            fn decode_from(_: &Bytes, parts: &Parts<'_>) -> Result<Self, WireError> {
                decode_body::<Self>(parts)
            }
        })*
    };
}

bodies!(
    (),
    Ack,
    Answered,
    Cancel,
    End,
    Exited,
    Failed,
    Fault,
    Follow,
    Hello,
    HowFar,
    Launch,
    NotSeen,
    Note,
    Operation,
    Remains,
    Resize,
    SendSignal,
    Started,
    Status,
    StreamEnd,
    Welcome,
    Write,
);

impl Body for Output {
    /// Output is the hot path: its bytes stay a slice of the frame.
    fn decode_from(payload: &Bytes, parts: &Parts<'_>) -> Result<Self, WireError> {
        let head = decode_body::<OutputHead<'_>>(parts)?;
        Ok(Self { stream: head.stream, offset: head.offset, bytes: payload.slice_ref(head.bytes) })
    }
}

#[derive(Encode, BorrowDecode)]
struct OutputHead<'a> {
    stream: StreamId,
    offset: u64,
    bytes: &'a [u8],
}

impl Encode for Output {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        OutputHead { stream: self.stream, offset: self.offset, bytes: &self.bytes }.encode(encoder)
    }
}

impl From<Step> for WireStep {
    fn from(step: Step) -> Self {
        match step {
            Step::Bytes(bytes) => Self { kind: Self::BYTES, wait_ms: 0, bytes },
            // Rounded up: only a wait of zero may join writes.
            Step::Wait(wait) => Self {
                kind: Self::WAIT,
                wait_ms: u32::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(u32::MAX),
                bytes: Vec::new(),
            },
        }
    }
}
