//! HEALTH: crashes and alerts, read from what the sessions say of themselves and from the last day's events.

use jiff::Timestamp;
use posthouse_protocol::payload::{
    AlertInfo, CrashInfo, Health, HealthIssue, HealthResponse, HealthStats, SessionInfo,
};

use super::{Answer, Caller, Verb, fit};
use crate::post::command::PostQuery;
use crate::session::command::SessionsCommand;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

impl Verb for Health {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        let counts = caller.ask_post(|reply| PostQuery::Counts { reply }).await?;
        let sessions = caller.ask_sessions(|reply| SessionsCommand::List { name: None, reply }).await?;
        let now = crate::gate::stamp::now_ms();
        let crashes: Vec<CrashInfo> = sessions.iter().filter_map(crash).collect();
        let alerts: Vec<AlertInfo> = sessions.iter().filter_map(alert).collect();
        let issues: Vec<HealthIssue> = sessions.iter().filter_map(issue).collect();
        let recommendations = sessions.iter().filter_map(|s| s.trouble.as_ref()?.repair.clone()).collect();
        let recent = |at: u64| now.saturating_sub(at) < DAY_MS;
        let stats = HealthStats {
            total_crashes_24h: count(sessions.iter().filter(|s| crash(s).is_some() && recent(s.state_since))),
            total_alerts_24h: count(sessions.iter().filter(|s| alert(s).is_some() && recent(s.state_since))),
            agent_count: counts.reachable,
        };
        let max = caller.outbox.max_frame() / 4;
        let listed = |wanted: Option<bool>| wanted != Some(false);
        Ok(HealthResponse {
            health_score: score(sessions.len(), &issues),
            summary: summary(sessions.len(), issues.len()),
            issues: fit(issues, max).0,
            recommendations: fit(recommendations, max).0,
            crashes: if listed(self.include_crashes) { fit(crashes, max).0 } else { Vec::new() },
            alerts: if listed(self.include_alerts) { fit(alerts, max).0 } else { Vec::new() },
            stats,
        })
    }
}

fn count<'a>(sessions: impl Iterator<Item = &'a SessionInfo>) -> u32 {
    u32::try_from(sessions.count()).unwrap_or(u32::MAX)
}

/// 100 with nothing wrong; every session in trouble takes its share, half of it for a mere warning.
fn score(sessions: usize, issues: &[HealthIssue]) -> u32 {
    let weight: usize = issues.iter().map(|issue| if issue.severity == "critical" { 100 } else { 50 }).sum();
    let lost = weight.checked_div(sessions).unwrap_or(0).min(100);
    100 - u32::try_from(lost).unwrap_or(100)
}

fn summary(sessions: usize, issues: usize) -> String {
    match (sessions, issues) {
        (0, _) => "no sessions".to_owned(),
        (n, 0) => format!("{n} sessions, nothing wrong"),
        (n, wrong) => format!("{wrong} of {n} sessions need a look"),
    }
}

fn crash(session: &SessionInfo) -> Option<CrashInfo> {
    let failed = session.state == "failed";
    failed.then(|| CrashInfo {
        id: session.run.clone().unwrap_or_else(|| session.name.clone()),
        agent_name: session.name.clone(),
        crashed_at: rfc3339(session.state_since),
        likely_cause: session.exit.clone().unwrap_or_else(|| "not known".to_owned()),
        summary: session.trouble.as_ref().map(|trouble| trouble.message.clone()),
    })
}

fn alert(session: &SessionInfo) -> Option<AlertInfo> {
    let (kind, message) = match (&session.blocked, &session.trouble) {
        (Some(blocked), _) => (
            format!("blocked: {}", blocked.kind),
            blocked.message.clone().unwrap_or_else(|| blocked.kind.clone()),
        ),
        (None, Some(trouble)) => (trouble.class.clone(), trouble.message.clone()),
        (None, None) => return None,
    };
    let at = session.trouble.as_ref().map_or(session.state_since, |trouble| trouble.at);
    Some(AlertInfo {
        id: format!("{}-{at}", session.name),
        agent_name: session.name.clone(),
        alert_type: kind,
        message,
        created_at: rfc3339(at),
    })
}

fn issue(session: &SessionInfo) -> Option<HealthIssue> {
    let (severity, what) = match session.state.as_str() {
        "failed" => ("critical", session.exit.clone().unwrap_or_else(|| "it failed".to_owned())),
        "parked" => ("critical", format!("parked until {}", session.until.as_deref().unwrap_or("repaired"))),
        "blocked" => ("warning", alert(session).map_or_else(|| "blocked".to_owned(), |alert| alert.message)),
        _ => ("warning", session.trouble.as_ref()?.message.clone()),
    };
    Some(HealthIssue { severity: severity.to_owned(), message: format!("{}: {what}", session.name) })
}

fn rfc3339(at_ms: u64) -> String {
    let at = i64::try_from(at_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    at.unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}
