//! The kill matrix as a command: prints the table and ends with 1 if anything was not as promised. Names of points and
//! kinds of messages or scenes as arguments choose among them.

use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

use posthouse_tests::killing::scenes::{self, Scene};
use posthouse_tests::killing::table::{self, Row};
use posthouse_tests::killing::{Kind, ON_THE_WAY, along};
use posthouse_tests::world::build_programs;
use posthoused::fail_point::Point;

/// More deaths than any message has occasions at one point.
const MOST: u32 = 16;
/// Worlds at a time.
const AT_ONCE: usize = 5;

/// What happens in one world.
enum Job {
    Along(Kind, Vec<Point>),
    Scene(Scene),
}

fn main() -> ExitCode {
    if cfg!(not(debug_assertions)) {
        eprintln!("there are no fail points in a release build: run it without --release");
        return ExitCode::from(2);
    }
    if let Err(why) = build_programs() {
        eprintln!("failed to build the programs: {why}");
        return ExitCode::FAILURE;
    }
    let begun = Instant::now();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let jobs = Mutex::new(chosen(&words).into_iter().enumerate());
    let rows = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((at, job)) = next(&jobs) {
                    let done = on_a_runtime(run(job));
                    if let Ok(mut rows) = rows.lock() {
                        rows.push((at, done));
                    }
                }
            });
        }
    });
    let mut rows = rows.into_inner().expect("no kind of death ends the matrix");
    rows.sort_by_key(|(at, _)| *at);
    let rows: Vec<Row> = rows.into_iter().flat_map(|(_, rows)| rows).collect();
    if table::print(&rows, begun.elapsed().as_secs()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Everything, or what is named.
fn chosen(words: &[String]) -> Vec<Job> {
    let named = |name: &str| words.iter().any(|word| word == name);
    let is_point = |word: &String| Point::ALL.iter().any(|point| point.name() == word);
    let any_kind = words.iter().all(is_point);
    let any_point = !words.iter().any(is_point);
    let points: Vec<Point> =
        ON_THE_WAY.into_iter().filter(|point| any_point || named(point.name())).collect();
    let kinds = Kind::ALL.into_iter().filter(|kind| any_kind || named(kind.name()));
    let along = kinds.filter(|_| !points.is_empty()).map(|kind| Job::Along(kind, points.clone()));
    let scenes = scenes::ALL
        .into_iter()
        .filter(|(name, point)| (any_kind || named(name)) && (any_point || named(point.name())));
    along.chain(scenes.map(Job::Scene)).collect()
}

fn next<T>(jobs: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    jobs.lock().ok()?.next()
}

async fn run(job: Job) -> Vec<Row> {
    match job {
        Job::Along(kind, points) => along(kind, &points, MOST).await,
        Job::Scene(scene) => vec![scenes::play(scene).await],
    }
}

fn on_a_runtime<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future)
}
