//! The socket file.

use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;

use crate::config::Limits;
use crate::gate::{self, ListenError};

use super::Peer;
use super::rooms::Gatehouse;

#[tokio::test]
async fn the_socket_is_the_users_alone_and_goes_with_the_gate() {
    let gate = Gatehouse::open(Limits::default()).await;
    let mode = std::fs::metadata(&gate.socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut peer = Peer::hello(&gate.socket, posthouse_protocol::Hello::new("a")).await;
    gate.stop.now();
    peer.expect_error(posthouse_protocol::ErrorCode::ShuttingDown).await;
    assert!(!gate.socket.exists());
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "std leaves the file behind");
    let listener = gate::bind(&path).expect("nobody answers there");
    assert!(matches!(gate::bind(&path), Err(ListenError::InUse { .. })));
    drop(listener);
    assert!(!path.exists());
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.sock");
    std::fs::write(&path, "precious").unwrap();
    assert!(matches!(gate::bind(&path), Err(ListenError::NotASocket { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

#[tokio::test]
async fn a_listener_can_be_taken_over_by_its_descriptor() {
    use interprocess::local_socket::traits::tokio::Listener as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.sock");
    let handed = OwnedFd::from(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let listener = gate::listen::take_over(handed).unwrap();
    let _client = tokio::net::UnixStream::connect(&path).await.unwrap();
    listener.accept().await.unwrap();
    drop(listener);
    assert!(path.exists(), "the path belongs to whoever bound it");
}
