//! Whether a conversation can go on under another credential.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use super::codex;
use crate::harness::definition::{Definition, TranscriptKind};
use crate::harness::launch::Presentation;

/// The model provider that codex uses if its configuration names none.
const CODEX_DEFAULT: &str = "openai";

/// Longest first line of a rollout, in bytes.
const LONGEST_META: u64 = 1024 * 1024;

/// Why the conversation in `file` can't be resumed on `credential`; `None` if nothing is known to stand in the
/// way. Codex refuses a thread under another model provider's id than the one it began with.
pub fn obstacle(definition: &Definition, file: &Path, credential: &Presentation) -> Option<String> {
    if definition.launch.resume.is_empty() {
        return Some(format!("{} can't resume a conversation by its id", definition.name));
    }
    if definition.transcript != TranscriptKind::Codex {
        return None;
    }
    let mut line = Vec::new();
    BufReader::new(fs::File::open(file).ok()?.take(LONGEST_META)).read_until(b'\n', &mut line).ok()?;
    let began_with = codex::meta(&line)?.model_provider?;
    let now = provider_of(definition, credential)?;
    (began_with != now).then(|| {
        format!("{} keeps a conversation with its model provider: this one began with `{began_with}`, the new mount is `{now}`", definition.name)
    })
}

/// The model provider's id that a run on `credential` will have.
fn provider_of(definition: &Definition, credential: &Presentation) -> Option<String> {
    match credential {
        Presentation::Ambient => None,
        Presentation::Home(home) => Some(configured(home).unwrap_or_else(|| CODEX_DEFAULT.to_owned())),
        Presentation::Key { .. } => {
            let args = definition.credential.keys.iter().flat_map(|key| &key.args).map(ToString::to_string);
            args.filter_map(|arg| Some(arg.strip_prefix("model_provider=\"")?.strip_suffix('"')?.to_owned()))
                .next()
        }
    }
}

fn configured(home: &Path) -> Option<String> {
    let text = fs::read_to_string(home.join("config.toml")).ok()?;
    let table: toml::Table = toml::from_str(&text).ok()?;
    Some(table.get("model_provider")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::catalog::Catalog;

    #[test]
    fn a_codex_thread_stays_with_its_model_provider() {
        let catalog = Catalog::builtin().unwrap();
        let codex = catalog.get("codex").unwrap();
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("rollout.jsonl");
        let began_with = |id: &str| {
            let meta = format!(
                "{{\"type\":\"session_meta\",\"payload\":{{\"id\":\"a\",\"cwd\":\"/\",\"model_provider\":\"{id}\"}}}}\n"
            );
            fs::write(&file, meta).unwrap();
        };
        let key = Presentation::Key { secret: "sk-x".into(), base_url: None, home: None };
        let login = Presentation::Home(home.path().to_owned());

        began_with("posthouse");
        assert_eq!(obstacle(&codex, &file, &key), None);
        insta::assert_snapshot!(obstacle(&codex, &file, &login).unwrap(), @"codex keeps a conversation with its model provider: this one began with `posthouse`, the new mount is `openai`");
        began_with("openai");
        assert_eq!(obstacle(&codex, &file, &login), None);
        assert!(obstacle(&codex, &file, &key).is_some());
        fs::write(home.path().join("config.toml"), "model_provider = \"mock\"\n").unwrap();
        began_with("mock");
        assert_eq!(obstacle(&codex, &file, &login), None);
        assert_eq!(obstacle(&codex, &home.path().join("missing"), &login), None, "nothing is known");

        assert_eq!(obstacle(&catalog.get("claude").unwrap(), &file, &key), None);
        assert!(obstacle(&catalog.get("generic").unwrap(), &file, &key).is_some());
    }
}
