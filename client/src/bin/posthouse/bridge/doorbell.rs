//! Telling claude that messages wait, where it takes events of *channels*: only that they wait. Nothing says whether it
//! heard, so a message is delivered once it is taken, and never by the ringing.

use std::time::Duration;

use posthouse_protocol::payload::{Inbox, InboxMessage};
use rmcp::RoleServer;
use rmcp::model::{CustomNotification, ServerNotification};
use rmcp::service::Peer;
use serde_json::{Value, json};

use super::link::{Link, Trouble, trouble};
use super::news::News;

/// What a server says that has events of this kind.
pub(super) const CAPABILITY: &str = "claude/channel";
const EVENT: &str = "notifications/claude/channel";
/// A call that waits for a message takes it at once; what is gone by then needs no ringing, and what comes together rings
/// once.
const SETTLED: Duration = Duration::from_millis(500);
/// How long until a daemon that is gone is looked for again.
const AGAIN: Duration = Duration::from_secs(1);

/// Rings for the messages that wait and whenever more have come, until the client is gone.
pub(super) async fn ring(link: Link, peer: Peer<RoleServer>) {
    let mut news = News::of_all();
    while !peer.is_transport_closed() {
        // Whatever ended it, it goes on with the next daemon.
        let _ = listen(&link, &peer, &mut news).await;
        tokio::time::sleep(AGAIN).await;
    }
}

async fn listen(link: &Link, peer: &Peer<RoleServer>, news: &mut News) -> Result<(), Trouble> {
    let mut client = link.connect().await?;
    loop {
        let came = news.next(&mut client).await?;
        tokio::time::sleep(SETTLED).await;
        let unread = Inbox { unread_only: Some(true), ..Inbox::default() };
        let waiting = client.call(&unread).await.map_err(trouble)?.messages;
        let is_there = |new: &InboxMessage| waiting.iter().any(|message| message.id == new.id);
        if let Some(event) = event(&waiting).filter(|_| came.iter().any(is_there)) {
            let event = CustomNotification::new(EVENT, Some(event));
            let sent = peer.send_notification(ServerNotification::CustomNotification(event)).await;
            sent.map_err(|e| e.to_string())?;
        }
    }
}

/// What is said of all that wait, oldest first. The text stays with the message, so that who reads it has taken it.
fn event(waiting: &[InboxMessage]) -> Option<Value> {
    let InboxMessage { id, from, .. } = waiting.last()?;
    let count = waiting.len();
    let content = match count {
        1 => format!("A message from {from} waits for you. Take it with wait_for_message."),
        _ => {
            format!("{count} messages wait for you, the newest from {from}. Take each with wait_for_message.")
        }
    };
    Some(json!({ "content": content, "meta": { "from": from, "message": id, "waiting": count.to_string() } }))
}
