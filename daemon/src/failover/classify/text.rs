//! Brings text into one form: terminal escapes, typographic marks and line wraps gone.

/// Text without escape sequences and with plain quotes, dots and blanks; lines are kept.
pub(crate) fn plain(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\u{9b}' => skip_control_sequence(&mut chars),
            '\r' => {
                if chars.peek() != Some(&'\n') {
                    out.push('\n');
                }
            }
            '\t' | '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{2009}' => out.push(' '),
            '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2bc}' => out.push('\''),
            '\u{201c}' | '\u{201d}' | '\u{201f}' => out.push('"'),
            '\u{2219}' | '\u{2022}' | '\u{22c5}' | '\u{2027}' | '\u{30fb}' => out.push('·'),
            '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => {}
            c if c.is_control() && c != '\n' => {}
            c => out.push(c),
        }
    }
    out
}

fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            skip_control_sequence(chars);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' || c == '\u{9c}' {
                    return;
                }
                if c == '\u{1b}' {
                    chars.next_if_eq(&'\\');
                    return;
                }
            }
        }
        Some('(' | ')' | '*' | '+' | '#' | '%' | ' ') => {
            chars.next();
            chars.next();
        }
        Some(_) => {
            chars.next();
        }
        None => {}
    }
}

fn skip_control_sequence(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    for c in chars.by_ref() {
        if ('\u{40}'..='\u{7e}').contains(&c) {
            return;
        }
    }
}

/// One line: every run of blanks and line breaks becomes a single blank.
pub(crate) fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// What rules are matched against: lower case and without any blanks, so that a wrap inside a word is no wrap.
pub(crate) fn squash(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_and_typography_go() {
        let raw = "\x1b[1;31m■ You\u{2019}ve\u{a0}hit\x1b[0m \x1b]8;;http://x\x1b\\limit\x1b]8;;\x07 \u{2219} resets\r\n5am";
        assert_eq!(plain(raw), "■ You've hit limit · resets\n5am");
    }

    #[test]
    fn a_wrap_inside_a_word_is_no_wrap() {
        assert_eq!(squash("Please try signi\n   ng in again."), squash("Please try signing in again."));
    }

    proptest! {
        #[test]
        fn any_bytes_are_brought_into_form(raw in "(\\PC|\x1b|\x07|\n|\r){0,80}") {
            let text = plain(&raw);
            prop_assert!(!text.contains('\x1b'));
            prop_assert_eq!(squash(&one_line(&text)), squash(&text));
        }
    }
}
