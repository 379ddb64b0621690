//! What a run may take together, by the kernel's word: only where this test runs in the subgroup `daemon` of a delegated
//! unit, as after `systemd-run --user --pty -p Delegate=yes -p DelegateSubgroup=daemon cargo test`. Elsewhere it says that
//! it shows nothing, and looks at what the daemon says of that.

use posthouse_tests::world::{PATIENCE, World};

#[tokio::test]
async fn a_session_that_eats_memory_and_forks_is_stopped_at_its_limits() {
    let mut world = World::new();
    world.set("POSTHOUSE_RUNS_MEMORY_BYTES", (64 << 20).to_string());
    world.set("POSTHOUSE_RUNS_TASKS", "24");
    world.start();
    let looked = world.cli(&["doctor", "--json"]).json();
    let checks = looked["checks"].as_array().expect("checks");
    let confines = checks.iter().find(|check| check["name"] == "confines").expect("a check of confines");
    if confines["outcome"] != "ok" {
        assert_eq!(confines["outcome"], "warning", "{confines}");
        assert!(confines["fix"].as_str().is_some_and(|fix| fix.contains("systemd")), "{confines}");
        eprintln!("SKIPPED: {}", confines["detail"].as_str().unwrap_or_default());
        // Sessions run all the same.
        world.cli(&["spawn", "unlimited", "--", "cat"]).ok();
        return;
    }
    let mut watch = world.watch().await;
    world.cli(&["spawn", "eater", "--restart", "on-failure", "--", "tail", "/dev/zero"]).ok();
    watch.event("session.crashed", "eater", &["signal 9", "memory ran out"]).await;
    let count = world.home().join("count");
    let forks = format!(
        "n=0; while [ $n -lt 100 ] && (sleep 1000 &); do n=$((n+1)); done; echo $n > {0}.new; mv {0}.new {0}; exec cat",
        count.display()
    );
    world.cli(&["spawn", "forker", "--", "sh", "-c", &forks]).ok();
    let counted = async {
        while !count.exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, counted).await.expect("it counts");
    let forked: u32 = std::fs::read_to_string(&count).expect("a count").trim().parse().expect("a number");
    assert!(forked < 24, "{forked} processes beside its own");
}
