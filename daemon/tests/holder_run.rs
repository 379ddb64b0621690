//! A run under its holder: it starts, says and hears things, ends, and nothing it said is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use posthoused::holder::link::{self, HolderEvent, LinkError};
use posthoused::holder::run::{Channel, Exit, Size, StreamId};
use posthoused::holder::script::{State, Step};
use posthoused::holder::wire::{ErrorCode, FailureCode, Target};
use support::{Held, Yard, bytes, canary, operation, program};

#[tokio::test]
async fn a_shell_on_a_terminal_says_hears_and_exits() {
    let yard = Yard::new();
    let spec = yard.shell("stty size; echo run=$POSTHOUSE_RUN; read line; echo got:$line; exit 7");
    let mut held = yard.start(&spec).await;
    held.until_text("run=").await;
    let report = held.link.handle.write(operation(), vec![bytes("hello\n")]).await.unwrap();
    assert_eq!((report.state, report.steps_done), (State::Done, 1));
    held.until_gone().await;
    let text = held.text();
    assert!(text.contains("30 100"), "{text}");
    assert!(text.contains(&format!("run={}", spec.run)), "{text}");
    assert!(text.contains("got:hello"), "{text}");
    assert_eq!(held.exit, Some(Exit::Code(7)));
    held.link.handle.collect().await.unwrap();
    assert!(held.link.events.recv().await.is_none(), "nothing is lost when the run was collected");
    assert!(!spec.socket.exists());
}

#[tokio::test]
async fn a_missing_program_and_a_missing_directory_are_told_apart() {
    let yard = Yard::new();
    let spec = yard.command(&["no-such-program-anywhere"]);
    let error = link::spawn(&program(), &spec).await.unwrap_err();
    let LinkError::NotStarted { code, errno, text } = error else { panic!("{error}") };
    assert_eq!((code, errno), (FailureCode::Program, 2));
    assert_eq!(text, "execute no-such-program-anywhere: No such file or directory (os error 2)");
    assert!(!spec.socket.exists(), "nothing is left");

    let mut spec = yard.shell("true");
    spec.cwd = "/no/such/directory".into();
    let error = link::spawn(&program(), &spec).await.unwrap_err();
    let LinkError::NotStarted { code, text, .. } = error else { panic!("{error}") };
    assert_eq!(code, FailureCode::WorkingDirectory);
    assert!(text.contains("/no/such/directory"), "{text}");
}

#[tokio::test]
async fn the_child_gets_exactly_the_environment_it_was_given_and_default_signals() {
    let yard = Yard::new();
    let mut spec = yard.command(&["sh", "-c", "env; pwd; grep -E 'Sig(Ign|Blk)' /proc/self/status; tty"]);
    spec.env.push(("SECRET".into(), "hunter2".into()));
    let mut held = yard.start(&spec).await;
    let holder = held.link.handle.identity().holder_pid;
    let of_the_holder = |file: &str| fs::read(format!("/proc/{holder}/{file}")).unwrap();
    for file in ["cmdline", "environ"] {
        assert!(!String::from_utf8_lossy(&of_the_holder(file)).contains("hunter2"), "{file}");
    }
    held.until_gone().await;
    let text = held.text();
    assert!(text.contains("SECRET=hunter2"), "{text}");
    assert!(!text.contains("CARGO"), "nothing is inherited: {text}");
    assert!(text.contains(yard.path().to_str().unwrap()), "{text}");
    for line in text.lines().filter(|line| line.starts_with("Sig")) {
        let mask =
            line.split_whitespace().nth(1).and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap();
        // The C library keeps 32 and 33 to itself.
        assert_eq!(mask & 0x7fff_ffff, 0, "nothing ignored, nothing blocked: {text}");
    }
    assert!(text.contains("/dev/pts/"), "{text}");
    held.finish().await;
}

#[tokio::test]
async fn a_holder_has_no_terminal_and_no_descriptors_of_the_daemon() {
    let yard = Yard::new();
    let leak = fs::File::create(yard.path().join("leak")).unwrap();
    fcntl(&leak, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let held = yard.start(&yard.shell("read x")).await;
    let identity = held.link.handle.identity();
    let session = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.split(' ').nth(3).unwrap().parse::<u32>().unwrap()
    };
    while session(identity.holder_pid) != identity.holder_pid {
        tokio::task::yield_now().await;
    }
    assert_eq!(session(identity.child_pid), identity.child_pid);
    let stdio: Vec<_> =
        (0..3).map(|fd| fs::read_link(format!("/proc/{}/fd/{fd}", identity.holder_pid)).unwrap()).collect();
    assert_eq!(stdio, ["/dev/null"; 3].map(std::path::PathBuf::from));
    let open: Vec<_> = fs::read_dir(format!("/proc/{}/fd", identity.holder_pid))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .collect();
    // The standard three, three for signals, the terminal twice, the listener and the daemon.
    assert!(open.len() <= 10, "{open:?}");
    assert!(!open.iter().any(|path| path.starts_with(yard.path())), "{open:?}");
    let of_the_child = fs::read_dir(format!("/proc/{}/fd", identity.child_pid)).unwrap().count();
    assert!(of_the_child <= 4, "{of_the_child} descriptors (a shell may keep its terminal twice)");
    held.finish().await;
}

#[tokio::test]
async fn all_output_comes_before_the_exit_however_fast_the_child_leaves() {
    let yard = Yard::new();
    let expected = canary(600_000);
    fs::write(yard.path().join("canary"), &expected).unwrap();
    let mut held = yard.start(&yard.shell("stty raw; cat canary; exit 3")).await;
    held.until(|event| matches!(event, HolderEvent::Exited(_))).await;
    assert_eq!(held.exit, Some(Exit::Code(3)));
    assert!(held.output == expected, "{} of {} bytes", held.output.len(), expected.len());
    held.finish().await;
}

#[tokio::test]
async fn a_run_says_its_last_words_before_its_end_however_the_two_race() {
    let yard = Yard::new();
    for _ in 0..40 {
        let mut held = yard.start(&yard.shell("echo last words")).await;
        held.until(|event| matches!(event, HolderEvent::StreamEnd { .. })).await;
        assert_eq!((held.text().trim_end(), held.exit), ("last words", None));
        held.until_gone().await;
        held.link.handle.collect().await.unwrap();
        assert!(held.link.events.recv().await.is_none(), "nothing comes after it is gone");
    }
}

#[tokio::test]
async fn a_resize_reaches_the_program_and_nonsense_is_refused() {
    let yard = Yard::new();
    let script = "trap 'stty size' WINCH; echo up; while :; do read line || :; done";
    let mut held = yard.start(&yard.shell(script)).await;
    held.until_text("up").await;
    held.link.handle.resize(Size { rows: 41, cols: 77 }).await.unwrap();
    held.until_text("41 77").await;
    assert_eq!(held.link.handle.status().await.unwrap().size, Some(Size { rows: 41, cols: 77 }));
    let error = held.link.handle.resize(Size { rows: 0, cols: 5 }).await.unwrap_err();
    assert!(matches!(error, LinkError::Refused { code: ErrorCode::BadValue, .. }), "{error}");
    held.finish().await;
}

#[tokio::test]
async fn signals_reach_the_leader_the_group_or_the_foreground() {
    let yard = Yard::new();
    for target in [Target::Leader, Target::Group, Target::Foreground] {
        let mut held = yard
            .start(&yard.shell("trap 'echo caught; exit 5' USR1; echo up; while :; do read x; done"))
            .await;
        held.until_text("up").await;
        held.link.handle.signal(nix::libc::SIGUSR1, target).await.unwrap();
        held.until_gone().await;
        assert_eq!(held.exit, Some(Exit::Code(5)), "{target:?}");
        let error = held.link.handle.signal(nix::libc::SIGUSR1, target).await.unwrap_err();
        assert!(matches!(error, LinkError::Refused { code: ErrorCode::NotRunning, .. }), "{error}");
        held.finish().await;
    }
}

#[tokio::test]
async fn a_signal_that_ends_the_child_is_told_as_such() {
    let yard = Yard::new();
    let mut held = yard.start(&yard.shell("echo up; kill -SEGV $$")).await;
    held.until_gone().await;
    assert_eq!(held.exit, Some(Exit::Signal(nix::libc::SIGSEGV)));
    held.finish().await;
}

#[tokio::test]
async fn pipes_keep_streams_apart_and_end_with_their_input() {
    let yard = Yard::new();
    let mut spec = yard.shell("echo err >&2; cat; test -t 1 || echo no-tty");
    spec.channel = Channel::Pipes;
    let mut held = Held::piped(yard.start(&spec).await.link);
    let error = held.link.handle.resize(support::SIZE).await.unwrap_err();
    assert!(matches!(error, LinkError::Refused { code: ErrorCode::WrongChannel, .. }), "{error}");
    held.link
        .handle
        .write(
            operation(),
            vec![bytes("one\n"), Step::Wait(std::time::Duration::from_millis(20)), bytes("two\n")],
        )
        .await
        .unwrap();
    held.link.handle.close_input().await.unwrap();
    held.until_gone().await;
    assert_eq!(held.piped_output(StreamId::STDOUT), b"one\ntwo\nno-tty\n");
    assert_eq!(held.piped_output(StreamId::STDERR), b"err\n");
    assert_eq!(held.exit, Some(Exit::Code(0)));
    held.finish().await;
}

#[tokio::test]
async fn a_pipe_blocks_its_writer_until_the_daemon_has_taken_what_was_said() {
    let yard = Yard::new();
    let expected = canary(300_000);
    fs::write(yard.path().join("canary"), &expected).unwrap();
    let mut spec = yard.shell("cat canary; echo done >&2");
    spec.channel = Channel::Pipes;
    spec.ring = 10_000;
    let mut held = Held::piped(link::spawn(&program(), &spec).await.unwrap());
    held.acks = false;
    while held.piped_output(StreamId::STDOUT).len() < spec.ring {
        held.next().await;
    }
    let status = held.link.handle.status().await.unwrap();
    let stdout = status.streams.iter().find(|stream| stream.stream == StreamId::STDOUT).unwrap();
    assert_eq!((stdout.start, stdout.end), (0, 10_000), "the ring is full and nothing was dropped");
    assert_eq!(status.exit, None);
    held.acks = true;
    held.link.handle.ack(StreamId::STDOUT, 10_000).await.unwrap();
    held.until_gone().await;
    assert!(held.piped_output(StreamId::STDOUT) == expected);
    held.finish().await;
}

#[tokio::test]
async fn an_input_that_nobody_reads_fills_and_can_be_cancelled() {
    let yard = Yard::new();
    let mut spec = yard.shell("exec sleep 1000");
    spec.channel = Channel::Pipes;
    let mut held = Held::piped(yard.start(&spec).await.link);
    let all = operation();
    let handle = held.link.handle.clone();
    let report = handle.write(all, vec![bytes(&"x".repeat(300_000))]).await.unwrap();
    assert_eq!(report.state, State::Running);
    assert!(report.partial_bytes > 0, "{report:?}");
    // Further scripts wait their turn.
    let later = handle.write(operation(), vec![bytes("y")]).await.unwrap();
    assert_eq!(later.state, State::Queued);
    let cancelled = handle.cancel(all).await.unwrap().unwrap();
    assert_eq!((cancelled.state, cancelled.steps_done), (State::Cancelled, 0));
    assert_eq!(cancelled.partial_bytes, report.partial_bytes, "nothing more was written");
    held.link.handle.end(Vec::new()).await.unwrap();
    held.until_gone().await;
    let after = handle.write(operation(), vec![bytes("z")]).await.unwrap();
    assert!(matches!(after.state, State::Failed { .. }), "{after:?}");
    held.finish().await;
}

#[tokio::test]
async fn where_memory_runs_out_a_run_goes_before_its_holder() {
    let yard = Yard::new();
    let mut held = yard.start(&yard.shell("cat /proc/self/oom_score_adj; echo end")).await;
    held.until_text("end").await;
    let holder = held.link.handle.identity().holder_pid;
    let score = fs::read_to_string(format!("/proc/{holder}/oom_score_adj")).unwrap();
    let of_run: i32 = held.text().lines().next().unwrap().trim().parse().unwrap();
    let of_holder: i32 = score.trim().parse().unwrap();
    assert!(of_run > of_holder || of_holder == 1000, "{of_run} and {of_holder}");
    held.finish().await;
}
