//! What scripts rely on: the shape of every `--json` document, and every documented exit code from a situation of its
//! own. A changed snapshot is a changed contract.

use std::collections::BTreeMap;

use posthouse_tests::pty::Terminal;
use posthouse_tests::standin::DEFINITION;
use posthouse_tests::until;
use posthouse_tests::world::{World, program};
use serde_json::{Map, Value, json};

/// A world that knows the stand-in, with a file of revoked keys; `changes` are made to the definition.
fn world(changes: &[(&str, &str)]) -> World {
    let mut world = World::new();
    world.set("STANDIN_REVOKED", world.home().join("revoked"));
    let mut definition =
        DEFINITION.replace("program = \"standin\"", &format!("program = {:?}", program("standin")));
    for (before, after) in changes {
        assert!(definition.contains(before), "{before}");
        definition = definition.replace(before, after);
    }
    world.define_harness("standin", &definition);
    world.start();
    world
}

/// A document with each value replaced by what kind it is of, and each list by the shapes that occur in it.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => json!("null"),
        Value::Bool(_) => json!("bool"),
        Value::Number(_) => json!("number"),
        Value::String(_) => json!("string"),
        Value::Array(items) => {
            let mut shapes: Vec<Value> = Vec::new();
            for shape in items.iter().map(shape) {
                if !shapes.contains(&shape) {
                    shapes.push(shape);
                }
            }
            match shapes.as_slice() {
                // Entries that differ in what is left out are one shape with all of it.
                [Value::Object(_), _, ..] if shapes.iter().all(Value::is_object) => json!([merged(&shapes)]),
                _ => Value::Array(shapes),
            }
        }
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect())
        }
    }
}

fn merged(shapes: &[Value]) -> Value {
    let mut all = Map::new();
    for fields in shapes.iter().filter_map(Value::as_object) {
        for (name, shape) in fields {
            // Whether a message had to wait, and for what, depends on the moment.
            if name == "reason" {
                continue;
            }
            let everywhere = shapes.iter().all(|other| other.get(name).is_some());
            let name = if everywhere { name.clone() } else { format!("{name}?") };
            all.entry(name).or_insert_with(|| shape.clone());
        }
    }
    Value::Object(all)
}

#[test]
fn every_json_document_keeps_its_shape() {
    let world = world(&[]);
    let mut shapes: BTreeMap<&str, Value> = BTreeMap::new();
    let mut note = |name, args: &[&str]| {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let ran = world.cli(&args);
        assert!(ran.err.is_empty(), "{ran:?}");
        shapes.insert(name, shape(&ran.json()));
    };
    note("up", &["up"]);
    note("status", &["status"]);
    world.cli_with_input(&["credential", "add", "example", "red", "--api-key-stdin"], b"key-red").ok();
    note("credential ls", &["credential", "ls"]);
    note("credential show", &["credential", "show", "example/red"]);
    note("spawn", &["spawn", "agent", "--route", "standin@example/red", "--wait-ready", "30s"]);
    note("ls", &["ls"]);
    note("send", &["send", "agent", "hello", "--wait", "delivered"]);
    note("inbox", &["inbox", "--of", "agent"]);
    note("screen", &["screen", "agent"]);
    note("logs", &["logs", "agent"]);
    note("route explain", &["route", "explain", "agent", "--failure", "quota_reset"]);
    note("release", &["release", "agent"]);
    note("credential rm", &["credential", "rm", "example/red"]);
    note("down", &["down"]);
    insta::assert_json_snapshot!(shapes);
}

#[test]
fn events_and_checks_are_lists_of_one_shape() {
    let world = world(&[]);
    let events = world.cli(&["events", "--json"]).ok().json();
    for event in events["events"].as_array().expect("events") {
        for field in ["seq", "version", "kind", "subject", "at", "data"] {
            assert!(event.get(field).is_some(), "{field} is missing: {event}");
        }
    }
    let looked = world.cli(&["doctor", "--json"]).json();
    for check in looked["checks"].as_array().expect("checks") {
        assert!(["ok", "warning", "failed"].contains(&check["outcome"].as_str().unwrap()), "{check}");
        assert!(check["name"].is_string() && check["detail"].is_string(), "{check}");
    }
}

#[tokio::test]
async fn a_dead_login_is_exit_code_3() {
    let world = world(&[]);
    // A login of the stand-in's own: it has no key, and the provider revokes whoever has none.
    let home = world.home().join("login");
    std::fs::create_dir(&home).unwrap();
    world.cli(&["credential", "add", "example", "red", "--home", home.to_str().unwrap()]).ok();
    assert_eq!(world.cli(&["credential", "ls"]).code, 0);
    world.cli(&["spawn", "agent", "--route", "standin@example/red", "--wait-ready", "30s"]).ok();
    let mut watch = world.watch().await;
    std::fs::write(world.home().join("revoked"), "\n").unwrap();
    world.cli(&["send", "agent", "hello", "--wait", "delivered"]).ok();
    watch.event("credential", "example/red", &["needs_login"]).await;
    let listed = world.cli(&["credential", "ls"]);
    assert_eq!(listed.code, 3, "{listed:?}");
    assert!(listed.out.contains("needs_login"), "{listed:?}");
}

#[test]
fn no_daemon_is_exit_code_4() {
    let world = World::new();
    let asked = world.cli(&["status"]);
    assert_eq!(asked.code, 4, "{asked:?}");
    assert!(asked.err.starts_with("posthouse: failed to "), "{asked:?}");
    let looked = world.cli(&["doctor"]);
    assert_eq!(looked.code, 1, "{looked:?}");
    assert!(looked.out.contains("failed   daemon") && looked.out.contains("fix: posthouse up"), "{looked:?}");
}

#[tokio::test]
async fn what_an_agent_may_not_do_is_exit_code_5() {
    let world = World::started();
    let said = world.home().join("said");
    let command = program("posthouse");
    let script = format!(
        "{} down --json 2>{said}.new; echo $? >>{said}.new; mv {said}.new {said}; exec cat",
        command.display(),
        said = said.display(),
    );
    world.cli(&["spawn", "agent", "--", "sh", "-c", &script]).ok();
    assert!(until::so(|| said.exists()).await, "the agent says nothing");
    let said = std::fs::read_to_string(&said).unwrap();
    let (error, code) = said.trim().rsplit_once('\n').expect("two lines");
    assert_eq!(code, "5", "{said}");
    let error: Value = serde_json::from_str(error).expect("one JSON document");
    assert_eq!((&error["error"]["exit"], &error["error"]["code"]), (&json!(5), &json!("FORBIDDEN")));
}

#[test]
fn a_message_to_nobody_is_exit_code_6() {
    let world = World::started();
    let sent = world.cli(&["send", "nobody", "hello"]);
    assert_eq!(sent.code, 6, "{sent:?}");
    assert!(sent.err.contains("nobody"), "{sent:?}");
}

#[test]
fn what_does_not_happen_in_time_is_exit_code_7() {
    let world = world(&[]);
    world.cli(&["spawn", "agent", "--harness", "standin", "--wait-ready", "30s"]).ok();
    world.cli(&["send", "agent", "DO dialog permission", "--wait", "delivered"]).ok();
    let sent = world.cli(&["send", "agent", "hello", "--wait", "delivered", "--timeout", "300ms"]);
    assert_eq!(sent.code, 7, "{sent:?}");
    assert!(sent.err.contains("it goes on: posthouse events --subject"), "{sent:?}");
}

#[test]
fn a_message_of_which_nobody_knows_is_exit_code_8() {
    // A harness that takes everything and shows nothing more, and a daemon that soon gives up looking.
    let world = world(&[("confirm_ms = 1000", "confirm_ms = 40")]);
    world.cli(&["spawn", "agent", "--harness", "standin", "--wait-ready", "30s"]).ok();
    world.cli(&["send", "agent", "DO wedge", "--wait", "submitted"]);
    let sent = world.cli(&["send", "agent", "anybody there", "--when", "now", "--wait", "delivered"]);
    assert_eq!(sent.code, 8, "{sent:?}");
    assert!(sent.out.contains("uncertain"), "{sent:?}");
}

#[tokio::test]
async fn what_takes_long_is_told_on_a_terminal_and_nowhere_else() {
    let world = World::started();
    // It has no wish to end.
    let stubborn = "trap '' TERM HUP INT; while :; do sleep 0.1; done";
    world.cli(&["spawn", "one", "--", "sh", "-c", stubborn]).ok();
    world.cli(&["spawn", "two", "--", "sh", "-c", stubborn]).ok();
    let mut command = world.command();
    command.args(["release", "one", "--grace", "1500ms"]);
    let mut terminal = Terminal::open(&command, 10, 60);
    terminal.wait_text("ending one … 1 s").await;
    assert!(terminal.wait_end().await.success());
    terminal.wait_text("one is gone").await;
    assert!(!terminal.screen().contains("ending one"), "{}", terminal.screen());
    let ran = world.cli(&["release", "two", "--grace", "1500ms"]).ok();
    assert!(ran.err.is_empty(), "{ran:?}");
}
