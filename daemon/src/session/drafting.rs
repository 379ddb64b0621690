//! Whether a person's half-typed line stands in the terminal, as far as the keys that they sent tell. Where the
//! composer can be read, it has the last word.

use std::time::{Duration, Instant};

/// How long the keys outrank the screen: it takes a harness this long to show what was typed.
const SHOWS_WITHIN: Duration = Duration::from_millis(300);

/// Keys since the last Enter.
#[derive(Debug, Default)]
pub struct Drafting {
    open: bool,
    last_key: Option<Instant>,
}

impl Drafting {
    /// A person sent these bytes.
    pub fn typed(&mut self, bytes: &[u8], now: Instant) {
        self.last_key = Some(now);
        for key in bytes {
            match key {
                // Enter, Ctrl-C, Ctrl-D and Ctrl-U leave no line behind.
                b'\r' | b'\n' | 0x03 | 0x04 | 0x15 => self.open = false,
                0x20..=0x7e | 0x80.. => self.open = true,
                _ => {}
            }
        }
    }

    /// Whether a line is half-typed. `empty` is whether the composer shows nothing, where it can be read.
    pub fn is_open(&mut self, empty: Option<bool>, now: Instant) -> bool {
        let fresh = self.last_key.is_some_and(|at| now.saturating_duration_since(at) < SHOWS_WITHIN);
        match empty {
            Some(empty) if !fresh => {
                self.open = !empty;
                self.open
            }
            _ => self.open,
        }
    }

    /// When the screen has the last word again.
    pub fn wakes_at(&self) -> Option<Instant> {
        self.last_key.map(|at| at + SHOWS_WITHIN)
    }

    /// The run ended, and with it whatever was typed.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

/// Removes what a viewer's terminal says by itself: its answers to queries that reached it by replay or redraw (the
/// daemon answers the harness). Returns the keys.
pub fn without_replies(input: &[u8]) -> Vec<u8> {
    let mut keys = Vec::with_capacity(input.len());
    let mut rest = input;
    while let Some((first, after)) = rest.split_first() {
        match (*first == 0x1b).then(|| reply_length(rest)).flatten() {
            Some(length) => rest = rest.get(length..).unwrap_or_default(),
            None => {
                keys.push(*first);
                rest = after;
            }
        }
    }
    keys
}

/// Length of the terminal reply at the start of `bytes`, if there is one.
fn reply_length(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1)? {
        b'[' => {
            let params = bytes.get(2..)?;
            let end = params.iter().position(|b| (0x40..=0x7e).contains(b))?;
            let (body, last) = (params.get(..end)?, params.get(end)?);
            let private = matches!(body.first(), Some(b'?' | b'>' | b'='));
            let is_reply = match last {
                // Attributes, mode reports, kitty flags.
                b'c' | b'y' | b'u' => private,
                // Cursor position. F3 with a modifier looks the same from row 1 on, so only what is plainly a
                // position is taken for one.
                b'R' => body.contains(&b';') && !body.starts_with(b"1;"),
                // Status, and window sizes.
                b'n' => !private && body == b"0",
                b't' => true,
                _ => false,
            };
            is_reply.then_some(end + 3)
        }
        // Operating system commands, device control and application strings are never keys.
        b']' | b'P' | b'_' => string_length(bytes),
        _ => None,
    }
}

fn string_length(bytes: &[u8]) -> Option<usize> {
    let bell = bytes.iter().position(|b| *b == 0x07).map(|at| at + 1);
    let terminator = bytes.windows(2).skip(1).position(|pair| pair == b"\x1b\\").map(|at| at + 3);
    match (bell, terminator) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_typed_line_is_open_until_it_is_sent_or_dropped() {
        let now = Instant::now();
        let mut drafting = Drafting::default();
        for (keys, open) in [
            (&b"hel"[..], true),
            (b"\r", false),
            (b"x", true),
            (b"\x03", false),
            (b"\x1b", false),
            ("ä".as_bytes(), true),
        ] {
            drafting.typed(keys, now);
            assert_eq!(drafting.is_open(None, now), open, "{keys:?}");
        }
    }

    #[test]
    fn the_screen_has_the_last_word_once_it_had_time_to_show_the_keys() {
        let now = Instant::now();
        let mut drafting = Drafting::default();
        drafting.typed(b"x", now);
        assert!(drafting.is_open(Some(true), now), "not drawn yet");
        assert!(!drafting.is_open(Some(true), now + SHOWS_WITHIN));
        assert!(drafting.is_open(Some(false), now + SHOWS_WITHIN), "it may come from anywhere");
    }

    #[test]
    fn replies_of_a_viewers_terminal_are_no_keys() {
        let cases: [(&[u8], &[u8]); 9] = [
            (b"a\x1b[?62;22cb", b"ab"),
            (b"\x1b[12;40Rx", b"x"),
            (b"\x1b]11;rgb:0000/0000/0000\x1b\\y", b"y"),
            (b"\x1b]10;rgb:ffff/ffff/ffff\x07z", b"z"),
            (b"\x1bP>|xterm(1)\x1b\\", b""),
            (b"\x1b[8;30;100t", b""),
            (b"\x1b[A\x1b[1;5C\x1bOP\x1b", b"\x1b[A\x1b[1;5C\x1bOP\x1b"),
            (b"\x1b[?2004;1$y\x1b[0n", b""),
            (b"\x1b[200~pasted\x1b[201~", b"\x1b[200~pasted\x1b[201~"),
        ];
        for (input, keys) in cases {
            assert_eq!(without_replies(input), keys, "{:?}", String::from_utf8_lossy(input));
        }
    }
}
