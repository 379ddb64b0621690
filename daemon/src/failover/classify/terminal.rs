//! Terminal text. Agents, tools and people write there too, so a sentence counts only where a harness would
//! put it: at the start of a line, in the harness's own words from there on.

use std::sync::LazyLock;

use regex::Regex;

use super::block::{Alarm, Line, mask_content};
use super::literal;
use super::peel::peel;
use super::rules::RULES;
use super::signal::{Reading, Signal, Voice};
use super::{body, text};

/// Most lines that one message is wrapped over.
const PARAGRAPH: usize = 8;
/// Most lines that are looked at, from the last one up.
const LINES: usize = 400;

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
    mask_content(&mut lines);
    (0..lines.len()).rev().find_map(|start| {
        let (first, rest) = lines.get(start..)?.split_first()?;
        if first.content || first.text.is_empty() || is_prose(first.text) {
            return None;
        }
        let follow = rest.iter().take(PARAGRAPH).take_while(|line| !line.text.is_empty() && !line.starts);
        let mut words: Vec<&str> = std::iter::once(first.text).chain(follow.map(|line| line.text)).collect();
        while !words.is_empty() {
            let joined = words.join("\n");
            if !RULES.may_speak(&text::squash(&joined)) {
                return None;
            }
            let reading = message(&joined, first.alarm.filter(|_| harness == "codex"), signal);
            if known(&reading) {
                return Some(reading);
            }
            words.pop();
        }
        None
    })
}

/// Words that explain an error to somebody; harnesses report theirs without them.
static PROSE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"\b(?:I|I'm|I'd|I'll|I've|we'll|we'd|is what|was what|is the (?:string|text|message|error)|means|meant|",
        r"should be|so that|e\.g\.|users?|caught|thrown|handled|printed|see [a-z_/]+\.(?:rs|ts|tsx|py|md|js|go))(?:\b|$)"
    ))
    .ok()
});

fn is_prose(line: &str) -> bool {
    PROSE.as_ref().is_some_and(|prose| prose.is_match(line))
}

fn message(words: &str, alarm: Option<Alarm>, signal: &Signal) -> Reading {
    let peeled = peel(words);
    let alarm = alarm.is_some_and(|alarm| alarm == Alarm::Sure || peeled.inner.starts_with('{'));
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
