//! A real harness as a session of a private daemon, with the mock provider behind it.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::lab::{ClaudeLogin, CodexLogin, Expiry, Lab, claude_home, codex_home};
use crate::mock::{Exchange, MockProvider};
use crate::world::{PATIENCE, Ran, Watch, World, program};

/// A harness under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harness {
    /// OpenAI's codex, with ChatGPT logins.
    Codex,
    /// Anthropic's claude, with stored OAuth logins.
    Claude,
}

impl Harness {
    /// The program and the name of its definition.
    pub fn name(self) -> &'static str {
        match self {
            Self::Codex => "codex",
            Self::Claude => "claude",
        }
    }

    /// Whose accounts it runs on.
    pub fn provider(self) -> &'static str {
        match self {
            Self::Codex => "openai",
            Self::Claude => "anthropic",
        }
    }

    /// The mount on a login of this alias.
    pub fn mount(self, alias: &str) -> String {
        format!("{}@{}/{alias}", self.name(), self.provider())
    }
}

/// World, provider and homes of one test.
pub struct Host {
    /// The daemon.
    pub world: World,
    /// The provider.
    pub mock: MockProvider,
    /// The homes.
    pub lab: Lab,
}

impl Host {
    /// A host for the CLIs at these paths.
    pub async fn new(clis: &[&Path]) -> Self {
        let (mock, lab) = (MockProvider::start().await.expect("a provider"), Lab::new().expect("a lab"));
        let mut world = World::new();
        let programs = program("posthouse").parent().map(Path::to_path_buf).unwrap_or_default();
        let dirs = clis.iter().filter_map(|cli| cli.parent()).map(Path::to_path_buf);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(programs).chain(dirs).chain(std::env::split_paths(&path));
        world.set("PATH", std::env::join_paths(path).expect("a PATH"));
        world.set("TZ", "UTC");
        world.set("HOME", lab.user());
        world.start();
        Self { world, mock, lab }
    }

    /// Makes a login of the account `alias` and registers it under that alias.
    pub fn login(&self, harness: Harness, alias: &str) {
        let name = format!("{}-{alias}", harness.name());
        let home = match harness {
            Harness::Codex => codex_home(&self.lab, &self.mock, &name, CodexLogin::ChatGpt(alias)),
            Harness::Claude => {
                claude_home(&self.lab, &self.mock, &name, ClaudeLogin::Stored(alias, Expiry::Ahead))
            }
        };
        let dir = home.expect("a home").dir;
        let dir = dir.to_str().expect("a UTF-8 path");
        self.world.cli(&["credential", "add", harness.provider(), alias, "--home", dir]).ok();
    }

    /// Spawns a session on a route and waits until it can take input.
    pub fn spawn(&self, name: &str, route: &str) {
        let cwd = self.lab.cwd();
        let cwd = cwd.to_str().expect("a UTF-8 path");
        self.world.cli(&["spawn", name, "--route", route, "--cwd", cwd, "--wait-ready", "60s"]).ok();
    }

    /// Sends and waits for that state.
    pub fn send(&self, to: &str, body: &str, more: &[&str]) -> Ran {
        let args = [&["send", to, "-", "--json", "--timeout", "90s"], more].concat();
        self.world.cli_with_input(&args, body.as_bytes())
    }

    /// The first turn that newly says `body` and is answered well.
    pub async fn turn_with(&self, body: &str) -> Exchange {
        let found =
            self.mock.wait_for(PATIENCE, |e| e.is_turn() && e.newly_says(body) && e.succeeded()).await;
        found.unwrap_or_else(|e| panic!("{e}"))
    }

    /// How many turns newly said `body`, whatever became of them.
    pub fn times_said(&self, body: &str) -> usize {
        self.mock.turns().iter().filter(|turn| turn.newly_says(body)).count()
    }

    /// Follows the journal.
    pub async fn watch(&self) -> Watch {
        self.world.watch().await
    }
}

/// The last step of the one receipt in what `send --json` printed.
///
/// # Panics
/// When there is none.
pub fn last_receipt(sent: &Ran) -> Value {
    let receipts = sent.json()["receipts"].as_array().cloned().unwrap_or_default();
    receipts.last().cloned().unwrap_or_else(|| panic!("no receipt: {sent:?}"))
}

/// How soon after a harness's own final failure a session has to run elsewhere.
pub const FAILOVER_WITHIN: Duration = Duration::from_secs(5);
