//! `posthouse reconnect`: new logins for those that need one, each once.

use std::collections::BTreeSet;
use std::time::Duration;

use posthouse_client::Client;
use posthouse_protocol::payload::{Credential, CredentialInfo};
use posthouse_protocol::provider::{aliases_of, canonical_credential};

use super::login::print;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::login::{self, Wishes, needs_login};
use crate::{escape, when};

/// How like a known name must be to be suggested, of 1.
const LIKE: f32 = 0.5;

/// Make new logins, each at most once
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    posthouse reconnect                        # everything that needs a login\n  \
    posthouse reconnect codex --if-invalid\n  \
    posthouse reconnect openai/work --no-prompt  # only says what to run")]
pub struct Args {
    /// Providers, harnesses or provider/alias, in any case [default: whatever needs a login]
    names: Vec<String>,
    /// Only those that their provider refuses now
    #[arg(long)]
    if_invalid: bool,
    /// With a code that is typed on another device [default where there is no display]
    #[arg(long)]
    device: bool,
    /// Start no login and open no browser: print the commands, with exit code 3
    #[arg(long)]
    no_prompt: bool,
    /// Give up on each after this time
    #[arg(long, value_name = "TIME", value_parser = when::duration, default_value = "15m")]
    timeout: Duration,
}

/// Everything is checked before the first login starts. Ends with 3 if one still needs a login.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    login::not_inside()?;
    let mut client = context.connect().await?;
    let known = client.call(&Credential::List).await?.credentials;
    let mut chosen = choose(&known, &args.names)?;
    if args.if_invalid {
        chosen = invalid(&mut client, chosen).await?;
    }
    if chosen.is_empty() {
        context.print(if context.json { "{\"credentials\":[]}" } else { "no credential needs a login" })?;
        return Ok(Exit::Done);
    }
    if args.no_prompt {
        return told(context, &chosen);
    }
    let wishes = Wishes::new(args.device, args.timeout);
    let (keys, logins): (Vec<_>, Vec<_>) = chosen.iter().partition(|one| one.kind == "key");
    // Whatever keeps one of them from starting is told before any of them does.
    for one in &logins {
        let request = Credential::Login { name: name_of(one), home: None, device: wishes.device };
        client.call(&request).await?;
    }
    let mut proven = Vec::new();
    for one in &logins {
        let one = login::run(context, &mut client, &name_of(one), None, &wishes).await?;
        if !context.json {
            print(context, &one)?;
        }
        proven.push(one);
    }
    if context.json {
        context.print_json(&serde_json::json!({ "credentials": proven }))?;
    }
    if keys.is_empty() {
        return Ok(Exit::Done);
    }
    let keys: Vec<String> = keys.into_iter().map(by_key).collect();
    Err(Failure::new(Exit::NeedsLogin, format!("reconnect: {}", keys.join("\n"))))
}

/// The exact commands, for a person or a program that asks one.
fn told(context: &Context, chosen: &[CredentialInfo]) -> Result<Exit, Failure> {
    let command = |one: &CredentialInfo| match one.kind.as_str() {
        "key" => by_key(one),
        _ => format!("{}: --no-prompt starts no login; run: posthouse login {}", name_of(one), name_of(one)),
    };
    let commands: Vec<String> = chosen.iter().map(command).collect();
    let why = commands.join("\n");
    if context.json {
        context.print_json(&serde_json::json!({ "credentials": chosen, "commands": commands }))?;
    } else {
        context.print(&escape::block(&why))?;
    }
    Ok(Exit::NeedsLogin)
}

fn by_key(one: &CredentialInfo) -> String {
    let name = name_of(one);
    format!("{name} is a key; store a new one with: posthouse login {name} --from-stdin")
}

async fn invalid(client: &mut Client, chosen: Vec<CredentialInfo>) -> Result<Vec<CredentialInfo>, Failure> {
    let mut refused = Vec::new();
    for one in chosen {
        let checked = client.call(&Credential::Check { name: name_of(&one) }).await?;
        refused.extend(checked.credentials.into_iter().filter(needs_login));
    }
    Ok(refused)
}

fn name_of(one: &CredentialInfo) -> String {
    format!("{}/{}", one.provider, one.alias)
}

/// Those that are meant, each once however often it is named. Without a name: those that need a login.
fn choose(known: &[CredentialInfo], names: &[String]) -> Result<Vec<CredentialInfo>, Failure> {
    if names.is_empty() {
        return Ok(known.iter().filter(|one| needs_login(one)).cloned().collect());
    }
    let mut meant = BTreeSet::new();
    for given in names {
        let name = canonical_credential(given);
        // A provider's name means its logins, and of its keys those that were found to be no good.
        let fits = |one: &CredentialInfo| {
            name_of(one) == name || one.provider == name && (one.kind != "key" || needs_login(one))
        };
        let fitting: Vec<String> = known.iter().filter(|one| fits(one)).map(name_of).collect();
        if fitting.is_empty() {
            return Err(Failure::new(Exit::Usage, unknown(given, known)));
        }
        meant.extend(fitting);
    }
    Ok(known.iter().filter(|one| meant.contains(&name_of(one))).cloned().collect())
}

fn unknown(given: &str, known: &[CredentialInfo]) -> String {
    let providers: BTreeSet<String> = known.iter().map(|one| one.provider.clone()).collect();
    let aliases = providers.iter().flat_map(|provider| aliases_of(provider)).map(str::to_owned);
    let names: BTreeSet<String> =
        providers.iter().cloned().chain(aliases).chain(known.iter().map(name_of)).collect();
    let wanted = given.to_ascii_lowercase();
    let likeness = |name: &String| similar::TextDiff::from_chars(wanted.as_str(), name.as_str()).ratio();
    let closest = names.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let hint = closest.filter(|name| likeness(name) >= LIKE).map(|name| format!("; did you mean {name}?"));
    let list = match names.is_empty() {
        true => "none is registered: posthouse login PROVIDER makes one".to_owned(),
        false => format!("known are {}", names.iter().cloned().collect::<Vec<_>>().join(", ")),
    };
    format!("reconnect {given}: it matches no credential{}; {list}", hint.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<CredentialInfo> {
        let one = |provider: &str, alias: &str, state: &str| {
            let text = format!(
                r#"{{"provider":"{provider}","alias":"{alias}","kind":"home","state":"{state}","generation":1}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        vec![
            one("anthropic", "max", "valid"),
            one("openai", "spare", "valid"),
            one("openai", "work", "needs_login"),
        ]
    }

    fn chosen(names: &[&str]) -> Vec<String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        choose(&known(), &names).unwrap().iter().map(name_of).collect()
    }

    #[test]
    fn reconnect_alias_case() {
        assert_eq!(chosen(&[]), ["openai/work"]);
        assert_eq!(chosen(&["Claude"]), ["anthropic/max"]);
        assert_eq!(
            chosen(&["CODEX", "openai", "Codex/work", "openai/work"]),
            ["openai/spare", "openai/work"]
        );
    }

    #[test]
    fn unknown_reconnect_name_fails() {
        let failure = choose(&known(), &["opneai".to_owned()]).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        insta::assert_snapshot!(failure.message, @"reconnect opneai: it matches no credential; did you mean openai?; known are anthropic, anthropic/max, claude, codex, openai, openai/spare, openai/work");
        let far = choose(&known(), &["zzz".to_owned()]).unwrap_err();
        assert!(!far.message.contains("did you mean"), "{}", far.message);
    }
}
