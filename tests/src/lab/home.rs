//! A folder per test, and in it one home per credential.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::mock::MockProvider;

/// The folder of one test; removed when dropped.
pub struct Lab {
    root: TempDir,
}

/// A harness's own home with one login or key in it, and the environment to run the harness with.
#[derive(Clone, Debug)]
pub struct Home {
    /// The directory that `CODEX_HOME` or `CLAUDE_CONFIG_DIR` names.
    pub dir: PathBuf,
    /// The whole environment to start the harness with: what any program needs, and which home and key to use.
    ///
    /// Everything else is in the home's own files, so a program with an environment of its own needs to pass on
    /// no more than the last two.
    pub env: BTreeMap<String, OsString>,
}

impl Lab {
    /// Makes an empty lab next to the build's own files.
    ///
    /// # Errors
    /// When folders can't be made there.
    pub fn new() -> io::Result<Self> {
        // Not below the system's temporary folder: codex refuses to live there.
        let program = std::env::current_exe()?;
        let target = program.ancestors().nth(3).ok_or(io::ErrorKind::NotFound)?;
        let labs = target.join("lab");
        std::fs::create_dir_all(&labs)?;
        let root = tempfile::Builder::new().prefix("").tempdir_in(labs)?;
        for folder in ["cwd", "tmp", "user"] {
            std::fs::create_dir(root.path().join(folder))?;
        }
        Ok(Self { root })
    }

    /// The folder to run harnesses in; every home trusts it.
    pub fn cwd(&self) -> PathBuf {
        self.root.path().join("cwd")
    }

    /// The home directory of the person whose lab it is: no profile of the real one's runs in a harness's shells.
    pub fn user(&self) -> PathBuf {
        self.root.path().join("user")
    }

    /// The lab's own folder.
    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// A new home called `name`, with what any program needs in its environment.
    pub(super) fn home(&self, name: &str) -> io::Result<Home> {
        let dir = self.root.path().join(name);
        std::fs::create_dir(&dir)?;
        let mut env = BTreeMap::new();
        let inherited = ["PATH", "LANG"].map(|name| (name, std::env::var_os(name).unwrap_or_default()));
        env.extend(inherited.map(|(name, value)| (name.to_owned(), value)));
        let ours = [
            ("HOME", self.user().into_os_string()),
            ("TMPDIR", self.root.path().join("tmp").into_os_string()),
            ("TERM", "xterm-256color".into()),
            ("TZ", "UTC".into()),
            ("SHELL", "/bin/sh".into()),
        ];
        env.extend(ours.map(|(name, value)| (name.to_owned(), value)));
        Ok(Home { dir, env })
    }
}

impl Home {
    /// A command that runs `program` with this home's environment only.
    pub fn command(&self, program: &Path, cwd: &Path) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(program);
        command
            .env_clear()
            .envs(&self.env)
            .current_dir(cwd)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// The settings that keep a harness on this machine: the mock is its proxy and its certificate is trusted.
    ///
    /// Writes the certificate into the home.
    pub(super) fn network(
        &self,
        mock: &MockProvider,
        trust: &'static str,
    ) -> io::Result<[(&'static str, String); 4]> {
        let certificate = self.dir.join("mock-authority.pem");
        std::fs::write(&certificate, mock.certificate_pem())?;
        Ok([
            ("HTTP_PROXY", mock.http()),
            ("HTTPS_PROXY", mock.http()),
            ("NO_PROXY", "127.0.0.1,localhost".to_owned()),
            (trust, certificate.to_string_lossy().into_owned()),
        ])
    }

    pub(super) fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.env.insert(name.to_owned(), value.into());
    }
}
