//! Numbered names that may grow: a closed enum in code, a `u16` in binary, a word in JSON.

/// A `u16` code that has a word for JSON and people.
pub trait Code: Copy + Eq + Sized {
    /// The number on the binary wire.
    fn number(self) -> u16;
    /// The word on the JSON wire and in output.
    fn word(self) -> std::borrow::Cow<'static, str>;
    /// The code with this number; numbers of the future become `Unknown`.
    fn from_number(number: u16) -> Self;
    /// The code with this word; words of the future become `Unknown(u16::MAX)`.
    fn from_word(word: &str) -> Self;
}

/// Declares an enum of [`Code`]s with `Unknown(u16)` as its last variant, and its serde and bincode forms.
#[macro_export]
macro_rules! codes {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $number:literal => $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $vis enum $name {
            $($(#[$vmeta])* $variant,)+
            /// A code of a later version.
            Unknown(u16),
        }

        impl $name {
            /// Every code this version knows.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];
        }

        impl $crate::code::Code for $name {
            fn number(self) -> u16 {
                match self { $($name::$variant => $number,)+ $name::Unknown(n) => n }
            }
            fn word(self) -> std::borrow::Cow<'static, str> {
                match self {
                    $($name::$variant => std::borrow::Cow::Borrowed($word),)+
                    $name::Unknown(n) => std::borrow::Cow::Owned(format!("unknown-{n}")),
                }
            }
            fn from_number(number: u16) -> Self {
                match number { $($number => $name::$variant,)+ n => $name::Unknown(n) }
            }
            fn from_word(word: &str) -> Self {
                match word {
                    $($word => $name::$variant,)+
                    other => {
                        let number = other.strip_prefix("unknown-").and_then(|n| n.parse().ok());
                        number.map_or($name::Unknown(u16::MAX), Self::from_number)
                    }
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&$crate::code::Code::word(*self))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&$crate::code::Code::word(*self))
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(d)?;
                Ok($crate::code::Code::from_word(&word))
            }
        }

        impl bincode::Encode for $name {
            fn encode<E: bincode::enc::Encoder>(&self, e: &mut E) -> Result<(), bincode::error::EncodeError> {
                bincode::Encode::encode(&$crate::code::Code::number(*self), e)
            }
        }

        impl<C> bincode::Decode<C> for $name {
            fn decode<D: bincode::de::Decoder<Context = C>>(d: &mut D) -> Result<Self, bincode::error::DecodeError> {
                Ok($crate::code::Code::from_number(bincode::Decode::decode(d)?))
            }
        }

        impl<'de, C> bincode::BorrowDecode<'de, C> for $name {
            fn borrow_decode<D: bincode::de::BorrowDecoder<'de, Context = C>>(d: &mut D) -> Result<Self, bincode::error::DecodeError> {
                Ok($crate::code::Code::from_number(bincode::BorrowDecode::borrow_decode(d)?))
            }
        }
    };
}
