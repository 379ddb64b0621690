//! Reads the conversation files that harnesses keep: structured evidence of what was submitted, whether a tool
//! ran, and how a turn ended. They are only read, but for [`copy`], which carries one to another home.

pub mod claude;
pub mod codex;
pub mod copy;
pub mod find;
pub mod page;
pub mod resume;
pub mod tail;

/// Something a conversation file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The conversation's id, by which it can be resumed.
    SessionId(String),
    /// A message of the user's, as the harness took it. Claude wraps long pastes in markup of its own, so look
    /// for text inside of it rather than compare.
    UserMessage {
        /// The text.
        text: String,
    },
    /// A message typed during a turn waits in the harness's own queue. It will be a [`Self::UserMessage`] too, once
    /// the model gets it.
    Queued {
        /// The text.
        text: String,
    },
    /// A turn began.
    TurnStarted,
    /// A turn ended.
    TurnEnded {
        /// Whether it was interrupted.
        aborted: bool,
    },
    /// The model used a tool: submitting the same message again could do work twice.
    ToolUsed {
        /// Its name, and what it was used on as far as that is a short word.
        what: String,
    },
    /// The model said something to the user.
    AgentMessage {
        /// The text.
        text: String,
    },
    /// A request to the provider failed.
    ApiError(ApiError),
}

/// A failed request, as the harness recorded it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApiError {
    /// The sentence that a person would see.
    pub text: String,
    /// The HTTP status.
    pub status: Option<u16>,
    /// The harness's or provider's code, e.g. `usage_limit_exceeded` or `authentication_failed`.
    pub code: Option<String>,
    /// The provider's type of error, e.g. `permission_error`.
    pub kind: Option<String>,
    /// When the limit that was hit is lifted, in seconds since the epoch.
    pub resets_at: Option<i64>,
    /// Whether the harness has given up; otherwise it tries again by itself.
    pub last: bool,
}

/// Reads lines of one kind of conversation file.
pub trait Lines: Send {
    /// What `line`, without its line feed, says. A line that isn't understood says nothing.
    fn read(&mut self, line: &[u8], events: &mut Vec<Event>);
}

/// Most characters of what a tool was used on.
const TOOL_DETAIL: usize = 120;

/// How a tool's use is told: its name, and the first line of what it was used on.
fn tool(name: &str, on: Option<&str>) -> String {
    let name = if name.is_empty() { "tool" } else { name };
    let on: String =
        on.and_then(|on| on.lines().next()).unwrap_or_default().chars().take(TOOL_DETAIL).collect();
    if on.is_empty() { name.to_owned() } else { format!("{name}: {on}") }
}
