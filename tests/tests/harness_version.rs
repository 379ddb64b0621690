//! A version of a harness that never ran here is announced, once.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use posthouse_tests::standin::DEFINITION;
use posthouse_tests::world::{World, program};

/// The stand-in behind a script that says it is this version, as an upgrade puts it there: by rename.
fn install(script: &Path, version: &str) {
    let text = format!(
        "#!/bin/sh\nif [ \"$1\" = --version ]; then echo acme-cli {version}; exit; fi\nexec {:?} \"$@\"\n",
        program("standin")
    );
    let new = script.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(new, script).unwrap();
}

fn announced(world: &World) -> Vec<String> {
    let events = world.cli(&["events", "--json", "--kind", "harness.version"]).ok().json();
    let events = events["events"].as_array().unwrap().iter();
    events.map(|event| event["data"]["version"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_version_that_never_ran_here_is_announced_once() {
    let mut world = World::new();
    let script = world.home().join("acme");
    install(&script, "1.2.3");
    let definition = DEFINITION
        .replace("program = \"standin\"", &format!("program = {script:?}"))
        .replace("name = \"standin\"", "name = \"standin\"\nmeasured = \"1.2.2\"");
    world.define_harness("standin", &definition);
    world.start();
    let mut watch = world.watch().await;
    world.cli(&["spawn", "one", "--harness", "standin", "--wait-ready"]).ok();
    watch
        .event(
            "harness.version",
            "standin",
            &["standin 1.2.3 runs here for the first time", "measured with 1.2.2"],
        )
        .await;

    // Versions are taken up in the order in which the sessions started: when the third is told of, so is the second.
    world.cli(&["spawn", "two", "--harness", "standin", "--wait-ready"]).ok();
    install(&script, "1.2.4");
    world.cli(&["spawn", "three", "--harness", "standin", "--wait-ready"]).ok();
    watch.event("harness.version", "standin", &["1.2.4"]).await;
    assert_eq!(announced(&world), ["1.2.3", "1.2.4"]);

    world.kill_and_restart();
    let mut watch = world.watch().await;
    world.cli(&["spawn", "four", "--harness", "standin", "--wait-ready"]).ok();
    install(&script, "1.2.2");
    world.cli(&["spawn", "five", "--harness", "standin", "--wait-ready"]).ok();
    watch.event("harness.version", "standin", &["it is the version its definition was measured with"]).await;
    assert_eq!(announced(&world), ["1.2.3", "1.2.4", "1.2.2"]);
}
