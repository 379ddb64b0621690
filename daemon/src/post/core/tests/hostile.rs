//! Frames that decode and mean nothing, or too much: post answers or ignores them, and serves everyone else.

use bytes::Bytes;
use posthouse_protocol::code::Code;
use posthouse_protocol::{Body, Encoding, Frame, FrameType, Header, SendMeta, Sync};
use proptest::prelude::*;

use super::world::World;

fn text() -> impl Strategy<Value = String> {
    let known = ["", "*", "@users", "#general", "#", "eve", "bob", "sess", "nobody", "a b", "\u{0}"];
    prop_oneof![proptest::sample::select(known.to_vec()).prop_map(str::to_owned), ".{0,30}"]
}

fn meta() -> impl Strategy<Value = SendMeta> {
    let sync = (text(), any::<Option<u64>>(), any::<bool>());
    let sync =
        sync.prop_map(|(correlation_id, timeout_ms, blocking)| Sync { correlation_id, timeout_ms, blocking });
    let codes = (any::<Option<u16>>(), any::<Option<u16>>());
    (
        proptest::option::of(sync),
        any::<Option<u64>>(),
        codes,
        any::<Option<bool>>(),
        proptest::option::of(text()),
    )
        .prop_map(|(sync, ttl_ms, (when, durability), plain, reply_to)| SendMeta {
            sync,
            ttl_ms,
            when: when.map(|n| Code::from_number(n % 5)),
            durability: durability.map(|n| Code::from_number(n % 4)),
            plain,
            reply_to,
            importance: None,
            requires_ack: None,
            attempt: Some(7),
        })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let shapes = [
        r#"{}"#,
        r#"{"body":"x"}"#,
        r#"{"body":"\u001b[201~"}"#,
        r##"{"channel":"#general","body":"x"}"##,
        r#"{"channel":"","body":"x"}"#,
        r#"{"channel":"x","member":"bob"}"#,
        r#"{"ack_id":"01a3185c-5000-700a-99dd-771dc05593d8","correlationId":"c"}"#,
        r#"{"message":"01a3185c-5000-700a-99dd-771dc05593d8"}"#,
        r#"{"primaryAgent":"eve"}"#,
        r#"null"#,
    ];
    let shaped = proptest::sample::select(shapes.to_vec()).prop_map(|shape| shape.as_bytes().to_vec());
    // The envelope's decoder lets nothing pass that is not JSON.
    prop_oneof![4 => shaped, 1 => ".{0,60}".prop_map(|text| serde_json::to_vec(&text).unwrap())]
}

fn frame() -> impl Strategy<Value = Frame> {
    (0..30u16, text(), text(), proptest::option::of(text()), proptest::option::of(meta()), body()).prop_map(
        |(kind, id, to, topic, meta, body)| {
            let mut header = Header::new(FrameType::from_number(kind), id, 0);
            header.to = Some(to);
            header.topic = topic;
            header.meta = meta;
            Frame { header, body: Body::opaque(Encoding::Json, Bytes::from(body)) }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nothing_a_client_says_harms_another(
        frames in proptest::collection::vec(frame(), 1..60),
        ticks in proptest::collection::vec(0..5000u64, 4),
    ) {
        let mut w = World::new();
        let (eve, alice, bob) = (w.client("eve"), w.client("alice"), w.client("bob"));
        w.session("sess");
        for (at, frame) in frames.into_iter().enumerate() {
            w.core.frames(eve, vec![frame]);
            w.turn();
            if at % 15 == 0 {
                w.advance(ticks[(at / 15) % ticks.len()]);
            }
        }
        w.received(bob);
        w.send(alice, "fine", "bob", "still working");
        prop_assert!(w.bodies(bob).contains(&"still working".to_owned()));
        w.leave(eve);
        w.crash(0);
    }
}
