//! Ending a run: politely first, then for certain, with everything it left behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};

use posthoused::holder::link::HolderEvent;
use posthoused::holder::run::{Exit, RUN_MARK, RunId, Survivor};
use posthoused::holder::survey;
use posthoused::holder::wire::Rung;
use support::{Held, Yard, is_alive, until_dead};
use uuid::Uuid;

const TERM: i32 = nix::libc::SIGTERM;

fn term(grace_ms: u32) -> Vec<Rung> {
    vec![Rung { signal: TERM, grace_ms }]
}

/// The numbers the script printed as `pid=N`, once there are `count`.
async fn pids(held: &mut Held, count: usize) -> Vec<u32> {
    loop {
        let text = held.text();
        let complete = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
        let found: Vec<u32> =
            complete.lines().filter_map(|line| line.trim_end().strip_prefix("pid=")?.parse().ok()).collect();
        if found.len() == count {
            return found;
        }
        held.next().await;
    }
}

async fn remains(held: &mut Held) -> Vec<Survivor> {
    match held.until(|event| matches!(event, HolderEvent::Remains(_))).await {
        HolderEvent::Remains(survivors) => survivors,
        _ => unreachable!(),
    }
}

/// A process outside of the holder's tree that carries a run's mark.
fn stranger(run: RunId) -> Child {
    Command::new("sleep").arg("1000").env(RUN_MARK, run.to_string()).stdin(Stdio::null()).spawn().unwrap()
}

#[tokio::test]
async fn a_run_that_ends_when_asked_ends_its_own_way() {
    let yard = Yard::new();
    let mut held =
        yard.start(&yard.shell("trap 'echo bye; exit 9' TERM; echo up; while :; do read x; done")).await;
    held.until_text("up").await;
    held.link.handle.end(term(25_000)).await.unwrap();
    held.until_gone().await;
    assert_eq!(held.exit, Some(Exit::Code(9)));
    assert!(held.text().contains("bye"), "{}", held.text());
    held.finish().await;
}

#[tokio::test]
async fn a_run_that_does_not_listen_is_killed_after_its_grace() {
    let yard = Yard::new();
    let mut held = yard.start(&yard.shell("trap '' TERM INT; echo up; while :; do sleep 1000; done")).await;
    held.until_text("up").await;
    let rungs = vec![Rung { signal: nix::libc::SIGINT, grace_ms: 20 }, Rung { signal: TERM, grace_ms: 20 }];
    held.link.handle.end(rungs).await.unwrap();
    held.until_gone().await;
    assert_eq!(held.exit, Some(Exit::Signal(9)));
    held.finish().await;
}

#[tokio::test]
async fn a_stopped_run_still_hears_the_polite_signal() {
    let yard = Yard::new();
    let mut held = yard.start(&yard.shell("trap 'exit 8' TERM; echo up; kill -STOP $$; echo on")).await;
    held.until_text("up").await;
    held.link.handle.end(term(25_000)).await.unwrap();
    held.until_gone().await;
    assert_eq!(held.exit, Some(Exit::Code(8)));
    held.finish().await;
}

/// Everything an agent might leave behind: a background job, one in its own session, a daemon
/// twice forked, and one that has scrubbed its environment as well.
const LITTER: &str = "
    trap '' HUP
    sh -c 'echo pid=$$; exec sleep 1000' &
    setsid sh -c 'trap \"\" TERM; echo pid=$$; exec sleep 1000' &
    (setsid sh -c 'echo pid=$$; exec sleep 1000' &)
    (setsid env -i PATH=$PATH sh -c 'trap \"\" TERM HUP; echo pid=$$; while :; do sleep 1000; done' &)
";

#[tokio::test]
async fn what_a_dead_leader_left_behind_is_told_and_then_ended() {
    let yard = Yard::new();
    let mut held = yard.start(&yard.shell(&format!("{LITTER} read go; exit 0"))).await;
    let pids = pids(&mut held, 4).await;
    held.link.handle.write(support::operation(), vec![support::bytes("\n")]).await.unwrap();
    let left = remains(&mut held).await;
    assert_eq!(held.exit, Some(Exit::Code(0)));
    for pid in &pids {
        assert!(left.iter().any(|survivor| survivor.pid == *pid), "{pid} of {left:?}");
    }
    let status = held.link.handle.status().await.unwrap();
    assert!(!status.gone && status.survivors.len() >= 4, "{status:?}");
    held.link.handle.end(term(50)).await.unwrap();
    held.until_gone().await;
    assert!(pids.iter().all(|pid| !is_alive(*pid)));
    held.finish().await;
}

#[tokio::test]
async fn a_living_run_is_ended_with_all_its_descendants() {
    let yard = Yard::new();
    let mut held = yard.start(&yard.shell(&format!("{LITTER} while :; do read x; done"))).await;
    let pids = pids(&mut held, 4).await;
    held.link.handle.end(term(50)).await.unwrap();
    held.until_gone().await;
    assert!(pids.iter().all(|pid| !is_alive(*pid)));
    held.finish().await;
}

#[tokio::test]
async fn processes_that_keep_coming_back_lose() {
    let yard = Yard::new();
    let phoenix = "(setsid sh -c 'trap \"\" TERM; while :; do sleep 0.01 & sleep 0.01; done' &)\n";
    let mut held = yard.start(&yard.shell(&format!("{}echo up; exec sleep 1000", phoenix.repeat(4)))).await;
    held.until_text("up").await;
    let (run, holder) = (held.link.handle.identity().run, held.link.handle.identity().holder_pid);
    held.link.handle.end(Vec::new()).await.unwrap();
    held.until_gone().await;
    assert_eq!(survey::survivors(run, Some(holder)).unwrap(), []);
    held.finish().await;
}

#[tokio::test]
async fn a_marked_process_outside_of_the_tree_belongs_to_its_run_and_to_no_other() {
    let yard = Yard::new();
    let spec = yard.shell("read go");
    let mut held = yard.start(&spec).await;
    let mut ours = stranger(spec.run);
    let mut other = stranger(RunId::new(Uuid::now_v7()));
    held.link.handle.write(support::operation(), vec![support::bytes("\n")]).await.unwrap();
    assert_eq!(remains(&mut held).await, [Survivor { pid: ours.id(), name: "sleep".into() }]);
    held.link.handle.end(term(10)).await.unwrap();
    held.until_gone().await;
    assert!(!ours.wait().unwrap().success());
    assert!(other.try_wait().unwrap().is_none(), "another run's process is left alone");
    other.kill().unwrap();
    other.wait().unwrap();
    held.finish().await;
}

#[tokio::test]
async fn a_run_is_gone_when_its_last_process_has_ended_by_itself() {
    let yard = Yard::new();
    let fifo = yard.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let script = "trap '' HUP; (sh -c 'echo pid=$$; read x < fifo; echo late' &); read go";
    let mut held = yard.start(&yard.shell(script)).await;
    pids(&mut held, 1).await;
    held.link.handle.write(support::operation(), vec![support::bytes("\n")]).await.unwrap();
    remains(&mut held).await;
    std::fs::write(&fifo, "\n").unwrap();
    held.until_gone().await;
    held.finish().await;
}

#[tokio::test]
async fn orphans_fall_to_the_holder_and_are_reaped() {
    let yard = Yard::new();
    let script = "i=0; while [ $i -lt 20 ]; do (sh -c 'exit 3' &); i=$((i+1)); done; echo up; read x";
    let mut held = yard.start(&yard.shell(script)).await;
    held.until_text("up").await;
    let identity = held.link.handle.identity();
    let children = format!("/proc/{0}/task/{0}/children", identity.holder_pid);
    while std::fs::read_to_string(&children).unwrap().trim() != identity.child_pid.to_string() {
        tokio::task::yield_now().await;
    }
    assert_eq!(held.exit, None);
    held.finish().await;
}

#[tokio::test]
async fn a_holder_told_to_terminate_keeps_its_run_and_leaves_with_it() {
    let yard = Yard::new();
    let spec = yard.shell("echo up; read x; exit 6");
    let mut held = yard.start(&spec).await;
    held.until_text("up").await;
    let holder = held.link.handle.identity().holder_pid;
    for signal in [nix::sys::signal::SIGTERM, nix::sys::signal::SIGHUP, nix::sys::signal::SIGINT] {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(holder.cast_signed()), signal).unwrap();
    }
    held.link.handle.write(support::operation(), vec![support::bytes("\n")]).await.unwrap();
    held.until_gone().await;
    assert_eq!(held.exit, Some(Exit::Code(6)));
    until_dead(holder).await;
    assert!(!spec.socket.exists());
}

/// Needs a writable version 2 control group; where there is none, says so.
#[tokio::test]
async fn a_delegated_control_group_holds_the_run() {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let root = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"));
    let parent = root
        .and_then(|line| line.split(' ').nth(1))
        .map(|root| Path::new(root).join(format!("posthouse-test-{}", std::process::id())));
    let Some(parent) = parent.filter(|parent| std::fs::create_dir(parent).is_ok()) else {
        eprintln!("NOTICE: no writable cgroup2 here; a_delegated_control_group_holds_the_run was not tried");
        return;
    };
    let yard = Yard::new();
    let mut spec = yard.shell(&format!("{LITTER} while :; do read x; done"));
    spec.cgroup = Some(parent.clone());
    let mut held = yard.start(&spec).await;
    let pids = pids(&mut held, 4).await;
    let group = parent.join(format!("run-{}", spec.run));
    let members = std::fs::read_to_string(group.join("cgroup.procs")).unwrap();
    for pid in &pids {
        assert!(members.lines().any(|line| line == pid.to_string()), "{pid} in {members}");
    }
    held.link.handle.end(Vec::new()).await.unwrap();
    held.until_gone().await;
    let holder = held.link.handle.identity().holder_pid;
    held.finish().await;
    until_dead(holder).await;
    assert!(!group.exists());
    std::fs::remove_dir(&parent).unwrap();
}
