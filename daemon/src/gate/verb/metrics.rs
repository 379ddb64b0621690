//! METRICS: memory and processor use of the sessions, the daemon and the host.

use nix::sys::sysinfo::sysinfo;
use posthouse_protocol::payload::{AgentMetrics, Metrics, MetricsResponse, SessionInfo, SystemMetrics};

use super::{Answer, Caller, Verb, fit};
use crate::gate::stamp::now_ms;
use crate::session::command::SessionsCommand;

impl Verb for Metrics {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        let sessions = caller.ask_sessions(|reply| SessionsCommand::List { name: self.agent, reply }).await?;
        let now = now_ms();
        let agents = sessions.into_iter().map(|session| figures(session, now)).collect();
        Ok(MetricsResponse { agents: fit(agents, caller.outbox.max_frame()).0, system: system() })
    }
}

fn figures(session: SessionInfo, now: u64) -> AgentMetrics {
    let used = session.pid.and_then(process);
    let uptime_ms = session.run_started_at.map(|at| now.saturating_sub(at));
    let cpu_percent = used
        .as_ref()
        .zip(uptime_ms.filter(|ms| *ms > 0))
        .map(|(used, up)| u32::try_from(used.cpu_ms.saturating_mul(100) / up).unwrap_or(u32::MAX));
    AgentMetrics {
        name: session.name,
        pid: session.pid,
        status: session.state,
        rss_bytes: used.map(|used| used.rss_bytes),
        cpu_percent,
        uptime_ms,
    }
}

fn system() -> SystemMetrics {
    let host = sysinfo().ok();
    SystemMetrics {
        total_memory: host.as_ref().map_or(0, |host| host.ram_total()),
        free_memory: available().or_else(|| host.map(|host| host.ram_unused())).unwrap_or(0),
        heap_used: process(std::process::id()).map_or(0, |used| used.rss_bytes),
    }
}

/// What one process has used.
struct Used {
    cpu_ms: u64,
    rss_bytes: u64,
}

/// From `/proc/PID/stat`; `None` if the process is gone or the system has no such file.
fn process(pid: u32) -> Option<Used> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses and may contain anything, so fields are counted after the last one.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let ticks = number(11)? + number(12)?;
    let pages = number(21)?;
    let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()??.unsigned_abs();
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok()??.unsigned_abs();
    Some(Used { cpu_ms: ticks * 1000 / per_second.max(1), rss_bytes: pages * page })
}

fn available() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory_and_a_dead_one_has_none() {
        assert!(process(std::process::id()).unwrap().rss_bytes > 100_000);
        assert!(process(u32::MAX).is_none());
        assert!(available().unwrap() > 0);
    }
}
