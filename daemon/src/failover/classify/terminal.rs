//! Terminal text. Agents, tools and people write there too, so a sentence counts only where a harness would
//! put it: at the start of a line, in the harness's own words from there on.

use super::literal;
use super::peel::peel;
use super::rules::RULES;
use super::signal::{Reading, Signal, Voice};
use super::{body, text};

/// Most lines that one message is wrapped over.
const PARAGRAPH: usize = 8;
/// Most lines that are looked at, from the last one up.
const LINES: usize = 400;

/// Marks that a line starts with when a person or a quotation speaks.
const QUOTES: [char; 6] = ['>', '›', '❯', '"', '`', '“'];
/// Marks that harnesses put before their own lines.
const MARKS: &str = "■⎿●○◦✕✖✗×⚠┃│▌▎▏⏺❌⛔✘⬝▪ℹ✻✳✶✢✽☒✦➤►▶⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";

/// The last message on a terminal that `known` accepts. Each line may begin one; it is tried with all the lines
/// that it may be wrapped over first, and then with fewer.
pub(super) fn last(
    harness: &str,
    raw: &str,
    signal: &Signal,
    known: impl Fn(&Reading) -> bool,
) -> Option<Reading> {
    let plain = text::plain(raw);
    let mut lines: Vec<Line<'_>> = plain.lines().rev().take(LINES).map(Line::read).collect();
    lines.reverse();
    (0..lines.len()).rev().find_map(|start| {
        let (first, rest) = lines.get(start..)?.split_first()?;
        if first.quoted || first.text.is_empty() {
            return None;
        }
        let follow = rest.iter().take(PARAGRAPH).take_while(|line| !line.text.is_empty() && !line.starts);
        let mut words: Vec<&str> = std::iter::once(first.text).chain(follow.map(|line| line.text)).collect();
        while !words.is_empty() {
            let joined = words.join("\n");
            if !RULES.may_speak(&text::squash(&joined)) {
                return None;
            }
            let reading = message(&joined, harness == "codex" && first.alarm, signal);
            if known(&reading) {
                return Some(reading);
            }
            words.pop();
        }
        None
    })
}

/// A line without its marks.
struct Line<'a> {
    text: &'a str,
    /// It begins a message of its own.
    starts: bool,
    /// A person or a quotation speaks.
    quoted: bool,
    /// It bears the mark that Codex gives to errors only.
    alarm: bool,
}

impl<'a> Line<'a> {
    fn read(line: &'a str) -> Self {
        let trimmed = line.trim();
        let bare = trimmed.trim_start_matches(|c: char| c.is_whitespace() || MARKS.contains(c));
        let text = bare.trim_end_matches(|c: char| c.is_whitespace() || "┃│▌█".contains(c));
        let side = trimmed.starts_with(['┃', '│', '▌', '▎', '▏']);
        Self {
            text,
            starts: bare.len() < trimmed.len() && !side,
            quoted: text.starts_with(QUOTES),
            alarm: trimmed.starts_with('■'),
        }
    }
}

fn message(words: &str, alarm: bool, signal: &Signal) -> Reading {
    let peeled = peel(words);
    let mut said = signal.clone();
    said.voice = if peeled.trusted || alarm { Voice::DressedLine } else { Voice::Line };
    said.dressed = Some(text::one_line(words));
    if said.voice == Voice::DressedLine
        && let Some(object) = literal::find(&peeled.inner)
    {
        body::harvest(&object, &mut said);
    }
    said.say(&peeled.inner);
    let progress = peeled.progress;
    peeled.put(&mut said);
    if progress { Reading::Progress(said) } else { Reading::Failed(said) }
}
