//! The Posthouse socket protocol, free of I/O.
//!
//! # Theory of operation
//!
//! A peer writes *frames* to a Unix stream socket: a big-endian `u32` length and that many bytes of payload
//! ([`codec`]). The first frame of a connection is HELLO, the first answer WELCOME ([`handshake`]); both are always
//! JSON. From then on every payload is in the one [`Encoding`] that WELCOME named:
//!
//! * **JSON** ([`json`]): one object per frame, a superset of the Agent Relay 2.x envelope, so that its unmodified SDK
//!   is at home here.
//! * **Binary** ([`binary`]): `u16 type · u16 header length · header · body`, header and body in bincode, each followed
//!   by a list of `(u16, bytes)` extensions that older readers skip.
//!
//! Both decode into one semantic type, [`Frame`]: a [`Header`] that routers read and a [`Body`] that they carry
//! unread. A body remembers its encoding and is transcoded only where sender and receiver differ, so the usual way of
//! a message copies its bytes once and interprets them never. What a body means is said by a [`Payload`] type per
//! frame type (module [`payload`]).
//!
//! Everything evolves by the same rule: codes are numbers with an `Unknown` variant ([`code`]), unknown JSON keys and
//! unknown extensions are skipped, an unknown frame type is answered with a non-fatal `UNKNOWN_TYPE`.

pub mod binary;
pub mod body;
pub mod code;
pub mod codec;
pub mod error_code;
pub mod frame;
pub mod frame_type;
pub mod handshake;
pub mod header;
pub mod json;
pub mod later;
pub mod limits;
pub mod name;
pub mod payload;
pub mod place;
pub mod provider;
pub mod receipt;
pub mod scalar;

pub use body::{Body, Encoding};
pub use error_code::ErrorCode;
pub use frame::{DecodeError, Frame, Violation};
pub use frame_type::FrameType;
pub use handshake::{Hello, Welcome};
pub use header::{Delivery, Durability, Header, SendMeta, Sync, When};
pub use later::Later;
pub use name::{Name, Target};
pub use payload::{Payload, Request};
pub use receipt::{Evidence, Receipt, ReceiptState};
pub use scalar::{Blob, Json};
