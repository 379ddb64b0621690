//! The two protocols.

use bytes::{Bytes, BytesMut};
use posthouse_protocol::{Encoding, Frame, FrameType, Hello, codec, limits};
use posthoused::holder::wire::{Command, Deframer, Event};

use super::pieces;

/// The client protocol: the first byte chooses the encoding, the second how the rest is split.
pub fn frames(data: &[u8]) {
    let [encoding, length, stream @ ..] = data else { return };
    let encoding = if encoding & 1 == 0 { Encoding::Json } else { Encoding::Bincode };
    let at_once = payloads(std::iter::once(stream));
    assert_eq!(at_once, payloads(pieces(stream, *length)), "the split does not matter");
    for payload in at_once {
        let Ok(frame) = Frame::decode(&payload, encoding) else { continue };
        let mut out = BytesMut::new();
        // What is decoded may be too large to be encoded again, and is then refused.
        if frame.encode(encoding, limits::MAX_FRAME, &mut out).is_err() {
            continue;
        }
        let again = Frame::decode(&out.split_off(4).freeze(), encoding).expect("what was encoded is decoded");
        // A payload may say the same in other words.
        assert_eq!(again.header, frame.header);
    }
}

fn payloads<'a>(stream: impl Iterator<Item = &'a [u8]>) -> Vec<Bytes> {
    let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
    for piece in stream {
        buffer.extend_from_slice(piece);
        while let Ok(Some(payload)) = codec::split(&mut buffer, limits::MAX_FRAME) {
            found.push(payload);
        }
    }
    found
}

/// The first frame of a client.
pub fn hello(data: &[u8]) {
    let Ok(frame) = Frame::decode(&Bytes::copy_from_slice(data), Encoding::Json) else { return };
    if frame.header.kind != FrameType::Hello {
        return;
    }
    let Ok(hello) = frame.body.decode::<Hello>() else { return };
    for encoding in [Encoding::Json, Encoding::Bincode] {
        if let Ok(again) = Frame::of(frame.header.clone(), &hello, encoding) {
            assert_eq!(again.body.decode::<Hello>().expect("what was encoded is decoded"), hello);
        }
    }
}

/// The holder protocol, both ways: the first byte says how the rest is split.
pub fn holder(data: &[u8]) {
    let [length, stream @ ..] = data else { return };
    let mut deframer = Deframer::default();
    for piece in pieces(stream, *length) {
        deframer.space().extend_from_slice(piece);
        loop {
            match deframer.next_payload() {
                Ok(Some(payload)) => both_ways(&payload),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

fn both_ways(payload: &Bytes) {
    let whole = |out: Vec<u8>| Bytes::from(out).slice(4..);
    if let Ok(frame) = Command::decode(payload) {
        let mut out = Vec::new();
        frame.message.encode(frame.tag, &mut out).expect("a command that fits a frame");
        assert_eq!(Command::decode(&whole(out)).expect("what was encoded is decoded"), frame);
    }
    if let Ok(frame) = Event::decode(payload) {
        let mut out = Vec::new();
        if frame.message.encode(frame.tag, &mut out).is_ok() {
            assert_eq!(Event::decode(&whole(out)).expect("what was encoded is decoded"), frame);
        }
    }
}
