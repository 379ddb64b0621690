//! Waiting for what a client is told of its own messages.

use posthouse_client::Client;
use posthouse_protocol::handshake::{Capabilities, PrincipalKind};
use posthouse_protocol::payload::Error;
use posthouse_protocol::{Frame, FrameType, Hello, Receipt, ReceiptState};

use super::{PATIENCE, World};

impl World {
    /// A client of that name with an operator's rights, which is told of its receipts.
    pub async fn operator(&self, name: &str) -> Client {
        let mut hello = Hello::new(name);
        hello.kind = Some(PrincipalKind::Operator);
        hello.capabilities = Capabilities { receipts: Some(true), ..Capabilities::default() };
        self.connect(hello).await.expect("a welcome")
    }
}

/// The next frame.
///
/// # Panics
/// When none comes within [`PATIENCE`].
pub async fn next(client: &mut Client) -> Frame {
    let frame = tokio::time::timeout(PATIENCE, client.next()).await;
    frame.expect("a frame in time").expect("the daemon goes on")
}

/// Waits until a message that was sent under `id` has come so far.
///
/// # Panics
/// When anything is refused first.
pub async fn until_state(client: &mut Client, id: &str, state: ReceiptState) {
    loop {
        let frame = next(client).await;
        assert_ne!(frame.header.kind, FrameType::Error, "{frame:?}");
        if frame.header.kind == FrameType::Receipt {
            let receipt: Receipt = frame.body.decode().expect("a receipt");
            if receipt.client_id == id && receipt.state == state {
                return;
            }
        }
    }
}

/// Waits until what was sent under `id` is refused.
///
/// # Panics
/// When it is not.
pub async fn until_refused(client: &mut Client, id: &str) -> Error {
    loop {
        let frame = next(client).await;
        if frame.header.kind == FrameType::Error && frame.header.id == id {
            return frame.body.decode().expect("an error");
        }
    }
}
