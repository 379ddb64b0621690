//! What was promised, against what arrived.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use posthouse_protocol::ReceiptState;

use super::chaos::Deeds;
use super::gauge::growth;
use super::member::{Ledger, Sent, tag_in};
use crate::standin::record::Entry;

/// Growth of memory that is put up with, KiB per hour: caches fill in the minutes between two deaths.
const MEMORY: f64 = 200.0 * 1024.0;
/// The same of descriptors.
const DESCRIPTORS: f64 = 120.0;

/// The outcome.
#[derive(Debug, Default)]
pub struct Reckoning {
    messages: usize,
    refused: BTreeMap<String, usize>,
    never_accepted: usize,
    receipts: BTreeMap<String, usize>,
    uncertain: BTreeMap<String, usize>,
    open: Vec<String>,
    lost: Vec<String>,
    twice: Vec<String>,
    wrong: Vec<String>,
    acceptance: Vec<Duration>,
    returns: usize,
    sessions: usize,
    deeds: Deeds,
}

impl Reckoning {
    /// Reckons up.
    pub fn of(ledgers: &[Ledger], received: &[Entry], deeds: Deeds, sessions: usize) -> Self {
        let mut all = Self { deeds, sessions, ..Self::default() };
        let mut typed: BTreeMap<&str, usize> = BTreeMap::new();
        let mut in_run: BTreeMap<(u32, &str), usize> = BTreeMap::new();
        for entry in received.iter().filter(|entry| entry.event == "received") {
            if let Some(tag) = tag_in(&entry.text) {
                *typed.entry(tag).or_default() += 1;
                *in_run.entry((entry.pid, tag)).or_default() += 1;
            }
        }
        let twice = in_run.iter().filter(|(_, count)| **count > 1);
        all.twice = twice.map(|((pid, tag), count)| format!("{tag} {count} times into {pid}")).collect();
        for ledger in ledgers {
            all.returns += ledger.returns.saturating_sub(1);
            if ledger.doubled > 0 {
                all.twice.push(format!("{} deliveries to {}", ledger.doubled, ledger.name));
            }
            for sent in ledger.sent.values() {
                all.reckon(sent, ledgers, typed.get(sent.tag.as_str()).copied().unwrap_or(0));
            }
        }
        all.acceptance.sort();
        all
    }

    fn reckon(&mut self, sent: &Sent, ledgers: &[Ledger], typed: usize) {
        self.messages += 1;
        if let Some(why) = &sent.refused {
            *self.refused.entry(why.clone()).or_default() += 1;
            return;
        }
        match sent.accepted {
            Some(took) => self.acceptance.push(took),
            None => self.never_accepted += 1,
        }
        if !sent.is_over() {
            let states: Vec<_> = sent
                .receipts
                .values()
                .filter(|r| !r.terminal)
                .map(|r| format!("{} {} ({})", r.recipient, r.state, r.reason.as_deref().unwrap_or_default()))
                .collect();
            self.open.push(format!("{} to {}: {}", sent.tag, sent.to, states.join(", ")));
        }
        // Into sessions; broadcasts go to many, and the log does not say whose terminal it was.
        let (mut certain, mut possible) = (0, 0);
        for receipt in sent.receipts.values() {
            *self.receipts.entry(receipt.state.to_string()).or_default() += 1;
            if receipt.state == ReceiptState::Uncertain {
                let why = receipt.reason.clone().unwrap_or_default();
                *self.uncertain.entry(why).or_default() += 1;
            }
            match ledgers.iter().find(|ledger| ledger.name == receipt.recipient) {
                Some(fellow) => {
                    if receipt.state == ReceiptState::Delivered && !fellow.got.contains(&sent.tag) {
                        self.lost.push(format!("{} to {}", sent.tag, receipt.recipient));
                    }
                }
                None => {
                    certain += usize::from(receipt.state == ReceiptState::Delivered);
                    possible += usize::from(matches!(
                        receipt.state,
                        ReceiptState::Delivered | ReceiptState::Uncertain
                    ));
                }
            }
        }
        if typed < certain {
            self.lost.push(format!("{} to {}: {typed} typed of {certain} delivered", sent.tag, sent.to));
        }
        if typed > 0 && possible == 0 && sent.is_over() {
            self.wrong.push(format!("{} to {}: typed, and said to have failed", sent.tag, sent.to));
        }
    }

    /// What does not hold.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let lists =
            [("lost", &self.lost), ("doubled", &self.twice), ("open", &self.open), ("wrong", &self.wrong)];
        for (what, list) in lists {
            faults.extend(list.iter().take(5).map(|one| format!("{what}: {one}")));
        }
        if growth(&self.deeds.samples, |s| s.descriptors).is_some_and(|more| more > DESCRIPTORS) {
            faults.push("the daemon's descriptors grow".to_owned());
        }
        if growth(&self.deeds.samples, |s| s.memory).is_some_and(|more| more > MEMORY) {
            faults.push("the daemon's memory grows".to_owned());
        }
        faults
    }
}

impl fmt::Display for Reckoning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |percent: usize| {
            let index = self.acceptance.len().saturating_sub(1) * percent / 100;
            self.acceptance.get(index).copied().unwrap_or_default()
        };
        let Deeds { daemons, holders, keys, samples } = &self.deeds;
        writeln!(
            f,
            "killed: the daemon {daemons} times, {holders} holders; revoked: {keys} keys; clients came back {} times",
            self.returns
        )?;
        writeln!(
            f,
            "messages: {}, refused {}, not accepted {}",
            self.messages,
            self.refused.values().sum::<usize>(),
            self.never_accepted
        )?;
        for (why, count) in &self.refused {
            writeln!(f, "  refused {count}: {why}")?;
        }
        let states: Vec<_> = self.receipts.iter().map(|(state, count)| format!("{state} {count}")).collect();
        writeln!(f, "receipts: {}", states.join(", "))?;
        for (why, count) in &self.uncertain {
            writeln!(f, "  uncertain {count}: {why}")?;
        }
        writeln!(
            f,
            "lost {}, doubled {}, without an end {}, wrong {}",
            self.lost.len(),
            self.twice.len(),
            self.open.len(),
            self.wrong.len()
        )?;
        writeln!(f, "acceptance: p50 {:?}, p99 {:?}, slowest {:?}", at(50), at(99), at(100))?;
        let last = samples.last();
        writeln!(
            f,
            "daemon: {:.1} MiB and {} descriptors at the end; growth per hour {} and {}",
            last.map_or(0.0, |s| s.memory / 1024.0),
            last.map_or(0.0, |s| s.descriptors),
            growth(samples, |s| s.memory)
                .map_or("unknown".to_owned(), |more| format!("{:+.1} MiB", more / 1024.0)),
            growth(samples, |s| s.descriptors).map_or("unknown".to_owned(), |more| format!("{more:+.1}")),
        )?;
        write!(f, "sessions that go on: {}", self.sessions)
    }
}
