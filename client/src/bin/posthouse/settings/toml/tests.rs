use proptest::prelude::*;
use serde_json::json;

use super::*;

fn entry() -> Entry {
    let must = json!({ "command": "/bin/posthouse", "args": ["mcp"] });
    Entry {
        table: "mcp_servers",
        name: "posthouse".into(),
        must: must.as_object().unwrap().clone(),
        fresh: json!({ "env_vars": ["A"] }).as_object().unwrap().clone(),
    }
}

fn added(text: &str) -> (String, Undo) {
    match put(text, &entry(), |_| true).unwrap() {
        Put::Added { text, undo } => (text, undo),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_table_is_appended_and_cut_off_again() {
    for before in [
        "",
        "model = \"x\"",
        "# mine\nmodel = \"x\" # really\n\n[mcp_servers.other]\ncommand = \"o\"\n\n# the end\n",
        "\u{feff}model = \"x\"\r\n[a]\r\nb = 1\r\n",
        "mcp_servers.other.command = \"o\"\n",
    ] {
        let (text, undo) = added(before);
        assert!(text.starts_with(before), "{text}");
        assert_eq!(text.contains("\r\n"), before.contains("\r\n"));
        assert_eq!(put(&text, &entry(), |_| true).unwrap(), Put::Unchanged);
        assert_eq!(take(&text, &entry(), |_| true, Some(&undo)).unwrap().as_deref(), Some(before));
        let blind = take(&text, &entry(), |_| true, None).unwrap().unwrap();
        assert_eq!(take(&blind, &entry(), |_| true, None).unwrap(), None, "{blind}");
    }
    insta::assert_snapshot!(added("# mine\nmodel = \"x\"\n").0);
}

#[test]
fn what_came_after_it_stays() {
    let (text, undo) = added("a = 1");
    let text = text + "[later] # by hand\nb = 2\n";
    let left = take(&text, &entry(), |_| true, Some(&undo)).unwrap().unwrap();
    assert_eq!(left, "a = 1\n[later] # by hand\nb = 2\n");
}

#[test]
fn an_entry_is_brought_up_to_date_in_its_place() {
    let before = "[mcp_servers.posthouse] # mine\ncommand = \"/old/posthouse\" # moved\nargs = [\"mcp\"]\r\ntool_timeout_sec = 9\n";
    let Put::Updated { text } = put(before, &entry(), |_| true).unwrap() else { panic!() };
    assert!(
        text.contains("command = \"/bin/posthouse\" # moved") && text.contains("tool_timeout_sec = 9"),
        "{text}"
    );
    assert!(!text.contains("env_vars"));
    assert!(matches!(put(before, &entry(), |_| false), Err(Refusal::Foreign { .. })));
    assert!(matches!(take(before, &entry(), |_| false, None), Err(Refusal::Foreign { .. })));
}

#[test]
fn what_has_no_place_for_it_is_refused() {
    for (text, line) in [("a = \n", 1), ("a = 1\nb = [\n", 2), ("a = 1\na = 2\n", 2)] {
        match put(text, &entry(), |_| true) {
            Err(Refusal::Unreadable { line: at, .. }) => assert!(at >= line, "{text:?} {at}"),
            other => panic!("{other:?}"),
        }
    }
    for text in ["mcp_servers = {}\n", "mcp_servers = 3\n"] {
        assert!(matches!(put(text, &entry(), |_| true), Err(Refusal::Shape(_))), "{text}");
    }
}

proptest! {
    #[test]
    fn in_and_out_leaves_no_trace(
        lines in prop::collection::vec(prop_oneof![
            Just(String::new()), "# [a-z ü]{0,9}", "[a-e]{1,2}[0-9]{3} = (1|true|\"x\"|1979-05-27|1.5)( # c)?",
            "\\[t[a-z0-9]{4}\\.[a-z0-9]{4}\\]", "\\[mcp_servers\\.[a-z0-9]{6}\\]",
        ], 0..12),
        crlf: bool,
        ended: bool,
    ) {
        let end = if crlf { "\r\n" } else { "\n" };
        let text = lines.join(end) + if ended { end } else { "" };
        prop_assume!(parse(&text).is_ok());
        let (with, undo) = added(&text);
        prop_assert_eq!(put(&with, &entry(), |_| true).unwrap(), Put::Unchanged);
        let out = take(&with, &entry(), |_| true, Some(&undo)).unwrap();
        prop_assert_eq!(out.as_deref(), Some(text.as_str()));
    }
}
