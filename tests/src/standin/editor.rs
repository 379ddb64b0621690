//! Keys out of terminal input, and the composer that they edit.

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Text(char),
    /// A bracketed paste.
    Paste(String),
    /// Enter.
    Enter,
    /// A line feed: a new line in the composer.
    LineFeed,
    /// Backspace.
    Erase,
    /// Ctrl-U.
    EraseLine,
    /// Ctrl-C.
    Interrupt,
    /// Escape by itself.
    Escape,
    /// The terminal says how many rows and columns it has.
    Size(usize, usize),
}

const PASTE_BEGIN: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";

/// Reads keys from input in any split.
#[derive(Debug, Default)]
pub struct Keys {
    pending: Vec<u8>,
}

impl Keys {
    /// The keys that `input` completes. An Enter in the same read as raw text before it is taken for a line of that
    /// text, as codex does.
    pub fn read(&mut self, input: &[u8]) -> Vec<Key> {
        self.pending.extend_from_slice(input);
        let mut keys = Vec::new();
        let mut raw_text = false;
        while let Some((key, length)) = self.next() {
            self.pending.drain(..length);
            match key {
                Some(Key::Enter) if raw_text => keys.push(Key::LineFeed),
                Some(key) => {
                    raw_text |= matches!(key, Key::Text(_));
                    keys.push(key);
                }
                None => {}
            }
        }
        keys
    }

    /// The first key and its length; `None` if it is not complete.
    fn next(&self) -> Option<(Option<Key>, usize)> {
        let bytes = self.pending.as_slice();
        let first = *bytes.first()?;
        let single = |key| Some((Some(key), 1));
        match first {
            b'\r' => single(Key::Enter),
            b'\n' => single(Key::LineFeed),
            0x03 => single(Key::Interrupt),
            0x15 => single(Key::EraseLine),
            0x7f | 0x08 => single(Key::Erase),
            0x1b if bytes.starts_with(PASTE_BEGIN) => {
                let body = bytes.get(PASTE_BEGIN.len()..)?;
                let end = body.windows(PASTE_END.len()).position(|window| window == PASTE_END)?;
                let text = String::from_utf8_lossy(body.get(..end)?).into_owned();
                Some((Some(Key::Paste(text)), PASTE_BEGIN.len() + end + PASTE_END.len()))
            }
            0x1b if PASTE_BEGIN.starts_with(bytes) && bytes.len() > 1 => None,
            0x1b if bytes.len() == 1 => single(Key::Escape),
            0x1b => {
                let length = sequence(bytes);
                Some((size(bytes.get(..length).unwrap_or_default()), length))
            }
            b'\t' => single(Key::Text('\t')),
            0x00..=0x1f => Some((None, 1)),
            _ => {
                let length = match first {
                    0xf0.. => 4,
                    0xe0.. => 3,
                    0xc0.. => 2,
                    _ => 1,
                };
                let text = String::from_utf8_lossy(bytes.get(..length)?).into_owned();
                Some((text.chars().next().map(Key::Text), length))
            }
        }
    }
}

/// Reads the answer to the question for the size.
fn size(sequence: &[u8]) -> Option<Key> {
    let text = std::str::from_utf8(sequence).ok()?.strip_prefix("\x1b[8;")?.strip_suffix('t')?;
    let (rows, columns) = text.split_once(';')?;
    Some(Key::Size(rows.parse().ok()?, columns.parse().ok()?))
}

/// Length of an escape sequence that means nothing here.
fn sequence(bytes: &[u8]) -> usize {
    match bytes.get(1) {
        Some(b'[') => {
            let end = bytes.iter().skip(2).position(|byte| (0x40..=0x7e).contains(byte));
            end.map_or(bytes.len(), |end| end + 3)
        }
        Some(b']' | b'P') => {
            let end = bytes.windows(2).position(|pair| pair == b"\x1b\\");
            end.map_or(bytes.len(), |end| end + 2)
        }
        _ => 1,
    }
}

/// What is being typed.
#[derive(Debug, Default)]
pub struct Editor {
    text: String,
    /// A long paste, shown by a placeholder.
    long_paste: bool,
}

impl Editor {
    /// Types a character.
    pub fn insert(&mut self, c: char) {
        self.text.push(c);
    }

    /// Pastes text.
    pub fn paste(&mut self, text: &str) {
        self.text.push_str(text);
        self.long_paste |= text.len() > 800;
    }

    /// Deletes the last character.
    pub fn erase(&mut self) {
        self.text.pop();
        self.long_paste &= !self.text.is_empty();
    }

    /// Deletes everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes what was typed.
    pub fn take(&mut self) -> String {
        std::mem::take(self).text
    }

    /// Whether nothing is typed.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// What the composer shows.
    pub fn shown(&self) -> String {
        if self.long_paste {
            format!("[Pasted text #1 +{} lines]", self.text.lines().count())
        } else {
            self.text.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&[u8]]) -> Vec<Key> {
        let mut keys = Keys::default();
        chunks.iter().flat_map(|chunk| keys.read(chunk)).collect()
    }

    #[test]
    fn a_paste_is_one_key_however_it_is_split() {
        let whole = b"\x1b[200~a\nb\x1b[201~\r".as_slice();
        let expected = [Key::Paste("a\nb".into()), Key::Enter];
        assert_eq!(read(&[whole]), expected);
        for at in 2..whole.len() {
            assert_eq!(read(&[&whole[..at], &whole[at..]]), expected, "{at}");
        }
    }

    #[test]
    fn raw_text_and_enter_in_one_read_are_not_submitted() {
        assert_eq!(read(&[b"a\r"]), [Key::Text('a'), Key::LineFeed]);
        assert_eq!(read(&[b"a", b"\r"]), [Key::Text('a'), Key::Enter]);
    }

    #[test]
    fn terminal_replies_are_passed_over() {
        assert_eq!(read(&[b"\x1b[?62;22cx\x1b]7501;?\x1b\\"]), [Key::Text('x')]);
        assert_eq!(read(&[b"\x1b[8;24;80t"]), [Key::Size(24, 80)]);
    }
}
