//! Connections that do nothing.

use std::time::Duration;

use super::{Contender, Effort, Workload, figure, on_one_thread};
use crate::connection::Connection;
use crate::peer::{Peer, Terms};
use crate::process;
use crate::report::Better::Less;
use crate::report::Goal;

const CONNECTIONS: usize = 1_000;

pub fn workload(effort: Effort) -> Workload {
    let watched = effort.time(Duration::from_secs(6));
    Workload {
        title: "1,000 idle connections",
        figures: vec![figure("memory", "KiB each", Less), figure("CPU", "% of a core", Less)],
        contenders: vec![
            Contender::new("raw tokio router", move || idle(&Peer::router(), watched)),
            Contender::new("posthouse bincode", move || idle(&Peer::posthouse(Terms::BINCODE), watched))
                .aiming_at([Some(Goal::Value(10.0)), Some(Goal::Value(0.2))]),
        ],
    }
}

fn idle(peer: &Peer, watched: Duration) -> Vec<f64> {
    on_one_thread(async {
        // What the first ones make it allocate for good is not theirs.
        let _first = Connection::open(peer, "first", 1).await;
        let before = process::memory(peer.pid());
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for at in 0..CONNECTIONS {
            connections.push(Connection::open(peer, &format!("n{at}"), 1).await);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let memory = (process::memory(peer.pid()) - before) / CONNECTIONS as f64;
        settle(peer.pid()).await;
        let spent = process::cpu(peer.pid());
        tokio::time::sleep(watched).await;
        let spent = process::cpu(peer.pid()).saturating_sub(spent);
        vec![memory, spent.as_secs_f64() * 100.0 / watched.as_secs_f64()]
    })
}

/// Waits for a second in which the process does next to nothing: what it does soon after its start is no connection's doing.
async fn settle(pid: u32) {
    for _ in 0..10 {
        let before = process::cpu(pid);
        tokio::time::sleep(Duration::from_secs(1)).await;
        if process::cpu(pid).saturating_sub(before) < Duration::from_millis(10) {
            return;
        }
    }
}
