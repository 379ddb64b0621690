//! The numbers both sides must agree on before they can talk about others.

use std::time::Duration;

/// Largest payload accepted before HELLO, in bytes.
pub const MAX_FRAME_BEFORE_HELLO: usize = 64 * 1024;
/// Largest payload after HELLO unless WELCOME says otherwise, in bytes. One byte more is an error on both sides.
pub const MAX_FRAME: usize = 1024 * 1024;
/// How long a connection may take to say HELLO.
pub const HELLO_DEADLINE: Duration = Duration::from_secs(5);
/// Interval of the daemon's PING unless WELCOME says otherwise.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// PINGs that may go unanswered before the connection is closed.
pub const MISSED_PONGS: u32 = 6;
/// Deliveries one connection may leave unacknowledged unless HELLO asks for fewer.
pub const MAX_IN_FLIGHT: u32 = 256;
/// First protocol version this crate speaks. Agent Relay 2.x clients count as version 1.
pub const VERSION_MIN: u16 = 1;
/// Last protocol version this crate speaks.
pub const VERSION_MAX: u16 = 1;
/// Largest envelope id accepted, in bytes.
pub const MAX_ID: usize = 128;
/// Most entries in a binary extension list.
pub const MAX_EXTENSIONS: usize = 64;
