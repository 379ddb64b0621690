//! `posthouse credential`: logins and keys by alias.

use std::path::PathBuf;

use posthouse_protocol::payload::{Credential, CredentialInfo, CredentialSource, LoginInfo};

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::login::key;
use crate::table::{Cell, Tone, cell, render};
use crate::{escape, when};

/// Register, list and look after logins and keys
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    posthouse credential add openai work --home ~/.codex-work\n  \
    posthouse credential add anthropic key --api-key-stdin < key.txt\n  \
    posthouse credential ls")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Register a login directory or a key
    Add(Add),
    /// List them with their state
    Ls,
    /// Show one
    Show {
        /// provider/alias
        name: String,
    },
    /// Look at one again; after a repair it becomes usable
    Check {
        /// provider/alias
        name: String,
    },
    /// Log in anew; the same as posthouse login
    Login(super::login::Args),
    /// Forget one; a login directory stays as it is
    Rm {
        /// provider/alias
        name: String,
    },
}

/// Register a login directory or a key
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("source").required(true))]
struct Add {
    /// openai, anthropic, google, … or a harness's name for it
    provider: String,
    /// The name it is to be known by
    alias: String,
    /// The harness's own home directory, used where it is
    #[arg(long, value_name = "DIR", group = "source")]
    home: Option<PathBuf>,
    /// Read a key from standard input
    #[arg(long, group = "source")]
    api_key_stdin: bool,
    /// Take a key from this environment variable
    #[arg(long, value_name = "NAME", group = "source")]
    env: Option<String>,
    /// Another endpoint of the provider's interface, such as a gateway
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
}

/// Does it; a credential that needs a login makes `ls`, `show` and `check` end with exit code 3.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    let adds = matches!(args.what, What::Add(_) | What::Rm { .. });
    let request = match args.what {
        What::Add(add) => Credential::Add {
            source: source(&add)?,
            provider: add.provider,
            alias: add.alias,
            base_url: add.base_url,
        },
        What::Ls => Credential::List,
        What::Show { name } => Credential::Show { name },
        What::Check { name } => Credential::Check { name },
        What::Rm { name } => Credential::Remove { name },
        What::Login(args) => return super::login::run(context, args).await,
    };
    let mut client = context.connect().await?;
    let answer = client.call(&request).await?;
    let needs_login = answer.credentials.iter().any(|c| c.state == "needs_login");
    if context.json {
        context.print_json(&answer)?;
    } else {
        if let Some(message) = &answer.message {
            context.print(&escape::line(message))?;
        }
        if !adds {
            print(context, &answer.credentials)?;
        }
    }
    Ok(if needs_login && !adds { Exit::NeedsLogin } else { Exit::Done })
}

fn source(add: &Add) -> Result<CredentialSource, Failure> {
    let usage = |message: String| Failure::new(Exit::Usage, message);
    if let Some(home) = &add.home {
        let dir = std::env::current_dir()?.join(home);
        let text =
            dir.to_str().ok_or_else(|| usage(format!("use {}: the path is not UTF-8", dir.display())))?;
        return Ok(CredentialSource::Home { dir: text.to_owned() });
    }
    let secret = match &add.env {
        Some(name) => {
            let secret = std::env::var(name);
            key::checked(secret.map_err(|e| usage(format!("take the key from {name}: {e}")))?)?
        }
        None => key::from_stdin()?,
    };
    Ok(CredentialSource::Key { secret })
}

/// Prints them as a table, and below it what is to be said of each.
pub fn print(context: &Context, credentials: &[CredentialInfo]) -> Result<(), Failure> {
    if credentials.is_empty() {
        return context
            .print("no credentials; register one with: posthouse credential add openai work --home DIR");
    }
    let rows: Vec<Vec<Cell>> = credentials.iter().map(row).collect();
    context.print(&render(
        context.paint(),
        &["CREDENTIAL", "STATE", "GEN", "PROVEN", "WHERE", "SESSIONS"],
        &rows,
    ))?;
    for credential in credentials {
        if let Some(login) = credential.login.as_ref().and_then(|login| describe(login, when::now_ms())) {
            context.print(&format!("{}/{}: {login}", credential.provider, credential.alias))?;
        }
        if let Some(why) = &credential.why {
            let until =
                credential.until.as_deref().map(|u| format!(" until {}", when::local(u))).unwrap_or_default();
            let line = format!("{}/{}: {}{until}", credential.provider, credential.alias, escape::line(why));
            context.print(&context.paint().tone(Tone::Warn, &line))?;
        }
        if let Some(repair) = &credential.repair {
            context.print(&format!("  to repair it: {}", escape::line(repair)))?;
        }
    }
    Ok(())
}

/// Whose a login is and how long it lasts.
fn describe(login: &LoginInfo, now: u64) -> Option<String> {
    let plan = login.plan.as_deref().map(|plan| format!(" ({plan})")).unwrap_or_default();
    let whose = login.account.as_deref().map(|account| format!("{account}{plan}"));
    let lasts = login.expires_at.map(|at| {
        let renewed = if login.renewable { "its harness renews it" } else { "nothing renews it" };
        match at.checked_sub(now) {
            Some(left) => format!("its access token ends in {}, {renewed}", when::ago(0, left)),
            None => format!("its access token ended {} ago, {renewed}", when::ago(at, now)),
        }
    });
    let said: Vec<String> = whose.into_iter().chain(lasts).collect();
    (!said.is_empty()).then(|| escape::line(&said.join("; ")))
}

fn row(credential: &CredentialInfo) -> Vec<Cell> {
    let tone = match credential.state.as_str() {
        "valid" => Tone::Good,
        "unknown" | "refreshing" => Tone::Plain,
        "cooling" => Tone::Warn,
        _ => Tone::Bad,
    };
    let proven =
        credential.proven_at.map_or_else(|| "never".to_owned(), |at| when::ago(at, when::now_ms()) + " ago");
    vec![
        cell(format!("{}/{}", credential.provider, credential.alias)),
        (tone, credential.state.clone()),
        cell(credential.generation.to_string()),
        cell(proven),
        cell(escape::line(credential.home.as_deref().unwrap_or("stored key"))),
        cell(credential.sessions.join(", ")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_says_whose_it_is_and_how_long_it_lasts() {
        let login = LoginInfo {
            account: Some("a…@example.org".into()),
            plan: Some("plus".into()),
            expires_at: Some(7_200_000),
            renewable: true,
            host: None,
        };
        insta::assert_snapshot!(describe(&login, 0).unwrap(), @"a…@example.org (plus); its access token ends in 2h, its harness renews it");
        let over = LoginInfo { account: None, renewable: false, ..login };
        insta::assert_snapshot!(describe(&over, 7_260_000).unwrap(), @"its access token ended 1m ago, nothing renews it");
        assert_eq!(describe(&LoginInfo::default(), 0), None);
    }
}
