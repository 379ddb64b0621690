//! A terminal full of random bytes: whoever takes it over must have all of them.

use posthouse_protocol::Hello;
use posthouse_protocol::handshake::{PrincipalKind, Role};
use posthouse_protocol::payload::Logs;

use super::World;

/// Its session.
pub const CANARY: &str = "canary";
/// How much it says, in bytes: some of the ring, so that all of it must be there.
const LENGTH: usize = 96 * 1024;

/// What it said.
#[derive(Debug)]
pub struct Canary(Vec<u8>);

impl Canary {
    /// Starts it in a world whose daemon runs.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(world: &World) -> Self {
        let file = world.home().join("canary");
        let said = random(LENGTH);
        std::fs::write(&file, &said).expect("a file");
        let script = "stty raw -echo; cat \"$0\"; exec sleep 1000000";
        let file = file.to_string_lossy().into_owned();
        world.cli(&["spawn", CANARY, "--harness", "generic", "--", "sh", "-c", script, &file]).ok();
        Self(said)
    }

    /// Whether it has said everything.
    pub async fn is_heard(&self, world: &World) -> bool {
        scrollback(world).await.len() >= self.0.len()
    }

    /// Whether its terminal has what it said, byte for byte.
    pub async fn sings(&self, world: &World) -> bool {
        scrollback(world).await == self.0
    }
}

async fn scrollback(world: &World) -> Vec<u8> {
    let mut hello = Hello::new("listener");
    hello.role = Some(Role::Auxiliary);
    hello.kind = Some(PrincipalKind::Operator);
    let Ok(mut client) = world.connect(hello).await else { return Vec::new() };
    let mut all: Vec<u8> = Vec::new();
    loop {
        let after = Some(all.len() as u64);
        let asked = Logs { name: CANARY.into(), after, limit: None };
        let Ok(page) = client.call(&asked).await else { return all };
        if page.data.0.is_empty() || page.offset != all.len() as u64 {
            return all;
        }
        all.extend_from_slice(&page.data.0);
        if all.len() as u64 >= page.end {
            return all;
        }
    }
}

fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut source = std::fs::File::open("/dev/urandom").expect("randomness");
    std::io::Read::read_exact(&mut source, &mut bytes).expect("randomness");
    bytes
}
