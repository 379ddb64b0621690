//! Whatever comes in, the codec neither panics nor changes what was meant.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::{Bytes, BytesMut};
use posthouse_protocol::code::Code;
use posthouse_protocol::codec::{self, FramingError};
use posthouse_protocol::payload::{Ack, ChannelMessage, Message};
use posthouse_protocol::{
    Delivery, Durability, Encoding, ErrorCode, Frame, FrameType, Header, Json, Payload, SendMeta, Sync, When,
    limits,
};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

const ENCODINGS: [Encoding; 2] = [Encoding::Json, Encoding::Bincode];

fn json_value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".{0,8}".prop_map(|s: String| s.into()),
    ];
    let tree = leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Into::into),
            vec((".{0,6}", inner), 0..6)
                .prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().collect())),
        ]
    });
    // An optional value that is `null` is one that is absent.
    tree.prop_filter("absent", |value| !value.is_null()).prop_map(Json::from)
}

fn meta() -> impl Strategy<Value = SendMeta> {
    let sync = (".{0,12}", of(any::<u64>()), any::<bool>())
        .prop_map(|(correlation_id, timeout_ms, blocking)| Sync { correlation_id, timeout_ms, blocking });
    let when = any::<u16>().prop_map(When::from_number);
    let durability = any::<u16>().prop_map(Durability::from_number);
    (
        (of(any::<bool>()), of(any::<u64>()), of(any::<u8>()), of(".{0,12}"), of(sync)),
        (of(when), of(durability), of(any::<bool>()), of(any::<u32>())),
    )
        .prop_map(
            |((requires_ack, ttl_ms, importance, reply_to, sync), (when, durability, plain, attempt))| {
                SendMeta {
                    requires_ack,
                    ttl_ms,
                    importance,
                    reply_to,
                    sync,
                    when,
                    durability,
                    plain,
                    attempt,
                }
            },
        )
}

fn header(kind: FrameType) -> impl Strategy<Value = Header> {
    let delivery = (any::<u64>(), ".{0,12}", of(".{0,12}"))
        .prop_map(|(seq, session_id, original_to)| Delivery { seq, session_id, original_to });
    // JSON numbers are exact up to 2^53.
    ("[^\u{0}]{0,20}", 0..1u64 << 53, of(".{0,12}"), of(".{0,12}"), of(".{0,12}"), of(meta()), of(delivery))
        .prop_map(move |(id, ts, from, to, topic, meta, delivery)| Header {
            kind,
            id,
            ts,
            from,
            to,
            topic,
            meta,
            delivery,
        })
}

fn message() -> impl Strategy<Value = Message> {
    (of(".{0,8}"), ".{0,200}", of(json_value()), of(".{0,12}"))
        .prop_map(|(kind, body, data, thread)| Message { kind, body, data, thread })
}

fn channel_message() -> impl Strategy<Value = ChannelMessage> {
    (".{0,12}", ".{0,80}", of(".{0,12}"), vec(".{0,8}", 0..4), of(json_value()), of(json_value())).prop_map(
        |(channel, body, thread, mentions, attachments, data)| ChannelMessage {
            channel,
            body,
            thread,
            mentions,
            attachments,
            data,
        },
    )
}

fn ack() -> impl Strategy<Value = Ack> {
    (".{0,12}", any::<u64>(), of(".{0,12}"), of(".{0,12}"), of(json_value())).prop_map(
        |(ack_id, seq, correlation_id, response, response_data)| Ack {
            ack_id,
            seq,
            correlation_id,
            response,
            response_data,
        },
    )
}

fn written(frame: &Frame, encoding: Encoding) -> Bytes {
    let mut out = BytesMut::new();
    frame.encode(encoding, limits::MAX_FRAME, &mut out).expect("encodable");
    out.freeze().slice(codec::PREFIX..)
}

/// Through every chain of encodings and back, header and payload stay what they were.
fn survives<P: Payload + PartialEq + std::fmt::Debug>(
    header: &Header,
    payload: &P,
) -> Result<(), TestCaseError> {
    for first in ENCODINGS {
        let frame = Frame::of(header.clone(), payload, first).expect("encodable");
        for second in ENCODINGS {
            let read = Frame::decode(&written(&frame, second), second).expect("readable");
            prop_assert_eq!(&read.header, header);
            prop_assert_eq!(&read.body.decode::<P>().expect("readable"), payload);
            let back = Frame::decode(&written(&read, first), first).expect("readable");
            prop_assert_eq!(&back.body.decode::<P>().expect("readable"), payload);
        }
    }
    Ok(())
}

/// Reads bytes as a peer would: header, body, and the other encoding.
fn read_fully(bytes: &Bytes, encoding: Encoding) {
    let Ok(frame) = Frame::decode(bytes, encoding) else { return };
    let mut out = BytesMut::new();
    for to in ENCODINGS {
        let before = out.len();
        if frame.encode(to, limits::MAX_FRAME, &mut out).is_err() {
            assert_eq!(out.len(), before, "a frame that does not fit leaves nothing behind");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sends_mean_the_same_in_both_encodings(header in header(FrameType::Send), message in message()) {
        survives(&header, &message)?;
    }

    #[test]
    fn channel_messages_and_acks_do_too(
        header in header(FrameType::Ack), ack in ack(), channel in channel_message(),
    ) {
        survives(&header, &ack)?;
        survives(&Header { kind: FrameType::ChannelMessage, ..header }, &channel)?;
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        for encoding in ENCODINGS {
            read_fully(&Bytes::from(bytes.clone()), encoding);
        }
    }

    #[test]
    fn random_bodies_of_every_type_never_panic(
        kind in 0..FrameType::ALL.len(), body in vec(any::<u8>(), 0..120), text in "\\PC{0,80}",
    ) {
        let kind = FrameType::ALL[kind];
        let empty = posthouse_protocol::payload::Bye {};
        let frame = Frame::of(Header::new(FrameType::Bye, "x", 1), &empty, Encoding::Bincode).unwrap();
        let mut bytes = written(&frame, Encoding::Bincode).to_vec();
        bytes[..2].copy_from_slice(&kind.number().to_be_bytes());
        bytes.pop();
        bytes.extend_from_slice(&body);
        read_fully(&Bytes::from(bytes), Encoding::Bincode);
        let json = format!(r#"{{"type":"{kind}","id":"x","payload":{text}}}"#);
        read_fully(&Bytes::from(json.into_bytes()), Encoding::Json);
    }

    #[test]
    fn mutated_frames_never_panic(
        header in header(FrameType::Send), message in message(),
        at in any::<prop::sample::Index>(), with in vec(any::<u8>(), 0..6), cut in any::<prop::sample::Index>(),
    ) {
        for encoding in ENCODINGS {
            let frame = Frame::of(header.clone(), &message, encoding).expect("encodable");
            let mut bytes = written(&frame, encoding).to_vec();
            let at = at.index(bytes.len());
            let end = (at + with.len()).min(bytes.len());
            bytes.splice(at..end, with.iter().copied());
            read_fully(&Bytes::from(bytes.clone()), encoding);
            bytes.truncate(cut.index(bytes.len() + 1));
            read_fully(&Bytes::from(bytes), encoding);
        }
    }

    #[test]
    fn frames_come_out_as_they_went_in_however_the_stream_is_cut(
        payloads in vec(vec(any::<u8>(), 0..200), 0..12), cuts in vec(1..90usize, 1..40),
    ) {
        let mut stream = BytesMut::new();
        for payload in &payloads {
            stream.extend_from_slice(&u32::try_from(payload.len()).unwrap().to_be_bytes());
            stream.extend_from_slice(payload);
        }
        let (mut buffer, mut seen) = (BytesMut::new(), Vec::new());
        let mut cuts = cuts.iter().cycle();
        while !stream.is_empty() {
            let next = stream.split_to((*cuts.next().unwrap()).min(stream.len()));
            buffer.extend_from_slice(&next);
            while let Some(payload) = codec::split(&mut buffer, 1024).unwrap() {
                seen.push(payload.to_vec());
            }
        }
        prop_assert_eq!(seen, payloads);
        prop_assert!(codec::finish(&buffer).is_ok());
    }

    #[test]
    fn a_stream_that_stops_anywhere_is_told_as_truncated(payload in vec(any::<u8>(), 1..50), cut in any::<prop::sample::Index>()) {
        let mut stream = BytesMut::from(&u32::try_from(payload.len()).unwrap().to_be_bytes()[..]);
        stream.extend_from_slice(&payload);
        let whole = stream.len();
        stream.truncate(1 + cut.index(whole - 1));
        let split = codec::split(&mut stream, 1024).unwrap();
        prop_assert!(split.is_none());
        let told = matches!(codec::finish(&stream), Err(FramingError::Truncated { have, .. }) if have == stream.len());
        prop_assert!(told);
    }
}

#[test]
fn the_limit_is_the_last_length_that_is_legal() {
    let frame =
        |length: u32| BytesMut::from(&[&length.to_be_bytes()[..], &vec![b'x'; length as usize]].concat()[..]);
    assert_eq!(codec::split(&mut frame(100), 100).unwrap().map(|p| p.len()), Some(100));
    assert!(matches!(
        codec::split(&mut frame(101), 100),
        Err(FramingError::TooLarge { length: 101, max: 100 })
    ));
}

#[test]
fn a_hostile_length_reserves_nothing() {
    // A header that announces an id of 2^60 bytes.
    let mut head = vec![253];
    head.extend_from_slice(&(1u64 << 60).to_le_bytes());
    let mut bytes = FrameType::Send.number().to_be_bytes().to_vec();
    bytes.extend_from_slice(&u16::try_from(head.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(&head);
    assert_eq!(Frame::decode(&Bytes::from(bytes), Encoding::Bincode).unwrap_err().code, ErrorCode::BadBinary);
}

#[test]
fn deep_json_is_skipped_or_carried_without_recursion() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    for place in
        [r#""x":DEEP,"payload":{"body":"b"}"#, r#""payload":{"body":"b","data":DEEP}"#, r#""payload":DEEP"#]
    {
        let text = format!(r#"{{"type":"SEND","id":"d",{}}}"#, place.replace("DEEP", &deep));
        read_fully(&Bytes::from(text.into_bytes()), Encoding::Json);
    }
}

#[test]
fn a_bad_envelope_is_named_by_its_id_where_it_has_one() {
    let id = |text: &str| {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        Frame::decode(&bytes, Encoding::Json).unwrap_err().id
    };
    assert_eq!(id(r#"{"type":"SEND","id":"x-1","to":7}"#).as_deref(), Some("x-1"));
    assert_eq!(id(r#"{"id":"x-2"}"#).as_deref(), Some("x-2"));
    assert_eq!(id(r#"{"type":"SEND","id":"x-3""#), None);
    assert_eq!(id(&format!(r#"{{"id":"{}"}}"#, "y".repeat(limits::MAX_ID + 1))), None);
}
