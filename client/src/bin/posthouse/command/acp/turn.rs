//! When a prompt has ended. Pure: time is an argument.

use std::time::{Duration, Instant};

use posthouse_protocol::payload::SessionInfo;
use posthouse_protocol::{Receipt, ReceiptState};
use serde_json::Value;

/// A harness that took the prompt and shows itself ready for so long has ended its turn, though it did not say so:
/// turns that fail don't.
const READY_FOR: Duration = Duration::from_secs(3);
/// The same for a screen that does not change, of a program whose readiness nobody knows.
const STILL_FOR: Duration = Duration::from_secs(2);
/// A harness that was told to stop is waited for this long.
const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// How a prompt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The turn is over.
    Turn,
    /// The editor cancelled it. `queued` if the session had not been given it yet.
    Cancelled {
        /// It is still to be typed.
        queued: bool,
    },
    /// It could not be delivered, or the session ended.
    Failed(String),
}

/// One prompt.
#[derive(Debug)]
pub struct Turn {
    /// Id of the editor's request.
    pub request: Value,
    /// Id of the SEND.
    pub send: String,
    /// The prompt, without white space.
    pub prompt: String,
    /// When it was typed, by the daemon's clock, Unix milliseconds.
    written_at: Option<u64>,
    delivered: bool,
    /// When a turn of the session last ended, by the same clock.
    ended_at: Option<u64>,
    cancelled: Option<Instant>,
    failed: Option<String>,
    /// What has been unchanged since when.
    still: Option<(Still, Instant)>,
}

/// What is watched for coming to rest.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Still {
    Ready,
    Screen(Vec<String>),
}

impl Turn {
    /// A prompt that was just sent.
    pub fn new(request: Value, send: String, prompt: String) -> Self {
        Self {
            request,
            send,
            prompt,
            written_at: None,
            delivered: false,
            ended_at: None,
            cancelled: None,
            failed: None,
            still: None,
        }
    }

    /// A step of its receipt.
    pub fn receipt(&mut self, receipt: &Receipt) {
        if receipt.client_id != self.send {
            return;
        }
        match receipt.state {
            ReceiptState::Written | ReceiptState::Submitted => {
                self.written_at.get_or_insert(receipt.at);
            }
            ReceiptState::Delivered | ReceiptState::Answered => {
                self.written_at.get_or_insert(receipt.at);
                self.delivered = true;
            }
            ReceiptState::Expired | ReceiptState::Failed | ReceiptState::Uncertain => {
                let reason =
                    receipt.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
                self.fail(format!("the prompt is {}{reason}", receipt.state));
            }
            _ => {}
        }
    }

    /// It goes no further.
    pub fn fail(&mut self, why: String) {
        self.failed.get_or_insert(why);
    }

    /// A turn of the session ended, by the daemon's clock.
    pub fn turn_ended(&mut self, at: u64) {
        self.ended_at = self.ended_at.max(Some(at));
    }

    /// The editor wants it to stop. Whether the harness has it, and is to be told.
    pub fn cancel(&mut self, now: Instant) -> bool {
        self.cancelled.get_or_insert(now);
        self.written_at.is_some()
    }

    /// Whether its end depends on the screen.
    pub fn watches_screen(&self, info: &SessionInfo) -> bool {
        self.delivered && info.state == "running"
    }

    /// Whether it has ended, from what the session shows now; `None` for a session that is gone. `screen` is wanted
    /// where [`Self::watches_screen`] says so.
    pub fn look(
        &mut self,
        info: Option<&SessionInfo>,
        screen: Option<Vec<String>>,
        now: Instant,
    ) -> Option<End> {
        if let Some(why) = self.failed.take() {
            return Some(End::Failed(why));
        }
        if self.delivered && self.ended_at >= self.written_at {
            return Some(self.cancelled.map_or(End::Turn, |_| End::Cancelled { queued: false }));
        }
        let Some(info) = info else { return Some(End::Failed("the session was released".to_owned())) };
        let resting = matches!(info.state.as_str(), "exited" | "failed");
        let starts_again = info.restarts.as_ref().is_some_and(|restarts| restarts.next_at.is_some());
        if resting && !starts_again {
            let how = info.exit.as_deref().map(|how| format!(": {how}")).unwrap_or_default();
            return Some(End::Failed(format!("the session has {}{how}", info.state)));
        }
        if let Some(since) = self.cancelled {
            if self.written_at.is_none() {
                return Some(End::Cancelled { queued: true });
            }
            if info.state == "ready" || now - since >= STOPS_WITHIN {
                return Some(End::Cancelled { queued: false });
            }
        }
        let (shown, rest) = match (info.state.as_str(), screen) {
            ("ready", _) => (Still::Ready, READY_FOR),
            ("running", Some(screen)) => (Still::Screen(screen), STILL_FOR),
            _ => {
                self.still = None;
                return None;
            }
        };
        match &self.still {
            _ if !self.delivered => None,
            Some((before, since)) if *before == shown => (now - *since >= rest).then_some(End::Turn),
            _ => {
                self.still = Some((shown, now));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use posthouse_protocol::Later;

    use super::*;

    fn turn() -> Turn {
        Turn::new(1.into(), "s-1".into(), "hi".into())
    }

    fn receipt(state: ReceiptState, at: u64) -> Receipt {
        Receipt {
            message: "m".into(),
            client_id: "s-1".into(),
            recipient: "bob".into(),
            state,
            reason: Some("no room".into()),
            evidence: None,
            attempt: 1,
            run: None,
            at,
            terminal: false,
        }
    }

    fn info(state: &str) -> SessionInfo {
        SessionInfo {
            name: "bob".into(),
            state: state.into(),
            pid: None,
            harness: "codex".into(),
            mount: "codex".into(),
            route: vec![],
            run: None,
            cwd: "/work".into(),
            task: None,
            model: None,
            team: None,
            spawned_by: "ann".into(),
            spawned_at: 0,
            run_started_at: None,
            state_since: 0,
            conversation: None,
            queued: 0,
            viewers: 0,
            drafting: false,
            blocked: None,
            until: None,
            exit: Some("code 1".into()),
            trouble: None,
            restarts: Later(None),
        }
    }

    fn delivered() -> Turn {
        let mut turn = turn();
        turn.receipt(&receipt(ReceiptState::Written, 10));
        turn.receipt(&receipt(ReceiptState::Delivered, 12));
        turn
    }

    #[test]
    fn the_end_of_an_earlier_turn_is_not_its_end() {
        let now = Instant::now();
        let mut turn = turn();
        turn.turn_ended(9);
        assert_eq!(turn.look(Some(&info("busy")), None, now), None);
        turn.receipt(&receipt(ReceiptState::Written, 10));
        turn.receipt(&receipt(ReceiptState::Delivered, 12));
        assert_eq!(turn.look(Some(&info("busy")), None, now), None);
        turn.turn_ended(11);
        assert_eq!(
            turn.look(Some(&info("busy")), None, now),
            Some(End::Turn),
            "it may be told before the receipt"
        );
    }

    #[test]
    fn a_turn_that_does_not_say_how_it_ends_ends_when_the_session_rests() {
        let now = Instant::now();
        let mut turn = delivered();
        assert_eq!(turn.look(Some(&info("ready")), None, now), None);
        assert_eq!(turn.look(Some(&info("busy")), None, now + READY_FOR), None);
        assert_eq!(turn.look(Some(&info("ready")), None, now + READY_FOR), None);
        assert_eq!(turn.look(Some(&info("ready")), None, now + READY_FOR * 2), Some(End::Turn));

        let screen = |text: &str| Some(vec![text.to_owned()]);
        let mut turn = delivered();
        assert!(turn.watches_screen(&info("running")) && !turn.watches_screen(&info("busy")));
        assert_eq!(turn.look(Some(&info("running")), screen("a"), now), None);
        assert_eq!(turn.look(Some(&info("running")), screen("b"), now + STILL_FOR), None);
        assert_eq!(turn.look(Some(&info("running")), screen("b"), now + STILL_FOR * 2), Some(End::Turn));
    }

    #[test]
    fn what_cannot_go_on_fails_with_its_reason() {
        let now = Instant::now();
        let mut turn = turn();
        turn.receipt(&receipt(ReceiptState::Failed, 10));
        assert_eq!(
            turn.look(Some(&info("ready")), None, now),
            Some(End::Failed("the prompt is failed: no room".into()))
        );
        assert!(matches!(delivered().look(None, None, now), Some(End::Failed(_))));
        let ended = Some(End::Failed("the session has exited: code 1".into()));
        assert_eq!(delivered().look(Some(&info("exited")), None, now), ended);
        for state in ["moving", "starting", "parked", "blocked"] {
            assert_eq!(delivered().look(Some(&info(state)), None, now + STOPS_WITHIN), None, "{state}");
        }
    }

    #[test]
    fn a_cancelled_prompt_ends_in_time() {
        let now = Instant::now();
        let mut queued = turn();
        assert!(!queued.cancel(now));
        assert_eq!(queued.look(Some(&info("busy")), None, now), Some(End::Cancelled { queued: true }));
        let mut running = delivered();
        assert!(running.cancel(now));
        assert_eq!(running.look(Some(&info("busy")), None, now), None);
        let stopped = Some(End::Cancelled { queued: false });
        assert_eq!(running.look(Some(&info("ready")), None, now), stopped);
        assert_eq!(running.look(Some(&info("busy")), None, now + STOPS_WITHIN), stopped);
    }
}
