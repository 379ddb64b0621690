//! Who may speak to a holder, and what it makes of those who speak nonsense.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{ErrorKind, Read, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::BufMut;
use posthoused::holder::link::{self, LinkError};
use posthoused::holder::run::{RUN_MARK, RunId};
use posthoused::holder::script::State;
use posthoused::holder::wire::*;
use support::{GENEROUS, Held, Yard, bytes, canary, follow, operation, program};
use uuid::Uuid;

/// A client that says whatever it likes.
struct Raw {
    socket: UnixStream,
    deframer: Deframer,
}

impl Raw {
    fn knock(socket: &Path) -> Self {
        let socket = UnixStream::connect(socket).unwrap();
        socket.set_read_timeout(Some(GENEROUS)).unwrap();
        Self { socket, deframer: Deframer::default() }
    }

    fn greet(socket: &Path) -> Self {
        let mut raw = Self::knock(socket);
        raw.say(1, &hello(1, 1));
        assert!(matches!(raw.hear().message, Event::Welcome(_)));
        raw
    }

    fn say(&mut self, tag: u32, command: &Command) {
        let mut frame = Vec::new();
        command.encode(tag, &mut frame).unwrap();
        self.say_raw(&frame);
    }

    fn say_raw(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    fn hear(&mut self) -> Frame<Event> {
        self.hear_or_end().expect("an answer before the end")
    }

    /// `None` at the end of the connection, however it comes.
    fn hear_or_end(&mut self) -> Option<Frame<Event>> {
        loop {
            if let Some(payload) = self.deframer.next_payload().unwrap() {
                return Some(Event::decode(&payload).unwrap());
            }
            let mut chunk = [0; 4096];
            match self.socket.read(&mut chunk) {
                Ok(0) => return None,
                Ok(count) => self.deframer.space().put_slice(&chunk[..count]),
                Err(e) if e.kind() == ErrorKind::ConnectionReset => return None,
                // A read with a time limit is not restarted after a signal, and a child's end is one.
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => panic!("{e}"),
            }
        }
    }

    /// The fatal refusal and then the end.
    fn refused(mut self) -> (u32, ErrorCode, String) {
        let frame = self.hear();
        let Event::Fault(fault) = frame.message else { panic!("{frame:?}") };
        assert!(fault.fatal, "{fault:?}");
        assert_eq!(self.hear_or_end(), None);
        (frame.tag, fault.code, fault.text)
    }

    fn fault(&mut self) -> (u32, Fault) {
        let frame = self.hear();
        let Event::Fault(fault) = frame.message else { panic!("{frame:?}") };
        assert!(!fault.fatal, "{fault:?}");
        (frame.tag, fault)
    }
}

fn hello(min_version: u16, max_version: u16) -> Command {
    Command::Hello(Hello { min_version, max_version })
}

#[tokio::test]
async fn the_socket_is_its_owners_alone() {
    let yard = Yard::new();
    let spec = yard.shell("read x");
    let held = yard.start(&spec).await;
    let mode = std::fs::metadata(&spec.socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    held.finish().await;

    std::fs::set_permissions(yard.path(), std::fs::Permissions::from_mode(0o750)).unwrap();
    let error = link::spawn(&program(), &yard.shell("true")).await.unwrap_err();
    let LinkError::NotStarted { code, text, .. } = error else { panic!("{error}") };
    assert_eq!(code, FailureCode::Socket);
    assert!(text.ends_with("must be open to its owner only (0700)"), "{text}");
}

#[tokio::test]
async fn a_first_frame_that_is_not_hello_gets_its_error_with_its_tag() {
    let yard = Yard::new();
    let spec = yard.shell("read x");
    let held = yard.start(&spec).await;
    let mut early = Raw::knock(&spec.socket);
    early.say(77, &Command::Status(()));
    let (tag, code, text) = early.refused();
    assert_eq!((tag, code), (77, ErrorCode::HandshakeRequired));
    assert!(text.contains("HELLO"), "{text}");

    let mut unknown = Raw::knock(&spec.socket);
    unknown.say_raw(&[0, 0, 0, 6, 0x0f, 0xff, 0, 0, 0, 5]);
    assert_eq!(unknown.refused().1, ErrorCode::HandshakeRequired);

    let mut nonsense = Raw::knock(&spec.socket);
    nonsense.say_raw(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(nonsense.refused().1, ErrorCode::Oversize);

    let mut cut = Raw::knock(&spec.socket);
    cut.say_raw(&[0, 0, 0, 7, 0, 1, 0, 0, 0, 9, 1]);
    let (tag, code, _) = cut.refused();
    assert_eq!((tag, code), (9, ErrorCode::BadFrame));
    held.finish().await;
}

#[tokio::test]
async fn silence_is_ended_and_does_not_keep_a_daemon_out() {
    let yard = Yard::new();
    let spec = yard.shell("read x");
    let held = yard.start(&spec).await;
    held.abandon().await;
    let mut silent: Vec<Raw> = (0..20).map(|_| Raw::knock(&spec.socket)).collect();
    let held = Held::adopt(&spec.socket).await;
    let last = silent.pop().unwrap();
    for raw in silent.into_iter().take(3).chain([last]) {
        assert_eq!(raw.refused().1, ErrorCode::HandshakeLate);
    }
    assert_eq!(held.link.handle.status().await.unwrap().exit, None);
    held.finish().await;
}

#[tokio::test]
async fn versions_that_do_not_meet_are_told_whom_to_upgrade() {
    let yard = Yard::new();
    let spec = yard.shell("read x");
    let held = yard.start(&spec).await;
    let mut newer = Raw::knock(&spec.socket);
    newer.say(3, &hello(MAX_VERSION + 1, MAX_VERSION + 4));
    let (tag, code, text) = newer.refused();
    assert_eq!((tag, code), (3, ErrorCode::VersionGap));
    assert!(text.contains("upgrade the holder"), "{text}");
    assert_eq!(held.link.handle.status().await.unwrap().exit, None, "the daemon there is stays");
    held.finish().await;
}

#[tokio::test]
async fn a_next_versions_daemon_gets_on_with_this_holder() {
    let yard = Yard::new();
    let spec = yard.shell("cat");
    yard.start(&spec).await.abandon().await;
    let mut raw = Raw::knock(&spec.socket);
    let mut frame = Vec::new();
    hello(1, 9).encode_with(1, &[(1, b"later".to_vec())], &mut frame).unwrap();
    raw.say_raw(&frame);
    let welcome = raw.hear();
    assert!(
        matches!(&welcome.message, Event::Welcome(welcome) if welcome.version == MAX_VERSION),
        "{welcome:?}"
    );

    raw.say(2, &hello(1, 1));
    assert!(matches!(raw.fault(), (2, Fault { code: ErrorCode::HandshakeTwice, .. })));
    raw.say_raw(&[0, 0, 0, 6, 0x0f, 0xff, 0, 0, 0, 5]);
    assert!(matches!(raw.fault(), (5, Fault { code: ErrorCode::UnknownType, about: 0x0fff, .. })));
    let step = WireStep { kind: 9, wait_ms: 0, bytes: Vec::new() };
    raw.say(6, &Command::Write(Write { operation: operation(), steps: vec![step] }));
    let answer = raw.hear();
    assert!(
        matches!(&answer.message, Event::Operation(op) if op.report.state == State::NotUnderstood),
        "{answer:?}"
    );
    raw.say(7, &Command::Follow(Follow { stream: posthoused::holder::run::StreamId(9), from: 0, window: 1 }));
    assert!(matches!(raw.fault(), (7, Fault { code: ErrorCode::NoSuchStream, .. })));
    raw.say(8, &Command::Signal(SendSignal { signal: 0, target: Target::Leader }));
    assert!(matches!(raw.fault(), (8, Fault { code: ErrorCode::BadValue, .. })));
    raw.say(9, &Command::Signal(SendSignal { signal: 1, target: Target::Unknown(7) }));
    assert!(matches!(raw.fault(), (9, Fault { code: ErrorCode::BadValue, .. })));
    raw.say(10, &Command::Status(()));
    assert!(matches!(raw.hear(), Frame { tag: 10, message: Event::Status(_) }));

    raw.say_raw(&[0xff, 0xff, 0xff, 0xff]);
    assert_eq!(raw.refused().1, ErrorCode::Oversize);
    Held::adopt(&spec.socket).await.finish().await;
}

#[tokio::test]
async fn a_thousand_random_streams_do_no_harm() {
    let yard = Yard::new();
    let spec = yard.shell("stty raw -echo; printf UP; cat");
    let mut held = yard.start(&spec).await;
    held.until_text("UP").await;
    let identity = held.link.handle.identity();
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", identity.holder_pid)).unwrap().count();
    let before = descriptors();
    let noise = canary(1000 * 300);
    for (round, noise) in noise.chunks(300).enumerate() {
        let length = usize::from(noise[0]) + 1;
        let mut raw = if round % 2 == 0 { Raw::knock(&spec.socket) } else { Raw::greet(&spec.socket) };
        // Half of them as frames, whose types and bodies are nonsense; half as they are.
        if round % 4 < 2 {
            raw.say_raw(&u32::try_from(length).unwrap().to_be_bytes());
            raw.say_raw(&[0, noise[1] % 16]);
        }
        let _ = raw.socket.write_all(&noise[..length]);
        let _ = raw.socket.shutdown(std::net::Shutdown::Write);
        while raw.hear_or_end().is_some() {}
    }
    let mut held = Held::adopt(&spec.socket).await;
    assert_eq!(held.link.handle.identity(), identity, "the same holder, the same child");
    follow(&mut held, 0).await;
    held.link.handle.write(operation(), vec![bytes("still here")]).await.unwrap();
    held.until_text("still here").await;
    assert_eq!(descriptors(), before, "nothing is left open");
    held.finish().await;
}

const SOCKET: &str = "TEST_HOLDER_SOCKET";
const NESTED: &str = "TEST_NESTED_YARD";

/// Not a test of its own: what runs inside a session in the tests below. It says what became of it.
#[tokio::test]
async fn inside() {
    if let Some(socket) = std::env::var_os(SOCKET) {
        let verdict = match link::adopt(Path::new(&socket)).await {
            Ok(_) => "welcomed".to_owned(),
            Err(LinkError::Refused { code, text }) => format!("refused {code:?}: {text}"),
            Err(error) => format!("failed: {error}"),
        };
        println!("VERDICT {verdict} END");
    }
    if let Some(directory) = std::env::var_os(NESTED) {
        let spec = Yard::spec_in(Path::new(&directory), &["sh", "-c", "read x"]);
        Held::new(link::spawn(&program(), &spec).await.unwrap()).abandon().await;
        Held::adopt(&spec.socket).await.finish().await;
        println!("VERDICT nested END");
    }
}

fn this_test() -> String {
    let this: PathBuf = std::env::current_exe().unwrap();
    format!("{} --exact inside --nocapture", this.display())
}

async fn verdict(held: &mut Held) -> String {
    held.until_text(" END").await;
    let text = held.text();
    let (_, verdict) = text.split_once("VERDICT ").expect("a verdict");
    verdict.split_once(" END").unwrap().0.to_owned()
}

#[tokio::test]
async fn a_process_inside_a_run_is_refused_by_name_however_it_hides() {
    let yard = Yard::new();
    let victim = yard.start(&yard.shell("read x")).await;
    let victim_socket = yard.socket_of(&victim);
    let test = this_test();
    let ways = [
        // Its own holder, plainly; another run's; daemonised; scrubbed; scrubbed and daemonised.
        format!("{SOCKET}=$OWN {test}"),
        format!("{SOCKET}=$OTHER {test}"),
        format!("({SOCKET}=$OWN setsid {test} &)"),
        format!("env -i {SOCKET}=$OWN {test}"),
        format!("(env -i {SOCKET}=$OTHER setsid {test} &) ; read x"),
    ];
    for way in ways {
        let mut spec = yard.shell(&format!("trap '' HUP; {way}; read x"));
        spec.env.push(("OWN".into(), spec.socket.clone().into()));
        spec.env.push(("OTHER".into(), victim_socket.clone().into()));
        let mut held = yard.start(&spec).await;
        let verdict = verdict(&mut held).await;
        assert!(verdict.starts_with("refused InsideRun"), "{way}: {verdict}");
        assert!(verdict.contains(&spec.run.to_string()), "{way}: {verdict}");
        held.finish().await;
    }
    victim.finish().await;
}

#[tokio::test]
async fn a_process_with_a_runs_mark_is_refused_wherever_it_is() {
    let yard = Yard::new();
    let spec = yard.shell("read x");
    let held = yard.start(&spec).await;
    let mark = RunId::new(Uuid::now_v7());
    let output = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "inside", "--nocapture"])
        .env(SOCKET, &spec.socket)
        .env(RUN_MARK, mark.to_string())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("VERDICT refused InsideRun") && said.contains(&mark.to_string()), "{said}");
    held.finish().await;
}

#[tokio::test]
async fn a_daemon_that_itself_runs_inside_a_session_may_hold_runs_of_its_own() {
    let yard = Yard::new();
    let nested = yard.path().join("nested");
    std::fs::create_dir(&nested).unwrap();
    std::fs::set_permissions(&nested, std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut spec = yard.shell(&format!("{NESTED}=$DIR {}", this_test()));
    spec.env.push(("DIR".into(), nested.into()));
    let mut held = yard.start(&spec).await;
    assert_eq!(tokio::time::timeout(Duration::from_secs(60), verdict(&mut held)).await.unwrap(), "nested");
    held.finish().await;
}
