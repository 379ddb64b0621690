//! The messages of the holder protocol and their type numbers: commands go to the holder, events
//! come from it. A frame with tag 0 asks for, or is, no answer.

use bytes::Bytes;

use super::body::{
    Ack, Answered, Body, Cancel, End, Exited, Failed, Fault, Follow, Hello, HowFar, Launch, NotSeen, Note,
    Operation, Output, Remains, Resize, SendSignal, Started, Status, StreamEnd, Welcome, Write,
};
use super::frame::{Extension, WireError, encode_frame, split};

/// A decoded frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<M> {
    /// Set by the sender of a command; its answer carries the same.
    pub tag: u32,
    /// The message.
    pub message: M,
}

macro_rules! messages {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $variant:ident($body:ty) = $kind:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant($body),)* }

        impl $name {
            /// Every type number this version knows.
            pub const KINDS: &[u16] = &[$($kind),*];

            /// The message's type number.
            pub const fn kind(&self) -> u16 {
                match self { $(Self::$variant(_) => $kind,)* }
            }

            /// Appends this message as one frame to `out`.
            ///
            /// # Errors
            /// [`WireError::Encode`] if it exceeds the frame limit; nothing is appended then.
            pub fn encode(&self, tag: u32, out: &mut Vec<u8>) -> Result<(), WireError> {
                self.encode_with(tag, &[], out)
            }

            /// As [`Self::encode`], with extensions.
            ///
            /// # Errors
            /// As [`Self::encode`].
            pub fn encode_with(&self, tag: u32, extensions: &[Extension], out: &mut Vec<u8>) -> Result<(), WireError> {
                match self { $(Self::$variant(body) => encode_frame($kind, tag, body, extensions, out),)* }
            }

            /// Decodes one payload. Extensions of a later version are dropped.
            ///
            /// # Errors
            /// [`WireError::UnknownType`] for a frame to skip; any other error ends the conversation.
            pub fn decode(payload: &Bytes) -> Result<Frame<Self>, WireError> {
                let parts = split(payload)?;
                let message = match parts.kind {
                    $($kind => Self::$variant(Body::decode_from(payload, &parts)?),)*
                    kind => return Err(WireError::UnknownType { kind, tag: parts.tag }),
                };
                Ok(Frame { tag: parts.tag, message })
            }
        }
    };
}

messages! {
    /// What the daemon says to a holder.
    pub enum Command {
        /// Opens the conversation.
        Hello(Hello) = 0x0001,
        /// Sends a stream's output from an offset on.
        Follow(Follow) = 0x0002,
        /// Output up to an offset has been taken.
        Ack(Ack) = 0x0003,
        /// Runs a write script once.
        Write(Write) = 0x0004,
        /// Stops a write script.
        Cancel(Cancel) = 0x0005,
        /// Asks how far a write script got.
        HowFar(HowFar) = 0x0006,
        /// Sets the terminal's size.
        Resize(Resize) = 0x0007,
        /// Sends a signal.
        Signal(SendSignal) = 0x0008,
        /// Terminal queries up to an offset have been answered.
        Answered(Answered) = 0x0009,
        /// Stores the daemon's note.
        Note(Note) = 0x000a,
        /// Asks for everything the holder knows.
        Status(()) = 0x000b,
        /// Ends the run and all its processes.
        End(End) = 0x000c,
        /// The exit has been recorded: the holder may go.
        Collect(()) = 0x000d,
        /// Closes the child's standard input (pipes only), after the writes before it.
        CloseInput(()) = 0x000e,
        /// Starts the run; the one frame on the holder's standard input.
        Launch(Launch) = 0x0100,
    }
}

messages! {
    /// What a holder says to the daemon.
    pub enum Event {
        /// Answers HELLO.
        Welcome(Welcome) = 0x8001,
        /// Answers a command that was carried out and has nothing else to tell.
        Done(()) = 0x8002,
        /// Refuses a frame or a peer.
        Fault(Fault) = 0x8003,
        /// Output of a stream.
        Output(Output) = 0x8004,
        /// A stream has ended; nothing follows.
        StreamEnd(StreamEnd) = 0x8005,
        /// How far a write script is: an answer, or news when the tag is 0.
        Operation(Operation) = 0x8006,
        /// Answers HOW_FAR and CANCEL for a script the holder does not remember.
        NotSeen(NotSeen) = 0x8007,
        /// The leader has ended.
        Exited(Exited) = 0x8008,
        /// The leader has ended by itself and these processes go on.
        Remains(Remains) = 0x8009,
        /// Proven: no process of the run is left.
        Gone(()) = 0x800a,
        /// END could not be completed: these processes are left.
        NotGone(Remains) = 0x800b,
        /// Answers STATUS.
        Status(Status) = 0x800c,
        /// The run has started; on the holder's standard output.
        Started(Started) = 0x8100,
        /// The run could not be started; on the holder's standard output.
        Failed(Failed) = 0x8101,
    }
}
