//! The daemon as a whole.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{Json, Later};

/// Asks how the daemon is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Status {}

/// The journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct StorageStatus {
    /// Whether it survives the daemon.
    pub persistent: bool,
    /// What keeps it.
    pub driver: String,
    /// Whether it takes writes now.
    #[serde(rename = "canWrite")]
    pub can_write: bool,
    /// Whether it can be read.
    #[serde(rename = "canRead")]
    pub can_read: bool,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How the daemon is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct StatusResponse {
    /// Its release.
    pub version: String,
    /// Since its start, in milliseconds.
    pub uptime: u64,
    /// Always false; kept for compatibility.
    #[serde(rename = "cloudConnected")]
    pub cloud_connected: bool,
    /// Reachable names.
    #[serde(rename = "agentCount")]
    pub agent_count: u32,
    /// The journal.
    pub storage: StorageStatus,
    /// Its process.
    pub pid: u32,
    /// Daemons started on this state directory so far.
    pub generation: u64,
    /// Where it listens.
    pub socket: String,
    /// Where it keeps its state.
    pub home: String,
    /// Sessions it owns.
    pub sessions: u32,
    /// Open connections.
    pub connections: u32,
    /// Messages waiting for a recipient.
    pub queued: u64,
    /// Tasks that failed unexpectedly since its start.
    pub panics: u64,
}

/// Asks for crashes and alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Health {
    /// Absent means yes.
    #[serde(rename = "includeCrashes", default, skip_serializing_if = "Option::is_none")]
    pub include_crashes: Option<bool>,
    /// Absent means yes.
    #[serde(rename = "includeAlerts", default, skip_serializing_if = "Option::is_none")]
    pub include_alerts: Option<bool>,
}

/// Something to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct HealthIssue {
    /// `warning` or `critical`.
    pub severity: String,
    /// What.
    pub message: String,
}

/// A run that ended badly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct CrashInfo {
    /// The run.
    pub id: String,
    /// Its session.
    #[serde(rename = "agentName")]
    pub agent_name: String,
    /// When, RFC 3339.
    #[serde(rename = "crashedAt")]
    pub crashed_at: String,
    /// What is known of the cause.
    #[serde(rename = "likelyCause")]
    pub likely_cause: String,
    /// More of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}

/// A session that needs a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct AlertInfo {
    /// Its event.
    pub id: String,
    /// Its session.
    #[serde(rename = "agentName")]
    pub agent_name: String,
    /// What kind.
    #[serde(rename = "alertType")]
    pub alert_type: String,
    /// What.
    pub message: String,
    /// When, RFC 3339.
    #[serde(rename = "createdAt")]
    pub created_at: String,
}

/// Counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct HealthStats {
    /// Crashes in the last day.
    #[serde(rename = "totalCrashes24h")]
    pub total_crashes_24h: u32,
    /// Alerts in the last day.
    #[serde(rename = "totalAlerts24h")]
    pub total_alerts_24h: u32,
    /// Reachable names.
    #[serde(rename = "agentCount")]
    pub agent_count: u32,
}

/// How the sessions are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct HealthResponse {
    /// 0 to 100.
    #[serde(rename = "healthScore")]
    pub health_score: u32,
    /// One sentence.
    pub summary: String,
    /// What to look at.
    #[serde(default)]
    pub issues: Vec<HealthIssue>,
    /// What to do.
    #[serde(default)]
    pub recommendations: Vec<String>,
    /// Runs that ended badly.
    #[serde(default)]
    pub crashes: Vec<CrashInfo>,
    /// Sessions that need a person.
    #[serde(default)]
    pub alerts: Vec<AlertInfo>,
    /// Counts.
    pub stats: HealthStats,
}

/// Asks for memory and processor use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Metrics {
    /// Only of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct AgentMetrics {
    /// Its name.
    pub name: String,
    /// Its harness process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Its state.
    pub status: String,
    /// Resident memory of the harness process.
    #[serde(rename = "rssBytes", default, skip_serializing_if = "Option::is_none")]
    pub rss_bytes: Option<u64>,
    /// Processor use since its start, in percent of one core.
    #[serde(rename = "cpuPercent", default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<u32>,
    /// Since the run started.
    #[serde(rename = "uptimeMs", default, skip_serializing_if = "Option::is_none")]
    pub uptime_ms: Option<u64>,
}

/// The host and the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct SystemMetrics {
    /// Bytes of the host.
    #[serde(rename = "totalMemory")]
    pub total_memory: u64,
    /// Bytes available.
    #[serde(rename = "freeMemory")]
    pub free_memory: u64,
    /// Resident bytes of the daemon.
    #[serde(rename = "heapUsed")]
    pub heap_used: u64,
}

/// The figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct MetricsResponse {
    /// Every session.
    #[serde(default)]
    pub agents: Vec<AgentMetrics>,
    /// The host.
    pub system: SystemMetrics,
}

/// Ends the daemon; sessions go on unless they are to be released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Shutdown {
    /// End every session first.
    #[serde(default)]
    pub release_all: bool,
    /// Run the program anew in the same process. Not together with `release_all`.
    #[serde(default, skip_serializing_if = "Later::is_none")]
    pub restart: Later<bool>,
}

/// The daemon is about to end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct ShutdownResponse {
    /// Sessions that were ended.
    #[serde(default)]
    pub released: Vec<String>,
    /// Sessions that go on.
    #[serde(default)]
    pub left_running: Vec<String>,
}

/// Asks what is wrong on this host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Diagnose {}

/// One thing looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// `ok`, `warning` or `failed`.
    pub outcome: String,
    /// What was found.
    pub detail: String,
    /// The command that mends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct DiagnoseResponse {
    /// In the order looked at.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// Facts for a bug report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<Json>,
}
