//! Which text may be typed into a harness. Everything that a terminal program could take for a key, a
//! sequence or the end of a paste is refused before anything is written.

/// The text holds a character that must not be typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("type the message: the control character U+{:04X} at byte {offset} must not be typed", u32::from(*character))]
pub struct Untypable {
    /// Byte offset of the first such character.
    pub offset: usize,
    /// The character.
    pub character: char,
}

/// Checks a body: C0 but TAB and LF, DEL and C1 (U+0080 to U+009F) are refused.
///
/// # Errors
/// The first character that must not be typed, with its offset.
pub fn typable(body: &str) -> Result<(), Untypable> {
    match body.char_indices().find(|(_, c)| c.is_control() && !matches!(c, '\t' | '\n')) {
        None => Ok(()),
        Some((offset, character)) => Err(Untypable { offset, character }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_may_be_typed() {
        for body in ["", "a\tb\nc", "ünïcode → 日本 👩‍💻", "/slash", "\u{a0}", "\u{2028}"] {
            assert_eq!(typable(body), Ok(()), "{body:?}");
        }
    }

    #[test]
    fn controls_are_refused_at_their_offset() {
        for (body, offset) in [
            ("ab\x1b[201~", 2),
            ("\0", 0),
            ("a\rb", 1),
            ("\x7f", 0),
            ("ä\u{9b}31m", 2),
            ("ok\u{80}", 2),
            ("\u{9f}", 0),
        ] {
            assert_eq!(typable(body).unwrap_err().offset, offset, "{body:?}");
        }
        assert_eq!(
            typable("a\u{9b}").unwrap_err().to_string(),
            "type the message: the control character U+009B at byte 1 must not be typed"
        );
    }

    proptest! {
        #[test]
        fn what_passes_holds_no_byte_that_starts_a_sequence(body in any::<String>()) {
            let clean = typable(&body).is_ok();
            let dangerous = body.chars().any(|c| {
                let n = u32::from(c);
                (n < 0x20 && n != 9 && n != 10) || (0x7f..=0x9f).contains(&n)
            });
            prop_assert_eq!(clean, !dangerous);
        }
    }
}
