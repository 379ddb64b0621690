//! Nothing is usable and no time is known: the session stays, tells how to mend it, and goes on by itself once it is mended.

use posthouse_tests::standin::definition_for;
use posthouse_tests::standin::record::entries;
use posthouse_tests::world::World;

fn received(world: &World, key: &str) -> Vec<String> {
    let told = entries(&world.home().join("log")).into_iter();
    told.filter(|entry| entry.event == "received" && entry.key == key)
        .filter_map(|entry| Some(entry.text.split_once('\n')?.1.to_owned()))
        .collect()
}

async fn goes_on_after_a_login(dies_between: bool) {
    let mut world = World::new();
    let revoked = world.home().join("revoked");
    world.set("STANDIN_LOG", world.home().join("log"));
    world.set("STANDIN_REVOKED", &revoked);
    world.define_harness("standin", &definition_for("acme"));
    world.start();
    world.cli_with_input(&["credential", "add", "acme", "only", "--api-key-stdin"], b"key-old").ok();
    world.cli(&["spawn", "agent", "--route", "standin@acme/only", "--wait-ready"]).ok();
    world.cli(&["send", "agent", "works", "--wait", "delivered"]).ok();
    let mut watch = world.watch().await;
    watch.event("session.turn_ended", "agent", &[]).await;
    std::fs::write(&revoked, "key-old\n").unwrap();
    world.cli(&["send", "agent", "must not get lost", "--wait", "delivered"]).ok();
    watch.event("decision", "agent", &["\"surface\""]).await;
    watch.event("session.trouble", "agent", &["\"repair\""]).await;
    let stuck = world.session("agent");
    assert_eq!(stuck["trouble"]["repair"], "posthouse login acme/only --from-stdin", "{stuck}");
    if dies_between {
        world.kill_and_restart();
        watch = world.watch().await;
        watch.event("session.adopted", "agent", &[]).await;
        let stuck = world.session("agent");
        assert_eq!(stuck["trouble"]["repair"], "posthouse login acme/only --from-stdin", "{stuck}");
    }
    // Somebody looks at it, which changes nothing.
    world.cli(&["credential", "check", "acme/only"]);
    world.cli_with_input(&["login", "acme/only", "--from-stdin"], b"key-new").ok();
    watch.event("decision", "agent", &["\"free\"", "made anew"]).await;
    watch.event("session.moved", "agent", &["\"resumed\":true"]).await;
    watch.event("credential", "acme/only", &["\"proven\"", "\"generation\":2"]).await;
    watch.event("session.trouble", "agent", &["null"]).await;
    assert_eq!(received(&world, "key-old"), ["works", "must not get lost"]);
    assert_eq!(received(&world, "key-new"), ["must not get lost"]);
    let free = world.session("agent");
    assert!(free["trouble"].is_null() && free["mount"] == "standin@acme/only", "{free}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_without_a_login_goes_on_with_its_message_once_there_is_one() {
    goes_on_after_a_login(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_does_though_the_daemon_died_meanwhile() {
    goes_on_after_a_login(true).await;
}
