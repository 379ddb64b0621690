//! Access tokens that are over: Posthouse refreshes its own logins once, and lets harnesses refresh theirs one at a time.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use posthouse_tests::mock::{AccountToken, Endpoint, Exchange, MockProvider, RefreshFault, Scenario};
use posthouse_tests::standin::{DEFINITION, login_at};
use posthouse_tests::world::{PATIENCE, World, program, signal};
use posthoused::credential::http::Http;
use posthoused::credential::refresh::Lineage;
use posthoused::harness::catalog::Catalog;
use serde_json::{Value, json};

struct Scene {
    world: World,
    mock: MockProvider,
}

impl Scene {
    /// A daemon that knows the harness `fake`, which is the stand-in after a line in `starts` with the login that it found.
    async fn new() -> Self {
        let mock = MockProvider::start().await.unwrap();
        let mut world = World::new();
        let bin = world.home().join("bin");
        std::fs::create_dir(&bin).unwrap();
        world.set("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
        let scene_definition = definition(&bin.join("fake"), &mock.http());
        world.define_harness("fake", &scene_definition);
        let mut scene = Self { world, mock };
        scene.harness_does("");
        scene.world.start();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.world.home().join(name)
    }

    fn harness_does(&self, what: &str) {
        let starts = self.path("starts");
        let note = format!("#!/bin/sh\n{{ tr -d '\\n' < \"$FAKE_HOME/login.json\"; echo; }} >> {starts:?}\n");
        write_program(
            &self.path("bin/fake"),
            &format!("{note}{what}\nexec {:?} \"$@\"\n", program("standin")),
        );
    }

    /// What harnesses found when they started.
    fn starts(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("starts")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A login of Posthouse's own, whose access token was then over.
    fn own(&self, alias: &str) -> PathBuf {
        let login = login(alias, 1_900_000_000).to_string();
        write_program(
            &self.path("bin/fake-login"),
            &format!("#!/bin/sh\necho '{login}' > \"$FAKE_HOME/login.json\"\n"),
        );
        self.world.cli(&["login", "fakeai", "--name", alias]).ok();
        let shown = self.world.cli(&["credential", "show", &format!("fakeai/{alias}"), "--json"]).ok().json();
        let home = PathBuf::from(shown["credentials"][0]["home"].as_str().unwrap());
        write(&home, &login_over(alias));
        home
    }

    fn refreshes(&self) -> Vec<Exchange> {
        self.mock.requests().into_iter().filter(|request| request.endpoint == Endpoint::Token).collect()
    }
}

fn write_program(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn login(account: &str, ends: i64) -> Value {
    let token = AccountToken::new(account, 1, 1_000_000_000);
    json!({"access": format!("sk-ant-oat01.{account}.1"), "refresh": token.openai_refresh(), "ends": ends, "who": account, "kept": [1]})
}

fn login_over(account: &str) -> Value {
    login(account, 1_600_000_000)
}

fn write(home: &Path, login: &Value) {
    std::fs::write(home.join("new"), login.to_string()).unwrap();
    std::fs::rename(home.join("new"), home.join("login.json")).unwrap();
}

fn read(home: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(home.join("login.json")).unwrap()).unwrap()
}

fn definition(harness: &Path, mock: &str) -> String {
    let home = "home_env = \"FAKE_HOME\"\nlogin_files = [\"login.json\"]";
    DEFINITION
        .replace("name = \"standin\"", "name = \"fake\"\nprovider = \"fakeai\"")
        .replace("program = \"standin\"", &format!("program = {harness:?}"))
        .replace("home_env = \"STANDIN_HOME\"", home)
        + &login_at(mock, "/wham/usage")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotated_refresh_token_persisted_before_use() {
    let mut scene = Scene::new().await;
    let home = scene.own("work");
    let checked = scene.world.cli(&["credential", "check", "fakeai/work"]).ok();
    assert!(checked.out.contains("its provider takes it"), "{checked:?}");
    let [refresh] = scene.refreshes().try_into().unwrap();
    let after = read(&home);
    assert_ne!(after["refresh"], login_over("work")["refresh"]);
    assert!(after["ends"].as_i64() > Some(1_700_000_000) && after["kept"] == json!([1]), "{after}");
    let kept = std::fs::metadata(home.join("login.json")).unwrap();
    assert_eq!(kept.permissions().mode() & 0o777, 0o600);
    let used = scene
        .mock
        .wait_for(PATIENCE, |e| e.endpoint == Endpoint::Usage && e.number > refresh.number)
        .await
        .unwrap();
    assert!(kept.modified().unwrap() <= used.at, "it was on disk before it was used");

    // kill -9 between the provider's spending of the token and the file: the answer is lost.
    write(&home, &login_over("work"));
    scene.mock.set("work", Scenario::Hang);
    std::thread::scope(|both| {
        let asks = both.spawn(|| scene.world.cli(&["credential", "check", "fakeai/work"]));
        while scene.refreshes().len() < 2 {
            std::thread::yield_now();
            assert!(!asks.is_finished(), "it waits for the provider");
        }
        signal(scene.world.daemon_pid(), Signal::SIGKILL);
        let asked = asks.join().unwrap();
        assert_ne!(asked.code, 0, "{asked:?}");
    });
    scene.world.kill_and_restart();
    assert_eq!(read(&home), login_over("work"), "the file is whole, and the old one");
    scene.mock.set("work", Scenario::Refresh(RefreshFault::Reused));
    let told = scene.world.cli(&["credential", "check", "fakeai/work"]);
    assert_eq!(told.code, 3, "{told:?}");
    let shown = scene.world.cli(&["credential", "show", "fakeai/work", "--json"]).json();
    let shown = &shown["credentials"][0];
    assert_eq!(
        (&shown["state"], &shown["repair"]),
        (&"needs_login".into(), &"posthouse login fakeai/work".into())
    );
    scene.world.cli(&["credential", "check", "fakeai/work"]);
    assert!(scene.refreshes().len() <= 4, "nobody goes on trying");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_refresh_at_once_one_network_call() {
    let scene = Scene::new().await;
    let home = scene.own("work");
    let mut catalog = Catalog::builtin().unwrap();
    catalog.add("fake.toml", &definition(&scene.path("bin/fake"), &scene.mock.http())).unwrap();
    let how = catalog.get("fake").unwrap().credential.login.clone().unwrap();
    let lineage =
        Lineage { id: "fakeai/work".parse().unwrap(), harness: "fake".into(), how, home: home.clone() };
    // Another process, as far as the lock is concerned, beside the daemon and its two clients.
    let beside = tokio::spawn(async move { lineage.refresh(&Http::from_env(|_| None)).await });
    std::thread::scope(|both| {
        let asks = || scene.world.cli(&["credential", "check", "fakeai/work"]).ok();
        let (one, two) = (both.spawn(asks), both.spawn(asks));
        drop((one.join().unwrap(), two.join().unwrap()));
    });
    let got = beside.await.unwrap().unwrap();
    assert_eq!(got.facts.expires.map(jiff::Timestamp::as_second), read(&home)["ends"].as_i64());
    assert_eq!(scene.refreshes().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_on_posthouses_own_login_starts_with_a_new_access_token() {
    let scene = Scene::new().await;
    let home = scene.own("work");
    scene.world.cli(&["spawn", "one", "--route", "fake@fakeai/work", "--wait-ready"]).ok();
    let [found] = scene.starts().try_into().unwrap();
    assert_eq!(found, read(&home));
    assert!(found["ends"].as_i64() > Some(1_700_000_000));
    // It is the harness's from now on: what it has in its memory must not be spent by anyone else.
    write(&home, &login_over("work"));
    scene.world.cli(&["credential", "check", "fakeai/work"]);
    assert_eq!(scene.refreshes().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn harnesses_start_one_at_a_time_on_a_login_that_is_over() {
    let scene = Scene::new().await;
    let (home, go) = (scene.path("theirs"), scene.path("go"));
    std::fs::create_dir(&home).unwrap();
    write(&home, &login_over("work"));
    let fresh = login("work", 1_900_000_000).to_string();
    // The first one takes its time to refresh; the others find nothing to do.
    scene.harness_does(&format!(
        "until [ -e {go:?} ]; do sleep 0.05; done\n[ -e {home:?}/once ] || {{ : > {home:?}/once; echo '{fresh}' > {home:?}/login.json; }}"
    ));
    scene.world.cli(&["credential", "add", "fakeai", "work", "--home", home.to_str().unwrap()]).ok();
    let mut watch = scene.world.watch().await;
    let spawn = |name| scene.world.cli(&["spawn", name, "--route", "fake@fakeai/work"]).ok();
    spawn("one");
    std::thread::scope(|both| {
        let two = both.spawn(|| spawn("two"));
        // It is answered once its process runs, for which it waits.
        let listed = || scene.world.cli(&["ls", "--json"]).ok().json()["sessions"].as_array().map(Vec::len);
        while listed() < Some(2) {
            std::thread::yield_now();
            assert!(!two.is_finished());
        }
        assert_eq!(scene.starts().len(), 1);
        std::fs::write(&go, "").unwrap();
        two.join().unwrap();
    });
    watch.event("session.state", "two", &["\"state\":\"ready\""]).await;
    let ends: Vec<_> = scene.starts().iter().map(|found| found["ends"].as_i64().unwrap()).collect();
    assert_eq!(ends, [1_600_000_000, 1_900_000_000], "the second one found what the first had got");
}
