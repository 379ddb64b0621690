//! No points: every call is nothing.

use super::{Injected, Point};

/// Nothing.
#[inline(always)]
pub const fn pass(_: Point) {}

/// Nothing; never fails.
///
/// # Errors
/// Never.
#[inline(always)]
pub const fn reach(_: Point) -> Result<(), Injected> {
    Ok(())
}

/// Nothing, at once.
#[inline(always)]
pub fn at(_: Point) -> std::future::Ready<()> {
    std::future::ready(())
}

/// Nothing.
#[inline(always)]
pub const fn inherited() -> Option<(&'static str, &'static str)> {
    None
}
