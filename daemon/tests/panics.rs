//! A panic ends its own task and is counted. Alone in its program, because the hook is the whole process's.

#![allow(clippy::unwrap_used, clippy::panic)]

use posthoused::panics;

#[tokio::test]
async fn a_task_that_panics_is_counted_and_ends_alone() {
    panics::install();
    assert!(tokio::spawn(async { panic!("on purpose") }).await.is_err());
    assert_eq!(panics::count(), 1);
    assert_eq!(tokio::spawn(async { 7 }).await.unwrap(), 7);
}
