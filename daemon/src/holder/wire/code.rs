//! Codes of the holder protocol: `u16` on the wire, an enum in memory, and room for the codes that
//! only a later version knows.

use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};

use crate::holder::run::{Exit, RunId};
use crate::holder::script::{OperationId, State};
use uuid::Uuid;

/// Gives a type its wire form through a tuple of plain numbers.
macro_rules! wire_as {
    ($type:ty, $plain:ty) => {
        impl Encode for $type {
            fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
                <$plain>::from(*self).encode(encoder)
            }
        }
        impl<C> Decode<C> for $type {
            fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
                Ok(<$plain as Decode<C>>::decode(decoder)?.into())
            }
        }
        impl<'de, C> BorrowDecode<'de, C> for $type {
            fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
                decoder: &mut D,
            ) -> Result<Self, DecodeError> {
                Self::decode(decoder)
            }
        }
    };
}

macro_rules! codes {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
            /// A code that only a later version knows.
            Unknown(u16),
        }
        impl From<u16> for $name {
            fn from(code: u16) -> Self {
                match code { $($code => Self::$variant,)* other => Self::Unknown(other) }
            }
        }
        impl From<$name> for u16 {
            fn from(value: $name) -> u16 {
                match value { $($name::$variant => $code,)* $name::Unknown(other) => other }
            }
        }
        wire_as!($name, u16);
    };
}

codes! {
    /// Why a holder refused a frame or a peer.
    pub enum ErrorCode {
        /// The first frame was not HELLO.
        HandshakeRequired = 1,
        /// HELLO came a second time.
        HandshakeTwice = 2,
        /// No HELLO came in time.
        HandshakeLate = 3,
        /// The version ranges do not overlap.
        VersionGap = 4,
        /// The frame type is not known here; the frame was skipped.
        UnknownType = 5,
        /// A frame says it is longer than the limit.
        Oversize = 6,
        /// The frame's bytes do not decode.
        BadFrame = 7,
        /// The peer is another user.
        ForeignUser = 8,
        /// The peer runs inside a session.
        InsideRun = 9,
        /// A newer connection took over.
        Replaced = 10,
        /// The run has no such stream.
        NoSuchStream = 11,
        /// The run's channel (terminal or pipes) cannot do that.
        WrongChannel = 12,
        /// The note is larger than the limit.
        NoteTooLarge = 13,
        /// The leader has ended already.
        NotRunning = 14,
        /// The run is not proven gone yet.
        NotGone = 15,
        /// The operating system refused.
        System = 16,
        /// A value in the frame makes no sense here.
        BadValue = 17,
        /// The holder refuses the peer because it cannot tell who it is.
        UnknownPeer = 18,
    }
}

codes! {
    /// What a holder could not do at its start.
    pub enum FailureCode {
        /// The launch frame does not decode or asks for nonsense.
        Spec = 1,
        /// The terminal or pipes could not be made.
        Channel = 2,
        /// The socket could not be made.
        Socket = 3,
        /// The working directory cannot be entered.
        WorkingDirectory = 4,
        /// The program could not be executed.
        Program = 5,
        /// The holder could not set itself up (session, signals, subreaper).
        Process = 6,
    }
}

codes! {
    /// Who receives a signal.
    pub enum Target {
        /// The leader alone.
        Leader = 1,
        /// The leader's process group.
        Group = 2,
        /// The terminal's foreground process group.
        Foreground = 3,
    }
}

impl From<(u16, i32)> for Exit {
    fn from((kind, value): (u16, i32)) -> Self {
        match kind {
            1 => Self::Code(value),
            2 => Self::Signal(value),
            _ => Self::Other(kind, value),
        }
    }
}

impl From<Exit> for (u16, i32) {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Code(value) => (1, value),
            Exit::Signal(value) => (2, value),
            Exit::Other(kind, value) => (kind, value),
        }
    }
}

wire_as!(Exit, (u16, i32));

impl From<(u16, i32)> for State {
    fn from((kind, value): (u16, i32)) -> Self {
        match kind {
            1 => Self::Queued,
            2 => Self::Running,
            3 => Self::Done,
            4 => Self::Cancelled,
            5 => Self::Failed { errno: value },
            6 => Self::Full,
            7 => Self::NotUnderstood,
            _ => Self::Other(kind, value),
        }
    }
}

impl From<State> for (u16, i32) {
    fn from(state: State) -> Self {
        match state {
            State::Queued => (1, 0),
            State::Running => (2, 0),
            State::Done => (3, 0),
            State::Cancelled => (4, 0),
            State::Failed { errno } => (5, errno),
            State::Full => (6, 0),
            State::NotUnderstood => (7, 0),
            State::Other(kind, value) => (kind, value),
        }
    }
}

wire_as!(State, (u16, i32));

impl From<[u8; 16]> for RunId {
    fn from(bytes: [u8; 16]) -> Self {
        Self::new(Uuid::from_bytes(bytes))
    }
}

impl From<RunId> for [u8; 16] {
    fn from(run: RunId) -> Self {
        run.uuid().into_bytes()
    }
}

wire_as!(RunId, [u8; 16]);

impl From<[u8; 16]> for OperationId {
    fn from(bytes: [u8; 16]) -> Self {
        Self::new(Uuid::from_bytes(bytes))
    }
}

impl From<OperationId> for [u8; 16] {
    fn from(operation: OperationId) -> Self {
        operation.uuid().into_bytes()
    }
}

wire_as!(OperationId, [u8; 16]);
