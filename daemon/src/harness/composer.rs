//! Finds what is being typed into a harness, so that nobody's half-typed line is ever typed into.

use std::ops::Range;

use super::rules::ComposerRules;
use super::view::{Ink, Row, View};

/// A composer on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composer {
    /// Its rows.
    pub rows: Range<usize>,
    /// What is typed in it, rows joined by line feeds; `None` if only a placeholder or nothing is there.
    pub text: Option<String>,
}

/// Looks for the composer, from the bottom up.
pub fn find(rules: &ComposerRules, view: &View) -> Option<Composer> {
    (0..view.rows.len()).rev().find_map(|first| at(rules, view, first)).or_else(|| overgrown(rules, view))
}

fn at(rules: &ComposerRules, view: &View, first: usize) -> Option<Composer> {
    let row = view.rows.get(first)?;
    let typed = rules.prompt.find(&row.text, "text")?;
    if rules.bright_glyph && row.styles.first().is_some_and(|s| s.dim || s.ink != Ink::Default) {
        return None;
    }
    if let Some(above) = &rules.above
        && !first.checked_sub(1).is_some_and(|row| above.matches(view.text(row)))
    {
        return None;
    }
    let end = match &rules.end {
        Some(end) => {
            let end = (first + 1..view.rows.len()).find(|row| end.matches(view.text(*row)))?;
            if rules.below.as_ref().is_some_and(|below| !below.matches(view.text(end + 1))) {
                return None;
            }
            end
        }
        None => {
            let goes_on = |r: &&Row| if row.filled { r.filled } else { !r.text.is_empty() };
            first + view.rows.iter().skip(first).take_while(goes_on).count()
        }
    };
    let last = end.saturating_sub(usize::from(rules.skip_last)).max(first + 1);
    let mut lines = vec![typed_part(row, typed)];
    lines.extend(
        view.rows.get(first + 1..last).unwrap_or_default().iter().map(|row| continuation(rules, row)),
    );
    let text = join(lines).filter(|text| !rules.placeholders.iter().any(|p| p.matches(text)));
    Some(Composer { rows: first..end, text })
}

/// A composer so full that its first row is not on the screen: the coloured block around the cursor.
fn overgrown(rules: &ComposerRules, view: &View) -> Option<Composer> {
    if rules.end.is_some() {
        return None;
    }
    let cursor = usize::from(view.cursor.0);
    let filled = |row: usize| view.rows.get(row).is_some_and(|r| r.filled);
    if !(0..=cursor).all(filled) {
        return None;
    }
    let end = (cursor..view.rows.len()).find(|row| !filled(*row)).unwrap_or(view.rows.len());
    let lines = view.rows.get(..end).unwrap_or_default().iter().map(|row| continuation(rules, row)).collect();
    Some(Composer { rows: 0..end, text: join(lines) })
}

fn typed_part(row: &Row, typed: Range<usize>) -> String {
    let text = row.text.get(typed.clone()).unwrap_or_default();
    let before = row.text.get(..typed.start).unwrap_or_default().chars().count();
    let styles = row.styles.get(before..).unwrap_or_default();
    let drawn = || text.chars().zip(styles).filter(|(c, _)| !c.is_whitespace()).map(|(_, style)| style);
    // The program's own cursor stands on the placeholder's first character.
    let faint = drawn().any(|s| s.dim) && drawn().all(|s| s.dim || s.inverse);
    if faint { String::new() } else { text.to_owned() }
}

fn continuation(rules: &ComposerRules, row: &Row) -> String {
    let indent = rules.indent.as_ref().and_then(|p| p.find(&row.text, "")).filter(|found| found.start == 0);
    row.text.get(indent.map_or(0, |found| found.end)..).unwrap_or_default().to_owned()
}

fn join(lines: Vec<String>) -> Option<String> {
    let text = lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n");
    let text = text.trim_matches('\n');
    (!text.trim().is_empty()).then(|| text.to_owned())
}

/// Whether `shown`, what a composer holds, is nothing but `ours`: all of it, a part that fits the screen, or what
/// the harness shows in place of a long paste. Spaces don't count, since composers wrap lines as they like.
pub fn is_ours(rules: &ComposerRules, shown: &str, ours: &str) -> bool {
    let dense = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let one_line = shown.replace('\n', " ");
    if let Some(pasted) = &rules.pasted
        && let Some(counted) =
            pasted.find(&one_line, "chars").and_then(|at| one_line.get(at)?.parse::<usize>().ok())
        && ![ours, ours.trim_end()].iter().any(|text| text.chars().count() == counted)
    {
        return false;
    }
    let ours = dense(ours);
    let parts: Vec<String> = match &rules.pasted {
        Some(pasted) => pasted.split(&one_line).map(dense).collect(),
        None => vec![dense(&one_line)],
    };
    let replaced = parts.len() > 1;
    let seen: usize = parts.iter().map(String::len).sum();
    // A few characters fit almost any text.
    let telling = replaced || seen >= ours.len().min(12);
    !ours.is_empty() && telling && parts.iter().all(|part| ours.contains(part.as_str()))
}

#[cfg(test)]
mod tests {
    use super::super::catalog::Catalog;
    use super::super::screen::{Screen as _, VtScreen};
    use super::*;

    fn rules(harness: &str) -> ComposerRules {
        Catalog::builtin().unwrap().get(harness).unwrap().composer.clone().unwrap()
    }

    fn drawn(output: &str) -> View {
        let mut screen = VtScreen::new(14, 60, 0);
        screen.feed(output.replace('\n', "\r\n").as_bytes());
        screen.view()
    }

    fn text(harness: &str, output: &str) -> Option<Option<String>> {
        find(&rules(harness), &drawn(output)).map(|c| c.text)
    }

    const RULE: &str = "────────────────────";

    #[test]
    fn claude_shows_nothing_a_placeholder_or_a_draft() {
        let screen =
            |inner: &str| format!("❯ earlier\n\n● prose\n\n{RULE}\n{inner}\n{RULE}\n  ⏵⏵ auto mode on");
        assert_eq!(text("claude", &screen("❯\u{a0}")), Some(None));
        assert_eq!(text("claude", &screen("❯ \x1b[7mO\x1b[0m\x1b[2mnce fixed, resend\x1b[0m")), Some(None));
        assert_eq!(text("claude", &screen("❯ one\n  two\n\n  four")), Some(Some("one\ntwo\n\nfour".into())));
        let dialog = format!("❯ earlier\n{RULE}\n Do you want to proceed?\n ❯ 1. Yes\n   2. No");
        assert_eq!(text("claude", &dialog), None);
    }

    #[test]
    fn codex_history_and_menus_are_not_its_composer() {
        let footer = "\n\n  GPT-6.1-Sol default · ~/work";
        assert_eq!(
            text("codex", &format!("\x1b[2m›\x1b[0m earlier\n\n\x1b[1m›\x1b[0m draft{footer}")),
            Some(Some("draft".into()))
        );
        assert_eq!(text("codex", &format!("\x1b[1m›\x1b[0m \x1b[2mAsk Codex\x1b[0m{footer}")), Some(None));
        assert_eq!(
            text("codex", "\x1b[2m›\x1b[0m earlier\n\n\x1b[36m› 1. Yes, proceed (y)\x1b[0m\n  2. No"),
            None
        );
    }

    #[test]
    fn codex_coloured_composer_keeps_blank_lines_and_may_fill_the_screen() {
        let fill = |line: &str| format!("\x1b[48;5;236m{line}\x1b[K\x1b[0m");
        let block = [fill("\x1b[1m›\x1b[22m one"), fill(""), fill("  three")].join("\n");
        assert_eq!(
            text("codex", &format!("prose\n\n{block}\n\n  GPT · ~/work")),
            Some(Some("one\n\nthree".into()))
        );
        let rows: Vec<String> = (0..12).map(|n| fill(&format!("  line {n}"))).collect();
        let overgrown = format!("{}\x1b[12;9H", rows.join("\n"));
        assert!(text("codex", &overgrown).unwrap().unwrap().starts_with("line 0\nline 1\n"));
    }

    #[test]
    fn gemini_and_opencode_history_is_not_taken_for_the_composer() {
        let bar = "▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄";
        let foot = "▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀";
        let history = format!("{bar}\n > hello\n{foot}\n✦ prose\n");
        assert_eq!(
            text(
                "gemini",
                &format!("{history}{bar}\n >   Type your message or @path/to/file\n{foot}\n workspace")
            ),
            Some(None)
        );
        assert_eq!(
            text("gemini", &format!("{history}{bar}\n > draft\n   more\n{foot}\n ~/work")),
            Some(Some("draft\nmore".into()))
        );
        assert_eq!(text("gemini", &format!("{history}│ Usage limit reached for x.\n│ ● 1. Switch")), None);

        let opencode = "  ┃\n  ┃  hello\n  ┃\n\n     prose\n\n  ┃\n  ┃  dra\n  ┃  ft\n  ┃\n  ┃  Build · Sonnet\n  ╹▀▀▀▀▀▀▀▀▀▀▀\n  ctrl+p commands";
        assert_eq!(text("opencode", opencode), Some(Some("dra\nft".into())));
        let fresh = "\n  ┃\n  ┃  Ask anything… \"Fix it\"\n  ┃\n  ┃  Build · Sonnet\n  ╹▀▀▀▀▀▀▀▀▀▀▀\n  ctrl+p commands";
        assert_eq!(text("opencode", fresh), Some(None));
    }

    #[test]
    fn ours_is_told_from_a_persons_words() {
        let codex = rules("codex");
        let body = "[from alice] please run the tests\nand report back";
        assert!(is_ours(&codex, "[from alice] please\nrun the tests\nand report back", body));
        assert!(is_ours(&codex, "tests\nand report back", body), "the rest has scrolled away");
        let long = "wörds ".repeat(400);
        assert!(is_ours(&codex, "[Pasted Content 2400 chars]", &long));
        assert!(!is_ours(&codex, "[Pasted Content 2401 chars]", &long), "somebody else's paste");
        assert!(is_ours(&rules("claude"), "[Pasted text #1 +12 lines]", &long));
        assert!(!is_ours(&codex, "please run the tests and report back to me", body));
        assert!(!is_ours(&codex, "run", body));
        assert!(!is_ours(&codex, "[Pasted Content 2400 chars] and more words of mine", &long));
        assert!(!is_ours(&codex, "", body));
        assert!(is_ours(&codex, "ok", "ok"));
    }
}
