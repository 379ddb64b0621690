//! Connecting and shaking hands.

use std::time::{Duration, Instant};

use super::{Contender, Effort, Workload, figure, on_one_thread};
use crate::connection::Connection;
use crate::peer::{Peer, Terms};
use crate::report::Better::More;
use crate::report::Goal;

/// Names that take turns: the daemon knows only so many of one user, and a name is free again long before its next turn.
const NAMES: usize = 2_048;

pub fn workload(effort: Effort) -> Workload {
    let second = effort.time(Duration::from_secs(1));
    Workload {
        title: "connect and shake hands",
        figures: vec![figure("rate", "connections/s", More)],
        contenders: vec![
            Contender::new("raw tokio router", move || connect(&Peer::router(), second)),
            Contender::new("posthouse bincode", move || connect(&Peer::posthouse(Terms::BINCODE), second))
                .aiming_at([Some(Goal::Ratio(0.7))]),
        ],
    }
}

/// Eight at a time.
fn connect(peer: &Peer, time: Duration) -> Vec<f64> {
    on_one_thread(async {
        let begun = Instant::now();
        let mut made = 0;
        while begun.elapsed() < time {
            let names: Vec<String> = (0..8).map(|at| format!("n{}", (made + at) % NAMES)).collect();
            let opening = names.iter().map(|name| Connection::open(peer, name, 1));
            made += join_all(opening).await.len();
        }
        vec![made as f64 / begun.elapsed().as_secs_f64()]
    })
}

/// All of them, side by side.
async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        let mut ready = true;
        for (future, output) in pending.iter_mut().filter(|(_, output)| output.is_none()) {
            match future.as_mut().poll(cx) {
                std::task::Poll::Ready(value) => *output = Some(value),
                std::task::Poll::Pending => ready = false,
            }
        }
        if ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    pending.into_iter().filter_map(|(_, output)| output).collect()
}
