//! Waiting for what nobody announces: a file that another program writes, a process's end, what a list says. Where there is
//! an event, that is what to wait for.

use std::time::Duration;

use crate::world::PATIENCE;

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(2);

/// Looks until something is found; `None` after [`PATIENCE`].
pub async fn found<T>(look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    found_within(PATIENCE, look).await
}

/// The same with a limit of its own.
pub async fn found_within<T>(limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    // A look that never returns is not waited for either.
    let looked = tokio::time::timeout(limit, async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
    looked.await.ok()
}

/// Looks until it is so; whether it was within [`PATIENCE`].
pub async fn so(is: impl FnMut() -> bool) -> bool {
    so_within(PATIENCE, is).await
}

/// The same with a limit of its own.
pub async fn so_within(limit: Duration, mut is: impl FnMut() -> bool) -> bool {
    found_within(limit, async || is().then_some(())).await.is_some()
}
