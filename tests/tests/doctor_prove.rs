//! `posthouse doctor --prove` on this host, as a user would.

use posthouse_tests::world::World;

/// What scripts find in the document.
const FIELDS: [&str; 8] =
    ["deaths", "delivered", "faults", "messages", "proven", "slowest_return_ms", "took_ms", "uncertain"];

#[test]
fn it_proves_that_a_killed_daemon_loses_nothing_and_leaves_nothing_behind() {
    // No daemon of the user's runs, and none is started.
    let mut world = World::new();
    let scratch = world.home().join("scratch");
    std::fs::create_dir(&scratch).unwrap();
    world.set("TMPDIR", &scratch);
    let shown = world.cli(&["doctor", "--prove", "--json"]).ok().json();
    assert_eq!(shown["proven"], true, "{shown}");
    let fields: Vec<&str> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, FIELDS);
    assert_eq!((&shown["deaths"], &shown["messages"]), (&8.into(), &16.into()));
    assert_eq!(shown["delivered"].as_u64().unwrap() + shown["uncertain"].as_u64().unwrap(), 16, "{shown}");
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0, "nothing is left");
    assert!(!world.socket().exists());
    let told = world.cli(&["doctor", "--prove"]).ok().out;
    assert!(told.contains("went on in the same process") && told.contains("16 messages"), "{told}");
}
