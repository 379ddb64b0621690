//! The holder protocol's bytes: golden frames of every message, frames of an imagined next version,
//! and bytes that are no frames at all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bytes::{BufMut, Bytes};
use posthoused::holder::run::{Exit, RunId, Size, StreamId, Survivor};
use posthoused::holder::script::{OperationId, Report, State};
use posthoused::holder::wire::*;
use proptest::prelude::*;
use uuid::Uuid;

fn run() -> RunId {
    RunId::new(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001))
}

fn operation() -> OperationId {
    OperationId::new(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0002))
}

fn report(state: State) -> Report {
    Report { operation: operation(), steps_done: 2, partial_bytes: 300, state }
}

fn commands() -> Vec<Command> {
    let stream = StreamId::TERMINAL;
    let (operation, size) = (operation(), Size { rows: 30, cols: 100 });
    let step = |kind, wait_ms, bytes: &[u8]| WireStep { kind, wait_ms, bytes: bytes.to_vec() };
    let launch = Launch {
        run: run(),
        argv: vec![b"codex".to_vec(), b"--no-daemon".to_vec()],
        env: vec![(b"HOME".to_vec(), b"/h".to_vec())],
        cwd: b"/w".to_vec(),
        terminal: Some(size),
        socket: b"/s/h-1".to_vec(),
        ring: 1 << 20,
        cgroup: Some(b"/sys/fs/cgroup/p".to_vec()),
    };
    vec![
        Command::Hello(Hello { min_version: 1, max_version: 3 }),
        Command::Follow(Follow { stream, from: 70_000, window: 1 << 19 }),
        Command::Ack(Ack { stream: StreamId::STDOUT, upto: 251 }),
        Command::Write(Write {
            operation,
            steps: vec![step(1, 0, b"hi"), step(2, 300, b""), step(1, 0, b"\r")],
        }),
        Command::Cancel(Cancel { operation }),
        Command::HowFar(HowFar { operation }),
        Command::Resize(Resize { size }),
        Command::Signal(SendSignal { signal: 2, target: Target::Foreground }),
        Command::Answered(Answered { offset: 1 << 33 }),
        Command::Note(Note { bytes: b"checkpoint".to_vec() }),
        Command::Status(()),
        Command::End(End { rungs: vec![Rung { signal: 15, grace_ms: 2000 }] }),
        Command::Collect(()),
        Command::CloseInput(()),
        Command::Launch(launch),
    ]
}

fn events() -> Vec<Event> {
    let stream = StreamId::STDERR;
    let survivors = vec![Survivor { pid: 4711, name: "node".into() }];
    let status = Status {
        streams: vec![StreamStatus { stream, start: 1, end: 300, ended: true }],
        exit: Some(Exit::Signal(9)),
        gone: false,
        survivors: survivors.clone(),
        size: Some(Size { rows: 30, cols: 100 }),
        answered: 12,
        note: b"n".to_vec(),
        operations: vec![report(State::Running), report(State::Failed { errno: 5 })],
    };
    vec![
        Event::Welcome(Welcome { version: 1, run: run(), holder_pid: 70_000, child_pid: 70_001 }),
        Event::Done(()),
        Event::Fault(Fault { code: ErrorCode::InsideRun, fatal: true, about: 1, text: "no".into() }),
        Event::Output(Output { stream, offset: 1 << 40, bytes: Bytes::from_static(b"\x1b[0mhi") }),
        Event::StreamEnd(StreamEnd { stream, offset: 300 }),
        Event::Operation(Operation { report: report(State::Done) }),
        Event::NotSeen(NotSeen { operation: operation() }),
        Event::Exited(Exited { exit: Exit::Code(-3) }),
        Event::Remains(Remains { survivors: survivors.clone() }),
        Event::Gone(()),
        Event::NotGone(Remains { survivors }),
        Event::Status(status),
        Event::Started(Started { holder_pid: 10, child_pid: 11 }),
        Event::Failed(Failed { code: FailureCode::Program, errno: 2, text: "execute x".into() }),
    ]
}

fn frame_of(command: &Command) -> Vec<u8> {
    let mut frame = Vec::new();
    command.encode(7, &mut frame).unwrap();
    frame
}

fn frame_from(event: &Event) -> Vec<u8> {
    let mut frame = Vec::new();
    event.encode(7, &mut frame).unwrap();
    frame
}

fn payload(frame: &[u8]) -> Bytes {
    let mut deframer = Deframer::default();
    deframer.space().put_slice(frame);
    let payload = deframer.next_payload().unwrap().expect("a whole frame");
    assert!(deframer.is_empty());
    payload
}

#[test]
fn every_message_has_its_golden_frame() {
    let mut golden = String::new();
    let mut line = |name: String, frame: &[u8]| {
        let name = name.split(['(', ' ']).next().unwrap().to_owned();
        let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(golden, "{name:<12} {hex}").unwrap();
    };
    for command in commands() {
        line(format!("{command:?}"), &frame_of(&command));
        assert_eq!(
            Command::decode(&payload(&frame_of(&command))).unwrap(),
            Frame { tag: 7, message: command }
        );
    }
    for event in events() {
        line(format!("{event:?}"), &frame_from(&event));
        assert_eq!(Event::decode(&payload(&frame_from(&event))).unwrap(), Frame { tag: 7, message: event });
    }
    insta::assert_snapshot!("holder_wire_v1", golden);

    let kinds = |all: &[u16]| all.iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(commands().iter().map(Command::kind).collect::<BTreeSet<_>>(), kinds(Command::KINDS));
    assert_eq!(events().iter().map(Event::kind).collect::<BTreeSet<_>>(), kinds(Event::KINDS));
}

#[test]
fn output_written_in_parts_is_the_same_frame() {
    let bytes = Bytes::from(vec![b'x'; 300]);
    let mut whole = Vec::new();
    let output = Output { stream: StreamId::TERMINAL, offset: 1 << 20, bytes: bytes.clone() };
    Event::Output(output).encode(0, &mut whole).unwrap();
    let mut parts = Vec::new();
    output_head(StreamId::TERMINAL, 1 << 20, bytes.len(), &mut parts).unwrap();
    parts.extend_from_slice(&bytes);
    parts.extend_from_slice(OUTPUT_TRAILER);
    assert_eq!(parts, whole);
}

#[test]
fn a_next_version_does_no_harm() {
    let mut extended = Vec::new();
    let hello = Command::Hello(Hello { min_version: 1, max_version: 2 });
    hello.encode_with(1, &[(40_000, b"new field".to_vec()), (2, Vec::new())], &mut extended).unwrap();
    assert_eq!(Command::decode(&payload(&extended)).unwrap().message, hello);

    let mut unknown = frame_of(&Command::Status(()));
    unknown[4..6].copy_from_slice(&0x0fff_u16.to_be_bytes());
    assert_eq!(Command::decode(&payload(&unknown)), Err(WireError::UnknownType { kind: 0x0fff, tag: 7 }));
    assert_eq!(Event::decode(&payload(&unknown)), Err(WireError::UnknownType { kind: 0x0fff, tag: 7 }));

    for event in [
        Event::Fault(Fault { code: ErrorCode::Unknown(999), fatal: false, about: 0, text: String::new() }),
        Event::Exited(Exited { exit: Exit::Other(9, -1) }),
        Event::Operation(Operation { report: report(State::Other(77, 3)) }),
        Event::Failed(Failed { code: FailureCode::Unknown(88), errno: 0, text: String::new() }),
    ] {
        assert_eq!(Event::decode(&payload(&frame_from(&event))).unwrap().message, event);
    }
}

#[test]
fn version_ranges_meet_or_say_who_is_old() {
    assert_eq!(negotiate((1, 1), (1, 1)), Ok(1));
    assert_eq!(negotiate((1, 2), (1, 5)), Ok(2), "an old daemon manages a new holder");
    assert_eq!(negotiate((2, 7), (1, 3)), Ok(3), "a new daemon manages an old holder");
    let old_daemon = negotiate((1, 1), (2, 3)).unwrap_err();
    assert!(old_daemon.ends_with("upgrade the daemon"), "{old_daemon}");
    let old_holder = negotiate((4, 5), (2, 3)).unwrap_err();
    assert!(old_holder.contains("upgrade the holder"), "{old_holder}");
    assert!(negotiate((5, 1), (1, 3)).is_err(), "an upside-down range overlaps nothing");
}

#[test]
fn lengths_beyond_the_limit_are_refused_before_they_are_buffered() {
    let mut deframer = Deframer::default();
    deframer.space().put_u32(u32::MAX);
    assert_eq!(deframer.next_payload(), Err(WireError::Oversize(u32::MAX as usize)));

    let note = Command::Note(Note { bytes: vec![0; MAX_FRAME] });
    let mut out = b"before".to_vec();
    assert!(matches!(note.encode(0, &mut out), Err(WireError::Encode { .. })));
    assert_eq!(out, b"before");
}

#[test]
fn a_claimed_length_reserves_nothing() {
    // A body that claims a vector of 2^40 entries in a few bytes.
    let mut frame = vec![0, 0, 0, 0x1f];
    frame.extend_from_slice(&0x0004_u16.to_be_bytes());
    frame.extend_from_slice(&[0; 4 + 16]);
    frame.extend_from_slice(&[0xfd, 0, 0, 0, 0, 0, 1, 0, 0]);
    assert!(matches!(Command::decode(&payload(&frame)), Err(WireError::Body { .. })));
}

fn any_golden() -> impl Strategy<Value = Vec<u8>> {
    let frames: Vec<Vec<u8>> = commands()
        .iter()
        .map(frame_of)
        .chain(events().iter().map(frame_from))
        .map(|f| f[4..].to_vec())
        .collect();
    prop::sample::select(frames)
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let payload = Bytes::from(bytes);
        let _ = Command::decode(&payload);
        let _ = Event::decode(&payload);
    }

    #[test]
    fn mutated_frames_never_panic_and_what_decodes_encodes_to_itself(
        golden in any_golden(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        shorten in any::<bool>(),
    ) {
        let mut bytes = golden;
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if shorten {
            bytes.truncate(cut.index(bytes.len()));
        }
        let payload = Bytes::from(bytes);
        if let Ok(frame) = Command::decode(&payload) {
            let mut again = Vec::new();
            frame.message.encode(frame.tag, &mut again).unwrap();
            prop_assert_eq!(Command::decode(&Bytes::from(again).slice(4..)).unwrap(), frame);
        }
        if let Ok(frame) = Event::decode(&payload) {
            let mut again = Vec::new();
            frame.message.encode(frame.tag, &mut again).unwrap();
            prop_assert_eq!(Event::decode(&Bytes::from(again).slice(4..)).unwrap(), frame);
        }
    }

    #[test]
    fn a_cut_or_extended_body_is_an_error(golden in any_golden(), cut in any::<prop::sample::Index>()) {
        // A frame must be consumed exactly: no proper prefix and no extension of it is one.
        let cut = cut.index(golden.len());
        let prefix = Bytes::copy_from_slice(&golden[..cut]);
        prop_assert!(Command::decode(&prefix).is_err());
        prop_assert!(Event::decode(&prefix).is_err());
        let longer = Bytes::from([golden.as_slice(), &[0]].concat());
        prop_assert!(Command::decode(&longer).is_err());
        prop_assert!(Event::decode(&longer).is_err());
    }

    #[test]
    fn frames_arrive_whole_however_they_are_cut(
        frames in prop::collection::vec(any_golden(), 0..6),
        sizes in prop::collection::vec(1usize..40, 1..50),
    ) {
        let mut stream: Vec<u8> = Vec::new();
        for frame in &frames {
            stream.extend_from_slice(&(frame.len() as u32).to_be_bytes());
            stream.extend_from_slice(frame);
        }
        let mut deframer = Deframer::default();
        let mut seen = Vec::new();
        let mut rest = stream.as_slice();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*size).min(rest.len()));
            deframer.space().put_slice(now);
            while let Some(payload) = deframer.next_payload().unwrap() {
                seen.push(payload.to_vec());
            }
            rest = later;
        }
        prop_assert_eq!(seen, frames);
    }
}
