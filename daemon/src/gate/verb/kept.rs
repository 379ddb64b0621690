//! What a journaled message says, read back from its body.

use bytes::Bytes;
use posthouse_protocol::code::Code;
use posthouse_protocol::payload::{ChannelMessage, Message as Said};
use posthouse_protocol::{Body, Encoding, FrameType, Json};

use crate::journal::Message;

/// The readable part of a kept message.
pub(super) struct Kept {
    pub(super) body: String,
    pub(super) data: Option<Json>,
    pub(super) channel: Option<String>,
}

impl Kept {
    /// Reads `message`. A body that a later version wrote in a way this one cannot read is shown as it is.
    pub(super) fn of(message: &Message) -> Self {
        let encoding = Encoding::from_number(message.encoding.into());
        let body = Body::opaque(encoding, Bytes::clone(&message.payload));
        if FrameType::from_number(message.kind) == FrameType::ChannelMessage {
            if let Ok(said) = body.decode::<ChannelMessage>() {
                return Self { body: said.body, data: said.data, channel: Some(said.channel) };
            }
        } else if let Ok(said) = body.decode::<Said>() {
            let channel = message.target.starts_with('#').then(|| message.target.to_string());
            return Self { body: said.body, data: said.data, channel };
        }
        Self { body: String::from_utf8_lossy(&message.payload).into_owned(), data: None, channel: None }
    }
}
