//! The few files that Posthouse writes into a harness's home: what a fresh home of its own begins with, and folder
//! trust under `--trust` for harnesses that take it from a file only.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use super::definition::Definition;
use super::error::HarnessError;
use super::launch::Launch;
use super::pattern::Values;
use crate::paths;

/// Characters of a key that are stored for a harness to recognise it by.
const KEY_TAIL: usize = 20;

/// Makes `dir` (0700) if needed and puts the definition's seed files into it (0600). Files that are there stay as
/// they are.
///
/// # Errors
/// When a directory or file can't be made.
pub fn seed(definition: &Definition, dir: &Path, key: Option<&SecretString>) -> Result<(), HarnessError> {
    make_dir(dir)?;
    for seed in &definition.credential.seeds {
        let path = dir.join(&seed.path);
        if path.symlink_metadata().is_ok() {
            continue;
        }
        let tail = key.map_or("", |key| tail(key.expose_secret()));
        // Inside JSON strings; a key with quotes in it would be none.
        let tail: String =
            tail.chars().filter(char::is_ascii_graphic).filter(|c| !matches!(c, '"' | '\\')).collect();
        write_private(&path, seed.text.replace("{key_tail}", &tail).as_bytes())?;
    }
    Ok(())
}

/// Marks the run's folder as trusted in the harness's own file. Returns whether something was written.
///
/// # Errors
/// When the file can't be read or written, or isn't JSON of the expected shape; it is then left as it is.
pub fn grant_trust(definition: &Definition, launch: &Launch) -> Result<bool, HarnessError> {
    let Some(file) = &definition.credential.trust_file else { return Ok(false) };
    let named = definition.credential.home_env.as_deref().and_then(|name| launch.var(name));
    let Some(root) = named.or_else(|| launch.var("HOME")) else { return Ok(false) };
    let path = Path::new(root).join(&file.path);
    let refuse = |why: &str| HarnessError::HomeContent { path: path.clone(), why: why.to_owned() };

    let mut document = match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| refuse(&format!("it is not JSON: {e}")))?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Value::Object(Map::new()),
        Err(source) => return Err(HarnessError::Home { action: "read", path, source }),
    };
    let values = Values { cwd: launch.cwd.to_str(), ..Values::default() };
    let mut place = &mut document;
    for key in &file.keys {
        let Value::Object(map) = place else { return Err(refuse("it is not nested as expected")) };
        place = map.entry(key.fill(values)).or_insert_with(|| Value::Object(Map::new()));
    }
    if *place == Value::Bool(true) {
        return Ok(false);
    }
    *place = Value::Bool(true);
    let bytes = serde_json::to_vec_pretty(&document).map_err(|e| refuse(&e.to_string()))?;
    write_private(&path, &bytes)?;
    Ok(true)
}

/// Replaces `path` with `bytes` as [`paths::write_private`] does. A link is followed: the file behind it is replaced,
/// and the link stays.
///
/// # Errors
/// When any step fails; the old file is then still there.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), HarnessError> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    Ok(paths::write_private(&path, bytes)?)
}

/// Makes a directory and its parents, readable by the user alone.
///
/// # Errors
/// When it can't be made.
pub fn make_dir(dir: &Path) -> Result<(), HarnessError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| HarnessError::Home { action: "make", path: dir.to_owned(), source })
}

fn tail(key: &str) -> &str {
    let start = key.char_indices().rev().nth(KEY_TAIL - 1).map_or(0, |(at, _)| at);
    key.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;

    use super::super::catalog::Catalog;
    use super::*;

    fn claude() -> Arc<Definition> {
        Catalog::builtin().unwrap().get("claude").unwrap()
    }

    fn launch_in(home: &Path) -> Launch {
        let env = BTreeMap::from([("CLAUDE_CONFIG_DIR".to_owned(), home.to_str().unwrap().into())]);
        Launch { argv: vec!["claude".into()], env, cwd: "/repo/x".into(), asks: false }
    }

    fn json(path: &Path) -> Value {
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn a_fresh_home_knows_the_key_by_its_tail_and_is_private() {
        let root = tempfile::tempdir().unwrap();
        let home = root.path().join("homes/work");
        let key = SecretString::from("sk-ant-api03-0123456789abcdefghij");
        seed(&claude(), &home, Some(&key)).unwrap();
        let file = home.join(".claude.json");
        assert_eq!(json(&file)["customApiKeyResponses"]["approved"][0], "0123456789abcdefghij");
        assert_eq!(fs::metadata(&home).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

        fs::write(&file, "{}").unwrap();
        seed(&claude(), &home, None).unwrap();
        assert_eq!(json(&file), Value::Object(Map::new()), "what is there stays");
    }

    #[test]
    fn trust_is_added_once_and_nothing_else_is_lost() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".claude.json");
        fs::write(&file, r#"{"theme":"dark","projects":{"/other":{"hasTrustDialogAccepted":false}}}"#)
            .unwrap();
        assert!(grant_trust(&claude(), &launch_in(home.path())).unwrap());
        assert!(!grant_trust(&claude(), &launch_in(home.path())).unwrap());
        let got = json(&file);
        assert_eq!(got["projects"]["/repo/x"]["hasTrustDialogAccepted"], true);
        assert_eq!(got["projects"]["/other"]["hasTrustDialogAccepted"], false);
        assert_eq!(got["theme"], "dark");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "no temporary file stays behind");
    }

    #[test]
    fn a_file_of_another_shape_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".claude.json");
        for text in ["{\"projects\": []}", "not json", "[1]"] {
            fs::write(&file, text).unwrap();
            let error = grant_trust(&claude(), &launch_in(home.path())).unwrap_err().to_string();
            assert!(error.starts_with("edit "), "{error}");
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
    }

    #[test]
    fn a_link_to_the_file_survives_a_write() {
        let home = tempfile::tempdir().unwrap();
        let real = home.path().join("real.json");
        let link = home.path().join("link.json");
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write_private(&link, b"new").unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
