//! `posthouse attach` as a person has it: the real command on a real terminal.

use std::time::Instant;

use posthouse_protocol::payload::{Attach, WindowSize};
use posthouse_protocol::{FrameType, Hello};
use posthouse_tests::pty::Terminal;
use posthouse_tests::standin::DEFINITION;
use posthouse_tests::standin::record::entries;
use posthouse_tests::world::{World, program};

/// A world with a stand-in called `agent`, ready for input.
fn world() -> World {
    let mut world = World::new();
    world.set("STANDIN_LOG", world.home().join("log"));
    let definition =
        DEFINITION.replace("program = \"standin\"", &format!("program = {:?}", program("standin")));
    world.define_harness("standin", &definition);
    world.start();
    world.cli(&["spawn", "agent", "--harness", "standin", "--wait-ready", "30s"]).ok();
    world
}

fn attach(world: &World, args: &[&str], rows: u16, cols: u16) -> Terminal {
    let mut command = world.command();
    command.arg("attach").args(args);
    Terminal::open(&command, rows, cols)
}

fn received(world: &World) -> Vec<String> {
    let all = entries(&world.home().join("log")).into_iter();
    all.filter(|entry| entry.event == "received").map(|entry| entry.text).collect()
}

/// Types a line as people do: Enter follows once the text is there.
async fn enter(terminal: &mut Terminal, text: &str) {
    terminal.types(text.as_bytes());
    terminal.wait_text(&format!("> {text}")).await;
    terminal.types(b"\r");
}

/// The size of the harness's terminal, as the harness's screen has it.
fn harness_size(world: &World) -> (u64, u64) {
    let screen = world.cli(&["screen", "agent", "--json"]).ok().json();
    (screen["size"]["rows"].as_u64().unwrap(), screen["size"]["cols"].as_u64().unwrap())
}

#[tokio::test]
async fn a_person_sees_types_and_leaves() {
    let world = world();
    world.cli(&["send", "agent", "DO quote before anyone looked", "--wait", "delivered"]).ok();
    let mut terminal = attach(&world, &["agent"], 20, 70);
    terminal.wait_text("before anyone looked").await;
    terminal.wait_text("Ctrl-\\ detaches").await;
    assert!(terminal.is_alternate() && !terminal.is_cooked());
    // The status line is the last row, and the harness has all others.
    assert!(terminal.rows()[19].contains("agent"), "{:?}", terminal.rows());
    assert_eq!(harness_size(&world), (19, 70));

    enter(&mut terminal, "typed by hand").await;
    terminal.wait("the answer", |terminal| terminal.screen().matches("Done.").count() >= 2).await;
    assert_eq!(received(&world).last().map(String::as_str), Some("typed by hand"));

    terminal.types(&[0x1c]);
    let status = terminal.wait_end().await;
    assert!(status.success(), "{status}");
    terminal.wait_text("detached from agent; it goes on").await;
    assert!(!terminal.is_alternate() && terminal.is_cooked(), "the terminal is as it was");
    assert_eq!(world.session("agent")["state"], "ready");
}

#[tokio::test]
async fn what_scrolled_off_before_is_in_the_persons_own_scrollback() {
    let world = World::started();
    let script = "i=0; while [ $i -lt 200 ]; do echo line $i; i=$((i+1)); done; exec cat";
    world.cli(&["spawn", "printer", "--", "sh", "-c", script]).ok();
    let mut ready = world.watch().await;
    ready.event("session.started", "printer", &[]).await;
    let mut terminal = attach(&world, &["printer", "--scrollback", "100"], 20, 70);
    terminal.wait_text("line 199").await;
    let bytes = String::from_utf8_lossy(&terminal.bytes()).into_owned();
    let (past, present) = bytes.split_once("\x1b[?1049h").expect("the alternate screen is entered");
    assert!(past.contains("line 150") && past.contains("line 120"), "{past}");
    assert!(!past.contains("line 10\r"), "only as many lines as asked for: {past}");
    assert!(present.contains("line 199"));
}

/// A world with a command called `sizer` that says how many rows and columns its terminal has, whenever that changes.
fn world_of_sizer() -> World {
    let world = World::started();
    let script = "stty -echo; trap 'stty size' WINCH; stty size; while :; do sleep 0.02; done";
    world.cli(&["spawn", "sizer", "--", "sh", "-c", script]).ok();
    world
}

#[tokio::test]
async fn a_resized_window_reaches_the_harness_and_the_status_line_stays_below_it() {
    let world = world_of_sizer();
    let mut terminal = attach(&world, &["sizer"], 20, 70);
    terminal.wait_text("19 70").await;
    terminal.resize(12, 50);
    terminal.wait_text("11 50").await;
    terminal.wait("the status line", |terminal| terminal.rows()[11].contains("detaches")).await;
    terminal.resize(30, 100);
    terminal.wait_text("29 100").await;
    terminal.wait("the status line", |terminal| terminal.rows()[29].contains("detaches")).await;
    assert_eq!(terminal.screen().matches("detaches").count(), 1);
}

#[tokio::test]
async fn two_persons_share_a_session_and_its_size_follows_whoever_was_active_last() {
    let world = world_of_sizer();
    let mut wide = attach(&world, &["sizer"], 24, 90);
    wide.wait_text("23 90").await;
    let mut narrow = attach(&world, &["sizer"], 16, 40);
    narrow.wait_text("15 40").await;
    wide.wait_text("15 40").await;
    wide.types(b"x");
    wide.wait("its own size again", |terminal| terminal.screen().matches("23 90").count() == 2).await;
    narrow.wait("the other's size", |terminal| terminal.screen().matches("23 90").count() == 2).await;
    // One leaves, and the other has the session to itself.
    wide.types(&[0x1c]);
    wide.wait_end().await;
    narrow.wait("its own size", |terminal| terminal.screen().matches("15 40").count() == 2).await;
}

#[tokio::test]
async fn what_a_terminal_answers_by_itself_is_not_typed() {
    let world = world();
    let mut terminal = attach(&world, &["agent"], 20, 70);
    terminal.wait_text("? for help").await;
    // Attributes, a cursor position, a colour: answers to questions that the harness asked long ago.
    terminal.types(b"\x1b[?62;22c\x1b[12;40R\x1b]11;rgb:1c1c/1c1c/1c1c\x1b\\");
    enter(&mut terminal, "real keys").await;
    terminal.wait("the answer", |terminal| terminal.screen().contains("Done.")).await;
    assert_eq!(received(&world), ["real keys"]);
}

#[tokio::test]
async fn whoever_only_looks_types_nothing_and_has_no_say_in_the_size() {
    let world = world();
    let before = harness_size(&world);
    let mut terminal = attach(&world, &["agent", "--read-only"], 12, 40);
    terminal.wait_text("Ctrl-\\ detaches").await;
    terminal.types(b"nobody reads this\r");
    world.cli(&["send", "agent", "hello", "--wait", "delivered"]).ok();
    terminal.types(&[0x1c]);
    assert!(terminal.wait_end().await.success());
    assert_eq!(received(&world).len(), 1);
    assert_eq!(harness_size(&world), before);
}

#[tokio::test]
async fn a_viewer_that_stops_reading_slows_nobody_and_is_told_why_it_was_cut() {
    let mut world = World::new();
    world.set("POSTHOUSE_LIMITS_SLOW_READER_MS", "1000");
    world.start();
    world
        .cli(&[
            "spawn",
            "printer",
            "--",
            "sh",
            "-c",
            "stty -echo; while read -r n; do head -c $n /dev/zero | tr '\\0' x; echo; echo done $n; done",
        ])
        .ok();
    let mut hello = Hello::new("sleeper");
    hello.entity_type = Some("user".to_owned());
    let mut sleeper = world.connect(hello).await.expect("a welcome");
    let size = Some(WindowSize { cols: 80, rows: 24 });
    let view = Attach { name: "printer".into(), size, read_only: Some(true), after: None, scrollback: None };
    sleeper.call(&view).await.expect("a view");
    let mut watch = world.watch().await;
    let mut terminal = attach(&world, &["printer"], 24, 80);
    terminal.wait_text("Ctrl-\\ detaches").await;
    for round in 0..3 {
        let begun = Instant::now();
        let count = 3_000_000 + round;
        terminal.types(format!("{count}\r").as_bytes());
        terminal.wait_text(&format!("done {count}")).await;
        assert!(begun.elapsed().as_secs() < 20, "the other viewer waited: {:?}", begun.elapsed());
    }
    // It is drawn anew once it reads again, or cut if the rest of the daemon's words don't reach it in time.
    watch.event("connection.cut", "name/sleeper", &["SLOW_CONSUMER"]).await;
    let mut hello = Hello::new("sleeper");
    hello.entity_type = Some("user".to_owned());
    let mut again = world.connect(hello).await.expect("a welcome");
    let told = again.next().await.expect("a word");
    assert_eq!(told.header.kind, FrameType::Error);
    let told: posthouse_protocol::payload::Error = told.body.decode().expect("an error");
    assert_eq!(told.code, posthouse_protocol::ErrorCode::SlowConsumer, "{told:?}");
}
