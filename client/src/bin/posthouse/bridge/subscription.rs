//! Subscriptions of the era that shakes hands: addresses are added and removed one by one, for the connection as a whole.
//! (In the other era a subscription is a request that lasts, see `Bridge::listen`.)

use std::collections::BTreeSet;

use rmcp::RoleServer;
use rmcp::model::ResourceUpdatedNotificationParam;
use rmcp::service::Peer;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::link::Link;
use super::watching::{self, watch};

/// Orders that may wait.
const QUEUE: usize = 64;
/// Most addresses of one connection.
pub(super) const MOST: usize = 256;

/// What the task is told.
#[derive(Debug)]
pub(super) enum Order {
    /// Tell this client of changes there.
    Add(Peer<RoleServer>, String),
    /// No longer.
    Remove(String),
}

/// Starts the task that owns the subscriptions; it ends with the last sender.
pub(super) fn start(link: Link) -> mpsc::Sender<Order> {
    let (sender, orders) = mpsc::channel(QUEUE);
    tokio::spawn(keep(link, orders));
    sender
}

async fn keep(link: Link, mut orders: mpsc::Receiver<Order>) {
    let mut uris = BTreeSet::new();
    let mut client = None;
    let mut tasks = JoinSet::new();
    while let Some(order) = orders.recv().await {
        let changed = match order {
            Order::Add(peer, uri) => {
                client = Some(peer);
                uris.len() < MOST && uris.insert(uri)
            }
            Order::Remove(uri) => uris.remove(&uri),
        };
        let Some(peer) = client.clone().filter(|_| changed) else { continue };
        tasks.abort_all();
        let (told, mut changed) = mpsc::channel(watching::QUEUE);
        tasks.spawn(watch(link.clone(), uris.iter().cloned().collect(), told));
        tasks.spawn(async move {
            while let Some(uri) = changed.recv().await {
                if peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await.is_err() {
                    return;
                }
            }
        });
    }
}
