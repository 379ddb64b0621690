//! The mock provider as a program: prints where it listens, then one JSON line per finished request.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use posthouse_tests::mock::{MockProvider, Outcome, Scenario, scenario_names};

/// A provider on loopback for coding-agent CLIs: OpenAI Responses, OAuth tokens, Anthropic Messages.
#[derive(Parser)]
struct Args {
    /// Port of the HTTP side; 0 takes any.
    #[arg(long, default_value_t = 0)]
    http_port: u16,
    /// Port of the HTTPS side; 0 takes any.
    #[arg(long, default_value_t = 0)]
    https_port: u16,
    /// What a credential gets, as KEY=SCENARIO; may be repeated.
    #[arg(long = "set", value_parser = setting)]
    settings: Vec<(String, Scenario)>,
    /// Where to write the certificate that clients of the HTTPS side must trust.
    #[arg(long)]
    certificate: Option<PathBuf>,
    /// Print the names of the scenarios and leave.
    #[arg(long)]
    list: bool,
}

fn setting(text: &str) -> Result<(String, Scenario), String> {
    let (key, scenario) = text.split_once('=').ok_or("expected KEY=SCENARIO")?;
    Ok((key.to_owned(), scenario.parse().map_err(|error| format!("{error}"))?))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    if args.list {
        scenario_names().iter().for_each(|name| println!("{name}"));
        return Ok(());
    }
    let mock = MockProvider::start_on(args.http_port, args.https_port).await?;
    for (key, scenario) in args.settings {
        mock.set(&key, scenario);
    }
    if let Some(path) = args.certificate {
        std::fs::write(path, mock.certificate_pem())?;
    }
    println!("{}", serde_json::json!({"http": mock.http(), "https": mock.https()}));
    for number in 0.. {
        let settled = |outcome| !matches!(outcome, Outcome::Pending | Outcome::Streaming);
        let entry = mock.wait_for(Duration::MAX, |e| e.number == number && settled(e.outcome)).await?;
        println!("{}", serde_json::to_string(&entry)?);
    }
    Ok(())
}
