//! `posthouse wait`: until something is so. Told by events, never by looking again.

use std::time::Duration;

use posthouse_client::Client;
use posthouse_protocol::FrameType;
use posthouse_protocol::payload::{Credential, CredentialInfo, Event, Events};
use posthouse_protocol::provider::canonical_credential;

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::{escape, login, progress, when};

/// Wait until logins and keys were seen to work
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  posthouse wait --credential openai/work --timeout 5m && ./start-agents")]
pub struct Args {
    /// provider/alias; may be given again, and all of them are waited for
    #[arg(long, value_name = "NAME", required = true)]
    credential: Vec<String>,
    /// Give up after this time, with exit code 7
    #[arg(long, value_name = "TIME", value_parser = when::duration, default_value = "10m")]
    timeout: Duration,
}

/// Asks the provider about each that was not seen to work yet, then waits for what others find out. Ends with 3 at once
/// if one needs a login: waiting would not bring it.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    let mut client = context.connect().await?;
    let waiting = wait(&mut client, &args.credential);
    let waiting = progress::while_waiting("waiting for credentials that work", waiting);
    let Ok(outcome) = tokio::time::timeout(args.timeout, waiting).await else {
        let names = args.credential.join(", ");
        return Err(Failure::new(Exit::TimedOut, format!("see {names} work within {:?}", args.timeout)));
    };
    let verified = outcome?;
    if context.json {
        context.print_json(&serde_json::json!({ "credentials": verified }))?;
    } else {
        for one in &verified {
            let by = one.verified_by.as_ref().map(|by| format!(" (seen by {by})")).unwrap_or_default();
            context.print(&format!("{}/{} works{by}", one.provider, one.alias))?;
        }
    }
    Ok(Exit::Done)
}

async fn wait(client: &mut Client, names: &[String]) -> Result<Vec<CredentialInfo>, Failure> {
    // Followed from here on, so that nothing between a look and the wait is missed.
    let follow = Events {
        after: None,
        limit: Some(1),
        kinds: vec!["credential".to_owned()],
        subject: None,
        tail: Some(true),
        follow: Some(true),
    };
    client.call(&follow).await?;
    loop {
        let mut verified = Vec::new();
        for name in names {
            let mut found = show(client, Credential::Show { name: name.clone() }).await?;
            if found.state == "unknown" {
                found = show(client, Credential::Check { name: name.clone() }).await?;
            }
            match found.state.as_str() {
                "valid" => verified.push(found),
                _ if login::needs_login(&found) => return Err(needs_login(&found)),
                _ => {}
            }
        }
        if verified.len() == names.len() {
            return Ok(verified);
        }
        changed(client, names).await?;
    }
}

async fn show(client: &mut Client, request: Credential) -> Result<CredentialInfo, Failure> {
    let answer = client.call(&request).await?;
    let first = answer.credentials.into_iter().next();
    first.ok_or_else(|| Failure::new(Exit::Failed, "look at a credential: the answer names none"))
}

/// Until something is told of one of them.
async fn changed(client: &mut Client, names: &[String]) -> Result<(), Failure> {
    loop {
        let frame = client.next().await?;
        if frame.header.kind != FrameType::Event {
            continue;
        }
        let event: Event = frame.body.decode()?;
        if names.iter().any(|name| canonical_credential(name) == event.subject) {
            return Ok(());
        }
    }
}

fn needs_login(found: &CredentialInfo) -> Failure {
    let why = found.why.as_deref().map(|why| format!(": {}", escape::line(why))).unwrap_or_default();
    let repair = found.repair.as_deref().map(|repair| format!("; run: {repair}")).unwrap_or_default();
    let name = format!("{}/{}", found.provider, found.alias);
    Failure::new(Exit::NeedsLogin, format!("wait for {name}: it needs a login{why}{repair}"))
}
