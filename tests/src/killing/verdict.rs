//! What came of a message whose daemon died, judged by the journal's file, the clients, the stand-in's log and `/proc`.

use std::path::Path;
use std::time::Duration;

use posthouse_protocol::ReceiptState;
use posthouse_protocol::code::Code;
use posthoused::journal::JOURNAL_FILE;
use rusqlite::{Connection, OpenFlags};

use super::person::{Order, Seen};
use super::place::{Inventory, Place, SOON};
use super::{AGENT, Case};
use crate::until;

/// What a case showed.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Whether the point was come by, so that the daemon died there.
    pub died: bool,
    /// Acknowledged messages that did not arrive, or have no end.
    pub losses: Vec<String>,
    /// Messages that were given or typed more often than promised.
    pub duplicates: Vec<String>,
    /// Receipts that are missing, doubled or untrue.
    pub receipts: Vec<String>,
    /// Whatever else is not as it was: processes, descriptors, scrollback.
    pub others: Vec<String>,
}

impl Verdict {
    /// Whether all was as promised.
    pub fn is_clean(&self) -> bool {
        self.faults().next().is_none()
    }

    /// What was not.
    pub fn faults(&self) -> impl Iterator<Item = &String> {
        self.losses.iter().chain(&self.duplicates).chain(&self.receipts).chain(&self.others)
    }
}

/// A message for one recipient, as the journal has it.
#[derive(Clone, Debug)]
pub(super) struct Delivered {
    pub message: Vec<u8>,
    pub recipient: String,
    pub state: ReceiptState,
    pub ended: bool,
    pub reason: String,
    /// How many of its receipts are endings.
    pub endings: i64,
}

/// Every delivery of the messages that came of a SEND.
pub(super) fn deliveries(home: &Path, client_id: &str) -> rusqlite::Result<Vec<Delivered>> {
    let path = posthouse_protocol::place::state(|name: &str| (name == "POSTHOUSE_HOME").then(|| home.into()));
    let path = path.expect("a state directory").join(JOURNAL_FILE);
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.busy_timeout(Duration::from_secs(5))?;
    let sql = "SELECT d.message, d.recipient, d.state, d.ended, coalesce(d.reason, ''), d.expects_answer
        FROM message m JOIN delivery d ON d.message = m.id WHERE m.client_id = ?1 AND m.sender = 'alice'";
    let mut query = db.prepare(sql)?;
    let rows = query.query_map([client_id], |row| {
        let (state, asks): (u16, bool) = (row.get(2)?, row.get(5)?);
        let found = Delivered {
            message: row.get(0)?,
            recipient: row.get(1)?,
            state: ReceiptState::from_number(state),
            ended: row.get(3)?,
            reason: row.get(4)?,
            endings: 0,
        };
        Ok((found, asks))
    })?;
    let mut all = Vec::new();
    for row in rows {
        let (mut found, asks) = row?;
        found.endings = endings(&db, &found, asks)?;
        all.push(found);
    }
    Ok(all)
}

/// How many of the receipts of a message for a recipient are endings.
fn endings(db: &Connection, of: &Delivered, asks: bool) -> rusqlite::Result<i64> {
    let mut query = db.prepare_cached("SELECT data FROM event WHERE kind = 'receipt' AND subject = ?1")?;
    let mut rows = query.query([&of.message])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let data: serde_json::Value = serde_json::from_str(&row.get::<_, String>(0)?).unwrap_or_default();
        let state = ReceiptState::from_word(data["state"].as_str().unwrap_or_default());
        count += i64::from(data["to"] == of.recipient.as_str() && state.is_terminal(asks));
    }
    Ok(count)
}

/// Judges a case whose message had its time.
pub(super) async fn judge(
    place: &Place,
    case: Case,
    order: &Order,
    died: bool,
    ended: bool,
    knew: &Seen,
) -> Verdict {
    let mut verdict = Verdict { died, ..Verdict::default() };
    let all = match deliveries(place.world.home(), &order.id) {
        Ok(all) => all,
        Err(error) => {
            verdict.losses.push(format!("the journal does not answer: {error}"));
            return verdict;
        }
    };
    if !ended {
        verdict.losses.push(format!("{} has no end: {all:?}; alice saw {:?}", order.id, place.seen("alice")));
    }
    let mut ids: Vec<_> = all.iter().map(|delivered| &delivered.message).collect();
    ids.dedup();
    if ids.len() > 1 {
        verdict.duplicates.push(format!("{} became {} messages", order.id, ids.len()));
    }
    for name in case.kind.clients() {
        client(place, name, order, &all, knew, &mut verdict);
    }
    for name in case.kind.sessions() {
        session(place, name, order, &all, &mut verdict);
    }
    others(place, &mut verdict).await;
    verdict
}

fn client(place: &Place, name: &str, order: &Order, all: &[Delivered], knew: &Seen, verdict: &mut Verdict) {
    let seen = place.seen(name);
    let given = seen.given(&order.text);
    match ending(name, all, verdict) {
        Some(ReceiptState::Delivered | ReceiptState::Answered) => {}
        Some(other) => verdict.receipts.push(format!("{name} was reachable, and the receipt says {other}")),
        None => {}
    }
    if given.is_empty() {
        verdict.losses.push(format!("{name} was not given {}", order.id));
    }
    let mut ids: Vec<_> = given.iter().map(|(id, _, _)| id).collect();
    ids.dedup();
    if ids.len() > 1 {
        verdict.duplicates.push(format!("{name} was given {} under several ids: {given:?}", order.id));
    }
    if given.iter().skip(1).any(|(_, _, attempt)| *attempt < 2) {
        verdict.duplicates.push(format!("{name} was given {} again, unmarked: {given:?}", order.id));
    }
    let over = knew.receipts_of(&order.id).any(|receipt| receipt.terminal && receipt.recipient == name);
    if over && given.len() > 1 {
        verdict.duplicates.push(format!("{name} was given {} again after its end: {given:?}", order.id));
    }
}

fn session(place: &Place, name: &str, order: &Order, all: &[Delivered], verdict: &mut Verdict) {
    match ending(name, all, verdict) {
        Some(ReceiptState::Delivered) => {}
        // Its holder lived all the time and could be asked.
        Some(other) => verdict
            .receipts
            .push(format!("{name} and its holder lived, and the receipt says {other}: {all:?}")),
        None => {}
    }
    if name != AGENT {
        return;
    }
    let typed = place.received().iter().filter(|entry| entry.text.contains(&order.text)).count();
    match typed {
        0 => verdict.losses.push(format!("{} was not typed", order.id)),
        1 => {}
        more => verdict.duplicates.push(format!("{} was typed {more} times", order.id)),
    }
}

/// How it ended for one recipient; more or less than one ending is noted.
fn ending(name: &str, all: &[Delivered], verdict: &mut Verdict) -> Option<ReceiptState> {
    let found = all.iter().find(|delivered| delivered.recipient == name);
    match found {
        None => verdict.receipts.push(format!("there is no receipt for {name}")),
        Some(found) if found.endings != 1 => {
            verdict
                .receipts
                .push(format!("{} endings for {name}: {} ({})", found.endings, found.state, found.reason));
        }
        Some(_) => {}
    }
    found.map(|found| found.state)
}

pub(super) async fn others(place: &Place, verdict: &mut Verdict) {
    let mut now = place.inventory();
    let settled = || {
        now = place.inventory();
        now == place.before
    };
    until::so_within(SOON / 4, settled).await;
    let Inventory { harnesses, processes, descriptors } = &place.before;
    if now.harnesses != *harnesses {
        verdict.others.push(format!("sessions were {harnesses:?} and are {:?}", now.harnesses));
    }
    if now.processes != *processes {
        verdict.others.push(format!("processes were {processes:?} and are {:?}", now.processes));
    }
    if now.descriptors != *descriptors {
        let (before, after) = (descriptors, &now.descriptors);
        verdict.others.push(format!("descriptors were {before:?} and are {after:?}"));
    }
    if !place.canary_sings().await {
        verdict.others.push("the scrollback is not what was printed".to_owned());
    }
}
