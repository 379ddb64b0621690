//! Logins in home directories are asked about at their provider, by the commands that people use.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use posthouse_tests::mock::{AccountToken, Endpoint, MockProvider, Refusal, Scenario};
use posthouse_tests::standin::DEFINITION;
use posthouse_tests::world::{World, program};

struct Scene {
    world: World,
    mock: MockProvider,
}

impl Scene {
    /// A daemon whose codex is asked about at the mock.
    async fn new() -> Self {
        let mock = MockProvider::start().await.unwrap();
        let mut world = World::new();
        let probe = format!(
            "name = \"codex\"\nextends = \"codex\"\n[credential.login.probe]\nbase_url = {:?}\n",
            mock.http()
        );
        world.define_harness("codex", &probe);
        world.start();
        Self { world, mock }
    }

    fn login(&self, account: &str, home: &str, generation: u32) -> PathBuf {
        let dir = self.world.home().join(home);
        std::fs::create_dir_all(&dir).unwrap();
        let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap();
        let token = AccountToken::new(account, generation, now);
        let login = serde_json::json!({"auth_mode": "chatgpt", "tokens": {
            "access_token": token.openai_jwt(), "id_token": token.openai_jwt(),
            "refresh_token": token.openai_refresh(), "account_id": account,
        }});
        std::fs::write(dir.join("auth.json"), login.to_string()).unwrap();
        dir
    }

    fn add(&self, alias: &str, account: &str) {
        let dir = self.login(account, alias, 1);
        self.world.cli(&["credential", "add", "openai", alias, "--home", dir.to_str().unwrap()]).ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_check_asks_about_every_login_and_says_whose_it_is() {
    let scene = Scene::new().await;
    scene.add("work", "acct-work");
    scene.add("spare", "acct-spare");
    let fine = scene.world.cli(&["status", "--check", "--json"]).ok().json();
    let [spare, work] = fine["credentials"].as_array().unwrap().as_slice() else { panic!("{fine}") };
    for one in [spare, work] {
        assert_eq!((&one["state"], &one["verified_by"]), (&"valid".into(), &"probe".into()), "{one}");
        assert_eq!(one["login"]["account"], "a…@example.invalid", "the name can't be read off");
        assert_eq!((&one["login"]["plan"], &one["login"]["renewable"]), (&"plus".into(), &true.into()));
    }
    let asked = scene.mock.requests().iter().filter(|request| request.endpoint == Endpoint::Usage).count();
    assert_eq!(asked, 2);

    scene.mock.set("acct-work", Scenario::Refuse(Refusal::TokenInvalidated));
    let dead = scene.world.cli(&["status", "--check"]);
    assert_eq!(dead.code, 3, "{dead:?}");
    assert!(dead.out.contains("needs_login") && dead.out.contains("its provider refuses it"), "{dead:?}");
    assert!(!dead.out.contains("eyJ"), "no token is shown");

    // Waiting for it ends at once, with the command that mends it; a new login is noticed and asked about.
    let vain = scene.world.cli(&["wait", "--credential", "openai/work", "--timeout", "30s"]);
    assert_eq!((vain.code, vain.err.contains("run: ")), (3, true), "{vain:?}");
    scene.mock.set("acct-work", Scenario::Ok);
    scene.login("acct-work", "work", 2);
    let works = scene.world.cli(&["wait", "--credential", "codex/work", "--timeout", "30s"]).ok();
    assert!(works.out.contains("openai/work works (seen by probe)"), "{works:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_account_in_the_same_home_is_told_of() {
    let scene = Scene::new().await;
    scene.add("work", "acct-one");
    let mut watch = scene.world.watch().await;
    scene.login("other", "work", 1);
    scene.world.cli(&["credential", "show", "openai/work"]).ok();
    watch.event("credential", "openai/work", &["account changed from a…@", "to o…@"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headless_dead_auth_boots() {
    let mut scene = Scene::new().await;
    scene.add("dead", "acct-dead");
    scene.add("good", "acct-good");
    scene.mock.set("acct-dead", Scenario::Refuse(Refusal::TokenInvalidated));
    assert_eq!(scene.world.cli(&["credential", "check", "openai/dead"]).code, 3);
    let asked = scene.mock.requests().len();
    let mut fastest = Duration::MAX;
    for _ in 0..20 {
        scene.world.kill();
        let begun = Instant::now();
        scene.world.start();
        let listed = scene.world.cli(&["credential", "ls", "--json"]);
        fastest = fastest.min(begun.elapsed());
        assert_eq!(listed.code, 3, "it is known to be dead");
    }
    // The machine may be busy once, not twenty times.
    assert!(fastest < Duration::from_secs(1), "{fastest:?}");
    assert_eq!(scene.mock.requests().len(), asked, "nobody was asked anything, least of all for a login");
    scene.world.cli(&["wait", "--credential", "openai/good", "--timeout", "30s"]).ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_incident_both_are_asked_about_and_what_that_shows_counts() {
    let mock = MockProvider::start().await.unwrap();
    let mut world = World::new();
    let probe = format!(
        "env = \"STANDIN_KEY\"\n\n[credential.key.probe]\nbase_url = {:?}\npath = \"/v1/models\"\n\
         headers = {{ authorization = \"Bearer {{secret}}\" }}",
        mock.http()
    );
    let definition = DEFINITION
        .replace("program = \"standin\"", &format!("program = {:?}", program("standin")))
        .replace("transcript = \"claude\"", "transcript = \"claude\"\nprovider = \"acme\"")
        .replace("env = \"STANDIN_KEY\"", &probe);
    world.define_harness("standin", &definition);
    let revoked = world.home().join("revoked");
    std::fs::write(&revoked, "").unwrap();
    world.set("STANDIN_REVOKED", &revoked);
    world.start();
    for key in ["good", "bad"] {
        world.cli_with_input(&["credential", "add", "acme", key, "--api-key-stdin"], key.as_bytes()).ok();
    }
    let route = "standin@acme/good, standin@acme/bad";
    world.cli(&["spawn", "agent", "--route", route, "--wait-ready", "60s"]).ok();
    let mut watch = world.watch().await;

    // The provider refuses both as revoked, and one of the two wrongly.
    std::fs::write(&revoked, "good\nbad\n").unwrap();
    mock.set("bad", Scenario::Refuse(Refusal::BadKey));
    world.cli(&["send", "agent", "hello"]).ok();
    watch.event("decision", "agent", &["incident"]).await;
    watch.event("credential", "acme/good", &["probed", "\"valid\""]).await;
    watch.event("credential", "acme/bad", &["probed", "\"disabled\""]).await;
    let asked = mock.requests().iter().filter(|request| request.path == "/v1/models").count();
    assert_eq!(asked, 2, "{:?}", mock.requests());
}
