//! A week of ten sessions on three routes, with outages by script: the real failover and credential rooms and a real
//! journal, a clock that the test moves, and sessions that do as they are told.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

mod agent;
mod outage;
mod world;

use std::collections::BTreeMap;

use agent::State;
use jiff::SignedDuration;
use outage::{Kind, Outage, hours};
use world::World;

const ROUTES: [(&str, &str); 3] = [
    ("day", "codex@openai/work, codex@openai/personal, claude@anthropic/max"),
    ("night", "claude@anthropic/max, codex@openai/personal"),
    ("thrift", "codex@openai/personal, claude@anthropic/team:opus, claude@anthropic/team:sonnet"),
];

/// From when (hours into the week), for how long, where, what.
fn script() -> Vec<Outage> {
    vec![
        Outage::new("openai/work", hours(6), hours(5), Kind::Limit),
        Outage::new("openai/personal", hours(8), hours(2), Kind::Limit),
        Outage::new("anthropic/team", hours(8), hours(4), Kind::ModelLimit("opus")),
        Outage::new("anthropic", hours(20), SignedDuration::from_mins(12), Kind::Overloaded),
        Outage::new("openai/work", hours(30), hours(9), Kind::Revoked),
        Outage::new("openai", hours(52), SignedDuration::from_mins(45), Kind::RefusesEveryone),
        Outage::new("anthropic/max", hours(60), hours(26), Kind::NoCredit),
        Outage::new("openai", hours(75), SignedDuration::from_mins(40), Kind::Throttled),
        // Nothing at all for a while.
        Outage::new("openai/work", hours(100), hours(4), Kind::Limit),
        Outage::new("openai/personal", hours(100), hours(3), Kind::Limit),
        Outage::new("anthropic", hours(100), hours(2), Kind::Overloaded),
        Outage::new("openai/personal", hours(130), SignedDuration::from_mins(90), Kind::FlapsEvery(7)),
    ]
}

#[tokio::test]
async fn a_simulated_week_loses_nothing_never_spins_comes_home_and_explains_itself() {
    let mut world = World::open(&ROUTES, script()).await;
    world.run(hours(7 * 24)).await;
    let sent: usize = world.agents.iter().map(|agent| agent.sent).sum();
    let answered: usize = world.agents.iter().map(|agent| agent.answered).sum();
    assert!(sent > 1_500, "{sent} messages are no week's work");
    for agent in &world.agents {
        assert_eq!(agent.answered, agent.sent, "{} lost a message: {:?}", agent.name, agent.state);
        assert!(matches!(agent.state, State::Idle), "{}: {:?}", agent.name, agent.state);
        assert_eq!(agent.mount, agent.first, "{} did not come home", agent.name);
        assert!(agent.most_tries <= 8, "{} tried one message {} times", agent.name, agent.most_tries);
        assert!(agent.most_in_ten_minutes <= 12, "{} spun: {}", agent.name, agent.most_in_ten_minutes);
    }
    // Those who run on it find out what is out of use, each with a few tries; while it lasts it is tried rarely.
    for outage in &world.outages {
        let most = 10 * 5 + 6 * usize::try_from(outage.length.as_hours()).unwrap();
        assert!(outage.hits <= most, "{} requests ran into {outage:?}", outage.hits);
        assert!(outage.hits > 0, "nobody noticed {outage:?}");
    }
    assert_eq!(world.unexplained, Vec::<String>::new());
    let decided = world.decisions().await;
    let count = |word: &str| decided.get(word).copied().unwrap_or(0);
    assert_eq!(count("rotate") + count("next_mount"), world.moves, "{decided:?}");
    assert_eq!(count("restore"), world.restores, "{decided:?}");
    assert!(world.restores >= 10 && count("park") > 0 && count("wait") > 0, "{decided:?}");
    println!(
        "{sent} messages, {answered} answered, {} moves, {} restores: {decided:?}",
        world.moves, world.restores
    );
    let total: BTreeMap<&str, usize> = decided.iter().map(|(word, n)| (word.as_str(), *n)).collect();
    assert!(total.values().sum::<usize>() < 3 * sent, "more decisions than a calm daemon makes: {total:?}");
}
