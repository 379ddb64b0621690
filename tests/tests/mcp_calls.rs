//! What clients expect of calls that take their time and of lists that are long: progress, giving up, pages.

use posthouse_tests::mcp::{Mcp, outcome};
use posthouse_tests::standin::DEFINITION;
use posthouse_tests::world::{World, program};
use serde_json::json;

#[test]
fn a_wait_that_is_given_up_takes_no_message() {
    let world = World::started();
    for mut mcp in [Mcp::legacy(&world, "ed"), Mcp::modern(&world, "ed")] {
        let waiting = mcp.post_call("wait_for_message", json!({ "timeout_s": 50 }), "wait");
        let told = mcp.progress("wait");
        assert_eq!((&told["total"], &told["message"]), (&json!(50.0), &"waiting for a message".into()));
        mcp.cancel(waiting);
        // What is asked behind it is answered, and the wait is not.
        mcp.call("inbox", json!({}));
        world.cli(&["send", "ed", "not for the one who gave up"]).ok();
        let taken = mcp.call("wait_for_message", json!({ "timeout_s": 50 }));
        assert_eq!(taken["message"]["text"], "not for the one who gave up");
    }
}

#[test]
fn a_wait_ends_when_its_client_goes_away() {
    let world = World::started();
    for (mut gone, mut next) in [
        (Mcp::legacy(&world, "ed"), Mcp::legacy(&world, "ed")),
        (Mcp::modern(&world, "ed"), Mcp::modern(&world, "ed")),
    ] {
        let waiting = gone.post_call("wait_for_message", json!({ "timeout_s": 50 }), "wait");
        gone.progress("wait");
        gone.leave();
        let why = outcome(&gone.answer(waiting)).unwrap_err();
        assert!(why.contains("gone away"), "{why}");
        world.cli(&["send", "ed", "for whoever is there"]).ok();
        let taken = next.call("wait_for_message", json!({ "timeout_s": 0 }));
        assert_eq!(taken["message"]["text"], "for whoever is there", "it is there already");
    }
}

#[test]
fn a_send_that_waits_tells_each_step_and_ends_with_the_last() {
    let mut world = World::new();
    let definition =
        DEFINITION.replace("program = \"standin\"", &format!("program = {:?}", program("standin")));
    world.define_harness("standin", &definition);
    world.start();
    world.cli(&["spawn", "builder", "--harness", "standin", "--wait-ready"]).ok();
    for mut mcp in [Mcp::legacy(&world, "ed"), Mcp::modern(&world, "ed")] {
        let arguments = json!({ "to": "builder", "text": "go on", "wait_s": 50 });
        let sending = mcp.post_call("send", arguments, "steps");
        let mut last = 0.0;
        loop {
            let told = mcp.progress("steps");
            let (progress, said) = (told["progress"].as_f64().unwrap(), told["message"].as_str().unwrap());
            assert!(progress > last && said.starts_with("builder: "), "{told}");
            last = progress;
            if said == "builder: delivered" {
                break;
            }
        }
        let sent = outcome(&mcp.answer(sending)).unwrap();
        let receipt = &sent["receipts"][0];
        assert_eq!((&receipt["state"], &receipt["ended"]), (&"delivered".into(), &true.into()), "{sent}");
    }
    // Whoever waited long enough is told what there is.
    let mut mcp = Mcp::modern(&world, "ed");
    let sent = mcp.call("send", json!({ "to": "ed", "text": "to nobody who listens", "wait_s": 0 }));
    assert_eq!(sent["receipts"][0]["ended"], false, "{sent}");
}

#[test]
fn long_lists_come_in_pages_and_a_made_up_cursor_is_refused() {
    let world = World::started();
    for n in 0..53 {
        world.cli(&["spawn", &format!("s{n:02}"), "--", "cat"]).ok();
    }
    for mut mcp in [Mcp::legacy(&world, "ed"), Mcp::modern(&world, "ed")] {
        let first = mcp.ask("resources/list", json!({}));
        let second = mcp.ask("resources/list", json!({ "cursor": first["nextCursor"] }));
        assert!(second.get("nextCursor").is_none(), "{second}");
        let pages = [&first, &second].map(|page| page["resources"].as_array().unwrap());
        assert_eq!(pages.map(Vec::len), [3 + 50, 3]);
        let mut places: Vec<&str> =
            pages.into_iter().flatten().map(|one| one["uri"].as_str().unwrap()).collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 3 + 53, "each once");
        for list in ["resources/list", "resources/templates/list", "tools/list", "prompts/list"] {
            let error = mcp.refusal(list, json!({ "cursor": "made up" }));
            assert_eq!(error["code"], -32602, "{list}: {error}");
        }
    }
}
