//! Settings files of other programs, edited as text: one entry is put in or taken out, and every other byte stays.
//!
//! [`jsonc`] and [`toml`] are pure: text in, edited text out. [`mod@file`] reads and replaces files.

pub mod file;
pub mod jsonc;
pub mod toml;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An entry of a settings file: a table of values, under a name, in a table of such entries.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The table of entries.
    pub table: &'static str,
    /// The entry's name in it.
    pub name: String,
    /// What it has to say.
    pub must: Map<String, Value>,
    /// What a new one says besides; where the entry is there already, the user's word stands.
    pub fresh: Map<String, Value>,
}

impl Entry {
    /// Where it stands, outermost first.
    pub fn path(&self) -> [&str; 2] {
        [self.table, &self.name]
    }

    /// All that a new entry says.
    pub fn whole(&self) -> Map<String, Value> {
        self.must.clone().into_iter().chain(self.fresh.clone()).collect()
    }
}

/// How the text of a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// JSON and nothing else.
    Json,
    /// JSON with comments and trailing commas.
    Jsonc,
    /// TOML.
    Toml,
}

/// What putting an entry in changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Put {
    /// The entry is new.
    Added {
        /// The text with it.
        text: String,
        /// What taking it out again has to know.
        undo: Undo,
    },
    /// It was there and said something else.
    Updated {
        /// The text with what it says now.
        text: String,
    },
    /// It was there as it should be.
    Unchanged,
}

/// What stood where an entry was put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "was", rename_all = "snake_case")]
pub enum Undo {
    /// Other members, in the object `depth` levels below the root.
    Beside {
        /// 0 for the root.
        depth: usize,
    },
    /// Nothing but white space, in that object.
    Hollow {
        /// 0 for the root.
        depth: usize,
        /// The white space.
        held: String,
    },
    /// No value at all: the whole text.
    Blank {
        /// The text.
        text: String,
    },
    /// The end of the text, to which this was appended.
    Appended {
        /// The piece.
        piece: String,
    },
}

/// Why a text is left as it is; completes "failed to edit FILE: …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not what it should be.
    #[error("line {line}: {what}")]
    Unreadable {
        /// From 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// It is, but its shape has no place for the entry.
    #[error("{0}")]
    Shape(String),
    /// Somebody else's entry has the name.
    #[error("`{table}` has an entry `{name}` that is not Posthouse's; choose another name with --name")]
    Foreign {
        /// The table of entries.
        table: String,
        /// The name.
        name: String,
    },
    /// The edited text would not say what it should. A fault of this program; nothing is written.
    #[error("the edited text would have changed something else; nothing was written")]
    Unsound,
}

/// Puts `entry` into `text`. An entry of that name for which `ours` is false is left alone.
///
/// # Errors
/// If the text can't be read, or has no place for it.
pub fn put(dialect: Dialect, text: &str, entry: &Entry, ours: Ours) -> Result<Put, Refusal> {
    match dialect {
        Dialect::Json => jsonc::put(text, jsonc::Strictness::Json, entry, ours),
        Dialect::Jsonc => jsonc::put(text, jsonc::Strictness::Comments, entry, ours),
        Dialect::Toml => toml::put(text, entry, ours),
    }
}

/// Takes the entry out again; `None` if it is not there. Without `undo`, the table of entries stays.
///
/// # Errors
/// If the text can't be read.
pub fn take(
    dialect: Dialect,
    text: &str,
    entry: &Entry,
    ours: Ours,
    undo: Option<&Undo>,
) -> Result<Option<String>, Refusal> {
    match dialect {
        Dialect::Json => jsonc::take(text, jsonc::Strictness::Json, entry, ours, undo),
        Dialect::Jsonc => jsonc::take(text, jsonc::Strictness::Comments, entry, ours, undo),
        Dialect::Toml => toml::take(text, entry, ours, undo),
    }
}

/// Tells an entry of ours by what it says.
pub type Ours = fn(&Value) -> bool;

/// The byte order mark that some editors put first, and the rest.
fn split_mark(text: &str) -> (&str, &str) {
    text.strip_prefix('\u{feff}').map_or(("", text), |rest| ("\u{feff}", rest))
}

/// The line end that `text` uses.
fn line_end(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text.get(..at).is_some_and(|before| before.ends_with('\r')) => "\r\n",
        _ => "\n",
    }
}

/// Members in the order in which people write those of such entries.
fn in_order(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    const FIRST: [&str; 3] = ["type", "command", "args"];
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by_key(|(name, _)| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    members
}

/// `below`, changed as `must` says: tables are merged, everything else is replaced.
fn merged(below: &Value, must: &Map<String, Value>) -> Value {
    let Value::Object(members) = below else { return Value::Object(must.clone()) };
    let mut members = members.clone();
    for (name, value) in must {
        let now = match (members.get(name), value) {
            (Some(there @ Value::Object(_)), Value::Object(value)) => merged(there, value),
            _ => value.clone(),
        };
        members.insert(name.clone(), now);
    }
    Value::Object(members)
}
