//! `posthouse mcp install` on settings as people have them: each client's file before is beside this, and after in a
//! snapshot.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on is a failed one")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_posthouse");

/// A client, its file below the home, and that file as somebody has it.
const CLIENTS: [(&str, &str, &str); 7] = [
    ("claude", ".claude.json", include_str!("claude.json")),
    ("codex", ".codex/config.toml", include_str!("codex.toml")),
    ("gemini", ".gemini/settings.json", include_str!("gemini.json")),
    ("opencode", ".config/opencode/opencode.jsonc", include_str!("opencode.jsonc")),
    ("cursor", ".cursor/mcp.json", include_str!("cursor.json")),
    ("vscode", ".config/Code/User/mcp.json", include_str!("vscode.json")),
    ("zed", ".config/zed/settings.json", include_str!("zed.json")),
];

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a home"))
    }

    fn file(&self, path: &str) -> PathBuf {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        path
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.args(["mcp", "install"]).args(args).env_clear().env("HOME", self.0.path());
        command.current_dir(self.0.path()).output().expect("posthouse starts")
    }

    fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&ran.stderr));
        let text = String::from_utf8(ran.stdout).expect("UTF-8");
        text.replace(PROGRAM, "/bin/posthouse").replace(&*self.0.path().to_string_lossy(), "~")
    }

    fn outcome(&self, args: &[&str]) -> String {
        let text = self.ok(&[args, &["--json"]].concat());
        let report: Value = serde_json::from_str(&text).expect("one document");
        report["outcome"].as_str().expect("an outcome").to_owned()
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a file")
}

#[test]
fn every_clients_file_is_edited_and_restored() {
    for (client, file, before) in CLIENTS {
        let home = Home::new();
        let path = home.file(file);
        fs::write(&path, before).expect("written");

        let shown = home.ok(&[client, "--dry-run"]);
        assert_eq!(read(&path), before, "{client}: a dry run writes nothing");
        insta::assert_snapshot!(format!("{client}_dry_run"), shown.replace('\r', "␍"));

        assert_eq!(home.outcome(&[client]), "installed");
        let after = read(&path);
        let told = after.replace(PROGRAM, "/bin/posthouse").replace('\r', "␍");
        insta::assert_snapshot!(client, told);

        assert_eq!(home.outcome(&[client]), "unchanged");
        assert_eq!(read(&path), after);
        assert_eq!(home.outcome(&[client, "--uninstall"]), "uninstalled");
        assert_eq!(read(&path), before, "{client}");
        assert_eq!(home.outcome(&[client, "--uninstall"]), "absent");
    }
}

#[test]
fn a_file_that_was_not_there_is_made_and_goes_again() {
    for (client, file, _) in CLIENTS {
        let home = Home::new();
        let path = home.file(&file.replace(".jsonc", ".json"));
        assert_eq!(home.outcome(&[client]), "installed");
        assert_eq!(fs::metadata(&path).expect("made").permissions().mode() & 0o777, 0o600);
        assert_eq!(home.outcome(&[client, "--uninstall"]), "uninstalled");
        assert!(!path.exists(), "{client}");
    }
}

#[test]
fn the_former_file_is_kept_in_a_private_place() {
    let home = Home::new();
    fs::write(home.file(".cursor/mcp.json"), "{ }").expect("written");
    let report: Value = serde_json::from_str(&home.ok(&["cursor", "--json"])).expect("one document");
    let backup = report["backup"].as_str().expect("a backup").replace('~', &home.0.path().to_string_lossy());
    assert_eq!(read(Path::new(&backup)), "{ }");
    assert_eq!(fs::metadata(&backup).expect("kept").permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_project_gets_a_file_that_others_can_use() {
    let home = Home::new();
    assert_eq!(home.outcome(&["vscode", "--project", "app"]), "installed");
    let written: Value =
        serde_json::from_str(&read(&home.file("app/.vscode/mcp.json"))).expect("one document");
    assert_eq!(written["servers"]["posthouse"]["command"], "posthouse");
    let refused = home.run(&["zed", "--project", "app"]);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn a_link_is_followed() {
    let home = Home::new();
    let (real, link) = (home.file("dotfiles/zed.json"), home.file(".config/zed/settings.json"));
    fs::write(&real, "{}").expect("written");
    symlink(&real, &link).expect("linked");
    assert_eq!(home.outcome(&["zed"]), "installed");
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    assert!(read(&real).contains("posthouse"));
}

#[test]
fn a_file_that_cannot_be_understood_is_left_alone() {
    for (client, file, text) in [
        ("claude", ".claude.json", "{\n  \"a\": 1 // no\n}"),
        ("codex", ".codex/config.toml", "model = \n"),
        ("zed", ".config/zed/settings.json", "{\n  \"a\": 1\n  \"b\": 2\n}"),
        ("cursor", ".cursor/mcp.json", "{\"mcpServers\": []}"),
        ("cursor", ".cursor/mcp.json", "{\"mcpServers\": {\"posthouse\": {\"command\": \"other\"}}}"),
    ] {
        let home = Home::new();
        let path = home.file(file);
        fs::write(&path, text).expect("written");
        for args in [&[client][..], &[client, "--dry-run"]] {
            let refused = home.run(args);
            assert_eq!(refused.status.code(), Some(2), "{client}");
            let said = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert!(said.contains("failed to edit"), "{said}");
        }
        assert_eq!(read(&path), text);
    }
}
