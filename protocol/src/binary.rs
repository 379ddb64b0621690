//! The binary wire form: `u16 type · u16 header length · header · body`, numbers big-endian, the rest bincode.
//!
//! Header and body are each followed by a list of `(u16, bytes)`. A field that a later version adds goes there under a
//! number of its own, so that this version, which consumes every slice to its last byte, still reads the frame.

use bincode::{BorrowDecode, Decode, Encode, config};
use bytes::{Bytes, BytesMut};

use crate::code::Code;
use crate::{
    Body, DecodeError, Delivery, Encoding, ErrorCode, Frame, FrameType, Header, Payload, SendMeta, limits,
};

type Config =
    config::Configuration<config::LittleEndian, config::Varint, config::Limit<{ limits::MAX_FRAME }>>;

/// bincode with a bound on what a hostile length can make it reserve.
const CONFIG: Config = config::standard().with_limit::<{ limits::MAX_FRAME }>();

/// Fields of later versions, by number.
pub(crate) type Extensions = Vec<(u16, Vec<u8>)>;

/// The header as it is read.
#[derive(BorrowDecode)]
struct Incoming<'a> {
    id: &'a str,
    ts: u64,
    from: Option<&'a str>,
    to: Option<&'a str>,
    topic: Option<&'a str>,
    meta: Option<SendMeta>,
    delivery: Option<Delivery>,
}

/// The same fields as they are written: nothing is copied to be encoded.
#[derive(Encode)]
struct Outgoing<'a> {
    id: &'a str,
    ts: u64,
    from: Option<&'a str>,
    to: Option<&'a str>,
    topic: Option<&'a str>,
    meta: Option<&'a SendMeta>,
    delivery: Option<&'a Delivery>,
}

/// Reads a binary payload. The body's bytes are shared with `payload`, not copied.
pub fn decode(payload: &Bytes) -> Result<Frame, DecodeError> {
    let (kind, rest) = take_u16(payload).ok_or_else(|| bad("shorter than its type"))?;
    let (length, rest) = take_u16(rest).ok_or_else(|| bad("shorter than its header length"))?;
    let (head, body) =
        rest.split_at_checked(usize::from(length)).ok_or_else(|| bad("the header runs past the end"))?;
    let (wire, used): (Incoming<'_>, usize) =
        bincode::borrow_decode_from_slice(head, CONFIG).map_err(|e| bad(format!("header: {e}")))?;
    let after = head.get(used..).unwrap_or_default();
    extensions(after).map_err(|e| bad(format!("header extensions: {e}")).about(wire.id))?;
    if wire.id.len() > limits::MAX_ID {
        return Err(bad(format!("the id is longer than {} bytes", limits::MAX_ID)));
    }
    let header = Header {
        kind: FrameType::from_number(kind),
        id: wire.id.to_owned(),
        ts: wire.ts,
        from: wire.from.map(str::to_owned),
        to: wire.to.map(str::to_owned),
        topic: wire.topic.map(str::to_owned),
        meta: wire.meta,
        delivery: wire.delivery,
    };
    Ok(Frame { header, body: Body::opaque(Encoding::Bincode, payload.slice_ref(body)) })
}

/// Appends a binary payload to `out`. `body` must be bincode.
pub(crate) fn encode(header: &Header, body: &Body, out: &mut BytesMut) -> Result<(), DecodeError> {
    let wire = Outgoing {
        id: &header.id,
        ts: header.ts,
        from: header.from.as_deref(),
        to: header.to.as_deref(),
        topic: header.topic.as_deref(),
        meta: header.meta.as_ref(),
        delivery: header.delivery.as_ref(),
    };
    out.extend_from_slice(&header.kind.number().to_be_bytes());
    let at = out.len();
    out.extend_from_slice(&[0; 2]);
    write(&wire, &Extensions::new(), out)?;
    let length = u16::try_from(out.len() - at - 2)
        .map_err(|_| DecodeError::new(ErrorCode::FrameTooLarge, "the header is larger than 65535 bytes"))?;
    if let Some(field) = out.get_mut(at..at + 2) {
        field.copy_from_slice(&length.to_be_bytes());
    }
    body.put_into(out);
    Ok(())
}

/// A payload's bincode form: its first fields, and the later ones as extensions.
pub(crate) fn encode_body<P: Payload>(payload: &P) -> Result<Bytes, DecodeError> {
    let mut out = BytesMut::new();
    write(payload, &payload.later()?, &mut out)?;
    Ok(out.freeze())
}

/// Reads a payload with those of its later fields that are known here.
pub(crate) fn decode_body<P: Payload>(bytes: &[u8]) -> Result<P, DecodeError> {
    let about = |e: String| bad(format!("{} payload: {e}", P::KIND));
    let (mut payload, used): (P, usize) =
        bincode::decode_from_slice(bytes, CONFIG).map_err(|e| about(e.to_string()))?;
    for (number, value) in extensions(bytes.get(used..).unwrap_or_default()).map_err(about)? {
        payload.take_later(number, &value).map_err(|e| about(e.detail))?;
    }
    Ok(payload)
}

/// One value of an extension.
pub(crate) fn value<T: Encode>(value: &T) -> Result<Vec<u8>, DecodeError> {
    bincode::encode_to_vec(value, CONFIG).map_err(|e| bad(e.to_string()))
}

/// Reads it back. What a later version has put behind it is passed over.
pub(crate) fn read_value<T: Decode<()>>(bytes: &[u8]) -> Result<T, DecodeError> {
    bincode(bytes).map(|(value, _)| value).map_err(bad)
}

fn write<T: Encode>(value: &T, extensions: &Extensions, out: &mut BytesMut) -> Result<(), DecodeError> {
    let mut writer = Appender(out);
    bincode::encode_into_writer(value, &mut writer, CONFIG)
        .and_then(|()| bincode::encode_into_writer(extensions, &mut writer, CONFIG))
        .map_err(|e| bad(e.to_string()))
}

/// What `bytes`, exactly one extension list, holds.
fn extensions(bytes: &[u8]) -> Result<Extensions, String> {
    let (list, used): (Extensions, usize) = bincode(bytes)?;
    match bytes.len().checked_sub(used) {
        Some(0) if list.len() <= limits::MAX_EXTENSIONS => Ok(list),
        Some(0) => Err(format!("more than {} entries", limits::MAX_EXTENSIONS)),
        _ => Err("bytes left over".to_owned()),
    }
}

fn bincode<T: Decode<()>>(bytes: &[u8]) -> Result<(T, usize), String> {
    ::bincode::decode_from_slice(bytes, CONFIG).map_err(|e| e.to_string())
}

fn take_u16(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*number), rest))
}

fn bad(detail: impl Into<String>) -> DecodeError {
    DecodeError::new(ErrorCode::BadBinary, detail)
}

struct Appender<'a>(&'a mut BytesMut);

impl bincode::enc::write::Writer for Appender<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}
