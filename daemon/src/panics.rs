//! Counts panics. A panic ends one task and nothing else, but it is always a fault of ours, so STATUS shows the count.

use std::sync::atomic::{AtomicU64, Ordering};

static COUNT: AtomicU64 = AtomicU64::new(0);

/// Tasks and threads of this process that have panicked since [`install`].
pub fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

/// Has every panic counted and logged from now on. Only the place is logged: what a panic says may quote what somebody
/// sent.
pub fn install() {
    std::panic::set_hook(Box::new(|info| {
        COUNT.fetch_add(1, Ordering::Relaxed);
        let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        tracing::error!(%place, %thread, "a task failed unexpectedly");
    }));
}
