//! Frames of an imagined next version: new types, new fields, new codes. This version must read what it knows in them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::{BufMut, Bytes, BytesMut};
use posthouse_protocol::code::Code;
use posthouse_protocol::handshake::{self, PrincipalKind, Role, VersionRange};
use posthouse_protocol::payload::{Error, Message};
use posthouse_protocol::{
    Encoding, ErrorCode, Evidence, Frame, FrameType, Header, Hello, Receipt, ReceiptState, When, limits,
};

fn json(text: &str) -> Frame {
    Frame::decode(&Bytes::copy_from_slice(text.as_bytes()), Encoding::Json).expect("readable")
}

/// A frame as this version writes it, for a later version's additions.
fn today(frame: &Frame) -> Bytes {
    let mut out = BytesMut::new();
    frame.encode(Encoding::Bincode, limits::MAX_FRAME, &mut out).unwrap();
    out.freeze().slice(4..)
}

/// Extension lists as a later version would fill them: one short entry, one long.
fn extensions() -> Vec<u8> {
    let entries: Vec<(u16, Vec<u8>)> = vec![(7, b"new".to_vec()), (40_000, vec![0xff; 300])];
    bincode::encode_to_vec(&entries, bincode::config::standard()).unwrap()
}

/// Puts extensions behind the header and the body of a binary frame that has none.
fn extended(frame: &Bytes) -> Bytes {
    let (kind, rest) = frame.split_at(2);
    let (length, rest) = rest.split_at(2);
    let (head, body) = rest.split_at(usize::from(u16::from_be_bytes(length.try_into().unwrap())));
    let head = [head.strip_suffix(&[0]).expect("an empty list"), &extensions()].concat();
    let body = [body.strip_suffix(&[0]).expect("an empty list"), &extensions()].concat();
    let mut out = BytesMut::new();
    out.extend_from_slice(kind);
    out.put_u16(u16::try_from(head.len()).unwrap());
    out.extend_from_slice(&head);
    out.extend_from_slice(&body);
    out.freeze()
}

#[test]
fn new_fields_of_a_binary_frame_are_skipped() {
    let header = Header { to: Some("bob".into()), ..Header::new(FrameType::Send, "s-1", 5) };
    let frame = Frame::of(header, &Message::text("hi"), Encoding::Bincode).unwrap();
    let read = Frame::decode(&extended(&today(&frame)), Encoding::Bincode).unwrap();
    assert_eq!(read.header, frame.header);
    assert_eq!(read.body.decode::<Message>().unwrap(), Message::text("hi"));
    let mut as_json = BytesMut::new();
    read.encode(Encoding::Json, limits::MAX_FRAME, &mut as_json).expect("transcodes without the new fields");
}

#[test]
fn a_body_that_passes_through_keeps_its_new_fields() {
    let frame =
        Frame::of(Header::new(FrameType::Send, "s-1", 5), &Message::text("hi"), Encoding::Bincode).unwrap();
    let read = Frame::decode(&extended(&today(&frame)), Encoding::Bincode).unwrap();
    let passed = today(&read);
    assert!(
        passed.ends_with(&extensions()),
        "two newer peers lose nothing on the way through an older daemon"
    );
}

#[test]
fn new_keys_of_a_json_frame_are_skipped() {
    let frame = json(
        r#"{"v":2,"type":"SEND","id":"s","ts":1.5,"to":"bob","priority":{"deep":[1]},
            "payload_meta":{"ttl_ms":5,"colour":"red","when":"someday","sync":{"correlationId":"c","mood":1}},
            "payload":{"body":"hi","voice":{"pitch":3}}}"#,
    );
    let meta = frame.header.meta.as_ref().unwrap();
    assert_eq!((meta.ttl_ms, meta.when), (Some(5), Some(When::Unknown(u16::MAX))));
    assert_eq!(frame.body.decode::<Message>().unwrap().body, "hi");
}

#[test]
fn a_new_frame_type_is_named_and_its_header_read() {
    let frame = json(r#"{"type":"TELEPORT","id":"t-1","ts":1,"payload":{"anything":[]}}"#);
    assert!(matches!(frame.header.kind, FrameType::Unknown(_)));
    assert_eq!(frame.header.id, "t-1");

    let known = Frame::of(
        Header::new(FrameType::Bye, "t-2", 5),
        &posthouse_protocol::payload::Bye {},
        Encoding::Bincode,
    );
    let mut bytes = BytesMut::from(today(&known.unwrap()).as_ref());
    bytes.get_mut(..2).unwrap().copy_from_slice(&60_000u16.to_be_bytes());
    let frame = Frame::decode(&bytes.freeze(), Encoding::Bincode).unwrap();
    assert_eq!((frame.header.kind, frame.header.id.as_str()), (FrameType::Unknown(60_000), "t-2"));
    let mut out = BytesMut::new();
    let refused = frame.encode(Encoding::Json, limits::MAX_FRAME, &mut out).unwrap_err();
    assert_eq!((refused.code, out.len()), (ErrorCode::UnknownType, 0));
}

#[test]
fn new_codes_are_unknown_and_keep_their_numbers() {
    let mut receipt: Receipt = serde_json::from_str(
        r#"{"message":"m","client_id":"c","recipient":"r","state":"unknown-77","evidence":"telepathy","attempt":1,
            "at":1,"terminal":false}"#,
    )
    .unwrap();
    assert_eq!(receipt.state, ReceiptState::Unknown(77));
    assert_eq!(receipt.evidence, Some(Evidence::Unknown(u16::MAX)));
    assert!(!receipt.state.is_terminal(false), "what is not known has not ended");

    receipt.evidence = Some(Evidence::from_number(4_000));
    let frame = Frame::of(Header::new(FrameType::Receipt, "r", 1), &receipt, Encoding::Bincode).unwrap();
    let read: Receipt = Frame::decode(&today(&frame), Encoding::Bincode).unwrap().body.decode().unwrap();
    assert_eq!(read, receipt);

    let error: Error = serde_json::from_str(r#"{"code":"TOO_TIRED","message":"m","fatal":false}"#).unwrap();
    assert_eq!(error.code, ErrorCode::Unknown(u16::MAX));
}

#[test]
fn a_hello_of_the_next_version_is_understood() {
    let frame = json(
        r#"{"v":9,"type":"HELLO","id":"h","ts":1,"payload":{"agent":"a","versions":{"min":1,"max":9,"step":2},
            "encodings":["cbor","bincode"],"kind":"deity","role":"spare","capabilities":{"ack":true,"telepathy":{}}}}"#,
    );
    let hello: Hello = frame.body.decode().unwrap();
    assert_eq!(
        (hello.kind, hello.role),
        (Some(PrincipalKind::Unknown(u16::MAX)), Some(Role::Unknown(u16::MAX)))
    );
    let agreed = handshake::negotiate(&hello).unwrap();
    assert_eq!((agreed.version, agreed.encoding), (VersionRange::OURS.max, Encoding::Bincode));
}

#[test]
fn what_is_left_over_behind_the_extensions_is_an_error_and_not_ignored() {
    let frame =
        Frame::of(Header::new(FrameType::Send, "s-1", 5), &Message::text("hi"), Encoding::Bincode).unwrap();
    let longer = Bytes::from([today(&frame).as_ref(), b"x"].concat());
    let read = Frame::decode(&longer, Encoding::Bincode).expect("the header is whole");
    assert_eq!(read.body.decode::<Message>().unwrap_err().code, ErrorCode::BadBinary);
}
