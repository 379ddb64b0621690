//! `posthouse login`: a new login or key.

use std::path::PathBuf;
use std::time::Duration;

use posthouse_protocol::payload::CredentialInfo;
use posthouse_protocol::provider;

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::login::{self, Wishes, key};
use crate::{escape, when};

/// Log in with the harness's own program, where the login is used
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    posthouse login openai --name work             # shows what the harness's login asks for\n  \
    posthouse login claude --device\n  \
    posthouse login openai --name key --from-stdin < key.txt")]
pub struct Args {
    /// openai, anthropic, …, or a harness's name for it; or provider/alias
    provider: String,
    /// Which one [default: the only one, or main]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The home of a new one [default: one of the daemon's own]
    #[arg(long, value_name = "DIR", conflicts_with = "from_stdin")]
    home: Option<PathBuf>,
    /// With a code that is typed on another device [default where there is no display]
    #[arg(long, conflicts_with = "from_stdin")]
    device: bool,
    /// Read a key from standard input instead
    #[arg(long)]
    from_stdin: bool,
    /// Give up after this time
    #[arg(long, value_name = "TIME", value_parser = when::duration, default_value = "15m")]
    timeout: Duration,
}

/// Logs in. Succeeds only if the stored login or key changed and its provider takes it.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    login::not_inside()?;
    let name = match (&args.name, args.provider.split_once('/')) {
        (Some(alias), None) => format!("{}/{alias}", args.provider),
        (Some(_), Some(_)) => {
            let why = format!("log in: {} has a name in it already; leave --name out", args.provider);
            return Err(Failure::new(Exit::Usage, why));
        }
        (None, _) => args.provider.clone(),
    };
    let proven = if args.from_stdin {
        let secret = key::from_stdin()?;
        let name = provider::canonical_credential(&name);
        let (provider, alias) = name.split_once('/').unwrap_or((name.as_str(), "key"));
        let mut client = context.connect().await?;
        key::store(&mut client, provider, alias, secret).await?
    } else {
        let home = args.home.map(|home| absolute(&home)).transpose()?;
        let mut client = context.connect().await?;
        login::run(context, &mut client, &name, home, &Wishes::new(args.device, args.timeout)).await?
    };
    if context.json {
        context.print_json(&serde_json::json!({ "credentials": [proven] }))?;
    } else {
        print(context, &proven)?;
    }
    Ok(Exit::Done)
}

fn absolute(home: &std::path::Path) -> Result<String, Failure> {
    let home = std::env::current_dir()?.join(home);
    let text = home.to_str().map(str::to_owned);
    text.ok_or_else(|| Failure::new(Exit::Usage, format!("use {}: the path is not UTF-8", home.display())))
}

/// Says whose login it is, and that it works.
pub fn print(context: &Context, proven: &CredentialInfo) -> Result<(), Failure> {
    let account = proven.login.as_ref().and_then(|login| login.account.as_deref());
    let whose = account.map(|account| format!(" as {}", escape::line(account))).unwrap_or_default();
    let name = format!("{}/{}", proven.provider, proven.alias);
    let until = proven.until.as_deref().map(when::local).unwrap_or_default();
    let works = match proven.state.as_str() {
        "valid" => "its provider takes it".to_owned(),
        "cooling" => format!("it is out of use until {until}, as its account was before"),
        _ => "its provider can't be asked about it: its first turn shows whether it works".to_owned(),
    };
    context.print(&format!("{name}: logged in{whose}; {works} (generation {})", proven.generation))
}
