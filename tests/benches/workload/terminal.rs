//! How fast a program's output passes: through a bare terminal, and through holder, ring, screen and detection.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use posthouse_protocol::payload::Screen;
use posthouse_tests::standin::DEFINITION;
use posthouse_tests::world::{World, parent};

use super::{Contender, Effort, Workload, figure, on_one_thread};
use crate::bare::Bare;
use crate::process;
use crate::program::{Desk, LAST, argv};
use crate::report::Better::{Less, More};
use crate::report::Goal;
use crate::sessions::Sessions;

/// Bytes put out in one measurement.
const VOLUME: usize = 48 << 20;

pub fn workloads(effort: Effort) -> Vec<Workload> {
    let volume = effort.count(VOLUME);
    let lines = |line: fn(usize) -> String| (0..2_000).map(line).collect::<String>().into_bytes();
    let plain = lines(|n| format!("line {n} the quick brown fox jumps over the lazy dog and goes on\r\n"));
    let coloured = lines(|n| format!("\x1b[32mline {n}\x1b[0m the \x1b[1mquick\x1b[22m brown fox\x1b[K\r\n"));
    vec![
        workload("terminal output, plain lines", plain.clone(), volume),
        workload("terminal output, coloured lines", coloured.clone(), volume / 2),
        workload("terminal output, codex at work", recorded(), volume / 4),
        detection("what detection costs, plain lines", plain, volume),
        detection("what detection costs, coloured lines", coloured, volume / 2),
        detection("what detection costs, codex at work", recorded(), volume / 4),
    ]
}

/// The same session with and without anything being looked for in its output.
fn detection(title: &'static str, content: Vec<u8>, volume: usize) -> Workload {
    let (home, file, times, bytes) = written(&content, volume);
    let watched_file = file.clone();
    Workload {
        title,
        figures: vec![
            figure("throughput", "MiB/s", More),
            figure("CPU of the daemon and the holder for each MiB", "ms", Less),
        ],
        contenders: vec![
            Contender::new("posthouse, without detection", move || {
                let _kept = &home;
                session("generic", &file, times, bytes)
            }),
            Contender::new("posthouse", move || session("watched", &watched_file, times, bytes))
                .aiming_at([Some(Goal::Ratio(0.95)), Some(Goal::Ratio(1.05))]),
        ],
    }
}

/// What codex drew in a recorded session.
fn recorded() -> Vec<u8> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/recordings/codex/gpt.billing.jsonl");
    let text = std::fs::read_to_string(&data).unwrap_or_else(|e| panic!("{}: {e}", data.display()));
    let events = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    // Its questions at the start would be answered into a program that does not read.
    let drawing =
        |event: &serde_json::Value| event["k"] == "o" && event["t"].as_f64().is_some_and(|t| t > 1.0);
    let output = events.filter(drawing).filter_map(|event| Some(event["d"].as_str()?.to_owned()));
    output.collect::<String>().into_bytes()
}

fn workload(title: &'static str, content: Vec<u8>, volume: usize) -> Workload {
    let (home, file, times, bytes) = written(&content, volume);
    let (bare_file, watched_file) = (file.clone(), file);
    Workload {
        title,
        figures: vec![figure("throughput", "MiB/s", More)],
        contenders: vec![
            Contender::new("bare PTY", move || {
                let _kept = &home;
                bare(&bare_file, times, bytes)
            }),
            Contender::new("posthouse", move || {
                session("watched", &watched_file, times, bytes).drain(..1).collect()
            })
            .aiming_at([Some(Goal::Ratio(0.6))]),
        ],
    }
}

/// A file with this content, in a directory of its own; how often it is to be put out, and how much that is.
fn written(content: &[u8], volume: usize) -> (tempfile::TempDir, PathBuf, usize, usize) {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("content");
    std::fs::write(&file, content).expect("a file");
    let times = (volume / content.len()).max(1);
    (home, file, times, times * content.len())
}

fn rate(bytes: usize, took: Duration) -> Vec<f64> {
    vec![bytes as f64 / f64::from(1 << 20) / took.as_secs_f64()]
}

fn flood(file: &Path, times: usize, desk: &Desk) -> Vec<String> {
    argv(&["flood", &file.to_string_lossy(), &times.to_string(), &desk.socket.to_string_lossy()])
}

fn bare(file: &Path, times: usize, bytes: usize) -> Vec<f64> {
    let desk = Desk::new();
    let mut bare = Bare::start(&flood(file, times, &desk));
    let mut program = desk.accept();
    let begun = Instant::now();
    program.write_all(&[1]).expect("a start");
    let (mut read, mut buffer) = (0, vec![0; 64 << 10]);
    while read < bytes {
        read += bare.terminal.read(&mut buffer).expect("output");
    }
    rate(bytes, begun.elapsed())
}

/// Until the daemon's own screen shows the last line: the throughput, and the CPU that each MiB took.
fn session(harness: &str, file: &Path, times: usize, bytes: usize) -> Vec<f64> {
    let world = World::new();
    world.define_harness("watched", &watched());
    let mut world = world;
    world.start();
    let daemon = world.daemon_pid();
    on_one_thread(async {
        let mut sessions = Sessions::new(world).await;
        let desk = Desk::new();
        let argv = flood(file, times, &desk);
        // The definition has a program of its own, and it is this one.
        let args = if harness == "generic" { argv } else { argv.get(1..).unwrap_or_default().to_vec() };
        let holder = parent(sessions.spawn("flood", harness, args).await.pid.expect("a process"));
        let mut program = desk.accept();
        let spent = || process::cpu(daemon) + process::cpu(holder);
        let (before, begun) = (spent(), Instant::now());
        program.write_all(&[1]).expect("a start");
        loop {
            let screen = Screen { name: "flood".to_owned(), ansi: None };
            let screen = sessions.client.call(&screen).await.expect("a screen");
            if screen.rows.iter().any(|row| row.contains(LAST)) {
                let mut figures = rate(bytes, begun.elapsed());
                figures.push((spent() - before).as_secs_f64() * 1e3 / (bytes as f64 / f64::from(1 << 20)));
                return figures;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
}

/// The stand-in's definition, with all its markers, for this program.
fn watched() -> String {
    let program: PathBuf = std::env::current_exe().expect("this program");
    let launch = format!("[launch]\nprogram = {:?}\n", program.to_string_lossy());
    let body = DEFINITION.split_once("[environment]").map(|(_, rest)| rest).unwrap_or_default();
    format!("name = \"watched\"\n{launch}\n[environment]{body}")
}
