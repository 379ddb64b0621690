//! The MCP bridge as its clients see it: lines of JSON-RPC on standard input and output, in both eras of the protocol.

use std::time::{Duration, Instant};

use posthouse_protocol::FrameType;
use posthouse_protocol::payload::ChannelMessage;
use posthouse_tests::mcp::{Mcp, outcome};
use posthouse_tests::standin::DEFINITION;
use posthouse_tests::world::{World, program};
use serde_json::{Value, json};

#[test]
fn the_tools_are_these_with_schemas_that_every_client_reads() {
    let world = World::new();
    for mut mcp in [Mcp::legacy(&world, "ed"), Mcp::modern(&world, "ed")] {
        assert_eq!((&mcp.server["name"], &mcp.server["title"]), (&"posthouse".into(), &"Posthouse".into()));
        let icon = mcp.server["icons"][0]["src"].as_str().expect("an icon");
        assert!(icon.starts_with("data:image/svg+xml;base64,"), "nothing is fetched: {icon}");
        let listed = mcp.ask("tools/list", json!({}));
        let tools = listed["tools"].as_array().unwrap();
        let names: Vec<&str> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
        insta::assert_snapshot!("tools", names.join("\n"));
        for tool in tools {
            assert!(tool["description"].is_string() && tool["annotations"].is_object(), "{tool}");
            assert!(tool["title"].is_string(), "{tool}");
            assert!(tool["outputSchema"]["type"] == "object", "{tool}");
        }
        assert!(!listed.to_string().contains("\"format\":\"uint"), "clients know no such formats: {listed}");
    }
}

#[test]
fn without_a_daemon_every_call_is_answered_at_once_with_what_mends_it() {
    let world = World::new();
    for mut mcp in [Mcp::legacy(&world, "ed"), Mcp::modern(&world, "ed")] {
        let arguments = json!({ "name": "x", "to": "x", "text": "x", "message": "x", "channel": "x" });
        let listed = mcp.ask("tools/list", json!({}));
        for tool in listed["tools"].as_array().unwrap() {
            let begun = Instant::now();
            let why = mcp.try_call(tool["name"].as_str().unwrap(), arguments.clone()).unwrap_err();
            assert!(why.contains("posthouse up"), "{tool}: {why}");
            assert!(begun.elapsed() < Duration::from_millis(300), "{tool} took {:?}", begun.elapsed());
        }
    }
    assert!(!world.socket().exists(), "no daemon was started");
}

#[test]
fn two_editors_write_to_each_other_and_the_daemon_may_die_between() {
    let mut world = World::started();
    let (mut ann, mut bob) = (Mcp::legacy(&world, "ann"), Mcp::modern(&world, "bob"));
    assert_eq!(
        ann.try_call("send", json!({ "to": "nobody", "text": "?" })).unwrap_err().split(':').next(),
        Some("NO_SUCH_NAME")
    );
    // Names are known once they have connected.
    bob.call("inbox", json!({}));
    ann.call("inbox", json!({}));

    let sent = ann.call("send", json!({ "to": "bob", "text": "hello" }));
    assert_eq!(sent["receipts"][0]["state"], "accepted");
    world.kill_and_restart();
    let taken = bob.call("wait_for_message", json!({ "timeout_s": 20 }))["message"].clone();
    assert_eq!((taken["from"].as_str(), taken["text"].as_str()), (Some("ann"), Some("hello")));
    let receipts = ann.call("receipts", json!({ "message": sent["message"] }));
    let last = receipts["receipts"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (last["state"].as_str(), last["ended"].as_bool()),
        (Some("delivered"), Some(true)),
        "{receipts}"
    );

    // One that waits is woken by what comes, and by nothing else.
    let waiting =
        ann.post("tools/call", json!({ "name": "wait_for_message", "arguments": { "timeout_s": 40 } }));
    bob.call("reply", json!({ "message": taken["id"], "to": "ann", "text": "hello yourself" }));
    let answer = outcome(&ann.answer(waiting)).unwrap();
    assert_eq!(answer["message"]["text"], "hello yourself");
    let nothing = ann.call("wait_for_message", json!({ "timeout_s": 0 }));
    assert!(nothing["message"].is_null(), "{nothing}");
    let all = ann.call("inbox", json!({}));
    assert_eq!(all["messages"].as_array().unwrap().len(), 1, "what was taken stays readable: {all}");
}

#[test]
fn sessions_are_started_looked_at_and_ended() {
    let mut world = World::new();
    let here = program("posthouse").parent().unwrap().to_path_buf();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(here).chain(std::env::split_paths(&path))).unwrap();
    world.set("PATH", path);
    world.define_harness("standin", DEFINITION);
    world.start();
    let mut mcp = Mcp::modern(&world, "ed");
    let spawned = mcp.call("spawn_session", json!({ "name": "agent", "harness": "standin", "cwd": "/tmp" }));
    assert_eq!(spawned["mount"], "standin");
    mcp.call("send", json!({ "to": "agent", "text": "are you there?" }));
    let status = mcp.call("session_status", json!({ "name": "agent" }));
    assert_eq!(status["harness"], "standin");
    assert!(mcp.call("session_screen", json!({ "name": "agent" }))["rows"].is_array());
    assert_eq!(mcp.call("list_sessions", json!({}))["sessions"].as_array().unwrap().len(), 1);
    assert!(mcp.call("credential_status", json!({}))["credentials"].as_array().unwrap().is_empty());
    assert!(!mcp.call("route_explain", json!({ "name": "agent" }))["lines"].as_array().unwrap().is_empty());
    assert!(mcp.call("reconnect_hint", json!({}))["hints"].as_array().unwrap().is_empty());
    mcp.call("release_session", json!({ "name": "agent" }));
    let why = mcp.try_call("session_status", json!({ "name": "agent" })).unwrap_err();
    assert!(why.contains("list_sessions"), "{why}");
    let why = mcp.try_call("spawn_session", json!({ "name": "x", "harness": "nothing" })).unwrap_err();
    assert!(why.contains("standin"), "the harnesses there are: {why}");
}

#[test]
fn sessions_and_messages_can_be_read_as_resources_and_names_are_completed() {
    let mut world = World::new();
    let definition =
        DEFINITION.replace("program = \"standin\"", &format!("program = {:?}", program("standin")));
    world.define_harness("standin", &definition);
    world.start();
    for name in ["builder", "beta"] {
        world.cli(&["spawn", name, "--harness", "standin", "--wait-ready"]).ok();
    }
    for mut mcp in [Mcp::legacy(&world, "ed"), Mcp::modern(&world, "ed")] {
        let listed = mcp.ask("resources/list", json!({}));
        let places: Vec<&str> =
            listed["resources"].as_array().unwrap().iter().filter_map(|one| one["uri"].as_str()).collect();
        let screen = "posthouse://sessions/builder/screen";
        for place in ["posthouse://sessions", "posthouse://inbox", "posthouse://events", screen] {
            assert!(places.contains(&place), "{places:?}");
            let read = mcp.ask("resources/read", json!({ "uri": place }));
            assert_eq!(read["contents"][0]["uri"], place, "{read}");
        }
        let shown = mcp.ask("resources/read", json!({ "uri": screen }));
        assert!(shown["contents"][0]["text"].as_str().unwrap().contains("? for help"), "{shown}");
        let one = mcp.ask("resources/read", json!({ "uri": "posthouse://sessions/beta" }));
        let one: Value = serde_json::from_str(one["contents"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!((&one["name"], &one["state"]), (&"beta".into(), &"ready".into()));
        let templates = mcp.ask("resources/templates/list", json!({}));
        let template = templates["resourceTemplates"][1]["uriTemplate"].clone();
        let why = mcp.refused("resources/read", json!({ "uri": "posthouse://nothing" }));
        assert!(why.contains("resources/list"), "{why}");

        let argument = json!({ "name": "name", "value": "bu" });
        let completed = mcp.ask(
            "completion/complete",
            json!({ "ref": { "type": "ref/resource", "uri": template }, "argument": argument }),
        );
        assert_eq!(completed["completion"]["values"], json!(["builder"]));
        let argument = json!({ "name": "to", "value": "b" });
        let hand_over = json!({ "type": "ref/prompt", "name": "hand_over" });
        let completed = mcp.ask("completion/complete", json!({ "ref": hand_over, "argument": argument }));
        assert_eq!(completed["completion"]["values"], json!(["beta", "builder"]));
    }
}

/// Changes of what a subscription names, until it is taken back; a daemon that was away is heard again.
#[test]
fn subscribers_are_told_of_changes() {
    let mut world = World::new();
    let definition =
        DEFINITION.replace("program = \"standin\"", &format!("program = {:?}", program("standin")));
    world.define_harness("standin", &definition);
    world.start();
    world.cli(&["spawn", "builder", "--harness", "standin", "--wait-ready"]).ok();
    let (sessions, inbox) = ("posthouse://sessions", "posthouse://inbox");
    let screen = "posthouse://sessions/builder/screen";

    let mut legacy = Mcp::legacy(&world, "legacy-ed");
    for uri in [sessions, inbox, screen] {
        legacy.ask("resources/subscribe", json!({ "uri": uri }));
    }
    let why = legacy.refused("resources/subscribe", json!({ "uri": "posthouse://nothing" }));
    assert!(why.contains("resources/list"), "{why}");
    let mut modern = Mcp::modern(&world, "modern-ed");
    let wanted = json!({ "resourceSubscriptions": [sessions, inbox, screen, "posthouse://nothing"] });
    let listening = modern.post("subscriptions/listen", json!({ "notifications": wanted }));
    let accepted = modern.told(|message| message["method"] == "notifications/subscriptions/acknowledged");
    assert_eq!(
        accepted["params"]["notifications"]["resourceSubscriptions"].as_array().unwrap().len(),
        3,
        "{accepted}"
    );
    for mcp in [&mut legacy, &mut modern] {
        // From here on nothing is missed.
        mcp.told_of(&[sessions, inbox, screen]);
    }

    world.cli(&["spawn", "other", "--harness", "standin"]).ok();
    world.cli(&["send", "legacy-ed", "news"]).ok();
    world.cli(&["send", "modern-ed", "news"]).ok();
    world.cli(&["send", "builder", "draw this"]).ok();
    for mcp in [&mut legacy, &mut modern] {
        mcp.told_of(&[sessions, inbox, screen]);
    }
    world.kill_and_restart();
    for mcp in [&mut legacy, &mut modern] {
        mcp.told_of(&[inbox]);
    }

    for uri in [sessions, inbox, screen] {
        legacy.ask("resources/unsubscribe", json!({ "uri": uri }));
    }
    modern.cancel(listening);
    for mcp in [&mut legacy, &mut modern] {
        assert_eq!(mcp.call("list_sessions", json!({}))["sessions"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn prompts_are_there_without_a_daemon_and_say_what_they_lack() {
    let world = World::new();
    for mut mcp in [Mcp::legacy(&world, "ed"), Mcp::modern(&world, "ed")] {
        let listed = mcp.ask("prompts/list", json!({}));
        assert_eq!(listed["prompts"].as_array().unwrap().len(), 2, "{listed}");
        let got = mcp.ask("prompts/get", json!({ "name": "hand_over", "arguments": { "to": "beta" } }));
        assert!(
            got["messages"][0]["content"]["text"].as_str().unwrap().contains("Hand over to beta"),
            "{got}"
        );
        let why = mcp.refused("prompts/get", json!({ "name": "hand_over", "arguments": {} }));
        assert!(why.contains("`to`"), "{why}");
        let places = mcp.ask("resources/list", json!({}));
        assert_eq!(places["resources"].as_array().unwrap().len(), 3, "no session is known: {places}");
        let why = mcp.refused("resources/read", json!({ "uri": "posthouse://inbox" }));
        assert!(why.contains("posthouse up"), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_carries_to_its_members_until_they_leave() {
    let world = World::started();
    let mut listener = world.client("bob").await;
    let (mut ann, mut bob) = (Mcp::modern(&world, "ann"), Mcp::legacy(&world, "bob"));
    ann.call("channel_join", json!({ "channel": "#build" }));
    let joined = bob.call("channel_join", json!({ "channel": "build" }));
    assert_eq!(joined, json!({ "channel": "#build", "member": true }));
    let posted = ann.call("channel_post", json!({ "channel": "build", "text": "it is green" }));
    assert_eq!(posted["receipts"][0]["recipient"], "bob", "{posted}");
    let told = loop {
        let frame = listener.next().await.unwrap();
        if frame.header.kind == FrameType::ChannelMessage {
            break frame.body.decode::<ChannelMessage>().unwrap();
        }
    };
    assert_eq!((told.channel.as_str(), told.body.as_str()), ("#build", "it is green"));
    bob.call("channel_leave", json!({ "channel": "build" }));
    let why = ann.try_call("channel_post", json!({ "channel": "build", "text": "?" })).unwrap_err();
    assert!(why.contains("nobody is there"), "{why}");
    let why = ann.try_call("channel_join", json!({ "channel": "#" })).unwrap_err();
    assert!(why.contains("channel"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bridge_that_was_not_told_of_its_session_says_who_has_to_tell_it() {
    let world = World::started();
    let mut watch = world.watch().await;
    let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "x", "version": "0" } });
    let call = json!({ "name": "inbox", "arguments": {} });
    let lines = [("initialize", hello), ("tools/call", call)].map(
        |(method, params)| json!({ "jsonrpc": "2.0", "id": method, "method": method, "params": params }),
    );
    let (asked, answered) = (world.home().join("asked"), world.home().join("answered"));
    std::fs::write(&asked, format!("{}\n{}\n", lines[0], lines[1])).unwrap();
    let script = format!(
        "env -u POSTHOUSE_RUN -u POSTHOUSE_SESSION {} --socket {} mcp < {} > {}",
        program("posthouse").display(),
        world.socket().display(),
        asked.display(),
        answered.display()
    );
    world.cli(&["spawn", "hidden", "--", "sh", "-c", &script]).ok();
    watch.event("session.state", "hidden", &["\"state\":\"exited\""]).await;
    let said = std::fs::read_to_string(&answered).unwrap();
    assert!(said.contains("inside session hidden") && said.contains("POSTHOUSE_RUN"), "{said}");
}
