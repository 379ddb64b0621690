//! A daemon with sessions, as an operator sees it.

use std::time::Duration;

use posthouse_client::Client;
use posthouse_protocol::Hello;
use posthouse_protocol::handshake::{Capabilities, PrincipalKind, Role};
use posthouse_protocol::payload::{ListSessions, Release, SessionInfo, Spawn, SpawnResult};
use posthouse_tests::world::World;

/// A daemon and an operator's connection.
pub struct Sessions {
    pub world: World,
    pub client: Client,
}

impl Sessions {
    pub async fn new(world: World) -> Self {
        let client = operator(&world).await;
        Self { world, client }
    }

    /// A session that runs this.
    pub async fn spawn(&mut self, name: &str, harness: &str, args: Vec<String>) -> SpawnResult {
        let spawn: Spawn = serde_json::from_value(serde_json::json!({
            "name": name, "harness": harness, "args": args, "cwd": "/tmp",
        }))
        .expect("a spawn");
        let result = self.client.call_within(&spawn, Duration::from_secs(60)).await.expect("an answer");
        assert!(result.success, "{result:?}");
        result
    }

    pub async fn list(&mut self) -> Vec<SessionInfo> {
        self.client.call(&ListSessions::default()).await.expect("a list").sessions
    }

    pub async fn release(&mut self, name: &str) {
        let release = Release { name: name.to_owned(), reason: None, grace_ms: Some(0) };
        self.client.call(&release).await.expect("an answer");
    }
}

pub async fn operator(world: &World) -> Client {
    let mut hello = Hello::new("operator");
    hello.kind = Some(PrincipalKind::Operator);
    hello.role = Some(Role::Auxiliary);
    hello.encodings = vec![posthouse_protocol::Encoding::Bincode];
    hello.capabilities = Capabilities { receipts: Some(true), ..Capabilities::default() };
    world.connect(hello).await.expect("a welcome")
}
