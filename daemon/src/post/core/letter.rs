//! A message on its way: what every recipient shares of it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use posthouse_protocol::code::Code;
use posthouse_protocol::payload::{ChannelMessage, Message};
use posthouse_protocol::{Body, DecodeError, Encoding, FrameType, SendMeta, When};
use serde::{Deserialize, Serialize};

use super::{NameId, Slot};
use crate::journal::{self, MessageId};

/// What is needed to say what becomes of a message, long after its body has left memory.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub id: MessageId,
    /// Who sent it.
    pub sender: NameId,
    /// The connection it came by; receipts go there as long as it lives.
    pub conn: Option<Slot>,
    /// The id of the SEND frame.
    pub client_id: Arc<str>,
    /// Monotonic moment after which it expires.
    pub deadline: Option<u64>,
    /// Whether the sender asked for an answer, so that `delivered` is not the end.
    pub asks: bool,
    /// Whether the journal has it.
    pub durable: bool,
}

/// A message with its body.
#[derive(Debug)]
pub(crate) struct Letter {
    pub label: Label,
    /// The frame type it came as: SEND is delivered as DELIVER, CHANNEL_MESSAGE as itself.
    pub kind: FrameType,
    pub owner: u32,
    pub from: Arc<str>,
    /// Whom the sender addressed: a name, `*`, `@users` or `#channel`.
    pub target: Arc<str>,
    pub topic: Option<Arc<str>>,
    pub meta: Option<SendMeta>,
    pub body: Body,
    /// The same body in the other encoding, made when the first recipient needs it.
    pub other: OnceLock<Body>,
    /// When it was accepted, Unix milliseconds.
    pub accepted: u64,
    /// Wall clock of the deadline, Unix milliseconds.
    pub deadline: Option<u64>,
}

impl Letter {
    pub fn when(&self) -> When {
        self.meta.as_ref().and_then(|m| m.when).unwrap_or(When::Idle)
    }

    pub fn size(&self) -> usize {
        self.body.bytes().len()
    }

    /// The body in `encoding`; each encoding is made once, however many recipients there are.
    pub fn body_in(&self, encoding: Encoding) -> Result<Body, DecodeError> {
        if self.body.encoding() == encoding {
            return Ok(self.body.clone());
        }
        if let Some(body) = self.other.get() {
            return Ok(body.clone());
        }
        let body = self.body.transcode(self.kind, encoding)?;
        Ok(self.other.get_or_init(|| body).clone())
    }

    /// What a person would read of it.
    pub fn text(&self) -> Result<Text, DecodeError> {
        Text::read(self.kind, &self.body)
    }
}

/// The readable part of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub body: String,
    pub thread: Option<String>,
}

impl Text {
    pub fn read(kind: FrameType, body: &Body) -> Result<Self, DecodeError> {
        if kind == FrameType::ChannelMessage {
            let message: ChannelMessage = body.decode()?;
            return Ok(Self { body: message.body, thread: message.thread });
        }
        let message: Message = body.decode()?;
        Ok(Self { body: message.body, thread: message.thread })
    }
}

/// What the journal keeps of the envelope beside its own columns. JSON, so that an older daemon reads a newer one's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Envelope {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<SendMeta>,
    /// The place in the recipient's stream, where there is one recipient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// The same by recipient, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seqs: Vec<(String, u64)>,
}

impl Envelope {
    pub fn bytes(&self) -> Bytes {
        serde_json::to_vec(self).map(Bytes::from).unwrap_or_default()
    }

    /// An envelope that cannot be read is an empty one: the message itself is intact.
    pub fn read(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    pub fn seq_of(&self, recipient: &str) -> u64 {
        let listed = || self.seqs.iter().find(|(name, _)| name == recipient).map(|(_, seq)| *seq);
        self.seq.or_else(listed).unwrap_or(0)
    }
}

impl Letter {
    /// How the journal stores it.
    pub fn record(&self, thread: Option<&str>, envelope: &Envelope) -> journal::Message {
        let client_id = (!self.label.client_id.is_empty()).then(|| self.label.client_id.clone());
        let reply_to = self.meta.as_ref().and_then(|m| m.reply_to.as_deref());
        journal::Message {
            id: self.label.id,
            owner: self.owner,
            sender: self.from.clone(),
            target: self.target.clone(),
            kind: self.kind.number(),
            client_id,
            thread: thread.map(Into::into),
            reply_to: reply_to.map(Into::into),
            when: self.when(),
            deadline_ms: self.deadline,
            expects_answer: self.label.asks,
            encoding: u8::try_from(self.body.encoding().number()).unwrap_or_default(),
            payload: self.body.bytes().clone(),
            meta: envelope.bytes(),
            accepted_ms: self.accepted,
        }
    }

    /// The message as the journal kept it.
    pub fn recorded(m: &journal::Message, label: Label) -> Self {
        let Envelope { topic, meta, .. } = Envelope::read(&m.meta);
        Self {
            label,
            kind: FrameType::from_number(m.kind),
            owner: m.owner,
            from: m.sender.clone(),
            target: m.target.clone(),
            topic: topic.map(Into::into),
            meta,
            body: Body::opaque(Encoding::from_number(u16::from(m.encoding)), m.payload.clone()),
            other: OnceLock::new(),
            accepted: m.accepted_ms,
            deadline: m.deadline_ms,
        }
    }
}
