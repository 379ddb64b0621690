//! What the stand-in writes down: a log of everything it received, for tests, and its conversations, which have the
//! form of claude's so that the daemon can read and carry them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use super::directive::Failure;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// `started` or `received`.
    pub event: String,
    /// The process.
    pub pid: u32,
    /// Its credential.
    pub key: String,
    /// The conversation.
    pub conversation: String,
    /// Whether it was resumed.
    #[serde(default)]
    pub resumed: bool,
    /// The message, byte for byte.
    #[serde(default)]
    pub text: String,
}

/// Everything that is in a log; nothing if there is none yet.
pub fn entries(log: &Path) -> Vec<Entry> {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The log.
pub struct Log {
    file: Option<File>,
    key: String,
    conversation: String,
}

impl Log {
    /// Opens it for appending.
    pub fn open(path: Option<&Path>, key: &str, conversation: &str) -> io::Result<Self> {
        let file = path.map(|path| OpenOptions::new().create(true).append(true).open(path)).transpose()?;
        Ok(Self { file, key: key.to_owned(), conversation: conversation.to_owned() })
    }

    pub fn started(&mut self, resumed: bool) -> io::Result<()> {
        self.write("started", json!({ "resumed": resumed }))
    }

    pub fn received(&mut self, text: &str) -> io::Result<()> {
        self.write("received", json!({ "text": text }))
    }

    fn write(&mut self, event: &str, more: Value) -> io::Result<()> {
        let mut entry = json!({
            "event": event, "pid": std::process::id(), "key": self.key, "conversation": self.conversation,
        });
        if let (Some(entry), Value::Object(more)) = (entry.as_object_mut(), more) {
            entry.extend(more);
        }
        match &mut self.file {
            // One write, so that several of them in one log never mix.
            Some(file) => file.write_all(format!("{entry}\n").as_bytes()),
            None => Ok(()),
        }
    }
}

/// A conversation file.
pub struct Conversation {
    id: String,
    file: Option<File>,
}

impl Conversation {
    /// Opens a new one, or the one to be resumed, which must exist.
    pub fn open(home: Option<&Path>, id: Option<&str>, resume: Option<&str>) -> io::Result<Self> {
        let id = resume.or(id).map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned);
        let Some(home) = home else { return Ok(Self { id, file: None }) };
        let path = place(home, &id)?;
        if resume.is_some() && !path.is_file() {
            let text = format!("No conversation found with session ID: {id}");
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { id, file: Some(file) })
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn user(&mut self, text: &str) -> io::Result<()> {
        self.write(json!({ "type": "user", "message": { "role": "user", "content": text } }))
    }

    pub fn tool(&mut self) -> io::Result<()> {
        let block = json!({ "type": "tool_use", "name": "Bash", "input": { "command": "true" } });
        self.write(json!({ "type": "assistant", "message": { "role": "assistant", "content": [block] } }))
    }

    pub fn answer(&mut self, text: &str) -> io::Result<()> {
        let block = json!({ "type": "text", "text": text });
        self.write(json!({ "type": "assistant", "message": { "role": "assistant", "content": [block] } }))?;
        self.write(json!({ "type": "system", "subtype": "turn_duration", "durationMs": 1 }))
    }

    pub fn interrupted(&mut self) -> io::Result<()> {
        self.user("[Request interrupted by user]")
    }

    pub fn failed(&mut self, failure: &Failure) -> io::Result<()> {
        let block = json!({ "type": "text", "text": failure.sentence() });
        let mut line = json!({
            "type": "assistant", "isApiErrorMessage": true,
            "message": { "role": "assistant", "content": [block] },
        });
        let (error, status, code) = match failure {
            Failure::Revoked => ("authentication_failed", 401, "token_revoked"),
            Failure::Limit(_) => ("rate_limit", 429, "usage_limit_reached"),
            Failure::Overloaded => ("server_error", 529, "overloaded_error"),
        };
        if let Some(line) = line.as_object_mut() {
            line.insert("error".into(), json!(error));
            line.insert("apiErrorStatus".into(), json!(status));
            line.insert("apiErrorCode".into(), json!(code));
            if let Failure::Limit(seconds) = failure {
                let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                let resets = now.map_or(0, |now| now.as_secs()) + seconds;
                line.insert("quotaLimits".into(), json!({ "status": "rejected", "resetsAt": resets }));
            }
        }
        self.write(line)
    }

    fn write(&mut self, mut line: Value) -> io::Result<()> {
        if let Some(line) = line.as_object_mut() {
            line.insert("sessionId".into(), json!(self.id));
        }
        match &mut self.file {
            Some(file) => file.write_all(format!("{line}\n").as_bytes()),
            None => Ok(()),
        }
    }
}

fn place(home: &Path, id: &str) -> io::Result<PathBuf> {
    let cwd = std::env::current_dir()?;
    let dashed = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let folder: String = cwd.to_string_lossy().chars().map(dashed).collect();
    Ok(home.join("projects").join(folder).join(format!("{id}.jsonl")))
}
