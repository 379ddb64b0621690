//! First frames, good and bad.

use std::time::{Duration, Instant};

use posthouse_protocol::handshake::PrincipalKind;
use posthouse_protocol::{Encoding, ErrorCode, FrameType, Header, Hello, Welcome, limits, payload};
use tokio::io::AsyncWriteExt;

use super::Peer;
use super::rooms::{Gatehouse, Told};
use crate::config::Limits;

#[tokio::test]
async fn welcome_says_what_was_agreed() {
    let gate = Gatehouse::open(Limits::default()).await;
    let mut peer = Peer::connect(&gate.socket).await;
    let mut hello = Hello::new("alice");
    hello.encodings = vec![Encoding::Unknown(77), Encoding::Bincode];
    hello.kind = Some(PrincipalKind::Operator);
    hello.capabilities.max_inflight = Some(9);
    peer.send(Header::new(FrameType::Hello, "h", 1), &hello).await;
    let welcome: Welcome = peer.expect(FrameType::Welcome).await.body.decode().unwrap();
    assert_eq!((welcome.encoding, welcome.version), (Encoding::Bincode, 1));
    assert_eq!((welcome.server.max_inflight, welcome.server.heartbeat_ms), (9, 5000));
    assert_eq!(welcome.principal.kind, PrincipalKind::Operator);
    assert_eq!(welcome.principal.uid, nix::unistd::geteuid().as_raw());
    peer.encoding = Encoding::Bincode;
    peer.expect_alive().await;
}

#[tokio::test]
async fn frames_behind_hello_are_kept_until_welcome() {
    let mut gate = Gatehouse::open(Limits::default()).await;
    let mut peer = Peer::connect(&gate.socket).await;
    let mut both = Vec::new();
    for text in [
        r#"{"v":1,"type":"HELLO","id":"h","ts":1,"payload":{"agent":"alice"}}"#,
        r#"{"v":1,"type":"SEND","id":"s","ts":1,"to":"bob","payload":{"body":"hi"}}"#,
    ] {
        both.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
        both.extend_from_slice(text.as_bytes());
    }
    peer.write(&both).await;
    peer.expect(FrameType::Welcome).await;
    assert!(matches!(gate.next_told().await, Told::Admitted(..)));
    let Told::Frames(frames) = gate.next_told().await else { panic!("frames come next") };
    assert_eq!(frames.first().unwrap().header.id, "s");
}

/// Every first frame that is no HELLO, and what it must be told.
#[tokio::test]
async fn what_is_not_hello_is_answered_by_name_and_at_once() {
    let gate = Gatehouse::open(Limits::default()).await;
    let big = vec![b' '; limits::MAX_FRAME_BEFORE_HELLO + 1];
    let cases: &[(&[u8], ErrorCode, Option<&str>)] = &[
        (
            br#"{"v":1,"type":"SEND","id":"x1","ts":1,"to":"a","payload":{"body":"b"}}"#,
            ErrorCode::HandshakeRequired,
            Some("x1"),
        ),
        (
            br#"{"v":1,"type":"STATUS","id":"x2","ts":1,"payload":{}}"#,
            ErrorCode::HandshakeRequired,
            Some("x2"),
        ),
        (
            br#"{"v":1,"type":"NEW_THING","id":"x3","ts":1,"payload":{}}"#,
            ErrorCode::HandshakeRequired,
            Some("x3"),
        ),
        (b"null", ErrorCode::BadJson, None),
        (b"", ErrorCode::BadJson, None),
        (b"{", ErrorCode::BadJson, None),
        (b"\x00\x03\x00\x00", ErrorCode::BadJson, None),
        (b"\xff\xfe", ErrorCode::BadJson, None),
        (&big, ErrorCode::FrameTooLarge, None),
        (br#"{"v":1,"type":"HELLO","id":"x4","ts":1}"#, ErrorCode::BadRequest, Some("x4")),
        (
            br#"{"v":1,"type":"HELLO","id":"x5","ts":1,"payload":{"agent":7}}"#,
            ErrorCode::BadRequest,
            Some("x5"),
        ),
        (
            br#"{"v":1,"type":"HELLO","id":"x6","ts":1,"payload":{"agent":"a/b"}}"#,
            ErrorCode::BadName,
            Some("x6"),
        ),
        (
            br#"{"v":1,"type":"HELLO","id":"x7","payload":{"agent":"a","encodings":["cbor"]}}"#,
            ErrorCode::UnknownEncoding,
            Some("x7"),
        ),
        (
            br#"{"v":1,"type":"HELLO","id":"x8","payload":{"agent":"a","versions":{"min":5,"max":6}}}"#,
            ErrorCode::VersionGap,
            Some("x8"),
        ),
    ];
    for (payload, code, id) in cases {
        let mut peer = Peer::connect(&gate.socket).await;
        let asked = Instant::now();
        peer.raw_frame(payload).await;
        let (frame, error) = peer.expect_error(*code).await;
        let took = asked.elapsed();
        assert!(error.fatal);
        assert!(took < Duration::from_millis(100), "{code} took {took:?}");
        if let Some(id) = id {
            assert_eq!(frame.header.id, *id);
        }
        if *code == ErrorCode::BadJson || *code == ErrorCode::HandshakeRequired {
            assert!(error.message.contains("HELLO"), "{}", error.message);
        }
        peer.expect(FrameType::Bye).await;
        assert!(peer.next().await.is_none());
    }
}

#[tokio::test]
async fn a_name_in_use_is_refused_without_being_fatal() {
    let gate = Gatehouse::open(Limits::default()).await;
    let mut peer = Peer::connect(&gate.socket).await;
    peer.send(Header::new(FrameType::Hello, "h", 1), &Hello::new("taken")).await;
    let (frame, error) = peer.expect_error(ErrorCode::NameTaken).await;
    assert!(!error.fatal, "an SDK that was told `fatal` would never come back");
    assert_eq!(frame.header.id, "h");
    peer.expect(FrameType::Bye).await;
    assert!(peer.next().await.is_none());
}

#[tokio::test]
async fn silence_and_dribble_are_told_that_they_are_late() {
    let gate = Gatehouse::open(Limits { hello_ms: 50, ..Limits::default() }).await;
    for beginning in [&b""[..], &b"\x00\x00"[..], &b"\x00\x00\x00\x10{\"type\""[..]] {
        let mut peer = Peer::connect(&gate.socket).await;
        peer.write(beginning).await;
        peer.expect_cut(ErrorCode::HelloLate).await;
    }
}

#[tokio::test]
async fn a_first_frame_that_is_cut_off_is_told_so() {
    let gate = Gatehouse::open(Limits::default()).await;
    let mut peer = Peer::connect(&gate.socket).await;
    peer.write(b"\x00\x00\x00\x10{").await;
    peer.stream.shutdown().await.unwrap();
    peer.expect_cut(ErrorCode::FrameTruncated).await;
}

#[tokio::test]
async fn a_peer_that_leaves_without_a_word_is_no_fault() {
    let gate = Gatehouse::open(Limits::default()).await;
    let mut peer = Peer::connect(&gate.socket).await;
    peer.stream.shutdown().await.unwrap();
    assert!(peer.next().await.is_none());
}

#[tokio::test]
async fn too_many_connections_are_told_so() {
    let gate = Gatehouse::open(Limits { connections: 1, ..Limits::default() }).await;
    let mut first = Peer::hello(&gate.socket, Hello::new("alice")).await;
    Peer::connect(&gate.socket).await.expect_cut(ErrorCode::LimitExceeded).await;
    first.expect_alive().await;
    first.send(Header::new(FrameType::Bye, "b", 1), &payload::Bye {}).await;
    first.expect(FrameType::Bye).await;
    assert!(first.next().await.is_none());
}
