//! Telling a client that a resource has changed: what the daemon pushes is turned into the addresses that it concerns.

use std::collections::BTreeSet;
use std::time::Duration;

use posthouse_protocol::FrameType;
use posthouse_protocol::payload::{Attach, Event, Events};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::link::{Link, Trouble, trouble};
use super::news::News;
use super::resource::Place;

/// Changes that come together are told together.
const TOGETHER: Duration = Duration::from_millis(50);
/// No client is told more often.
const APART: Duration = Duration::from_millis(500);
/// How long until a daemon that is gone is looked for again.
const AGAIN: Duration = Duration::from_secs(1);
/// Changes that may wait to be told; more than one says nothing new.
pub(super) const QUEUE: usize = 64;

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    /// Something about this session, or else a thing that is no session.
    About(String),
    Screen(String),
    Inbox,
    /// Nobody was told for a while, so anything may have.
    Anything,
}

impl Change {
    fn concerns(&self, place: &Place) -> bool {
        match (self, place) {
            (Self::Anything, _) | (Self::About(_), Place::Events | Place::Sessions) => true,
            (Self::About(name), Place::Session(of) | Place::Screen(of)) => name == of.as_str(),
            (Self::Screen(name), Place::Screen(of)) => name == of.as_str(),
            (Self::Inbox, Place::Inbox) => true,
            _ => false,
        }
    }
}

/// Sends every one of these addresses whose resource has changed, until nobody takes them any more. Each is sent once at
/// the start, when changes are seen from then on, and whenever the daemon was away.
pub(super) async fn watch(link: Link, uris: Vec<String>, told: mpsc::Sender<String>) {
    let watched: Vec<(String, Place)> =
        uris.into_iter().filter_map(|uri| Some((uri.clone(), Place::of(&uri)?))).collect();
    let (changes, mut changed) = mpsc::channel(QUEUE);
    let mut sources = JoinSet::new();
    sources.spawn(again(link.clone(), Source::Events, changes.clone()));
    for place in watched.iter().map(|(_, place)| place) {
        let source = match place {
            Place::Screen(name) => Source::Screen(name.as_str().to_owned()),
            Place::Inbox => Source::Inbox,
            Place::Sessions | Place::Session(_) | Place::Events => continue,
        };
        sources.spawn(again(link.clone(), source, changes.clone()));
    }
    let mut free_at = Instant::now();
    while let Some(first) = changed.recv().await {
        let until = free_at.max(Instant::now() + TOGETHER);
        let mut all = vec![first];
        while let Ok(Some(more)) = timeout_at(until, changed.recv()).await {
            if !all.contains(&more) {
                all.push(more);
            }
        }
        sleep_until(until).await;
        free_at = Instant::now() + APART;
        let concerned: BTreeSet<&String> = watched
            .iter()
            .filter(|(_, place)| all.iter().any(|change| change.concerns(place)))
            .map(|(uri, _)| uri)
            .collect();
        for uri in concerned {
            if told.send(uri.clone()).await.is_err() {
                return;
            }
        }
    }
}

/// Where changes are heard of.
#[derive(Clone, Debug)]
enum Source {
    Events,
    Inbox,
    Screen(String),
}

/// Listens to a source for good, through restarts of the daemon.
async fn again(link: Link, source: Source, changes: mpsc::Sender<Change>) {
    while !changes.is_closed() {
        let ended = match &source {
            Source::Events => events(&link, &changes).await,
            Source::Inbox => inbox(&link, &changes).await,
            Source::Screen(name) => screen(&link, name, &changes).await,
        };
        if ended.is_ok() {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn events(link: &Link, changes: &mpsc::Sender<Change>) -> Result<(), Trouble> {
    let mut client = link.connect().await?;
    let follow = Events { tail: Some(true), limit: Some(1), follow: Some(true), ..Events::default() };
    client.call(&follow).await.map_err(trouble)?;
    let mut change = Change::Anything;
    loop {
        if changes.send(change).await.is_err() {
            return Ok(());
        }
        change = loop {
            let frame = client.next().await.map_err(trouble)?;
            if frame.header.kind == FrameType::Event {
                let event: Event = frame.body.decode().map_err(|e| e.to_string())?;
                break Change::About(event.subject);
            }
        };
    }
}

async fn inbox(link: &Link, changes: &mpsc::Sender<Change>) -> Result<(), Trouble> {
    let mut client = link.connect().await?;
    let mut news = News::from_now();
    loop {
        news.next(&mut client).await?;
        if changes.send(Change::Inbox).await.is_err() {
            return Ok(());
        }
    }
}

async fn screen(link: &Link, name: &str, changes: &mpsc::Sender<Change>) -> Result<(), Trouble> {
    let mut client = link.connect().await?;
    let attach =
        Attach { name: name.to_owned(), size: None, read_only: Some(true), after: None, scrollback: None };
    client.call(&attach).await.map_err(trouble)?;
    loop {
        let frame = client.next().await.map_err(trouble)?;
        match frame.header.kind {
            FrameType::Output if changes.send(Change::Screen(name.to_owned())).await.is_err() => {
                return Ok(());
            }
            FrameType::Detach => return Err("the session is gone".to_owned()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_concerns_what_it_can_be_seen_in() {
        let place = |uri: &str| Place::of(&format!("posthouse://{uri}")).unwrap();
        let about = Change::About("builder".into());
        for (change, uri, concerns) in [
            (&about, "sessions", true),
            (&about, "events", true),
            (&about, "sessions/builder", true),
            (&about, "sessions/builder/screen", true),
            (&about, "sessions/other", false),
            (&about, "inbox", false),
            (&Change::Screen("builder".into()), "sessions/builder/screen", true),
            (&Change::Screen("builder".into()), "sessions/builder", false),
            (&Change::Inbox, "inbox", true),
            (&Change::Inbox, "sessions", false),
            (&Change::Anything, "inbox", true),
        ] {
            assert_eq!(change.concerns(&place(uri)), concerns, "{change:?} {uri}");
        }
    }
}
