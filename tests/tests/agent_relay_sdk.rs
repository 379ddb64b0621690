//! The unmodified Agent Relay SDK against a real daemon: `tests/data/sdk/checks.mjs` drives it from Node.

use std::path::Path;
use std::process::Command;

use posthouse_tests::lab::find_cli_or_skip;
use posthouse_tests::world::World;

#[test]
fn the_agent_relay_sdk_is_at_home() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sdk = root.join("../.ci/clis/node_modules/@agent-relay/sdk");
    let Some(node) = find_cli_or_skip("node") else { return };
    let required = std::env::var_os("POSTHOUSE_REQUIRE_CLIS").is_some_and(|value| value == "1");
    if !sdk.is_dir() {
        assert!(!required, "the SDK is missing; `.ci/install-clis` installs it");
        eprintln!("SKIPPED: the Agent Relay SDK is missing; `.ci/install-clis` installs it");
        return;
    }
    let world = World::started();
    let checks = Command::new(node)
        .arg(root.join("data/sdk/checks.mjs"))
        .arg(world.socket())
        .arg(sdk)
        .output()
        .expect("node starts");
    let said = String::from_utf8_lossy(&checks.stdout);
    assert!(checks.status.success(), "{said}\n{}", String::from_utf8_lossy(&checks.stderr));
    assert_eq!(said.lines().filter(|line| line.starts_with("ok ")).count(), 15, "{said}");
}
