use proptest::prelude::*;
use serde_json::json;

use super::parse::{Strictness, parse};
use super::{put, take};
use crate::settings::{Entry, Put, Refusal, Undo};

const WITH: Strictness = Strictness::Comments;

fn entry() -> Entry {
    let must = json!({ "command": "/bin/posthouse", "args": ["mcp"], "env": { "A": "1" } });
    Entry {
        table: "servers",
        name: "posthouse".into(),
        must: must.as_object().unwrap().clone(),
        fresh: json!({ "enabled": true }).as_object().unwrap().clone(),
    }
}

fn added(text: &str) -> (String, Undo) {
    match put(text, WITH, &entry(), |_| true).unwrap() {
        Put::Added { text, undo } => (text, undo),
        other => panic!("{text:?}: {other:?}"),
    }
}

fn taken(text: &str, undo: Option<&Undo>) -> String {
    take(text, WITH, &entry(), |_| true, undo).unwrap().unwrap()
}

#[test]
fn every_shape_is_kept() {
    let texts = [
        "",
        "// nothing yet",
        "{}",
        "{\n}\n",
        "{ /* later */ }",
        "{\"a\":1}",
        "{ \"a\": 1 }",
        "{\"servers\":{}}",
        "{\n\t\"servers\": { }\n}",
        "{\n  \"a\": 1, // one\n  // two\n}\n",
        "{\n  \"a\": 1 // one\n  // two\n}\n",
        "{\r\n    \"servers\": {\r\n        \"other\": {} /* x */, // y\r\n    },\r\n    \"b\": [1, 2]\r\n}\r\n",
        "\u{feff}{\n  // servers\n  \"servers\": {\n    // none\n  }\n}",
        "{\"a\":1 // one\n}",
        "{\"half an emoji\": \"\\ud83d\"}",
        "{\"servers\": {\"other\": {\"x\": \"}//\\\"\"}}}",
    ];
    let mut shown = String::new();
    for text in texts {
        let (with, undo) = added(text);
        assert_eq!(put(&with, WITH, &entry(), |_| true).unwrap(), Put::Unchanged, "{with}");
        assert_eq!(taken(&with, Some(&undo)), text, "{with}");
        let blind = taken(&with, None);
        assert_eq!(take(&blind, WITH, &entry(), |_| true, None).unwrap(), None);
        shown += &format!(
            "{text:?}\n{}\n\n",
            with.replace('\r', "␍").replace('\t', "→").replace('\u{feff}', "BOM")
        );
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn what_others_wrote_meanwhile_stays() {
    let (with, undo) = added("{}");
    let more = with.replace("\"servers\": {", "\"mine\": 1,\n  \"servers\": {\n    \"other\": {},");
    let left = taken(&more, Some(&undo));
    assert_eq!(
        parse(&left, WITH).unwrap().unwrap().value(),
        json!({ "mine": 1, "servers": { "other": {} } })
    );
    let remark = with.replace("    }\n  }\n}", "    } /* mine */\n  }\n}");
    assert!(taken(&remark, Some(&undo)).contains("/* mine */"), "{remark}");
}

#[test]
fn an_entry_is_brought_up_to_date_in_its_place() {
    let before = r#"{"servers": {"posthouse": {
        "command": "/old/posthouse", // moved
        "args": ["mcp"], "enabled": false, "env": { "A": "0", "B": "2" } } } }"#;
    let Put::Updated { text } = put(before, WITH, &entry(), |_| true).unwrap() else { panic!() };
    assert_eq!(text, before.replace("/old/", "/bin/").replace("\"0\"", "\"1\""));
    assert!(matches!(put(before, WITH, &entry(), |_| false), Err(Refusal::Foreign { .. })));
    assert!(matches!(take(before, WITH, &entry(), |_| false, None), Err(Refusal::Foreign { .. })));
}

#[test]
fn what_is_broken_is_refused_with_its_line() {
    for (text, line) in [
        ("{", 1),
        ("{\n\"a\" 1}", 2),
        ("{\"a\": 1\n \"b\": 2}", 2),
        ("{} x", 1),
        ("{\"a\": nul}", 1),
        ("{\n\n\"a\": \"x\n}", 3),
        ("/* {", 1),
        ("{'a': 1}", 1),
        ("{\"a\": 1, \"a\": 2}", 1),
        ("[1,,2]", 1),
    ] {
        match put(text, WITH, &entry(), |_| true) {
            Err(Refusal::Unreadable { line: at, .. }) => assert_eq!(at, line, "{text:?}"),
            other => panic!("{text:?}: {other:?}"),
        }
    }
    let deep = "[".repeat(100_000);
    assert!(matches!(put(&deep, WITH, &entry(), |_| true), Err(Refusal::Unreadable { .. })));
    for text in ["{} // c", "{\"a\": 1,}"] {
        assert!(matches!(put(text, Strictness::Json, &entry(), |_| true), Err(Refusal::Unreadable { .. })));
    }
    for text in ["[]", "3", "{\"servers\": []}", "{\"servers\": null}"] {
        assert!(matches!(put(text, WITH, &entry(), |_| true), Err(Refusal::Shape(_))), "{text}");
    }
}

/// White space and comments.
fn gap() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => Just(""), 3 => Just(" "), 3 => Just("\n  "), 1 => Just("\r\n\t"), 1 => Just("// c \"}\n"),
        1 => Just("/* d, */"), 1 => Just("/* two\nlines */"),
    ];
    prop::collection::vec(piece, 0..3).prop_map(|pieces| pieces.concat())
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("1.5e3".to_owned()),
        Just("null".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        "\"[a-z/*ü]{0,5}\"",
        Just(r#""\"\\{""#.to_owned()),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            object(prop::collection::vec(("[a-f]{1,3}", inner.clone()), 0..4)),
            (prop::collection::vec((gap(), inner, gap()), 0..3), any::<bool>()).prop_map(|(items, comma)| {
                let body = items.iter().map(|(a, v, b)| format!("{a}{v}{b}")).collect::<Vec<_>>().join(",");
                format!("[{body}{}]", if comma && !items.is_empty() { "," } else { "" })
            }),
        ]
    })
}

fn object(members: impl Strategy<Value = Vec<(String, String)>>) -> impl Strategy<Value = String> {
    (members, prop::collection::vec((gap(), gap(), gap(), gap()), 5), gap(), any::<bool>()).prop_map(
        |(members, gaps, inner, comma)| {
            let mut names = std::collections::BTreeSet::new();
            let members: Vec<_> =
                members.into_iter().filter(|(name, _)| names.insert(name.clone())).collect();
            let body: Vec<_> = members
                .iter()
                .zip(&gaps)
                .map(|((name, value), (a, b, c, d))| format!("{a}\"{name}\"{b}:{c}{value}{d}"))
                .collect();
            let close = if comma && !members.is_empty() { "," } else { "" };
            format!("{{{}{close}{inner}}}", body.join(","))
        },
    )
}

fn document() -> impl Strategy<Value = String> {
    let servers = object(prop::collection::vec(("[a-f]{1,3}", value()), 0..3));
    let members =
        (prop::collection::vec(("[a-f]{1,3}", value()), 0..3), prop::option::of((0..3usize, servers)))
            .prop_map(|(mut members, servers)| {
                if let Some((at, servers)) = servers {
                    members.insert(at.min(members.len()), ("servers".to_owned(), servers));
                }
                members
            });
    (gap(), object(members), gap(), any::<bool>()).prop_map(|(before, object, after, mark)| {
        format!("{}{before}{object}{after}", if mark { "\u{feff}" } else { "" })
    })
}

proptest! {
    #[test]
    fn in_and_out_leaves_no_trace(text in document()) {
        let (with, undo) = added(&text);
        prop_assert_eq!(put(&with, WITH, &entry(), |_| true).unwrap(), Put::Unchanged);
        prop_assert_eq!(taken(&with, Some(&undo)), text);
        let blind = taken(&with, None);
        prop_assert_eq!(take(&blind, WITH, &entry(), |_| true, None).unwrap(), None);
    }

    #[test]
    fn nothing_makes_it_panic(text in "[{}\\[\\]\":, /*\na\\\\1é]{0,40}") {
        let _ = put(&text, WITH, &entry(), |_| true);
        let _ = take(&text, WITH, &entry(), |_| true, None);
    }
}
