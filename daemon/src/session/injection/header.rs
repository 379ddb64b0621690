//! The line that the daemon puts before a message: who sent it, which message it is, and a mark that no
//! sender can guess, so that a header inside a body can be told from a real one.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Longest thread name shown in a header, in characters.
const LONGEST_WORD: usize = 64;

/// The secret that marks are made with. It is the daemon's own and survives it, so that a mark found on a screen
/// or in a conversation after a restart is recognised.
#[derive(Clone)]
pub struct MarkKey([u8; 32]);

impl std::fmt::Debug for MarkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MarkKey")
    }
}

impl MarkKey {
    /// Wraps 32 random bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The mark of a message: 10 hexadecimal digits.
    pub fn mark(&self, message: Uuid) -> String {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(message.as_bytes());
        hash.finalize().iter().take(5).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Who sent the message.
    pub from: &'a str,
    /// Whom it was addressed to, where that is not the session itself.
    pub to: Option<&'a str>,
    /// Its conversation.
    pub thread: Option<&'a str>,
    /// Whether the sender waits for an answer.
    pub expects_answer: bool,
    /// The message.
    pub message: Uuid,
    /// Its mark.
    pub mark: &'a str,
}

impl std::fmt::Display for Header<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[posthouse from={}", word(self.from))?;
        if let Some(to) = self.to {
            write!(f, " to={}", word(to))?;
        }
        if let Some(thread) = self.thread {
            write!(f, " thread={}", word(thread))?;
        }
        if self.expects_answer {
            f.write_str(" answer=wanted")?;
        }
        write!(f, " id={} mark={}]", self.message.as_hyphenated(), self.mark)
    }
}

/// Text that stays one word of the header whatever a client put into it.
fn word(text: &str) -> String {
    let plain =
        |c: char| if c.is_control() || c.is_whitespace() || matches!(c, '[' | ']' | '=') { '_' } else { c };
    text.chars().take(LONGEST_WORD).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_as_one_line() {
        let header = Header {
            from: "alice",
            to: Some("#general"),
            thread: Some("the plan\n]"),
            expects_answer: true,
            message: Uuid::nil(),
            mark: "00ff",
        };
        insta::assert_snapshot!(
            header.to_string(),
            @"[posthouse from=alice to=#general thread=the_plan__ answer=wanted id=00000000-0000-0000-0000-000000000000 mark=00ff]"
        );
    }

    #[test]
    fn marks_depend_on_key_and_message() {
        let (a, b) = (MarkKey::new([1; 32]), MarkKey::new([2; 32]));
        let message = Uuid::from_u128(7);
        assert_eq!(a.mark(message), a.mark(message));
        assert_ne!(a.mark(message), b.mark(message));
        assert_ne!(a.mark(message), a.mark(Uuid::from_u128(8)));
    }

    proptest! {
        #[test]
        fn no_thread_name_breaks_the_line(thread in any::<String>()) {
            let header = Header {
                from: "a", to: None, thread: Some(&thread), expects_answer: false, message: Uuid::nil(), mark: "m",
            };
            let line = header.to_string();
            prop_assert!(crate::session::typable::typable(&line).is_ok());
            prop_assert_eq!(line.matches(['\n', ']', '[']).count(), 2);
        }
    }
}
