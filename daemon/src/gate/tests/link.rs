//! What may go wrong once a connection is active, and what must not.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use posthouse_protocol::payload::{Bye, ListSessions, Message, Ping, Pong, Screen, Status};
use posthouse_protocol::{Encoding, ErrorCode, Frame, FrameType, Header, Hello, Welcome, limits};
use tokio::io::AsyncWriteExt;

use super::Peer;
use super::rooms::{Gatehouse, Told};
use crate::config::Limits;
use crate::gate::outbox::Outbox;
use crate::post::command::Departure;

fn in_both_encodings() -> [Hello; 2] {
    let hello = Hello::new("alice");
    [hello.clone(), Hello { encodings: vec![Encoding::Bincode], ..hello }]
}

#[tokio::test]
async fn small_faults_are_answered_and_survived() {
    let gate = Gatehouse::open(Limits::default()).await;
    for hello in in_both_encodings() {
        let mut peer = Peer::hello(&gate.socket, hello.clone()).await;
        let bad = if peer.encoding == Encoding::Json { ErrorCode::BadJson } else { ErrorCode::BadBinary };

        peer.send(Header::new(FrameType::Hello, "again", 1), &hello).await;
        let (frame, error) = peer.expect_error(ErrorCode::HelloTwice).await;
        assert_eq!((frame.header.id.as_str(), error.fatal), ("again", false));

        peer.raw_frame(b"\xff\xff nonsense").await;
        assert!(!peer.expect_error(bad).await.1.fatal);
        peer.raw_frame(b"").await;
        peer.expect_error(bad).await;

        let welcome = Header::new(FrameType::Bye, "w", 1);
        let frame = Frame::of(welcome, &Bye {}, peer.encoding).unwrap();
        let unknown =
            Frame { header: Header { kind: FrameType::Unknown(4242), ..frame.header }, body: frame.body };
        let mut out = BytesMut::new();
        unknown.encode(peer.encoding, limits::MAX_FRAME, &mut out).unwrap();
        peer.write(&out).await;
        let (frame, error) = peer.expect_error(ErrorCode::UnknownType).await;
        assert_eq!((frame.header.id.as_str(), error.fatal), ("w", false));

        let pong = Header::new(FrameType::Busy, "b", 1);
        peer.send(pong, &posthouse_protocol::payload::Busy { retry_after_ms: 1, queue_depth: 1 }).await;
        assert_eq!(peer.expect_error(ErrorCode::BadRequest).await.0.header.id, "b");

        peer.expect_alive().await;
    }
}

#[tokio::test]
async fn a_request_whose_payload_is_wrong_is_told_what_is_wrong() {
    let gate = Gatehouse::open(Limits::default()).await;
    let mut peer = Peer::hello(&gate.socket, Hello::new("alice")).await;
    peer.raw_frame(br#"{"type":"SCREEN","id":"q","ts":1,"payload":{"session":"x"}}"#).await;
    let (frame, error) = peer.expect_error(ErrorCode::BadJson).await;
    assert_eq!(frame.header.id, "q");
    assert!(error.message.contains("name"), "{}", error.message);
    peer.expect_alive().await;
}

#[tokio::test]
async fn a_frame_over_the_limit_ends_the_connection_and_one_at_the_limit_does_not() {
    let limit = 65_536;
    let mut gate = Gatehouse::open(Limits { max_frame_bytes: limit, ..Limits::default() }).await;
    let mut peer = Peer::hello(&gate.socket, Hello::new("alice")).await;
    let frame = |size: usize| {
        let envelope = r#"{"type":"SEND","id":"s","to":"b","payload":{"body":""}}"#.len();
        format!(
            r#"{{"type":"SEND","id":"s","to":"b","payload":{{"body":"{}"}}}}"#,
            "x".repeat(size - envelope)
        )
    };
    peer.raw_frame(frame(limit as usize).as_bytes()).await;
    assert!(matches!(gate.next_told().await, Told::Admitted(..)));
    assert!(matches!(gate.next_told().await, Told::Frames(frames) if frames.len() == 1));
    peer.raw_frame(frame(limit as usize + 1).as_bytes()).await;
    peer.expect_cut(ErrorCode::FrameTooLarge).await;
    assert!(
        matches!(gate.next_departure().await, Departure::Cut(why) if why.code == ErrorCode::FrameTooLarge)
    );
}

#[tokio::test]
async fn a_stream_that_ends_inside_a_frame_is_told_so() {
    let mut gate = Gatehouse::open(Limits::default()).await;
    let mut peer = Peer::hello(&gate.socket, Hello::new("alice")).await;
    peer.write(b"\x00\x00\x00\x20{\"type\"").await;
    peer.stream.shutdown().await.unwrap();
    peer.expect_cut(ErrorCode::FrameTruncated).await;
    assert!(matches!(gate.next_departure().await, Departure::Cut(_)));
}

#[tokio::test]
async fn bye_and_a_clean_end_are_no_faults() {
    let mut gate = Gatehouse::open(Limits::default()).await;
    let mut peer = Peer::hello(&gate.socket, Hello::new("alice")).await;
    peer.send(Header::new(FrameType::Bye, "b", 1), &Bye {}).await;
    peer.expect(FrameType::Bye).await;
    assert_eq!(gate.next_departure().await, Departure::Closed);
    drop(Peer::hello(&gate.socket, Hello::new("alice")).await);
    assert_eq!(gate.next_departure().await, Departure::Closed);
}

#[tokio::test]
async fn frames_reach_post_in_order_however_they_are_cut() {
    let mut gate = Gatehouse::open(Limits::default()).await;
    for hello in in_both_encodings() {
        let mut peer = Peer::hello(&gate.socket, hello).await;
        let mut stream = BytesMut::new();
        // From tiny to larger than the read block.
        let sizes = [0, 1, 100, 5_000, 40_000, 200_000, 3, 700_000, 0, 12];
        for (n, size) in sizes.iter().enumerate() {
            let header = Header { to: Some("bob".into()), ..Header::new(FrameType::Send, n.to_string(), 1) };
            let message = Message::text("y".repeat(*size));
            let frame = Frame::of(header, &message, peer.encoding).unwrap();
            frame.encode(peer.encoding, limits::MAX_FRAME, &mut stream).unwrap();
        }
        let (mut cut, mut rest) = (1, stream.as_ref());
        while !rest.is_empty() {
            let (now, later) = rest.split_at(cut.min(rest.len()));
            peer.write(now).await;
            (rest, cut) = (later, cut * 3 % 70_001 + 1);
        }
        let mut seen = Vec::new();
        while seen.len() < sizes.len() {
            if let Told::Frames(frames) = gate.next_told().await {
                seen.extend(frames.iter().map(|frame| {
                    let message: Message = frame.body.decode().unwrap();
                    (frame.header.id.parse::<usize>().unwrap(), message.body.len())
                }));
            }
        }
        assert_eq!(seen, sizes.iter().copied().enumerate().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn requests_that_take_for_ever_hold_up_nothing_but_count() {
    let gate = Gatehouse::open(Limits { max_requests: 2, ..Limits::default() }).await;
    let mut peer = Peer::hello(&gate.socket, Hello::new("alice")).await;
    let screen = Screen { name: "x".into(), ansi: None };
    peer.request("1", &screen).await;
    peer.expect_alive().await;
    peer.request("2", &screen).await;
    peer.request("3", &ListSessions::default()).await;
    let (frame, error) = peer.expect_error(ErrorCode::LimitExceeded).await;
    assert_eq!((frame.header.id.as_str(), error.fatal), ("3", false));
}

#[tokio::test]
async fn a_silent_client_is_pinged_and_then_cut_off() {
    let limits = Limits { heartbeat_ms: 40, missed_pongs: 3, ..Limits::default() };
    let mut gate = Gatehouse::open(limits).await;
    let mut silent = Peer::hello(&gate.socket, Hello::new("alice")).await;
    let mut pings = 0;
    loop {
        let frame = silent.next().await.expect("ERROR comes before the end");
        match frame.header.kind {
            FrameType::Ping => pings += 1,
            FrameType::Error => break,
            other => panic!("{other} was not expected"),
        }
    }
    assert_eq!(pings, 3);
    assert!(
        matches!(gate.next_departure().await, Departure::Cut(why) if why.code == ErrorCode::HeartbeatLost)
    );
}

#[tokio::test]
async fn a_client_that_answers_pings_stays() {
    let gate = Gatehouse::open(Limits { heartbeat_ms: 40, missed_pongs: 2, ..Limits::default() }).await;
    for hello in in_both_encodings() {
        let mut peer = Peer::hello(&gate.socket, hello).await;
        for _ in 0..10 {
            let ping: Ping = peer.expect(FrameType::Ping).await.body.decode().unwrap();
            peer.send(Header::new(FrameType::Pong, "p", 1), &Pong { nonce: ping.nonce }).await;
        }
        peer.expect_alive().await;
    }
}

#[tokio::test]
async fn a_clients_own_ping_is_answered() {
    let gate = Gatehouse::open(Limits::default()).await;
    let mut peer = Peer::hello(&gate.socket, Hello::new("alice")).await;
    peer.send(Header::new(FrameType::Ping, "p", 1), &Ping { nonce: "n".into() }).await;
    let pong: Pong = peer.expect(FrameType::Pong).await.body.decode().unwrap();
    assert_eq!(pong.nonce, "n");
}

/// The outbox that post was given for the connection.
async fn outbox_of(gate: &mut Gatehouse) -> Outbox {
    match gate.next_told().await {
        Told::Admitted(outbox) => outbox,
        other => panic!("{other:?} was not expected"),
    }
}

#[tokio::test]
async fn a_client_that_stops_reading_is_cut_off_while_its_own_frames_are_still_read() {
    let limits = Limits { heartbeat_ms: 80, slow_reader_ms: 200, missed_pongs: 1000, ..Limits::default() };
    let mut gate = Gatehouse::open(limits).await;
    let mut peer = Peer::hello(&gate.socket, Hello::new("alice")).await;
    let outbox = outbox_of(&mut gate).await;
    while outbox.push(Bytes::from(vec![0; 64 * 1024])).is_ok() {}
    peer.send(
        Header { to: Some("bob".into()), ..Header::new(FrameType::Send, "s", 1) },
        &Message::text("hi"),
    )
    .await;
    assert!(matches!(gate.next_told().await, Told::Frames(..)), "reading goes on");
    match gate.next_departure().await {
        Departure::Cut(why) => assert_eq!(why.code, ErrorCode::SlowConsumer),
        Departure::Closed => panic!("it was cut off"),
    }
    tokio::time::timeout(super::PATIENCE, outbox.closed()).await.expect("the connection is gone");
}

#[tokio::test]
async fn a_slow_client_that_goes_on_reading_is_not_cut_off() {
    let limits = Limits { heartbeat_ms: 40, slow_reader_ms: 200, missed_pongs: 1000, ..Limits::default() };
    let mut gate = Gatehouse::open(limits).await;
    let mut peer = Peer::hello(&gate.socket, Hello::new("alice")).await;
    let outbox = outbox_of(&mut gate).await;
    let mut ping = BytesMut::new();
    let frame =
        Frame::of(Header::new(FrameType::Bye, "x", 1), &Ping { nonce: "n".repeat(60_000) }, Encoding::Json);
    frame.unwrap().encode(Encoding::Json, limits::MAX_FRAME, &mut ping).unwrap();
    let ping = ping.freeze();
    let mut pushed = 0;
    while outbox.push(ping.clone()).is_ok() {
        pushed += 1;
    }
    let mut read = 0;
    while read < pushed {
        let nonce: Ping = peer.expect(FrameType::Ping).await.body.decode().unwrap();
        read += usize::from(nonce.nonce.len() == 60_000);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    peer.expect_alive().await;
}

#[tokio::test]
async fn an_outbox_can_be_ended_with_last_words_of_its_own() {
    let mut gate = Gatehouse::open(Limits::default()).await;
    let mut peer = Peer::hello(&gate.socket, Hello::new("alice")).await;
    let outbox = outbox_of(&mut gate).await;
    let mut last = BytesMut::new();
    Frame::of(Header::new(FrameType::Bye, "last", 1), &Bye {}, Encoding::Json)
        .unwrap()
        .encode(Encoding::Json, limits::MAX_FRAME, &mut last)
        .unwrap();
    outbox.end(last.freeze());
    assert_eq!(peer.expect(FrameType::Bye).await.header.id, "last");
    assert_eq!(peer.next().await, None);
    assert_eq!(gate.next_departure().await, Departure::Closed);
}

#[tokio::test]
async fn a_daemon_that_ends_says_so_after_what_was_waiting() {
    let mut gate = Gatehouse::open(Limits::default()).await;
    let mut peer = Peer::hello(&gate.socket, Hello::new("alice")).await;
    let outbox = outbox_of(&mut gate).await;
    peer.expect_alive().await;
    let pong =
        Frame::of(Header::new(FrameType::Pong, "x", 1), &Pong { nonce: "n".into() }, Encoding::Json).unwrap();
    outbox.push_frame(&pong).unwrap().unwrap();
    gate.stop.now();
    peer.expect(FrameType::Pong).await;
    let (_, error) = peer.expect_error(ErrorCode::ShuttingDown).await;
    assert!(!error.fatal, "clients are to come back");
    peer.expect(FrameType::Bye).await;
    assert!(peer.next().await.is_none());
}

#[tokio::test]
async fn a_hello_with_everything_unknown_in_it_is_fine() {
    let gate = Gatehouse::open(Limits::default()).await;
    let mut peer = Peer::connect(&gate.socket).await;
    peer.raw_frame(
        br#"{"v":99,"type":"HELLO","id":"h","ts":-1.5,"zz":[],"payload":{"agent":"a","kind":"deity","role":"spare",
            "capabilities":{"telepathy":true},"encodings":["telepathy","json"],"new":{"a":[null]}}}"#,
    )
    .await;
    let welcome: Welcome = peer.expect(FrameType::Welcome).await.body.decode().unwrap();
    assert_eq!(welcome.encoding, Encoding::Json);
    peer.request("s", &Status {}).await;
    assert_eq!(peer.expect(FrameType::StatusResponse).await.header.id, "s");
}
