//! Stopping a turn by the keys that the harness has for it.

use posthouse_protocol::{ErrorCode, When};
use posthouse_tests::stage::Stage;

#[tokio::test]
async fn a_turn_is_stopped_and_where_none_runs_nothing_is_pressed() {
    let stage = Stage::started().await;
    stage.standin("alice").await;
    stage.wait_for_state("alice", "ready").await;
    let refused = stage.interrupt("alice").await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::NotReady);
    assert!(refused.message.contains("it is in no turn, it is ready"), "{refused}");

    stage.send("alice", "work\nDO slow 600000", When::Idle).await;
    stage.wait_for_state("alice", "busy").await;
    stage.interrupt("alice").await.unwrap();
    stage.wait_for_state("alice", "ready").await;
    assert!(stage.screen("alice").await.contains("Interrupted."));
}
