//! Logging in: the harness's own program runs as a session of the daemon, is shown live here, and counts only once the
//! stored login really changed and its provider takes it.

pub mod key;
mod view;

use std::collections::BTreeMap;
use std::time::Duration;

use posthouse_client::Client;
use posthouse_protocol::payload::{
    Credential, CredentialInfo, CredentialResponse, EnvVar, ListSessions, Release, Screen, SessionInfo, Spawn,
};
use serde::Deserialize;

use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Exit codes of `timeout` when the time ran out, and when the program ignored that.
const RAN_OUT: [&str; 2] = ["exit code 124", "exit code 137"];
/// How long the session may take to be gone, in milliseconds.
const GRACE_MS: u64 = 2_000;
/// Variables by which a login program finds the user's browser.
const BROWSER: [&str; 4] = ["DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "XAUTHORITY"];

/// How a person wants to log in.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// With a code to be typed on another device.
    pub device: bool,
    /// Give up after this time.
    pub timeout: Duration,
}

impl Wishes {
    /// A device code is chosen by itself where nobody could see a browser.
    pub fn new(device: bool, timeout: Duration) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let headless = !set("DISPLAY") && !set("WAYLAND_DISPLAY") || set("SSH_CONNECTION");
        Self { device: device || headless, timeout }
    }
}

/// What the daemon says is to be run.
#[derive(Debug, Deserialize)]
struct Plan {
    session: String,
    command: Vec<String>,
    env: BTreeMap<String, String>,
    /// Variables that pass from here, where they are set.
    pass: Vec<String>,
    cwd: String,
    device: bool,
}

/// Refuses to log in from inside a session: nobody would see the code, and an agent is not to choose accounts.
pub fn not_inside() -> Result<(), Failure> {
    match posthouse_client::identity::inside(|name| std::env::var(name).ok()) {
        Some(inside) => {
            let why = format!(
                "log in: this is inside of the session {}; do it from a terminal of your own",
                inside.session
            );
            Err(Failure::new(Exit::NotAllowed, why))
        }
        None => Ok(()),
    }
}

/// Logs in to one credential and proves it. `name` is `provider/alias`, or what has only one.
pub async fn run(
    context: &Context,
    client: &mut Client,
    name: &str,
    home: Option<String>,
    wishes: &Wishes,
) -> Result<CredentialInfo, Failure> {
    let begun =
        client.call(&Credential::Login { name: name.to_owned(), home, device: wishes.device }).await?;
    let (credential, plan) = read(&begun)?;
    if let Some(message) = &begun.message {
        eprintln!("{}", crate::escape::line(message));
    }
    let name = format!("{}/{}", credential.provider, credential.alias);
    start(client, &plan, wishes.timeout).await?;
    let watched = view::watch(context, &plan.session).await;
    if let Ok(view::End::Detached) = watched {
        let go_on = format!("posthouse attach {}", plan.session);
        let why = format!("see the login of {name} to its end; it goes on: {go_on}");
        return Err(Failure::new(Exit::TimedOut, why));
    }
    // A program that was over before anyone could look has nothing to show, which is no failure.
    let over = session(client, &plan.session).await?.is_none_or(|session| ended(&session));
    if let Err(failure) = watched
        && !over
    {
        return Err(failure);
    }
    let (how, said) = outcome(client, &plan.session).await?;
    let failed = how != "exit code 0";
    let ended = Credential::LoginEnded { name: name.clone(), device: plan.device, failed, said };
    let answer = client.call(&ended).await?;
    release(client, &plan.session).await?;
    let changed =
        answer.more.as_ref().and_then(|more| more.value()).and_then(|more| more["changed"].as_bool());
    if changed != Some(true) {
        let why = match how.as_str() {
            how if RAN_OUT.contains(&how) => format!(" (it took longer than {:?})", wishes.timeout),
            _ if failed => format!(" ({} ended with {how})", plan.command.join(" ")),
            _ => String::new(),
        };
        let message = answer.message.unwrap_or_default();
        return Err(Failure::new(Exit::Failed, format!("log in: {message}{why}")));
    }
    prove(client, &name).await
}

/// Has the provider asked about it. What can't be asked about is believed until a turn shows otherwise; what works and
/// is out of use for a while, as its account was before, is a good login too.
pub async fn prove(client: &mut Client, name: &str) -> Result<CredentialInfo, Failure> {
    let checked = client.call(&Credential::Check { name: name.to_owned() }).await?;
    let more = checked.more.as_ref().and_then(|more| more.value()).unwrap_or_default();
    let good = more["works"] == true || more["asked"] == false;
    let said = checked.message.unwrap_or_default();
    match checked.credentials.into_iter().next() {
        Some(found) if needs_login(&found) => {
            Err(Failure::new(Exit::NeedsLogin, format!("log in: the new login does not work: {said}")))
        }
        Some(found) if good => Ok(found),
        _ => {
            let why = format!("log in: there is a new login, but it was not proven: {said}");
            Err(Failure::new(Exit::Failed, why))
        }
    }
}

/// Whether only a new login or key helps.
pub fn needs_login(found: &CredentialInfo) -> bool {
    matches!(found.state.as_str(), "needs_login" | "disabled")
}

fn read(begun: &CredentialResponse) -> Result<(CredentialInfo, Plan), Failure> {
    let credential = begun.credentials.first().cloned();
    let plan =
        begun.more.as_ref().and_then(|more| more.value()).and_then(|more| serde_json::from_value(more).ok());
    let both = credential.zip(plan);
    both.ok_or_else(|| Failure::new(Exit::Failed, "log in: the daemon's answer says of no program to run"))
}

/// Starts the program, bounded in time by the system: the bound holds over the death of this command and of the daemon.
async fn start(client: &mut Client, plan: &Plan, timeout: Duration) -> Result<(), Failure> {
    if let Some(old) = session(client, &plan.session).await? {
        if !ended(&old) {
            let why = format!("log in: a login is under way already: posthouse attach {}", plan.session);
            return Err(Failure::new(Exit::Failed, why));
        }
        release(client, &plan.session).await?;
    }
    let seconds = timeout.as_secs().max(1).to_string();
    let bounded = ["timeout", "--foreground", "--kill-after=5", seconds.as_str()].map(str::to_owned);
    let passed = BROWSER.into_iter().chain(plan.pass.iter().map(String::as_str));
    let passed = passed.filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
    let env: BTreeMap<_, _> = passed.chain(plan.env.clone()).collect();
    let env = env.into_iter().map(|(name, value)| EnvVar { name, value });
    let request = Spawn {
        cwd: Some(plan.cwd.clone()),
        harness: Some("generic".to_owned()),
        args: bounded.into_iter().chain(plan.command.iter().cloned()).collect(),
        env: env.collect(),
        ..Spawn::new(plan.session.clone())
    };
    let started = client.call_within(&request, Duration::from_secs(60)).await?;
    if started.success {
        return Ok(());
    }
    let why = started.error.unwrap_or_else(|| "start it: the daemon gave no reason".to_owned());
    Err(Failure::new(Exit::Failed, format!("log in: {why}")))
}

async fn session(client: &mut Client, name: &str) -> Result<Option<SessionInfo>, Failure> {
    let listed = client.call(&ListSessions { name: Some(name.to_owned()) }).await?;
    Ok(listed.sessions.into_iter().find(|session| session.name == name))
}

fn ended(session: &SessionInfo) -> bool {
    matches!(session.state.as_str(), "exited" | "failed")
}

/// How the program ended, and the screen it left.
async fn outcome(client: &mut Client, name: &str) -> Result<(String, String), Failure> {
    let how = session(client, name).await?.and_then(|session| session.exit);
    let screen = client.call(&Screen { name: name.to_owned(), ansi: None }).await;
    let said = screen.map(|screen| screen.rows.join("\n")).unwrap_or_default();
    Ok((how.unwrap_or_else(|| "nobody knows what".to_owned()), said.trim().to_owned()))
}

async fn release(client: &mut Client, name: &str) -> Result<(), Failure> {
    let request = Release {
        name: name.to_owned(),
        reason: Some("the login ended".to_owned()),
        grace_ms: Some(GRACE_MS),
    };
    client.call_within(&request, Duration::from_secs(30)).await?;
    Ok(())
}
