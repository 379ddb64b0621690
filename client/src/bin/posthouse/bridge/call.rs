//! A call that takes its time: it ends when its client gives it up or goes away, and says on the way how it goes.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use rmcp::RoleServer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::RequestContext;
use tokio_util::sync::CancellationToken;

use super::link::Trouble;

/// How often a client hears of a call that only waits.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    context: RequestContext<RoleServer>,
    progress: Option<ProgressToken>,
    client_left: CancellationToken,
}

impl Call {
    pub(super) fn new(context: RequestContext<RoleServer>, client_left: CancellationToken) -> Self {
        Self { progress: context.meta.get_progress_token(), context, client_left }
    }

    /// Does it unless the client gives up first. What was begun at the daemon is dropped then, with its connection.
    pub(super) async fn unless_given_up<T>(
        &self,
        work: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        tokio::select! {
            done = work => done,
            () = self.context.ct.cancelled() => Err("the call was cancelled".to_owned()),
            () = self.client_left.cancelled() => Err("the client has gone away".to_owned()),
        }
    }

    /// Does it and says every few seconds for how long by now, of the `longest` that it may take.
    pub(super) async fn counting<T>(
        &self,
        longest: Duration,
        what: &str,
        work: impl Future<Output = T>,
    ) -> T {
        if self.progress.is_none() {
            return work.await;
        }
        tokio::select! {
            done = work => done,
            never = self.count(longest, what) => match never {},
        }
    }

    async fn count(&self, longest: Duration, what: &str) -> Infallible {
        let begun = Instant::now();
        loop {
            self.tell(begun.elapsed().as_secs_f64(), Some(longest.as_secs_f64()), what).await;
            tokio::time::sleep(TOLD_EVERY).await;
        }
    }

    /// Says how far it is, to a client that asked to hear it. Progress has to grow.
    pub(super) async fn tell(&self, progress: f64, total: Option<f64>, message: &str) {
        let Some(token) = self.progress.clone() else { return };
        let mut told = ProgressNotificationParam::new(token, progress).with_message(message);
        told.total = total;
        // A client that is gone is noticed elsewhere.
        let _ = self.context.peer.notify_progress(told).await;
    }
}
