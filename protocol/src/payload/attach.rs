//! Viewing a terminal.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{Blob, payload::WindowSize};

/// Makes this connection a viewer of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Attach {
    /// The session.
    pub name: String,
    /// The viewer's window, where it may set the size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<WindowSize>,
    /// Never sends keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// Replay from this offset instead of drawing the current screen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Lines of scrollback to draw before the screen; absent means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scrollback: Option<u32>,
}

/// The view begins; OUTPUT follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct AttachResponse {
    /// The session.
    pub name: String,
    /// The run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The harness process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Size of the harness's terminal.
    pub size: WindowSize,
    /// What the status line should say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
}

/// What the bytes that redraw a screen begin with: it takes the terminal out of whatever state it was in.
pub const REDRAW: &[u8] = b"\x1b[?1049l\x1b[0m\x1b[H\x1b[2J";

/// Terminal bytes for a viewer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Output {
    /// The session.
    pub name: String,
    /// Absolute offset of the first byte; 0 for bytes that redraw the screen, which begin with [`REDRAW`].
    pub offset: u64,
    /// The bytes.
    pub data: Blob,
}

/// Keys of a viewer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Input {
    /// The session.
    pub name: String,
    /// The bytes.
    pub data: Blob,
}

/// A viewer's window changed; from the daemon, the harness's terminal did, and is about to be redrawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Resize {
    /// The session.
    pub name: String,
    /// Its new size.
    pub size: WindowSize,
}

/// Ends a view; from the daemon, tells that it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Detach {
    /// The session.
    pub name: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a viewer's status line should say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Notice {
    /// The session.
    pub name: String,
    /// One line.
    pub text: String,
    /// The session's state.
    pub state: String,
}
