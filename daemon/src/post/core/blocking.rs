//! Blocking sends: who waits for the answer to which message, and for how long.

use std::collections::HashMap;
use std::sync::Arc;

use posthouse_protocol::payload::Ack;
use posthouse_protocol::{ErrorCode, FrameType, Header, Json, ReceiptState, Sync, Violation};

use super::keyed::Keyed;
use super::receipt::Step;
use super::timer::Due;
use super::{Core, NameId, Slot};
use crate::journal::MessageId;

/// How long a caller waits that does not say, in milliseconds.
const DEFAULT_TIMEOUT: u64 = 30_000;
/// The longest a caller may wait, in milliseconds.
const MAX_TIMEOUT: u64 = 24 * 60 * 60 * 1000;

/// One open call.
#[derive(Debug)]
struct Call {
    slot: Slot,
    asker: NameId,
    correlation: Arc<str>,
    /// The id of the SEND frame.
    send: Arc<str>,
    timeout: u64,
    /// Monotonic moment at which the caller stops waiting.
    until: u64,
    /// Recipients that may still answer.
    left: usize,
}

/// All open calls.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    open: Keyed<MessageId, Call>,
    by_correlation: HashMap<(NameId, Arc<str>), MessageId>,
}

impl Calls {
    fn take(&mut self, id: MessageId) -> Option<Call> {
        let call = self.open.remove(&id)?;
        self.by_correlation.remove(&(call.asker, call.correlation.clone()));
        Some(call)
    }
}

impl Core {
    /// Says why the correlation of a blocking send cannot be used.
    pub(super) fn check_correlation(&self, asker: NameId, sync: &Sync) -> Result<(), Violation> {
        let problem = if sync.correlation_id.is_empty() {
            "a blocking send needs a correlation id"
        } else if self.calls.by_correlation.contains_key(&(asker, Arc::from(sync.correlation_id.as_str()))) {
            "this correlation id belongs to a call that is still open"
        } else {
            return Ok(());
        };
        Err(Violation::warning(ErrorCode::BadCorrelation, problem))
    }

    /// Opens the call of a message that `left` recipients may answer.
    pub(super) fn open_call(&mut self, id: MessageId, slot: Slot, send: Arc<str>, sync: &Sync, left: usize) {
        let Some(asker) = self.conns.get(slot).map(|conn| conn.name) else { return };
        let timeout = sync.timeout_ms.unwrap_or(DEFAULT_TIMEOUT).min(MAX_TIMEOUT);
        let correlation: Arc<str> = sync.correlation_id.as_str().into();
        self.calls.by_correlation.insert((asker, correlation.clone()), id);
        let until = self.now.mono.saturating_add(timeout);
        self.calls.open.insert(id, Call { slot, asker, correlation, send, timeout, until, left });
        self.timers.set(until, Due::Call(id));
    }

    /// The call waits for another message instead: the SEND was a repeat of it.
    pub(super) fn move_call(&mut self, from: MessageId, to: MessageId) {
        let Some(call) = self.calls.take(from) else { return };
        self.calls.take(to);
        self.calls.by_correlation.insert((call.asker, call.correlation.clone()), to);
        self.timers.set(call.until, Due::Call(to));
        self.calls.open.insert(to, call);
    }

    /// Hands an answer to the caller, if one still waits.
    pub(super) fn answer_call(
        &mut self,
        id: MessageId,
        from: &str,
        response: Option<String>,
        data: Option<Json>,
    ) {
        let Some(call) = self.calls.take(id) else { return };
        let ack = Ack {
            ack_id: id.to_string(),
            seq: 0,
            correlation_id: Some(call.correlation.to_string()),
            response,
            response_data: data,
        };
        let mut header = Header::new(FrameType::Ack, self.fresh_id(), self.now.wall);
        header.from = Some(from.to_owned());
        header.to = self.conns.get(call.slot).map(|conn| conn.from.to_string());
        self.say(call.slot, header, &ack);
    }

    /// One recipient will not answer any more; the call ends when none is left.
    pub(super) fn call_lost(&mut self, id: MessageId, recipient: &str, step: &Step) {
        let Some(call) = self.calls.open.get_mut(&id) else { return };
        call.left = call.left.saturating_sub(1);
        if call.left > 0 {
            return;
        }
        let code = match step.state {
            ReceiptState::Expired => ErrorCode::Expired,
            _ => ErrorCode::NotReady,
        };
        let reason = step.reason.as_deref().unwrap_or("no reason is known");
        let message = format!("{recipient} did not get the message ({}): {reason}", step.state);
        self.call_over(id, &Violation::warning(code, message));
    }

    /// Ends a call without an answer.
    pub(super) fn call_over(&mut self, id: MessageId, violation: &Violation) {
        let Some(call) = self.calls.take(id) else { return };
        let sync = Sync { correlation_id: call.correlation.to_string(), timeout_ms: None, blocking: true };
        self.refuse(call.slot, &call.send, Some(&sync), violation);
    }

    /// The caller has waited long enough. The message goes on.
    pub(super) fn call_timed_out(&mut self, id: MessageId) {
        let Some(call) = self.calls.open.get(&id) else { return };
        if call.until > self.now.mono {
            return;
        }
        let message = format!("no answer within {} ms; the message itself goes on", call.timeout);
        self.call_over(id, &Violation::warning(ErrorCode::Timeout, message));
    }

    /// Nobody waits on this connection any more.
    pub(super) fn drop_calls(&mut self, slot: Slot) {
        let ids: Vec<MessageId> =
            self.calls.open.iter().filter(|(_, call)| call.slot == slot).map(|(id, _)| *id).collect();
        for id in ids {
            self.calls.take(id);
        }
    }
}
