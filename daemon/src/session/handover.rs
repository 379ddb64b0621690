//! Gathering what a brief tells: the working directory's state and what was said last are looked up, the rest is known.

use super::brief::{Handover, Heard};
use super::house::House;
use super::luggage::Luggage;
use super::spec::SessionSpec;
use super::{exchange, tree};

/// The brief for a harness that knows nothing of what was done so far.
pub async fn brief(house: &House, spec: &SessionSpec, heard: &Heard, luggage: &Luggage) -> String {
    let tree = tree::state(&spec.cwd).await;
    let said = exchange::last_said(&house.catalog, luggage.left.as_ref()).await;
    let handover = Handover {
        session: &spec.name,
        from: &luggage.from,
        why: &luggage.why,
        cwd: &spec.cwd,
        task: spec.task.as_deref(),
        heard,
        said: &said,
        // What a one-shot harness prints is for programs.
        screen: if spec.one_shot { "" } else { &luggage.screen },
        tree: &tree,
        idle: luggage.returning,
    };
    handover.brief()
}
