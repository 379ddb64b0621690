//! Declares a section of the configuration once: its fields, their defaults, bounds and meaning.

use std::ops::RangeInclusive;

/// One setting, as listed in the operating guide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// `section.key`.
    pub name: String,
    /// Its built-in value.
    pub default: String,
    /// What it means, with its unit.
    pub meaning: String,
}

/// A value with bounds.
pub(super) trait Bounded {
    /// Why the value is out of bounds.
    fn out_of(&self, bounds: &RangeInclusive<u64>) -> Option<String>;
}

macro_rules! bounded {
    ($($number:ty),+) => { $(impl Bounded for $number {
        fn out_of(&self, bounds: &RangeInclusive<u64>) -> Option<String> {
            let inside = u64::try_from(*self).is_ok_and(|n| bounds.contains(&n));
            (!inside).then(|| format!("{self} is not between {} and {}", bounds.start(), bounds.end()))
        }
    })+ };
}

bounded!(u32, u64, usize);

impl Bounded for String {
    fn out_of(&self, bounds: &RangeInclusive<u64>) -> Option<String> {
        let inside = bounds.contains(&(self.len() as u64));
        (!inside).then(|| {
            format!("{} characters are not between {} and {}", self.len(), bounds.start(), bounds.end())
        })
    }
}

/// Declares a section: the struct with its built-in values, and the layer that files and variables are read into.
macro_rules! section {
    ($(#[$meta:meta])* $word:literal $name:ident / $layer:ident {
        $($(#[doc = $doc:literal])+ $field:ident: $ty:ty = $default:expr, in $bounds:expr;)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name { $($(#[doc = $doc])+ pub $field: $ty,)+ }

        impl Default for $name {
            fn default() -> Self { Self { $($field: $default.into(),)+ } }
        }

        #[derive(Debug, Default, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(super) struct $layer { $($field: Option<toml::Spanned<$ty>>,)+ }

        impl $name {
            /// Takes over what `layer` sets; the error is where in its text a value is out of bounds, and why.
            pub(super) fn take(&mut self, layer: $layer) -> Result<(), (std::ops::Range<usize>, String)> {
                $(if let Some(value) = layer.$field {
                    if let Some(why) = $crate::config::section::Bounded::out_of(value.get_ref(), &$bounds) {
                        return Err((value.span(), format!("{}: {why}", stringify!($field))));
                    }
                    self.$field = value.into_inner();
                })+
                Ok(())
            }

            /// Every setting of the section.
            pub fn settings() -> Vec<$crate::config::Setting> {
                let built_in = Self::default();
                vec![$($crate::config::Setting {
                    name: concat!($word, ".", stringify!($field)).to_owned(),
                    default: built_in.$field.to_string(),
                    meaning: [$($doc),+].join("").trim().to_owned(),
                },)+]
            }
        }
    };
}

pub(super) use section;
