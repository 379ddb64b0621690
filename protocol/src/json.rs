//! The JSON wire form: Agent Relay 2.x's envelope.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::code::Code;
use crate::{Body, DecodeError, Delivery, Encoding, ErrorCode, Frame, FrameType, Header, SendMeta, limits};

/// The `v` of every JSON envelope. Readers ignore it: versions are agreed in HELLO and WELCOME.
const ENVELOPE_VERSION: u16 = 1;

#[derive(Deserialize)]
struct Incoming<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default, borrow)]
    id: Cow<'a, str>,
    #[serde(default, deserialize_with = "millis")]
    ts: u64,
    #[serde(default, borrow)]
    from: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    to: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    topic: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    payload: Option<&'a RawValue>,
    #[serde(default)]
    payload_meta: Option<SendMeta>,
    #[serde(default)]
    delivery: Option<Delivery>,
}

#[derive(Serialize)]
struct Outgoing<'a> {
    v: u16,
    #[serde(rename = "type")]
    kind: Cow<'static, str>,
    id: &'a str,
    ts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_meta: Option<&'a SendMeta>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<&'a Delivery>,
}

/// A peer's `ts` is only its claim, so a fraction or a negative number is no reason to refuse a frame.
fn millis<'de, D: serde::Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
    let number = Option::<f64>::deserialize(d)?.unwrap_or(0.0);
    Ok(number as u64)
}

/// Reads an envelope. The payload's bytes are shared with `payload`, not copied.
pub fn decode(payload: &Bytes) -> Result<Frame, DecodeError> {
    let bad = |detail: String| DecodeError::new(ErrorCode::BadJson, detail);
    let incoming: Incoming<'_> = serde_json::from_slice(payload).map_err(|e| {
        let error = bad(format!("not a JSON envelope: {e}"));
        match id_of(payload) {
            Some(id) => error.about(&id),
            None => error,
        }
    })?;
    if incoming.id.len() > limits::MAX_ID {
        return Err(bad(format!("the id is longer than {} bytes", limits::MAX_ID)));
    }
    let body = match incoming.payload {
        Some(raw) => payload.slice_ref(raw.get().as_bytes()),
        None => Bytes::from_static(b"{}"),
    };
    let owned = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
    let header = Header {
        kind: FrameType::from_word(&incoming.kind),
        id: incoming.id.into_owned(),
        ts: incoming.ts,
        from: owned(incoming.from),
        to: owned(incoming.to),
        topic: owned(incoming.topic),
        meta: incoming.payload_meta,
        delivery: incoming.delivery,
    };
    Ok(Frame { header, body: Body::opaque(Encoding::Json, body) })
}

/// The id of what is JSON but no envelope, so that its sender can be told which of its frames is meant.
fn id_of(payload: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Identified {
        id: String,
    }
    let found: Identified = serde_json::from_slice(payload).ok()?;
    (found.id.len() <= limits::MAX_ID).then_some(found.id)
}

/// Appends an envelope to `out`. `body` must be JSON.
///
/// The payload is spliced in as the last key, so that a body that passes through is copied once and never parsed.
pub(crate) fn encode(header: &Header, body: &Body, out: &mut BytesMut) -> Result<(), DecodeError> {
    let outgoing = Outgoing {
        v: ENVELOPE_VERSION,
        kind: header.kind.word(),
        id: &header.id,
        ts: header.ts,
        from: header.from.as_deref(),
        to: header.to.as_deref(),
        topic: header.topic.as_deref(),
        payload_meta: header.meta.as_ref(),
        delivery: header.delivery.as_ref(),
    };
    serde_json::to_writer(out.writer(), &outgoing)
        .map_err(|e| DecodeError::new(ErrorCode::BadJson, e.to_string()))?;
    out.truncate(out.len().saturating_sub(1));
    out.extend_from_slice(b",\"payload\":");
    body.put_into(out);
    out.extend_from_slice(b"}");
    Ok(())
}
