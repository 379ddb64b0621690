//! JSON text with a size bound, so that no event or document can bloat the journal.

use serde::Serialize;

/// Well-formed JSON of at most `MAX` bytes; empty means "no data".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoundedJson<const MAX: usize>(String);

/// What an event says: at most 64 KiB. Never put a secret in it; events are shown to people and kept.
pub type EventData = BoundedJson<{ 64 * 1024 }>;

/// What a document holds: at most 1 MiB. Tokens go in hashed.
pub type DocumentValue = BoundedJson<{ 1024 * 1024 }>;

/// Why a value is not journal data.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// It is larger than the bound.
    #[error("journal a value: it has {size} bytes and the limit is {max}")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The bound.
        max: usize,
    },
    /// It has no JSON form.
    #[error("journal a value: it has no JSON form")]
    Encode(#[from] serde_json::Error),
}

impl<const MAX: usize> BoundedJson<MAX> {
    /// No data.
    pub const fn empty() -> Self {
        Self(String::new())
    }

    /// The JSON form of `value`.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, JsonError> {
        let text = serde_json::to_string(value)?;
        if text.len() > MAX {
            Err(JsonError::TooLarge { size: text.len(), max: MAX })
        } else {
            Ok(Self(text))
        }
    }

    /// Text that is already known to be JSON within the bound, as read back from the journal.
    pub(super) fn trusted(text: String) -> Self {
        Self(text)
    }

    /// The JSON text; empty if there is no data.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is no data.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value as a type.
    pub fn parse<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(if self.0.is_empty() { "null" } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_holds_to_the_byte() {
        let fits = "x".repeat(8 - 2);
        assert_eq!(BoundedJson::<8>::of(&fits).unwrap().as_str().len(), 8);
        let over = BoundedJson::<8>::of(&format!("{fits}x"));
        assert!(matches!(over, Err(JsonError::TooLarge { size: 9, max: 8 })));
    }

    #[test]
    fn no_data_reads_as_null() {
        let none: Option<u8> = EventData::empty().parse().unwrap();
        assert_eq!(none, None);
    }
}
