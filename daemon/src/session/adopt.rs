//! Finding the run of a session that an earlier daemon left. Whatever is uncertain is left alone: nothing here kills.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::house::House;
use super::spec::{Rest, RunRecord, SessionRecord};
use super::start::full_reason;
use super::task::{Adopted, Begin};
use crate::fail_point::{self, Point};
use crate::holder::link::{self, Link, LinkError, place};
use crate::holder::run::RunId;
use crate::holder::{ancestry, survey};
use crate::journal::{DocumentKind, ReadError, Reader};

/// How a run ended whose holder is gone, for people.
pub(crate) const HOLDER_DIED: &str = "its holder died, and the run with it";
/// How a run ended whose holder never came to listen.
const NEVER_BEGAN: &str = "it was being started when the daemon ended";

/// How long a holder may take to say what it knows.
const STATUS_LIMIT: Duration = Duration::from_secs(5);

/// How long a run may take to end whose terminal has hung up, and how often it is looked for.
const HANG_UP_LIMIT: Duration = Duration::from_secs(5);
const HANG_UP_LOOKS: Duration = Duration::from_millis(50);
/// How long a holder that was just started may take to listen, and how often it is tried.
const START_LIMIT: Duration = Duration::from_secs(5);
const START_LOOKS: Duration = Duration::from_millis(20);

/// The sessions that the journal knows. A record that can't be read is reported and left where it is.
///
/// # Errors
/// If the journal can't be read.
pub fn records(journal: &Reader) -> Result<Vec<SessionRecord>, ReadError> {
    let documents = journal.documents(DocumentKind::Session)?;
    let read = |document: crate::journal::Document| match document.value.parse() {
        Ok(record) => Some(record),
        Err(error) => {
            tracing::error!(session = %document.key.key, %error, "a session's record can't be read");
            None
        }
    };
    Ok(documents.into_iter().filter_map(read).collect())
}

/// Looks for the session's holder.
pub(crate) async fn find(house: &House, record: &SessionRecord) -> Begin {
    let Some(run) = &record.run else { return Begin::Rest(None) };
    fail_point::at(Point::AdoptBefore).await;
    match connect_once_started(house, run).await {
        Ok(adopted) => {
            fail_point::at(Point::AdoptAfter).await;
            Begin::Adopt(Box::new(adopted))
        }
        Err(Missing::Dead) => match left_of(run.id()).await {
            Left::Nothing => {
                // A holder that is killed leaves its socket's file behind.
                let began = run.socket.exists();
                let _ = place::bury(&run.socket);
                match record.rest {
                    // One that moves goes on elsewhere: its new run may never have lived.
                    Rest::Live if record.luggage.is_none() => {
                        let rebooted = run.boot.is_some() && run.boot != house.boot;
                        let how = match began {
                            _ if rebooted => "the machine was restarted",
                            true => HOLDER_DIED,
                            false => NEVER_BEGAN,
                        };
                        Begin::Lost { how: how.to_owned(), rebooted }
                    }
                    _ => Begin::Rest(None),
                }
            }
            Left::Perhaps(what) => {
                Begin::Rest(Some(format!("its holder died and processes of its run may be left: {what}")))
            }
        },
        Err(Missing::Broken(why) | Missing::Uncertain(why)) => {
            Begin::Rest(Some(format!("its holder could not be asked, so its run was left alone: {why}")))
        }
    }
}

/// A daemon may have died while its holder was being started: it is about to listen. And a holder that is dying may still
/// have taken the connection: the next attempt tells.
async fn connect_once_started(house: &House, run: &RunRecord) -> Result<Adopted, Missing> {
    let begun = tokio::time::Instant::now();
    loop {
        match connect(house, run).await {
            Err(Missing::Dead) if ancestry::is_held(run.id()) && begun.elapsed() < START_LIMIT => {
                tokio::time::sleep(START_LOOKS).await;
            }
            Err(Missing::Broken(_)) if begun.elapsed() < START_LIMIT => {
                tokio::time::sleep(START_LOOKS).await;
            }
            outcome => return outcome,
        }
    }
}

enum Missing {
    /// The holder is proven dead.
    Dead,
    /// It hung up in the middle of the conversation.
    Broken(String),
    /// It may live.
    Uncertain(String),
}

impl From<LinkError> for Missing {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::NoHolder { .. } => Self::Dead,
            LinkError::Lost | LinkError::Io(_) => Self::Broken(full_reason(&error)),
            other => Self::Uncertain(full_reason(&other)),
        }
    }
}

/// Connects to the holder of a run whose link broke.
///
/// # Errors
/// What is left of the run if its holder is dead, or why nobody knows.
pub(crate) async fn relink(run: RunId, socket: &Path) -> Result<Link, Left> {
    let begun = tokio::time::Instant::now();
    loop {
        match link::adopt(socket).await.map_err(Missing::from) {
            Ok(link) => return Ok(link),
            Err(Missing::Dead) => return Err(left_of(run).await),
            Err(Missing::Broken(_)) if begun.elapsed() < START_LIMIT => {
                tokio::time::sleep(START_LOOKS).await;
            }
            Err(Missing::Broken(why) | Missing::Uncertain(why)) => {
                return Err(Left::Perhaps(format!("unknown: {why}")));
            }
        }
    }
}

async fn connect(house: &House, run: &RunRecord) -> Result<Adopted, Missing> {
    let definition = house.catalog.get(&run.harness).or_else(|_| house.catalog.get("generic"));
    let mut definition = definition.map_err(|e| Missing::Uncertain(e.to_string()))?;
    if run.prints {
        definition = definition.one_shot().map_or(definition, Arc::new);
    }
    let link = link::adopt(&run.socket).await?;
    if link.handle.identity().run != run.id() {
        return Err(Missing::Uncertain("another run's holder listens at its socket".to_owned()));
    }
    let status = tokio::time::timeout(STATUS_LIMIT, link.handle.status()).await;
    let status = status.map_err(|_| {
        Missing::Uncertain(format!("it did not answer within {} s", STATUS_LIMIT.as_secs()))
    })??;
    Ok(Adopted { record: run.clone(), definition, link, status })
}

/// What a dead holder leaves of its run.
#[derive(Debug)]
pub(crate) enum Left {
    /// Nothing: that is proven.
    Nothing,
    /// These processes, or nobody knows which.
    Perhaps(String),
}

/// Looks for what is left of a run whose holder is dead. Its terminal has hung up, and most programs end of that by
/// themselves: they get a moment to do so.
pub(crate) async fn left_of(run: RunId) -> Left {
    let begun = tokio::time::Instant::now();
    loop {
        match look_for(run) {
            Left::Perhaps(_) if begun.elapsed() < HANG_UP_LIMIT => tokio::time::sleep(HANG_UP_LOOKS).await,
            left => return left,
        }
    }
}

fn look_for(run: RunId) -> Left {
    match survey::survivors(run, None) {
        Ok(left) if left.is_empty() => Left::Nothing,
        Ok(left) => {
            let names: Vec<_> = left.iter().map(|s| format!("{} ({})", s.name, s.pid)).collect();
            Left::Perhaps(names.join(", "))
        }
        Err(error) => Left::Perhaps(format!("unknown, {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// What the kernel does between the moments at which it closes a dying holder's connection and its listener.
    #[tokio::test]
    async fn a_holder_that_hangs_up_while_it_dies_is_found_dead() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("holder");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let heard = Arc::new(AtomicBool::new(false));
        let hung_up = heard.clone();
        tokio::spawn(async move {
            drop(listener.accept().await.unwrap());
            hung_up.store(true, Ordering::Relaxed);
        });
        let left = relink(RunId::new(uuid::Uuid::now_v7()), &socket).await;
        assert!(matches!(left, Err(Left::Nothing)), "{left:?}");
        assert!(heard.load(Ordering::Relaxed));
    }
}
