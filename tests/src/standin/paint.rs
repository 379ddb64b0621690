//! What the stand-in's screen shows.

use std::fmt::Write as _;

/// One entry of the history.
#[derive(Clone, Debug)]
pub enum Line {
    /// A message that was received.
    User(String),
    /// Something that the agent says.
    Prose(String),
    /// A failure, in the harness's own warning colour.
    Failure(String),
}

/// Everything that is shown.
#[derive(Debug)]
pub struct Scene<'a> {
    /// What happened so far.
    pub history: &'a [Line],
    /// What is being typed.
    pub composer: &'a str,
    /// A dialog in place of the composer.
    pub dialog: Option<&'a str>,
    /// Whether a turn runs.
    pub busy: bool,
}

/// The scene on a screen of this size, as terminal output.
pub fn paint(scene: &Scene<'_>, rows: usize, columns: usize) -> String {
    let mut below: Vec<String> = Vec::new();
    match scene.dialog {
        Some(kind) => {
            below.push(format!(" Do you want to allow this ({kind})?"));
            below.push(" > 1. Yes".into());
            below.push("   2. No".into());
        }
        None => {
            let rule = "─".repeat(20);
            below.push(rule.clone());
            let wrapped = wrap(scene.composer, columns.saturating_sub(2));
            below.extend(
                wrapped
                    .iter()
                    .enumerate()
                    .map(|(at, line)| format!("{}{line}", if at == 0 { "> " } else { "  " })),
            );
            below.push(rule);
            below.push(if scene.busy {
                "  working · esc to interrupt".into()
            } else {
                "  ? for help".into()
            });
        }
    }
    let mut above: Vec<String> = Vec::new();
    for line in scene.history {
        let (mark, text, colour) = match line {
            Line::User(text) => ("» ", text, "\x1b[2m"),
            Line::Prose(text) => ("• ", text, ""),
            Line::Failure(text) => ("! ", text, "\x1b[31m"),
        };
        let wrapped = wrap(text, columns.saturating_sub(2));
        above.extend(
            wrapped
                .iter()
                .enumerate()
                .map(|(at, line)| format!("{colour}{}{line}\x1b[0m", if at == 0 { mark } else { "  " })),
        );
    }
    let room = rows.saturating_sub(below.len());
    let skip = above.len().saturating_sub(room);
    let mut out = String::from("\x1b[H");
    for (at, line) in above.iter().skip(skip).chain(&below).take(rows).enumerate() {
        let _ = write!(out, "\x1b[{};1H\x1b[K{line}", at + 1);
    }
    out.push_str("\x1b[J");
    out
}

fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let chars: Vec<char> = line.chars().map(|c| if c == '\t' { ' ' } else { c }).collect();
        if chars.is_empty() {
            lines.push(String::new());
        }
        lines.extend(chars.chunks(columns.max(1)).map(|chunk| chunk.iter().collect::<String>()));
    }
    lines
}
