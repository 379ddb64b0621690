//! `posthouse mcp install`: tells a client of ours in its own settings file.

mod client;
mod memory;

use std::path::{Path, PathBuf};

use serde::Serialize;

use self::client::{Client, Scope, is_ours};
use self::memory::{Memory, Remembered};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::settings::file::{FileError, Settings};
use crate::settings::{self, Entry, Put, Refusal};

/// Put Posthouse into a client's settings, or take it out again
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    posthouse mcp install claude\n  \
    posthouse mcp install codex --dry-run\n  \
    posthouse mcp install vscode --project ~/src/app\n  \
    posthouse mcp install zed --uninstall")]
pub struct Args {
    /// Whose settings
    client: Client,
    /// The settings of all your projects (this is the default)
    #[arg(long, conflicts_with = "project")]
    user: bool,
    /// The settings of the project in this folder
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// Take it out again
    #[arg(long)]
    uninstall: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The name it is to have there
    #[arg(long, value_name = "NAME", default_value = "posthouse", value_parser = name)]
    name: String,
}

/// What became of a settings file.
#[derive(Debug, Serialize)]
struct Report {
    /// Whose settings.
    client: &'static str,
    /// The file, links followed.
    file: PathBuf,
    /// `installed`, `updated`, `unchanged`, `uninstalled` or `absent`.
    outcome: &'static str,
    /// Whether nothing was written because of `--dry-run`.
    dry_run: bool,
    /// Where the file's former text is kept, if it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<PathBuf>,
    /// What changes, as a unified diff.
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
}

/// A change of the file.
struct Change {
    outcome: &'static str,
    /// The text from now on; `None` removes the file.
    text: Option<String>,
    /// What is to be remembered about it from now on.
    remember: Remember,
}

enum Remember {
    AsBefore,
    This(Remembered),
    Nothing,
}

/// Edits the file, or says what it would do.
pub fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let scope = match &args.project {
        Some(dir) => Scope::Project(std::env::current_dir()?.join(dir)),
        None => Scope::User,
    };
    let get = |name: &str| std::env::var_os(name);
    let path = args.client.file(&scope, get).map_err(|why| Failure::new(Exit::Usage, why))?;
    let entry = args.client.entry(&args.name, &scope, get).map_err(|why| Failure::new(Exit::Failed, why))?;
    let settings = Settings::read(&path)?;
    let memory = Memory::of(&settings.path, &args.name, get)?;
    let change = if args.uninstall {
        uninstall(args.client, &settings, &entry, &memory)
    } else {
        install(args.client, &settings, &entry)
    };
    let refused = |why| Failure::new(Exit::Usage, format!("edit {}: {why}", settings.path.display()));
    let change = change.map_err(refused)?;
    let mut report = Report {
        client: args.client.name(),
        file: settings.path.clone(),
        outcome: change.outcome,
        dry_run: args.dry_run,
        backup: None,
        diff: None,
    };
    let before = settings.text.as_deref().unwrap_or_default();
    let after = change.text.as_deref().unwrap_or_default();
    let changes = change.text != settings.text;
    if changes && args.dry_run {
        report.diff = Some(diff(&settings.path, before, after));
    } else if changes {
        report.backup = memory.back_up(&settings)?;
        // Remembered first: without its memory, an entry could be taken out but not without a trace.
        if let Remember::This(remembered) = &change.remember {
            memory.keep(remembered)?;
        }
        match &change.text {
            Some(text) => settings.replace(text, scope.mode())?,
            None => settings.remove()?,
        }
        if let Remember::Nothing = change.remember {
            memory.forget()?;
        }
    }
    print(context, args, &report)?;
    Ok(Exit::Done)
}

fn install(client: Client, settings: &Settings, entry: &Entry) -> Result<Change, Refusal> {
    let before = settings.text.as_deref().unwrap_or_default();
    Ok(match settings::put(client.dialect(), before, entry, is_ours)? {
        Put::Added { text, undo } => {
            let remembered = Remembered { undo, made_file: settings.text.is_none() };
            Change { outcome: "installed", text: Some(text), remember: Remember::This(remembered) }
        }
        Put::Updated { text } => {
            Change { outcome: "updated", text: Some(text), remember: Remember::AsBefore }
        }
        Put::Unchanged => {
            Change { outcome: "unchanged", text: settings.text.clone(), remember: Remember::AsBefore }
        }
    })
}

fn uninstall(client: Client, settings: &Settings, entry: &Entry, memory: &Memory) -> Result<Change, Refusal> {
    let absent = || Change { outcome: "absent", text: settings.text.clone(), remember: Remember::Nothing };
    let Some(before) = settings.text.as_deref() else { return Ok(absent()) };
    let remembered = memory.recall();
    let undo = remembered.as_ref().map(|remembered| &remembered.undo);
    let Some(text) = settings::take(client.dialect(), before, entry, is_ours, undo)? else {
        return Ok(absent());
    };
    let made = remembered.is_some_and(|remembered| remembered.made_file);
    let text = Some(text).filter(|text| !(made && text.trim().is_empty()));
    Ok(Change { outcome: "uninstalled", text, remember: Remember::Nothing })
}

fn diff(path: &Path, before: &str, after: &str) -> String {
    let name = path.display().to_string();
    similar::TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(3)
        .header(&name, &name)
        .to_string()
}

fn print(context: &Context, args: &Args, report: &Report) -> Result<(), Failure> {
    if context.json {
        return context.print_json(report);
    }
    let (client, file) = (args.client.title(), report.file.display());
    let would = if report.dry_run { "would be " } else { "" };
    context.print(&match report.outcome {
        "installed" => format!("{} {would}installed for {client} in {file}", args.name),
        "updated" => format!("{} {would}updated for {client} in {file}", args.name),
        "unchanged" => format!("{} is installed for {client} in {file} already", args.name),
        "uninstalled" => format!("{} {would}taken out of {file}", args.name),
        _ => format!("{} is not in {file}", args.name),
    })?;
    if let Some(diff) = &report.diff {
        context.print(crate::escape::block(diff).trim_end())?;
    }
    if let Some(backup) = &report.backup {
        context.print(&format!("the former file is kept as {}", backup.display()))?;
    }
    if matches!(report.outcome, "installed" | "updated") && !report.dry_run {
        context.print(args.client.next_step())?;
    }
    Ok(())
}

/// Names that every client takes.
fn name(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !text.is_empty() && text.len() <= 64 && text.chars().all(legal) {
        Ok(text.to_owned())
    } else {
        Err("a name has 1 to 64 letters, digits, - and _".to_owned())
    }
}

impl From<FileError> for Failure {
    fn from(e: FileError) -> Self {
        Self::new(Exit::Failed, e.to_string())
    }
}
