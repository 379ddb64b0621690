//! All harness definitions of this machine: built in, then `/etc/posthouse/harnesses/*.toml`, then the user's
//! `harnesses/*.toml`. A later file of the same name replaces the whole definition, unless it says
//! `extends = "NAME"` and then changes only what it mentions. Nothing is ever read from a project folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::{Table, Value};

use super::definition::Definition;
use super::error::HarnessError;

/// The definitions that come with the program.
const BUILTIN: [(&str, &str); 5] = [
    ("built-in codex.toml", include_str!("builtin/codex.toml")),
    ("built-in claude.toml", include_str!("builtin/claude.toml")),
    ("built-in gemini.toml", include_str!("builtin/gemini.toml")),
    ("built-in opencode.toml", include_str!("builtin/opencode.toml")),
    ("built-in generic.toml", include_str!("builtin/generic.toml")),
];

/// Where the machine's definitions are.
pub const SYSTEM_DIR: &str = "/etc/posthouse/harnesses";

/// Definitions by name.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    definitions: BTreeMap<String, Arc<Definition>>,
    /// As files, for later ones to extend.
    tables: BTreeMap<String, Table>,
}

impl Catalog {
    /// The built-in definitions alone.
    ///
    /// # Errors
    /// Never with an unchanged program: the built-in files are read by its tests.
    pub fn builtin() -> Result<Self, HarnessError> {
        let mut catalog = Self::default();
        for (place, text) in BUILTIN {
            catalog.add(place, text)?;
        }
        Ok(catalog)
    }

    /// Adds the `*.toml` files of each directory in turn, in the order of their names. A directory that doesn't
    /// exist is skipped. A file that can't be used is reported and takes nothing else down.
    pub fn with_dirs(mut self, dirs: &[PathBuf]) -> (Self, Vec<HarnessError>) {
        let mut errors = Vec::new();
        let paths: Vec<PathBuf> = dirs.iter().flat_map(|dir| toml_files(dir, &mut errors)).collect();
        for path in paths {
            let added = std::fs::read_to_string(&path)
                .map_err(|source| HarnessError::Unreadable { path: path.clone(), source })
                .and_then(|text| self.add(&path.display().to_string(), &text));
            errors.extend(added.err());
        }
        (self, errors)
    }

    /// Adds one file's text; `place` names it in errors.
    ///
    /// # Errors
    /// When the text is no valid definition, or extends one that isn't there.
    pub fn add(&mut self, place: &str, text: &str) -> Result<(), HarnessError> {
        let mut table: Table = toml::from_str(text).map_err(|e| malformed(place, text, &e))?;
        let definition: Definition = match table.remove("extends") {
            None => toml::from_str(text).map_err(|e| malformed(place, text, &e))?,
            Some(base) => {
                let name = base.as_str().unwrap_or_default().to_owned();
                let Some(base) = self.tables.get(&name) else {
                    let message = format!("it extends `{name}`, which is not defined before it");
                    return Err(HarnessError::Malformed { place: place.to_owned(), message });
                };
                let mut merged = base.clone();
                overlay(&mut merged, table);
                table = merged;
                Value::Table(table.clone()).try_into().map_err(|e| malformed(place, text, &e))?
            }
        };
        if let Err(why) = crate::credential::id::check_name("harness name", &definition.name) {
            return Err(HarnessError::Malformed { place: place.to_owned(), message: why.to_string() });
        }
        self.tables.insert(definition.name.clone(), table);
        self.definitions.insert(definition.name.clone(), Arc::new(definition));
        Ok(())
    }

    /// The definition called `name`.
    ///
    /// # Errors
    /// When there is none; the error lists those there are.
    pub fn get(&self, name: &str) -> Result<Arc<Definition>, HarnessError> {
        self.definitions.get(name).cloned().ok_or_else(|| HarnessError::Unknown {
            name: name.to_owned(),
            known: self.names().collect::<Vec<_>>().join(", "),
        })
    }

    /// All definitions, by name.
    pub fn definitions(&self) -> impl Iterator<Item = &Arc<Definition>> {
        self.definitions.values()
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.definitions.keys().map(String::as_str)
    }
}

/// Puts `changes` over `base`: tables are merged key by key, anything else is replaced.
fn overlay(base: &mut Table, changes: Table) {
    for (key, change) in changes {
        match (base.get_mut(&key), change) {
            (Some(Value::Table(inner)), Value::Table(change)) => overlay(inner, change),
            (_, change) => {
                base.insert(key, change);
            }
        }
    }
}

fn malformed(place: &str, text: &str, error: &toml::de::Error) -> HarnessError {
    let line =
        error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
    let place = match line {
        Some(line) => format!("{place}:{line}"),
        None => place.to_owned(),
    };
    // Without a span, the full text names the key.
    let message =
        if line.is_some() { error.message().to_owned() } else { error.to_string().trim_end().to_owned() };
    HarnessError::Malformed { place, message }
}

fn toml_files(dir: &Path, errors: &mut Vec<HarnessError>) -> Vec<PathBuf> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(source) => {
            errors.push(HarnessError::Unreadable { path: dir.to_owned(), source });
            return Vec::new();
        }
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_file_is_valid_and_named_as_its_file() {
        let catalog = Catalog::builtin().unwrap();
        assert_eq!(catalog.names().collect::<Vec<_>>(), ["claude", "codex", "gemini", "generic", "opencode"]);
    }

    #[test]
    fn later_files_replace_or_extend_and_bad_ones_are_reported_alone() {
        let system = tempfile::tempdir().unwrap();
        let user = tempfile::tempdir().unwrap();
        std::fs::write(
            system.path().join("a.toml"),
            "name = \"robot\"\n[launch]\nprogram = \"robot\"\nargs = [\"-x\"]\n",
        )
        .unwrap();
        std::fs::write(system.path().join("notes.txt"), "not a definition").unwrap();
        std::fs::write(
            user.path().join("codex.toml"),
            "extends = \"codex\"\nname = \"codex\"\n[launch]\nprogram = \"/opt/codex\"\n",
        )
        .unwrap();
        std::fs::write(user.path().join("robot.toml"), "name = \"robot\"\n").unwrap();
        std::fs::write(user.path().join("bad1.toml"), "name = \"bad\"\n\n[launch]\nprogramme = \"x\"\n")
            .unwrap();
        std::fs::write(user.path().join("bad2.toml"), "extends = \"nothing\"\nname = \"bad\"\n").unwrap();
        std::fs::write(
            user.path().join("bad3.toml"),
            "name = \"bad\"\n[[marker]]\nstate = \"busy\"\nin = \"title\"\nmatch = \"(\"\n",
        )
        .unwrap();
        std::fs::write(
            user.path().join("bad4.toml"),
            "extends = \"codex\"\nname = \"bad\"\n[injection]\ngap_ms = \"soon\"\n",
        )
        .unwrap();

        let dirs = [system.path().to_owned(), user.path().to_owned(), user.path().join("missing")];
        let (catalog, errors) = Catalog::builtin().unwrap().with_dirs(&dirs);

        let codex = catalog.get("codex").unwrap();
        assert_eq!(codex.launch.program.as_deref(), Some("/opt/codex"));
        assert!(codex.status.is_some(), "what isn't mentioned stays");
        assert_eq!(catalog.get("robot").unwrap().launch.program, None, "replaced as a whole");
        let report: Vec<String> = errors
            .iter()
            .map(|e| e.to_string().replace(&user.path().display().to_string(), "USER"))
            .collect();
        insta::assert_snapshot!(report.join("\n"));
        insta::assert_snapshot!(catalog.get("bad").unwrap_err().to_string(), @"find the harness `bad`; known are claude, codex, gemini, generic, opencode, robot");
    }
}
