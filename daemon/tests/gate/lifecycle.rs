//! One daemon per home, and how it comes and goes.

use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use posthouse_protocol::Later;
use posthouse_protocol::payload::{Error, Events, Shutdown};
use posthouse_protocol::{ErrorCode, FrameType, Hello};

use crate::house::{House, eventually};
use crate::peer::Peer;

fn words(command: &mut Command) -> (Option<i32>, String) {
    let output = command.stderr(Stdio::piped()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_second_daemon_refuses_by_name_and_leaves_the_first_alone() {
    let house = House::started(&[]);
    let (code, said) = words(&mut house.command());
    assert_eq!(code, Some(3));
    assert!(said.contains(&format!("posthoused (pid {})", house.pid())), "{said}");
    assert_eq!(house.status().generation, 1);
}

#[test]
fn a_second_daemon_with_a_state_of_its_own_still_respects_the_socket() {
    let (house, other) = (House::started(&[]), House::new(&[]));
    let (code, said) = words(other.command().env("POSTHOUSE_SOCKET", house.socket()));
    assert_eq!(code, Some(3));
    assert!(said.contains("another daemon answers there"), "{said}");
    assert_eq!(house.status().generation, 1);
}

#[test]
fn a_killed_daemons_socket_is_replaced_and_daemons_are_counted() {
    let mut house = House::started(&[]);
    house.signal(Signal::SIGKILL);
    house.wait();
    assert!(house.socket().exists(), "it had no time to tidy up");
    house.start();
    assert_eq!(house.status().generation, 2);
}

#[test]
fn signals_and_shutdown_end_it_politely() {
    let mut house = House::new(&[]);
    for signal in [Some(Signal::SIGTERM), Some(Signal::SIGINT), None] {
        house.start();
        let mut client = Peer::named(&house.socket(), "client");
        match signal {
            Some(signal) => house.signal(signal),
            None => drop(
                Peer::operator(&house.socket()).ask(&Shutdown { release_all: false, restart: Later(None) }),
            ),
        }
        let error: Error = client.wait_for(FrameType::Error).body.decode().unwrap();
        assert_eq!((error.code, error.fatal), (ErrorCode::ShuttingDown, false));
        client.wait_for(FrameType::Bye);
        assert!(client.next().is_none());
        assert!(house.wait().success());
        assert!(!house.socket().exists());
    }
    house.start();
    let kinds = vec!["daemon.".to_owned()];
    let events = Peer::operator(&house.socket()).ask(&Events { kinds, ..Events::default() }).events;
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    let once = ["daemon.started", "daemon.stopped"];
    assert_eq!(kinds, [&once[..], &once, &once, &once[..1]].concat());
}

#[test]
fn everything_it_makes_is_the_users_alone() {
    let house = House::started(&[]);
    let mode = |path: &str| std::fs::metadata(house.home().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("posthouse.sock"), 0o600);
    for dir in [".", "state", "config", "holders"] {
        assert_eq!(mode(dir), 0o700, "{dir}");
    }
    assert_eq!(mode("state/posthoused.log"), 0o600);
}

#[test]
fn a_wrong_configuration_is_named_and_nothing_is_started() {
    let house = House::new(&[]);
    std::fs::create_dir(house.home().join("config")).unwrap();
    std::fs::write(house.home().join("config/config.toml"), "[limits]\nconnections = 0\n").unwrap();
    let (code, said) = words(&mut house.command());
    assert_eq!(code, Some(2));
    assert!(said.contains("config.toml, line 2: connections: 0 is not between"), "{said}");
    assert!(!house.home().join("state").exists());
}

#[test]
fn a_socket_from_systemd_is_served_and_left_in_place() {
    let mut house = House::new(&[]);
    let path = house.socket();
    let listener = UnixListener::bind(&path).unwrap();
    // A client that comes before the daemon is answered once there is one.
    let early = std::thread::spawn({
        let path = path.clone();
        move || Peer::named(&path, "early").welcome.unwrap().daemon.generation
    });
    // The shell gives the descriptor its number and the variable its pid, as systemd would.
    let mut daemon = Command::new("sh");
    daemon.args([
        "-c",
        "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" 3<&0 </dev/null",
        env!("CARGO_BIN_EXE_posthoused"),
    ]);
    daemon.env("POSTHOUSE_HOME", house.home()).env_remove("POSTHOUSE_SOCKET").stderr(Stdio::null());
    let mut child = daemon.stdin(OwnedFd::from(listener)).process_group(0).spawn().unwrap();
    assert_eq!(early.join().unwrap(), 1);
    Peer::operator(&path).ask(&Shutdown { release_all: false, restart: Later(None) });
    assert!(child.wait().unwrap().success());
    assert!(path.exists(), "the socket is systemd's");
    std::fs::remove_file(&path).unwrap();
    house.start();
    assert_eq!(house.status().generation, 2);
}

#[test]
fn names_are_resumed_after_a_restart_by_their_token_only() {
    let mut house = House::started(&[]);
    let mut hello = Hello::new("alice");
    let mut first = Peer::hello(&house.socket(), &hello);
    // What is journaled is journaled in order: with this message, the token is.
    first.send_text("m-1", "alice", "a note to myself");
    first.wait_for(FrameType::Deliver);
    let token = first.welcome.unwrap().resume_token.expect("a token");
    house.signal(Signal::SIGKILL);
    house.wait();
    house.start();
    hello.session = Some(posthouse_protocol::handshake::Resume { resume_token: Some(token) });
    let again = Peer::hello(&house.socket(), &hello);
    let refused = Peer::try_hello(&house.socket(), &Hello::new("alice")).err().expect("alice is taken");
    assert_eq!((refused.code, refused.fatal), (ErrorCode::NameTaken, false));
    drop(again);
    eventually("the name", || Peer::try_hello(&house.socket(), &Hello::new("alice")).ok());
}
