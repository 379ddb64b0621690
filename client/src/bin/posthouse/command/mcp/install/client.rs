//! The clients: where each keeps its settings, and how it wants to be told of a server.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::settings::{Dialect, Entry};

/// Variables by which the server finds its daemon and its session. codex passes on only what it is told to.
const VARIABLES: [&str; 6] = [
    "POSTHOUSE_HOME",
    "POSTHOUSE_SOCKET",
    "POSTHOUSE_RUN",
    "POSTHOUSE_SESSION",
    "POSTHOUSE_NAME",
    "XDG_RUNTIME_DIR",
];

/// Programs whose settings can be edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Client {
    /// Claude Code
    Claude,
    /// Codex
    Codex,
    /// Gemini CLI
    Gemini,
    /// opencode
    Opencode,
    /// Cursor
    Cursor,
    /// Visual Studio Code
    Vscode,
    /// Zed
    Zed,
}

/// Whose settings of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The user's.
    User,
    /// Those of the project in this folder.
    Project(PathBuf),
}

impl Scope {
    /// Mode of a new file. The user's may come to hold secrets; a project's is shared.
    pub fn mode(&self) -> u32 {
        match self {
            Self::User => 0o600,
            Self::Project(_) => 0o644,
        }
    }
}

/// Whether an entry starts this program.
pub fn is_ours(entry: &Value) -> bool {
    let words = match entry.get("command") {
        Some(Value::Array(words)) => words.clone(),
        Some(program) => {
            let arguments = entry.get("args").and_then(Value::as_array).cloned().unwrap_or_default();
            std::iter::once(program.clone()).chain(arguments).collect()
        }
        None => return false,
    };
    let program = words.first().and_then(Value::as_str).map(Path::new).and_then(Path::file_name);
    program.is_some_and(|name| name == "posthouse") && words.get(1).is_some_and(|word| word == "mcp")
}

impl Client {
    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Opencode => "opencode",
            Self::Cursor => "cursor",
            Self::Vscode => "vscode",
            Self::Zed => "zed",
        }
    }

    /// What it is called.
    pub fn title(self) -> &'static str {
        match self {
            Self::Claude => "Claude Code",
            Self::Codex => "Codex",
            Self::Gemini => "Gemini CLI",
            Self::Opencode => "opencode",
            Self::Cursor => "Cursor",
            Self::Vscode => "VS Code",
            Self::Zed => "Zed",
        }
    }

    /// How to see that it works.
    pub fn next_step(self) -> &'static str {
        match self {
            Self::Claude => "see it with: claude mcp list",
            Self::Codex => "see it with: codex mcp list",
            Self::Gemini => "see it with: gemini mcp list",
            Self::Opencode => "see it with: opencode mcp list",
            Self::Cursor => "see it in Cursor under Settings, MCP",
            Self::Vscode => "see it in VS Code with the command `MCP: List Servers`",
            Self::Zed => "see it in Zed under Agent Settings, Context Servers",
        }
    }

    /// How its file is written.
    pub fn dialect(self) -> Dialect {
        match self {
            Self::Claude => Dialect::Json,
            Self::Codex => Dialect::Toml,
            Self::Gemini | Self::Opencode | Self::Cursor | Self::Vscode | Self::Zed => Dialect::Jsonc,
        }
    }

    /// Its settings file.
    ///
    /// # Errors
    /// Where it has none of that scope, or no home is known.
    pub fn file(self, scope: &Scope, get: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, String> {
        let set = |name: &str| get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = || set("HOME").ok_or("find the settings: HOME is not set");
        let config = || match set("XDG_CONFIG_HOME") {
            Some(dir) => Ok(dir),
            None => home().map(|home| home.join(".config")),
        };
        let own = |name: &str, rest: &str| match set(name) {
            Some(dir) => Ok(dir),
            None => home().map(|home| home.join(rest)),
        };
        Ok(match (self, scope) {
            (Self::Claude, Scope::User) => own("CLAUDE_CONFIG_DIR", "")?.join(".claude.json"),
            (Self::Claude, Scope::Project(dir)) => dir.join(".mcp.json"),
            (Self::Codex, Scope::User) => own("CODEX_HOME", ".codex")?.join("config.toml"),
            (Self::Codex, Scope::Project(dir)) => dir.join(".codex/config.toml"),
            (Self::Gemini, Scope::User) => own("GEMINI_CLI_HOME", "")?.join(".gemini/settings.json"),
            (Self::Gemini, Scope::Project(dir)) => dir.join(".gemini/settings.json"),
            (Self::Opencode, Scope::User) => with_comments(&config()?.join("opencode/opencode.json")),
            (Self::Opencode, Scope::Project(dir)) => with_comments(&dir.join("opencode.json")),
            (Self::Cursor, Scope::User) => home()?.join(".cursor/mcp.json"),
            (Self::Cursor, Scope::Project(dir)) => dir.join(".cursor/mcp.json"),
            (Self::Vscode, Scope::User) if cfg!(target_os = "macos") => {
                home()?.join("Library/Application Support/Code/User/mcp.json")
            }
            (Self::Vscode, Scope::User) => config()?.join("Code/User/mcp.json"),
            (Self::Vscode, Scope::Project(dir)) => dir.join(".vscode/mcp.json"),
            (Self::Zed, Scope::User) if cfg!(target_os = "macos") => {
                home()?.join(".config/zed/settings.json")
            }
            (Self::Zed, Scope::User) => config()?.join("zed/settings.json"),
            (Self::Zed, Scope::Project(_)) => {
                return Err("install for one project: Zed has such settings only for the user".to_owned());
            }
        })
    }

    /// The entry of this program.
    ///
    /// # Errors
    /// If this program's path is not UTF-8 or not known.
    pub fn entry(
        self,
        name: &str,
        scope: &Scope,
        get: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Entry, String> {
        let program = match scope {
            Scope::User => program(get("PATH"))?,
            // Shared with people who have it elsewhere.
            Scope::Project(_) => "posthouse".to_owned(),
        };
        // A client that is not started from this shell must reach the same daemon.
        let place = ["POSTHOUSE_HOME", "POSTHOUSE_SOCKET"].into_iter().filter(|_| *scope == Scope::User);
        let env: Map<String, Value> = place
            .filter_map(|name| Some((name.to_owned(), get(name)?.into_string().ok()?.into())))
            .filter(|(_, value)| value != "")
            .collect();
        let (table, env_name) = match self {
            Self::Claude | Self::Gemini | Self::Cursor => ("mcpServers", "env"),
            Self::Codex => ("mcp_servers", "env"),
            Self::Opencode => ("mcp", "environment"),
            Self::Vscode => ("servers", "env"),
            Self::Zed => ("context_servers", "env"),
        };
        let mut must = match self {
            Self::Opencode => json!({ "type": "local", "command": [program, "mcp"] }),
            Self::Claude | Self::Vscode => json!({ "type": "stdio", "command": program, "args": ["mcp"] }),
            _ => json!({ "command": program, "args": ["mcp"] }),
        };
        let fresh = match self {
            Self::Opencode => json!({ "enabled": true }),
            Self::Codex => json!({ "env_vars": VARIABLES }),
            _ => json!({}),
        };
        if !env.is_empty() {
            must[env_name] = Value::Object(env);
        }
        let members = |value: Value| match value {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        Ok(Entry { table, name: name.to_owned(), must: members(must), fresh: members(fresh) })
    }
}

/// The file with the ending `.jsonc`, if that is the one there is.
fn with_comments(path: &Path) -> PathBuf {
    let other = path.with_extension("jsonc");
    if other.exists() { other } else { path.to_owned() }
}

/// Where this program is found: on PATH if it is there, because such a path outlives an upgrade.
fn program(path: Option<OsString>) -> Result<String, String> {
    let running = std::env::current_exe().map_err(|e| format!("find this program: {e}"))?;
    let same = |candidate: &PathBuf| candidate.canonicalize().is_ok_and(|found| found == running);
    let dirs = path.map(|path| std::env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    let on_path =
        dirs.into_iter().filter(|dir| dir.is_absolute()).map(|dir| dir.join("posthouse")).find(same);
    let found = on_path.unwrap_or(running);
    found.into_os_string().into_string().map_err(|found| format!("name this program: {found:?} is not UTF-8"))
}
