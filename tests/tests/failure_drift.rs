//! A failure that no rule knows is kept without secrets, told of once, and can be given to `classify`.

use posthouse_tests::standin::DEFINITION;
use posthouse_tests::world::{World, program};

#[tokio::test]
async fn an_end_that_no_rule_knows_is_kept_listed_and_judged_again() {
    let mut world = World::new();
    let definition =
        DEFINITION.replace("program = \"standin\"", &format!("program = {:?}", program("standin")));
    // Only of a harness with a provider is it asked why it ended.
    let definition = definition.replace("name = \"standin\"", "name = \"standin\"\nprovider = \"acme\"");
    world.define_harness("standin", &definition);
    world.start();
    assert!(world.cli(&["failure", "ls"]).ok().out.contains("no failure was seen"));
    world.cli(&["spawn", "agent", "--harness", "standin", "--wait-ready"]).ok();
    let mut watch = world.watch().await;
    world.cli(&["send", "agent", "DO exit 7"]).ok();
    watch.event("failure.unknown", "agent", &["exit code 7", "posthouse failure show"]).await;

    let listed = world.cli(&["failure", "ls", "--json"]).ok().json();
    let [one] = listed["failures"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    assert_eq!((&one["harness"], &one["exit"], &one["count"]), (&"standin".into(), &7.into(), &1.into()));
    let id = one["id"].as_str().unwrap();
    let case = world.cli(&["failure", "show", id]).ok().out;
    let judged = world.cli_with_input(&["failure", "classify"], case.as_bytes()).ok().json();
    assert_eq!((&judged["id"], &judged["failover"]), (&id.into(), &"never".into()), "unknown never benches");
    let wrong = world.cli(&["failure", "show", "zzz"]);
    assert!(wrong.err.contains("zzz"), "{wrong:?}");

    world.kill_and_restart();
    assert_eq!(world.cli(&["failure", "ls", "--json"]).ok().json()["failures"][0]["id"], id);
}
