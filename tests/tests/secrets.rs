//! Keys and tokens are in the vault, in their harness's home and in its environment, and nowhere else.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use posthouse_tests::mock::{AccountToken, MockProvider, RefreshFault, Refusal, Scenario};
use posthouse_tests::standin::{definition_for, login_at};
use posthouse_tests::world::World;

/// Part of every secret here.
const CANARY: &str = "c4naryTr1ll";

fn definition(mock: &str) -> String {
    let standin = definition_for("acme");
    let standin = standin.replace("default_home", "login_files = [\"login.json\"]\ndefault_home");
    let probe = format!(
        "base_url = \"{mock}\"\npath = \"/v1/models\"\nheaders = {{ authorization = \"Bearer {{secret}}\" }}\n"
    );
    let key = "env = \"STANDIN_KEY\"\n";
    standin.replace(key, &format!("{key}[credential.key.probe]\n{probe}")) + &login_at(mock, "/v1/models")
}

/// Every file below `dir` with its bytes, but for those below `but`.
fn files(dir: &Path, but: &[PathBuf], found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if but.contains(&path) {
            continue;
        } else if kind.is_dir() {
            files(&path, but, found);
        } else if kind.is_file() {
            found.push((path.clone(), std::fs::read(&path).unwrap()));
        }
    }
}

fn shows(bytes: &[u8]) -> bool {
    bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn debug_and_logs_contain_no_secret() {
    let mock = MockProvider::start().await.unwrap();
    let mut world = World::new();
    world.set("POSTHOUSE_LOG_FILTER", "trace");
    let bin = world.home().join("bin");
    std::fs::create_dir(&bin).unwrap();
    world.set("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
    world.define_harness("standin", &definition(&mock.http()));
    world.start();

    // Two keys, the first of which its provider refuses; a login of Posthouse's own that is refreshed once, and refused then.
    for alias in ["first", "second"] {
        let key = format!("sk-{CANARY}-{alias}");
        world.cli_with_input(&["credential", "add", "acme", alias, "--api-key-stdin"], key.as_bytes()).ok();
    }
    let token = AccountToken::new(CANARY, 1, 1_000_000_000);
    let login = serde_json::json!({
        "access": token.openai_jwt(), "refresh": token.openai_refresh(), "ends": 1_600_000_000, "who": "ann",
    });
    std::fs::write(
        bin.join("fake-login"),
        format!("#!/bin/sh\necho '{login}' > \"$STANDIN_HOME/login.json\"\n"),
    )
    .unwrap();
    std::fs::set_permissions(bin.join("fake-login"), std::fs::Permissions::from_mode(0o755)).unwrap();
    world.cli(&["login", "acme", "--name", "own"]).ok();
    let mut printed = Vec::new();
    let mut note = |args: &[&str]| {
        let ran = world.cli(args);
        printed.push((args.join(" "), format!("{}{}", ran.out, ran.err)));
        ran
    };
    mock.set(CANARY, Scenario::Refresh(RefreshFault::Reused));
    mock.set(&format!("sk-{CANARY}-first"), Scenario::Refuse(Refusal::BadKey));

    let route = "standin@acme/first, standin@acme/second";
    note(&["spawn", "agent", "--route", route, "--wait-ready"]).ok();
    note(&["send", "agent", "works", "--wait", "delivered"]).ok();
    for name in ["acme/first", "acme/second", "acme/own"] {
        note(&["credential", "check", name]);
        note(&["credential", "show", name, "--json"]);
    }
    note(&["status", "--check"]);
    std::fs::write(world.home().join("revoked"), format!("sk-{CANARY}-first\n")).unwrap();
    let mut watch = world.watch().await;
    note(&["send", "agent", "DO fail revoked"]).ok();
    watch.event("decision", "agent", &["\"rotate\""]).await;
    note(&["send", "agent", "DO exit 7"]).ok();
    watch.event("failure.unknown", "agent", &[]).await;
    for args in [
        &["status", "--json"][..],
        &["ls", "--json"],
        &["ls"],
        &["credential", "ls", "--json"],
        &["credential", "ls"],
        &["route", "explain", "agent", "--json"],
        &["events", "--json"],
        &["failure", "ls", "--json"],
        &["doctor", "--json"],
        &["inbox", "--json"],
    ] {
        note(args);
    }
    let drift = world.cli(&["failure", "ls", "--json"]).json();
    note(&["failure", "show", drift["failures"][0]["id"].as_str().unwrap()]).ok();
    world.kill_and_restart();

    for (args, text) in &printed {
        assert!(!shows(text.as_bytes()), "posthouse {args}: {text}");
    }
    // Where they belong: the vault, and what this test itself wrote.
    let but = [world.home().join("state/keys"), bin, world.home().join("revoked")];
    let mut kept = Vec::new();
    files(world.home(), &but, &mut kept);
    assert!(kept.iter().any(|(path, _)| path.ends_with("journal.db")), "{} files", kept.len());
    let leaks: Vec<_> = kept.iter().filter(|(_, bytes)| shows(bytes)).map(|(path, _)| path).collect();
    assert!(leaks.is_empty(), "{leaks:?}");
    assert!(std::fs::read_dir(&but[0]).unwrap().count() > 0);
}
