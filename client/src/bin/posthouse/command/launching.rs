//! What `spawn` and `exec` both ask: where a harness runs, on what, and with which rights.

use std::path::PathBuf;

use posthouse_protocol::payload::{EnvVar, Spawn};

use crate::exit::{Exit, Failure};

/// Where a harness runs, on what, and with which rights
#[derive(Debug, clap::Args)]
pub struct Launching {
    /// The harness: codex, claude, gemini, opencode, generic, or a definition of yours [default: the route's first]
    #[arg(long, value_name = "H")]
    pub harness: Option<String>,
    /// Mounts in order of preference: `harness@provider/alias[:model]`, separated by commas; or the name of a route
    #[arg(long, value_name = "R")]
    pub route: Option<String>,
    /// Whether it may go from a subscription to a key that is billed by use [default: as the route says, else ask]
    #[arg(long, value_parser = ["ask", "allow"], requires = "route")]
    cost: Option<String>,
    /// Where it works [default: here]
    #[arg(long, value_name = "D")]
    cwd: Option<PathBuf>,
    /// The model to ask for
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// Your word that the folder may be trusted
    #[arg(long)]
    trust: bool,
    /// A variable for the harness, as NAME=VALUE, or NAME to pass on your own
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Rights for the agent inside, beyond messages
    #[arg(long, value_parser = ["spawn", "release", "credentials"])]
    allow: Vec<String>,
}

impl Launching {
    /// The request for a session of that name, with nothing said of what it does.
    pub fn request(self, name: String) -> Result<Spawn, Failure> {
        let here = std::env::current_dir()?;
        let cwd = self.cwd.map_or_else(|| here.clone(), |dir| here.join(dir));
        let cwd = cwd
            .to_str()
            .ok_or_else(|| usage(format!("use {}: the path is not UTF-8", cwd.display())))?
            .to_owned();
        let env = self.env.iter().map(|text| variable(text)).collect::<Result<Vec<_>, _>>();
        Ok(Spawn {
            cwd: Some(cwd),
            model: self.model,
            harness: self.harness,
            route: match (self.route, self.cost) {
                (Some(route), Some(cost)) => Some(format!("{route}, cost={cost}")),
                (route, _) => route,
            },
            env: env.map_err(usage)?,
            trust: self.trust.then_some(true),
            allow: self.allow,
            ..Spawn::new(name)
        })
    }
}

/// A wrong command line.
pub fn usage(message: impl Into<String>) -> Failure {
    Failure::new(Exit::Usage, message)
}

fn variable(text: &str) -> Result<EnvVar, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, value.to_owned()),
        None => (text, std::env::var(text).map_err(|e| format!("pass on {text}: {e}"))?),
    };
    if name.is_empty() {
        return Err(format!("set {text:?}: a variable has a name"));
    }
    Ok(EnvVar { name: name.to_owned(), value })
}
