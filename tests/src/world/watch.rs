//! Waiting for named events instead of durations.

use posthouse_client::Client;
use posthouse_protocol::FrameType;
use posthouse_protocol::payload::{Event, Events};

use super::{PATIENCE, World};

/// A connection that follows the journal from the beginning.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    seen: Vec<Event>,
}

impl World {
    /// Follows every event there was and will be. Ends with the daemon; watch anew after a restart.
    pub async fn watch(&self) -> Watch {
        let mut hello = posthouse_protocol::Hello::new("watcher");
        hello.entity_type = Some("user".to_owned());
        hello.role = Some(posthouse_protocol::handshake::Role::Auxiliary);
        let mut client = self.connect(hello).await.expect("a welcome");
        let mut seen = Vec::new();
        let mut after = 0;
        loop {
            let follow =
                Events { after: Some(after), limit: Some(1000), follow: Some(true), ..Events::default() };
            let page = client.call(&follow).await.expect("events");
            let full = page.events.len() >= 1000;
            after = page.next;
            seen.extend(page.events);
            if !full {
                return Watch { client, seen };
            }
        }
    }
}

impl Watch {
    /// The first event, past or future, that `is` true of.
    ///
    /// # Panics
    /// When none comes within [`PATIENCE`], with what came instead.
    pub async fn until(&mut self, what: &str, is: impl Fn(&Event) -> bool) -> Event {
        if let Some(event) = self.seen.iter().find(|event| is(event)) {
            return event.clone();
        }
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                let frame = self.client.next().await.expect("the daemon goes on");
                if frame.header.kind != FrameType::Event {
                    continue;
                }
                let event: Event = frame.body.decode().expect("an event");
                self.seen.push(event.clone());
                if is(&event) {
                    return event;
                }
            }
        });
        match found.await {
            Ok(event) => event,
            Err(_) => panic!("waited in vain for {what}; there was {:#?}", self.tail()),
        }
    }

    /// The first event of a kind about a subject whose data, as text, contains all of `words`.
    pub async fn event(&mut self, kind: &str, subject: &str, words: &[&str]) -> Event {
        let what = format!("{kind} of {subject} with {words:?}");
        self.until(&what, |event| {
            event.kind == kind
                && (subject.is_empty() || event.subject == subject)
                && words.iter().all(|word| event.data.as_str().contains(word))
        })
        .await
    }

    /// Every event so far.
    pub fn seen(&self) -> &[Event] {
        &self.seen
    }

    fn tail(&self) -> Vec<String> {
        let show =
            |event: &Event| format!("{} {} {} {}", event.seq, event.kind, event.subject, event.data.as_str());
        self.seen.iter().rev().take(40).rev().map(show).collect()
    }
}
