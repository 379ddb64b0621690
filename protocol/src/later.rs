//! Fields that a payload got after the first version of its frame.
//!
//! In JSON they are keys like any other. In binary the fields of the first version are fixed for good, so these travel
//! as extensions behind them, each under a number of its own within its payload. Readers that do not know a number skip
//! it; readers of a frame that lacks it find it absent.

use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::error::{DecodeError as Unreadable, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::DecodeError;
use crate::binary::{self, Extensions};

/// A field that is absent where the other side is older. Takes no place among the binary fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Later<T>(pub Option<T>);

impl<T> Later<T> {
    /// Whether it is absent.
    pub const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// The value, where there is one.
    pub const fn as_ref(&self) -> Option<&T> {
        self.0.as_ref()
    }
}

impl<T> Default for Later<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> From<Option<T>> for Later<T> {
    fn from(value: Option<T>) -> Self {
        Self(value)
    }
}

impl<T> Encode for Later<T> {
    fn encode<E: Encoder>(&self, _: &mut E) -> Result<(), EncodeError> {
        Ok(())
    }
}

impl<T, Context> Decode<Context> for Later<T> {
    fn decode<D: Decoder<Context = Context>>(_: &mut D) -> Result<Self, Unreadable> {
        Ok(Self(None))
    }
}

impl<'de, T, Context> BorrowDecode<'de, Context> for Later<T> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = Context>>(_: &mut D) -> Result<Self, Unreadable> {
        Ok(Self(None))
    }
}

/// Appends a field of the payload itself.
pub(crate) fn put<T: Encode>(to: &mut Extensions, number: u16, field: &Later<T>) -> Result<(), DecodeError> {
    if let Some(value) = field.as_ref() {
        to.push((number, binary::value(value)?));
    }
    Ok(())
}

/// Takes it back.
pub(crate) fn take<T: Decode<()>>(field: &mut Later<T>, bytes: &[u8]) -> Result<(), DecodeError> {
    field.0 = Some(binary::read_value(bytes)?);
    Ok(())
}

/// Appends a field that the entries of one of the payload's lists have: pairs of an entry's place and its value.
pub(crate) fn put_each<'a, T: Encode + 'a>(
    to: &mut Extensions,
    number: u16,
    fields: impl Iterator<Item = &'a Later<T>>,
) -> Result<(), DecodeError> {
    let present: Vec<(u32, &T)> =
        (0..).zip(fields).filter_map(|(at, field)| Some((at, field.as_ref()?))).collect();
    if !present.is_empty() {
        to.push((number, binary::value(&present)?));
    }
    Ok(())
}

/// Takes it back; places that the list does not have are passed over.
pub(crate) fn take_each<'a, T: Decode<()> + 'a>(
    fields: impl Iterator<Item = &'a mut Later<T>>,
    bytes: &[u8],
) -> Result<(), DecodeError> {
    let mut present = binary::read_value::<Vec<(u32, T)>>(bytes)?.into_iter().peekable();
    for (place, field) in (0..).zip(fields) {
        if let Some((_, value)) = present.next_if(|(at, _)| *at == place) {
            field.0 = Some(value);
        }
    }
    Ok(())
}
