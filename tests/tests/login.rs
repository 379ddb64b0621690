//! Logging in: by a program that stands for a harness's own, as a session of the daemon, proven at the mock provider.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use posthouse_tests::mock::{AccountToken, MockProvider, Refusal, Scenario};
use posthouse_tests::standin::DEFINITION;
use posthouse_tests::world::{Ran, World, program};

/// A login program: notes that it ran and how, shows a code, does `what`, and ends.
const PROGRAM: &str =
    "#!/bin/sh\necho \"$0 $*\" >> \"$RAN\"\necho 'Open https://login.example/device and type ABCD-1234'\n";

struct Scene {
    world: World,
    mock: MockProvider,
}

impl Scene {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    /// A daemon that knows the harness `fake`, whose login program does nothing yet, and shims for these programs, which
    /// only note that they ran.
    async fn with(shims: &[&str]) -> Self {
        let mock = MockProvider::start().await.unwrap();
        let mut world = World::new();
        let bin = world.home().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let scene_path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        world.set("PATH", scene_path);
        world.set("BROWSER", bin.join("xdg-open"));
        world.set("DISPLAY", ":0");
        world.define_harness("fake", &definition(&mock.http()));
        let scene = Self { world, mock };
        scene.does("");
        for shim in shims {
            write_program(&bin.join(shim), &scene.text(""));
        }
        let mut scene = scene;
        scene.world.start();
        scene
    }

    fn text(&self, what: &str) -> String {
        let ran = self.world.home().join("ran");
        PROGRAM.replace("\"$RAN\"", &format!("{ran:?}")) + what + "\n"
    }

    /// What the login program does from now on.
    fn does(&self, what: &str) {
        write_program(&self.world.home().join("bin/fake-login"), &self.text(what));
    }

    /// The login program writes a login of this account.
    fn logs_in(&self, account: &str, generation: u32) {
        self.does(&format!("{} > \"$FAKE_HOME/login.json\"", self.login_text(account, generation)));
    }

    fn login_text(&self, account: &str, generation: u32) -> String {
        let token = AccountToken::new(account, generation, 1_900_000_000).openai_jwt();
        format!("echo '{{\"access\":\"{token}\",\"refresh\":\"r\",\"who\":\"{account}\"}}'")
    }

    /// How often a login program or a shim ran.
    fn ran(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.world.home().join("ran")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn add(&self, alias: &str) -> PathBuf {
        let dir = self.world.home().join(alias);
        std::fs::create_dir_all(&dir).unwrap();
        let token = AccountToken::new(alias, 1, 1_900_000_000).openai_jwt();
        std::fs::write(dir.join("login.json"), format!("{{\"access\":\"{token}\",\"who\":\"{alias}\"}}"))
            .unwrap();
        self.world.cli(&["credential", "add", "fakeai", alias, "--home", dir.to_str().unwrap()]).ok();
        dir
    }

    /// The provider ends the logins of this account.
    fn revoke(&self, alias: &str) {
        self.mock.set(alias, Scenario::Refuse(Refusal::TokenInvalidated));
        let checked = self.world.cli(&["credential", "check", &format!("fakeai/{alias}")]);
        assert_eq!(checked.code, 3, "{checked:?}");
    }

    fn cli(&self, args: &[&str]) -> Ran {
        self.world.cli(args)
    }
}

fn write_program(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn definition(mock: &str) -> String {
    let more = format!(
        r#"
[login]
command = ["fake-login"]
device = ["fake-login", "--device"]

[credential.login]
path = "login.json"
access = [["access"]]
refresh = [["refresh"]]
account = [["who"]]

[credential.login.probe]
base_url = "{mock}"
path = "/wham/usage"
headers = {{ authorization = "Bearer {{secret}}" }}
"#
    );
    let head = format!(
        "name = \"fake\"\nprovider = \"fakeai\"\n[launch]\nprogram = {:?}\n[credential]\nhome_env = \"FAKE_HOME\"\nlogin_files = [\"login.json\"]\n",
        program("standin")
    );
    head + &more
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_is_shown_live_stored_where_it_is_used_and_proven() {
    let scene = Scene::new().await;
    scene.logs_in("ann", 1);
    let done = scene.cli(&["login", "FakeAI", "--name", "work", "--device"]).ok();
    assert!(done.err.contains("type ABCD-1234"), "what the program shows is shown: {done:?}");
    assert!(done.out.contains("fakeai/work: logged in as …ann; its provider takes it"), "{done:?}");
    assert_eq!(scene.ran().len(), 1);
    assert!(scene.ran()[0].ends_with("fake-login --device"));
    let shown = scene.cli(&["credential", "show", "fakeai/work", "--json"]).ok().json();
    let home = PathBuf::from(shown["credentials"][0]["home"].as_str().unwrap());
    assert_eq!(std::fs::metadata(&home).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(home.join("login.json").exists());
    assert!(
        scene.cli(&["ls", "--json"]).ok().json()["sessions"].as_array().unwrap().is_empty(),
        "its session is gone"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconnect_once_when_selection_empty() {
    let scene = Scene::new().await;
    scene.add("fine");
    scene.add("work");
    scene.revoke("work");
    scene.mock.set("work", Scenario::Ok);
    scene.logs_in("work", 2);
    let done = scene.cli(&["reconnect"]).ok();
    assert_eq!(scene.ran().len(), 1, "exactly one flow: {done:?}");
    assert!(done.out.contains("fakeai/work"));
    assert!(scene.cli(&["reconnect"]).ok().out.contains("no credential needs a login"));
    scene.logs_in("work", 3);
    scene.cli(&["reconnect", "fakeai/work", "FAKEAI/work"]).ok();
    assert_eq!(scene.ran().len(), 2, "named twice, done once");
    scene.cli(&["reconnect", "fakeai", "--if-invalid"]).ok();
    assert_eq!(scene.ran().len(), 2, "both work");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconnect_requires_new_generation() {
    let scene = Scene::new().await;
    scene.add("work");
    scene.revoke("work");
    let vain = scene.cli(&["reconnect", "fakeai/work"]);
    assert_eq!(vain.code, 1, "{vain:?}");
    assert!(vain.err.contains("did not change (still generation 1); nothing was replaced"), "{vain:?}");
    // A login that its provider does not take is none.
    scene.logs_in("work", 2);
    let refused = scene.cli(&["reconnect", "fakeai/work"]);
    assert_eq!((refused.code, refused.err.contains("does not work")), (3, true), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_prompt_never_opens_browser() {
    let scene = Scene::with(&["xdg-open", "codex", "claude", "gemini", "opencode"]).await;
    let mut names = Vec::new();
    for provider in ["openai", "anthropic", "google", "fakeai"] {
        let dir = scene.world.home().join(provider);
        std::fs::create_dir(&dir).unwrap();
        scene.cli(&["credential", "add", provider, "home", "--home", dir.to_str().unwrap()]).ok();
        names.push(provider);
    }
    scene.world.cli_with_input(&["credential", "add", "openai", "key", "--api-key-stdin"], b"sk-x\n").ok();
    let mut args = vec!["reconnect", "--no-prompt"];
    args.extend(&names);
    let told = scene.cli(&args);
    assert_eq!(told.code, 3, "{told:?}");
    for provider in names {
        assert!(told.out.contains(&format!("run: posthouse login {provider}/home")), "{told:?}");
    }
    assert!(!told.out.contains("openai/key"), "nobody found fault with the key: {told:?}");
    let key = scene.cli(&["reconnect", "--no-prompt", "openai/key"]);
    assert!(key.out.contains("posthouse login openai/key --from-stdin"), "{key:?}");
    assert_eq!(scene.ran(), Vec::<String>::new(), "nothing was started");
    assert!(scene.cli(&["ls", "--json"]).ok().json()["sessions"].as_array().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_names_real_flag() {
    let scene = Scene::new().await;
    scene.add("one");
    scene.add("two");
    let which = scene.cli(&["login", "fakeai"]);
    assert!(which.err.contains("--name") && which.err.contains("fakeai/one, fakeai/two"), "{which:?}");
    let told = scene.cli(&["reconnect", "fakeai/one", "--no-prompt"]);
    assert!(told.out.contains("--no-prompt"), "{told:?}");
    scene.world.cli_with_input(&["credential", "add", "fakeai", "key", "--api-key-stdin"], b"sk-x\n").ok();
    let key = scene.cli(&["login", "fakeai", "--name", "key"]);
    assert!(key.err.contains("posthouse login fakeai --name key --from-stdin"), "{key:?}");
    assert_eq!(scene.ran(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preflight_checks_run_before_the_login_flow() {
    let scene = Scene::new().await;
    std::fs::remove_file(scene.world.home().join("bin/fake-login")).unwrap();
    let missing = scene.cli(&["login", "fakeai"]);
    assert!(
        missing.code == 1 && missing.err.contains("fake-login is not in the daemon's PATH"),
        "{missing:?}"
    );
    assert!(
        scene.cli(&["credential", "ls", "--json"]).ok().json()["credentials"].as_array().unwrap().is_empty()
    );
    let unknown = scene.cli(&["login", "nobody"]);
    assert!(unknown.err.contains("no harness is known that logs in to nobody"), "{unknown:?}");
    let mut inside = scene.world.command();
    inside.args(["login", "fakeai"]).env("POSTHOUSE_RUN", "x").env("POSTHOUSE_SESSION", "agent");
    let output = inside.output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&output.stderr).contains("from a terminal of your own"));
    assert!(scene.cli(&["ls", "--json"]).ok().json()["sessions"].as_array().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn device_poll_5xx_keeps_approval() {
    let scene = Scene::new().await;
    let login = scene.login_text("ann", 1);
    // Its provider breaks while it polls for the approval; it goes on, and is let go on.
    scene.does(&format!(
        "echo 'poll: 503 Service Unavailable'; echo 'poll: 502'; {login} > \"$FAKE_HOME/login.json\""
    ));
    scene.cli(&["login", "fakeai", "--device"]).ok();
    scene.logs_in("ann", 2);
    scene.cli(&["login", "fakeai", "--device"]).ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_device_code_is_not_asked_for_again_over_restarts() {
    let mut scene = Scene::new().await;
    scene.add("work");
    scene.does("echo 'device code request failed: 429 Too Many Requests'; exit 1");
    let refused = scene.cli(&["login", "fakeai/work", "--device"]);
    assert!(
        refused.code == 1 && refused.err.contains("another device code may be asked for at"),
        "{refused:?}"
    );
    // Another login that fails does not forget it, nor does a restart.
    scene.does("exit 1");
    assert_eq!(scene.cli(&["login", "fakeai/work"]).code, 1);
    scene.world.kill_and_restart();
    scene.logs_in("work", 2);
    let early = scene.cli(&["login", "fakeai/work", "--device"]);
    assert!(early.code == 1 && early.err.contains("another one may be asked for at"), "{early:?}");
    assert_eq!(scene.ran().len(), 2, "the program did not run again");
    scene.cli(&["credential", "login", "fakeai/work"]).ok();
    scene.logs_in("work", 3);
    scene.cli(&["login", "fakeai/work", "--device"]).ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_socket_cannot_outlive_the_grant() {
    let scene = Scene::new().await;
    let pid = scene.world.home().join("pid");
    scene.does(&format!("echo $$ > {pid:?}; exec sleep 600"));
    let late = scene.cli(&["login", "fakeai", "--timeout", "1s"]);
    assert!(late.code == 1 && late.err.contains("it took longer than 1s"), "{late:?}");
    let pid: u32 = std::fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    assert!(!posthouse_tests::world::alive(pid), "it is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newline_quote_backtick_in_secret() {
    let scene = Scene::new().await;
    let text = format!(
        "name = \"codex\"\nextends = \"codex\"\n[[credential.key]]\nenv = \"POSTHOUSE_KEY\"\n[credential.key.probe]\nbase_url = \"{}\"\npath = \"/models\"\nheaders = {{ authorization = \"Bearer {{secret}}\" }}\n",
        scene.mock.http()
    );
    scene.world.define_harness("codex", &text);
    let mut scene = scene;
    scene.world.kill_and_restart();
    let secret = "sk-'\"`$(id)\\;{}";
    let stored = scene
        .world
        .cli_with_input(&["login", "openai", "--from-stdin"], format!("{secret}\n").as_bytes())
        .ok();
    assert!(!stored.out.contains(secret) && stored.out.contains("openai/key"), "{stored:?}");
    assert_eq!(scene.mock.requests().last().unwrap().credential, secret, "it arrives as it was given");
    let before = scene.mock.requests().len();
    for wrong in ["two\nlines\n", "a b\n", "\n"] {
        let refused = scene.world.cli_with_input(&["login", "openai", "--from-stdin"], wrong.as_bytes());
        assert_eq!(refused.code, 2, "{refused:?}");
    }
    assert_eq!(scene.mock.requests().len(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_replaced_once_its_provider_took_the_new_one() {
    let mut scene = Scene::new().await;
    let text = format!(
        "name = \"codex\"\nextends = \"codex\"\n[[credential.key]]\nenv = \"POSTHOUSE_KEY\"\n[credential.key.probe]\nbase_url = \"{}\"\npath = \"/wham/usage\"\nheaders = {{ authorization = \"Bearer {{secret}}\" }}\n",
        scene.mock.http()
    );
    scene.world.define_harness("codex", &text);
    scene.world.kill_and_restart();
    let store = |scene: &Scene, key: &str| {
        scene.world.cli_with_input(&["login", "openai", "--name", "key", "--from-stdin"], key.as_bytes())
    };
    store(&scene, "sk-old").ok();
    scene.mock.set("sk-bad", Scenario::Refuse(Refusal::TokenInvalidated));
    let refused = store(&scene, "sk-bad");
    assert!(refused.code == 3 && refused.err.contains("openai/key keeps the key that it had"), "{refused:?}");
    scene.cli(&["credential", "check", "openai/key"]).ok();
    assert_eq!(scene.mock.requests().last().unwrap().credential, "sk-old");
    store(&scene, "sk-new").ok();
    let listed = scene.cli(&["credential", "ls", "--json"]).ok().json();
    assert_eq!(listed["credentials"].as_array().unwrap().len(), 1, "the trial is gone: {listed}");
    // Of a key that nobody can be asked about the first turn tells.
    let unasked = scene.world.cli_with_input(&["login", "acme", "--from-stdin"], b"k-1").ok();
    assert!(unasked.out.contains("its first turn shows"), "{unasked:?}");
    scene.world.cli_with_input(&["login", "acme", "--from-stdin"], b"k-2").ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn modes_enforced_on_rewrite() {
    let mut world = World::new();
    let wrapper = world.home().join("loose");
    write_program(&wrapper, &format!("#!/bin/sh\numask 000\nexec {:?} \"$@\"\n", program("posthoused")));
    world.start_program(&wrapper);
    for key in ["sk-one", "sk-two"] {
        world.cli_with_input(&["credential", "add", "acme", "key", "--api-key-stdin"], key.as_bytes()).ok();
    }
    let mut dirs = vec![world.home().join("state")];
    let mut files = 0;
    while let Some(dir) = dirs.pop() {
        assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o077, 0, "{}", dir.display());
        for entry in std::fs::read_dir(&dir).unwrap().map(Result::unwrap) {
            let meta = entry.metadata().unwrap();
            match meta.is_dir() {
                true => dirs.push(entry.path()),
                false => {
                    assert_eq!(meta.permissions().mode() & 0o077, 0, "{}", entry.path().display());
                    files += 1;
                }
            }
        }
    }
    assert!(files > 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_never_on_argv() {
    let mut world = World::new();
    let keyed = DEFINITION.replace("name = \"standin\"", "name = \"standin\"\nprovider = \"acme\"");
    let keyed = keyed.replace("program = \"standin\"", &format!("program = {:?}", program("standin")));
    let keyed = format!("{keyed}\n[[credential.key]]\nenv = \"ACME_KEY\"\n");
    world.define_harness("standin", &keyed);
    world.start();
    let canary = "sk-canary-9f31c7";
    world.cli_with_input(&["credential", "add", "acme", "key", "--api-key-stdin"], canary.as_bytes()).ok();
    world.cli(&["spawn", "agent", "--route", "standin@acme/key", "--wait-ready"]).ok();
    let lines = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
    let lines: Vec<String> = lines.map(|line| String::from_utf8_lossy(&line).into_owned()).collect();
    assert!(lines.iter().any(|line| line.contains("standin")), "the agent is among them");
    assert!(lines.iter().all(|line| !line.contains(canary)));
}
