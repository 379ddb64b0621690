//! Which way a message takes: claude's channels ring for it, and its receipt says that it was taken, pushed or typed.

use posthouse_tests::mcp::Mcp;
use posthouse_tests::world::World;
use serde_json::{Value, json};

/// State and evidence of the last receipt.
fn last(mcp: &mut Mcp, message: &Value) -> (String, String) {
    let known = mcp.call("receipts", json!({ "message": message }));
    let last = known["receipts"].as_array().unwrap().last().unwrap().clone();
    let word = |key: &str| last[key].as_str().unwrap_or_default().to_owned();
    (word("state"), word("evidence"))
}

#[test]
fn a_message_that_was_rung_for_is_delivered_once_it_is_taken() {
    let mut world = World::started();
    let mut ann = Mcp::modern(&world, "ann");
    assert!(ann.capabilities.get("experimental").is_none(), "{}", ann.capabilities);
    let mut claude = Mcp::with_channel(&world, "claude");
    assert!(claude.capabilities["experimental"]["claude/channel"].is_object(), "{}", claude.capabilities);
    claude.call("inbox", json!({}));

    for round in ["first", "after the daemon's death"] {
        let sent = ann.call("send", json!({ "to": "claude", "text": round }))["message"].clone();
        let rung = claude.told(|message| message["method"] == "notifications/claude/channel");
        let event = &rung["params"];
        assert_eq!((&event["meta"]["from"], &event["meta"]["message"]), (&"ann".into(), &sent));
        let content = event["content"].as_str().unwrap();
        assert!(content.contains("ann") && content.contains("wait_for_message"), "{content}");
        assert!(!content.contains(round), "the text stays with the message");
        assert_ne!(last(&mut ann, &sent).0, "delivered", "ringing proves nothing");

        let taken = claude.call("wait_for_message", json!({ "timeout_s": 50 }));
        assert_eq!(taken["message"]["text"], round);
        assert_eq!(last(&mut ann, &sent), ("delivered".to_owned(), "claim".to_owned()));
        world.kill_and_restart();
    }
}

/// Claude asks for the present era first, in which it has no channels.
#[test]
fn a_bridge_that_rings_is_of_the_era_with_channels() {
    let world = World::started();
    let key = |word: &str| format!("io.modelcontextprotocol/{word}");
    let meta = json!({ key("protocolVersion"): "2026-07-28", key("clientCapabilities"): {} });
    let mut claude = Mcp::with_channel(&world, "claude");
    let error = claude.refusal("server/discover", json!({ "_meta": meta }));
    assert_eq!(error["code"], -32022, "{error}");
    let supported = error["data"]["supported"].as_array().unwrap();
    assert!(supported.contains(&"2025-11-25".into()) && !supported.contains(&"2026-07-28".into()));
}
