//! A key is handed out to the user, and to a session the one that its run is on.

use std::os::unix::fs::PermissionsExt as _;

use posthouse_tests::standin::DEFINITION;
use posthouse_tests::world::{World, program};

#[tokio::test]
async fn a_session_gets_the_key_of_its_run_and_no_other() {
    let mut world = World::new();
    let keyed = DEFINITION.replace("name = \"standin\"", "name = \"standin\"\nprovider = \"acme\"");
    // An agent that asks for keys before it does anything else, and notes what it got and how that ended.
    let out = world.home().join("out");
    let ask = |what: &str, file: &str| {
        format!(
            "{:?} token {what} > {out}.{file} 2>&1; echo $? >> {out}.{file}\n",
            program("posthouse"),
            out = out.display()
        )
    };
    let agent = world.home().join("agent");
    let script = format!(
        "#!/bin/sh\n{}{}exec {:?} \"$@\"\n",
        ask("", "own"),
        ask("acme/other", "other"),
        program("standin")
    );
    std::fs::write(&agent, script).unwrap();
    std::fs::set_permissions(&agent, std::fs::Permissions::from_mode(0o755)).unwrap();
    let keyed = keyed.replace("program = \"standin\"", &format!("program = {agent:?}"));
    world.define_harness("standin", &format!("{keyed}\n[[credential.key]]\nenv = \"ACME_KEY\"\n"));
    world.start();
    for (alias, key) in [("mine", "sk-mine"), ("other", "sk-other")] {
        world.cli_with_input(&["credential", "add", "acme", alias, "--api-key-stdin"], key.as_bytes()).ok();
    }
    assert_eq!(world.cli(&["token", "acme/other"]).ok().out, "sk-other\n");
    assert_eq!(
        world.cli(&["token", "acme/other", "--format", "header"]).ok().out,
        "Authorization: Bearer sk-other\n"
    );
    let json = world.cli(&["token", "acme/other", "--format", "json"]).ok().json();
    assert_eq!((&json["credential"], &json["token"]), (&"acme/other".into(), &"sk-other".into()));

    world.cli(&["spawn", "agent", "--route", "standin@acme/mine", "--wait-ready"]).ok();
    let got = |file: &str| std::fs::read_to_string(format!("{}.{file}", out.display())).unwrap();
    assert_eq!(got("own"), "sk-mine\n0\n");
    let refused = got("other");
    assert!(refused.ends_with("5\n") && !refused.contains("sk-other"), "{refused}");

    let dir = world.home().join("login");
    std::fs::create_dir(&dir).unwrap();
    world.cli(&["credential", "add", "acme", "login", "--home", dir.to_str().unwrap()]).ok();
    let login = world.cli(&["token", "acme/login"]);
    assert!(login.code == 1 && login.out.is_empty() && login.err.contains("only its harness"), "{login:?}");
    assert!(world.cli(&["token"]).err.contains("name a credential"));
    world.kill();
    let away = world.cli(&["token", "acme/mine"]);
    assert_eq!((away.code, away.out.as_str()), (4, ""), "no daemon is started for it");
}
