//! The real codex logs in by a device code, through Posthouse.

use std::path::Path;

use posthouse_tests::mock::{Endpoint, MockProvider, Refusal, Scenario};
use posthouse_tests::require_cli;
use posthouse_tests::world::{PATIENCE, World};

async fn scene(codex: &Path) -> (World, MockProvider) {
    let mock = MockProvider::start().await.unwrap();
    let base = mock.http();
    let mut world = World::new();
    let dir = codex.parent().unwrap().display();
    world.set("PATH", format!("{dir}:{}", std::env::var("PATH").unwrap()));
    let definition = format!(
        r#"name = "codex"
extends = "codex"
[login]
command = ["codex", "login"]
device = ["codex", "login", "--device-auth", "--experimental_issuer", "{base}", "--experimental_client-id", "mock"]
[credential.login.probe]
base_url = "{base}"
"#
    );
    world.define_harness("codex", &definition);
    world.start();
    (world, mock)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codex_logs_in_by_a_device_code_that_is_approved_elsewhere() {
    let cli = require_cli!("codex");
    let (world, mock) = scene(&cli).await;
    let world = std::sync::Arc::new(world);
    let login = std::thread::spawn({
        let world = world.clone();
        move || world.cli(&["login", "codex", "--name", "work", "--device"])
    });
    mock.wait_for(PATIENCE, |request| request.endpoint == Endpoint::DevicePoll).await.unwrap();
    mock.approve_device("acct-A");
    let done = tokio::task::spawn_blocking(move || login.join().unwrap()).await.unwrap().ok();
    assert!(done.err.contains("ABCD-1234"), "the code is shown: {done:?}");
    assert!(
        done.out.contains("openai/work: logged in as a…@example.invalid; its provider takes it"),
        "{done:?}"
    );
    let shown = world.cli(&["credential", "show", "openai/work", "--json"]).ok().json();
    assert_eq!(
        (&shown["credentials"][0]["state"], &shown["credentials"][0]["login"]["plan"]),
        (&"valid".into(), &"plus".into())
    );
    assert_eq!(
        world.cli(&["ls", "--json"]).ok().json()["sessions"],
        serde_json::json!([]),
        "the login's session is gone"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_gives_no_code_is_not_asked_again_and_again() {
    let cli = require_cli!("codex");
    let (world, mock) = scene(&cli).await;
    mock.set("device", Scenario::Refuse(Refusal::RateLimit));
    let refused = world.cli(&["login", "codex", "--name", "work", "--device"]);
    assert_ne!(refused.code, 0, "{refused:?}");
    let asked = || mock.requests().iter().filter(|request| request.endpoint == Endpoint::DeviceCode).count();
    let before = asked();
    let again = world.cli(&["login", "codex", "--name", "work", "--device"]);
    assert!(again.err.contains("refused the last request for a device code"), "{again:?}");
    assert_eq!(asked(), before);
}
