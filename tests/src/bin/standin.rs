//! The stand-in harness.

use std::process::ExitCode;

use clap::Parser;
use posthouse_tests::standin::{Arguments, Surroundings, run};

/// A scripted agent for tests and demonstrations.
#[derive(Parser)]
struct Line {
    /// The id of a new conversation.
    #[arg(long)]
    session_id: Option<String>,
    /// The conversation to go on with.
    #[arg(long)]
    resume: Option<String>,
    /// Taken, and of no consequence.
    #[arg(long)]
    model: Option<String>,
    /// The first prompt.
    prompt: Option<String>,
}

fn main() -> ExitCode {
    let line = Line::parse();
    let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let surroundings = Surroundings {
        home: var("STANDIN_HOME").map(Into::into),
        key: std::env::var("STANDIN_KEY").unwrap_or_default(),
        log: var("STANDIN_LOG").map(Into::into),
        revoked: var("STANDIN_REVOKED").map(Into::into),
    };
    let arguments = Arguments { session_id: line.session_id, resume: line.resume, prompt: line.prompt };
    match run(arguments, surroundings) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("standin: {error}");
            ExitCode::FAILURE
        }
    }
}
