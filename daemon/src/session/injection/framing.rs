//! What has to stand around a body so that a harness leaves its bytes alone.

use std::borrow::Cow;

use super::prompt::Prompt;

/// What a harness does to text that it should not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Framing {
    /// It trims blanks at the end, or takes a backslash there for a continued line: a line of ours goes after them.
    pub closing_line: bool,
    /// It composes characters (Unicode NFC) in texts of fewer lines: blank lines go between header and body.
    pub composes_below: usize,
}

impl Framing {
    /// The prompt as it is typed. Only what has a header line of ours is framed; the body stays contiguous.
    pub fn apply<'a>(&self, prompt: &'a Prompt) -> Cow<'a, str> {
        let framed = prompt.mark.as_deref().and_then(|mark| Some((mark, prompt.text.split_once('\n')?)));
        let Some((mark, (header, body))) = framed else { return Cow::Borrowed(&prompt.text) };
        let fragile = body.ends_with(|c: char| c.is_whitespace() || c == '\\');
        let closing = if self.closing_line && fragile {
            format!("\n[posthouse end mark={mark}]")
        } else {
            String::new()
        };
        let lines = prompt.text.lines().count() + usize::from(!closing.is_empty());
        let combines = body.chars().any(is_combining);
        let blank = if combines { self.composes_below.saturating_sub(lines) } else { 0 };
        if closing.is_empty() && blank == 0 {
            return Cow::Borrowed(&prompt.text);
        }
        Cow::Owned(format!("{header}\n{}{body}{closing}", "\n".repeat(blank)))
    }
}

/// Characters that compose with the one before them, by block: a needless blank line does no harm, a composed
/// character changes the body.
fn is_combining(c: char) -> bool {
    matches!(u32::from(c), 0x300..=0x36f | 0x483..=0x489 | 0x591..=0x5bd | 0x610..=0x61a | 0x64b..=0x65f | 0x900..=0xdff
        | 0x1100..=0x11ff | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x20d0..=0x20ff | 0x3099..=0x309a | 0xfe20..=0xfe2f
        | 0x1f00..=0x1fff | 0x212a..=0x212b | 0xf900..=0xfaff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::post::command::Injection;
    use crate::session::injection::header::MarkKey;

    fn prompt(body: &str, plain: bool) -> Prompt {
        let injection = Injection { plain, ..Injection::sample(body) };
        Prompt::of_message(&injection, &MarkKey::new([0; 32]), None)
    }

    const FRAMING: Framing = Framing { closing_line: true, composes_below: 4 };

    #[test]
    fn a_fragile_end_is_followed_by_a_line_of_ours() {
        for body in ["ends in blanks  ", "ends in lines\n\n", "ends in a backslash \\"] {
            let prompt = prompt(body, false);
            let typed = FRAMING.apply(&prompt);
            let mark = prompt.mark.as_deref().unwrap();
            assert!(typed.ends_with(&format!("{body}\n[posthouse end mark={mark}]")), "{typed}");
        }
        let plain = prompt("ends in blanks ", true);
        assert_eq!(FRAMING.apply(&plain), plain.text);
        let robust = prompt("ends well", false);
        assert_eq!(FRAMING.apply(&robust), robust.text);
    }

    #[test]
    fn combining_characters_get_the_lines_they_need() {
        let typed = FRAMING.apply(&prompt("e\u{301}", false)).into_owned();
        assert_eq!(typed.lines().count(), 4, "{typed}");
        assert!(typed.ends_with("\n\n\ne\u{301}"));
        assert_eq!(Framing::default().apply(&prompt("e\u{301}", false)).lines().count(), 2);
    }
}
