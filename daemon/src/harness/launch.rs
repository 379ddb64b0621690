//! From a definition, a credential and what was asked for to the exact command line and environment of a run.
//! Pure: nothing is looked up on disk and nothing is started.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::definition::Definition;
use super::error::HarnessError;
use super::pattern::{Template, Values};

/// Names that pass from the outer environment into every run; a trailing `*` stands for any rest.
const ALLOWED: [&str; 31] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "HOSTNAME",
    "TMPDIR",
    "TZ",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "EDITOR",
    "VISUAL",
    "XDG_*",
    "SSH_AUTH_SOCK",
    "TERMINFO",
    "TERMINFO_DIRS",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "NVM_DIR",
    "VOLTA_HOME",
    "IS_SANDBOX",
];

/// Names that never pass, whatever a definition allows: they speak of the daemon's own surroundings.
const SCRUBBED: [&str; 3] = ["POSTHOUSE_*", "NOTIFY_SOCKET", "LISTEN_*"];

/// How a mount's credential is handed over.
#[derive(Debug, Clone)]
pub enum Presentation {
    /// No credential: the harness uses whatever it finds.
    Ambient,
    /// A login: the harness's own home directory.
    Home(PathBuf),
    /// A key.
    Key {
        /// The key.
        secret: SecretString,
        /// Another endpoint than the provider's own.
        base_url: Option<String>,
        /// The home directory that goes with the key; the harness's default one if `None`.
        home: Option<PathBuf>,
    },
}

/// Which conversation a run is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conversation {
    /// A new one under an id of the harness's choice.
    New,
    /// A new one under this id; only where [`LaunchLine::session_id`](super::definition::LaunchLine) is there.
    NewWithId(String),
    /// An earlier one.
    Resume(String),
}

/// What was asked for.
#[derive(Debug, Clone)]
pub struct LaunchOptions {
    /// The working directory, absolute.
    pub cwd: PathBuf,
    /// The first prompt, given on the command line.
    pub prompt: Option<String>,
    /// The user's word that the folder may be trusted.
    pub trust: bool,
    /// The model.
    pub model: Option<String>,
    /// The conversation.
    pub conversation: Conversation,
    /// Further arguments; the whole command for a definition without a program.
    pub extra: Vec<String>,
    /// Variables that the user set explicitly, and those Posthouse gives the run. They win over everything.
    pub env: BTreeMap<String, SecretString>,
    /// The command line's program, where there is one: it hands out keys to harnesses that ask for them, and is their MCP
    /// server.
    pub helper: Option<PathBuf>,
    /// Where the daemon listens.
    pub socket: PathBuf,
}

/// A run, ready to be started.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Program and arguments; free of secrets.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, SecretString>,
    /// The working directory.
    pub cwd: PathBuf,
    /// Whether the harness asks for its key.
    pub asks: bool,
}

impl Launch {
    /// The environment in the clear, for the holder alone.
    pub fn exposed_env(&self) -> impl Iterator<Item = (&str, &str)> {
        self.env.iter().map(|(name, value)| (name.as_str(), value.expose_secret()))
    }

    /// One variable in the clear.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(|value| value.expose_secret())
    }

    /// The harness's home directory in this run, if the definition knows of one.
    pub fn home(&self, definition: &Definition) -> Option<PathBuf> {
        let named = definition.credential.home_env.as_deref().and_then(|name| self.var(name));
        match named {
            Some(dir) => Some(PathBuf::from(dir)),
            None => Some(Path::new(self.var("HOME")?).join(definition.credential.default_home.as_ref()?)),
        }
    }
}

/// Puts a run together. `outer` is the environment to inherit from.
///
/// # Errors
/// When the harness can't do what was asked: no command, no way to resume, to take a first prompt, a key or a
/// home, or a NUL byte in an argument.
pub fn launch(
    definition: &Definition,
    credential: &Presentation,
    options: &LaunchOptions,
    outer: impl IntoIterator<Item = (String, String)>,
) -> Result<Launch, HarnessError> {
    let refuse = |why: String| HarnessError::Launch { harness: definition.name.clone(), why };
    let line = &definition.launch;
    let cwd = options.cwd.to_str().ok_or_else(|| refuse("the working directory is not UTF-8".into()))?;

    let mut env = inherited(definition, matches!(credential, Presentation::Ambient), outer);
    env.insert("TERM".into(), "xterm-256color".into());
    env.insert("COLORTERM".into(), "truecolor".into());
    env.insert("PWD".into(), cwd.into());
    env.extend(definition.environment.set.iter().map(|(name, value)| (name.clone(), value.as_str().into())));
    let helper = options.helper.as_deref().and_then(Path::to_str);
    let key = present(definition, credential, helper.is_some(), &mut env).map_err(refuse)?;
    env.extend(options.env.iter().map(|(name, value)| (name.clone(), value.clone())));

    let (id, conversation): (Option<&str>, &[Template]) = match &options.conversation {
        Conversation::New => (None, &[]),
        Conversation::NewWithId(id) if line.session_id.is_empty() => {
            return Err(refuse(format!("it doesn't let its caller choose the conversation's id ({id})")));
        }
        Conversation::Resume(id) if line.resume.is_empty() => {
            return Err(refuse(format!("it can't resume a conversation by its id ({id})")));
        }
        Conversation::NewWithId(id) => (Some(id), &line.session_id),
        Conversation::Resume(id) => (Some(id), &line.resume),
    };
    if options.prompt.is_some() && line.prompt.is_empty() {
        return Err(refuse("it takes no first prompt on its command line".into()));
    }
    let values = Values {
        model: options.model.as_deref(),
        prompt: options.prompt.as_deref(),
        id,
        cwd: Some(cwd),
        base_url: key.as_ref().and_then(|key| key.base_url),
        helper,
        socket: options.socket.to_str(),
    };
    if let Some(bridge) = definition.bridge.as_ref().filter(|_| helper.is_some()) {
        env.entry(bridge.env.clone()).or_insert_with(|| bridge.settings.fill(values).into());
    }
    let when = |wanted: bool, args: &'_ [Template]| -> Vec<String> {
        if wanted { args.iter().map(|arg| arg.fill(values)).collect() } else { Vec::new() }
    };
    let mut argv: Vec<String> = line.program.iter().cloned().collect();
    argv.extend(when(!matches!(options.conversation, Conversation::Resume(_)), &line.new));
    argv.extend(when(true, conversation));
    argv.extend(when(true, &line.args));
    argv.extend(when(helper.is_some(), &line.bridge));
    argv.extend(when(options.model.is_some(), &line.model));
    argv.extend(when(options.trust, &line.trust));
    argv.extend(when(true, key.as_ref().map_or(&[], |key| key.args)));
    argv.extend(options.extra.iter().cloned());
    argv.extend(when(options.prompt.is_some(), &line.prompt));

    if argv.first().is_none_or(String::is_empty) {
        return Err(refuse("it needs a command, given after `--`".into()));
    }
    if let Some(bad) = argv.iter().position(|arg| arg.contains('\0')) {
        return Err(refuse(format!("argument {bad} has a NUL byte in it")));
    }
    if let Some((name, _)) = env.iter().find(|(name, value)| !is_variable(name, value.expose_secret())) {
        return Err(refuse(format!("`{}` can't be an environment variable", name.escape_debug())));
    }
    let asks = key.is_some_and(|key| key.asked_for);
    Ok(Launch { argv, env, cwd: options.cwd.clone(), asks })
}

/// How the key reaches the harness.
struct KeyLine<'a> {
    args: &'a [Template],
    base_url: Option<&'a str>,
    asked_for: bool,
}

/// Puts the credential into the environment, unless it is a key that the harness asks for.
fn present<'a>(
    definition: &'a Definition,
    credential: &'a Presentation,
    has_helper: bool,
    env: &mut BTreeMap<String, SecretString>,
) -> Result<Option<KeyLine<'a>>, String> {
    let uses = &definition.credential;
    let set_home = |env: &mut BTreeMap<String, SecretString>, dir: &Path| {
        let name = uses.home_env.clone().ok_or("it has no home directory that could be chosen")?;
        let dir = dir.to_str().ok_or("the home directory is not UTF-8")?;
        env.insert(name, dir.into());
        Ok::<(), String>(())
    };
    match credential {
        Presentation::Ambient => Ok(None),
        Presentation::Home(dir) => set_home(env, dir).map(|()| None),
        Presentation::Key { secret, base_url, home } => {
            if let Some(dir) = home {
                set_home(env, dir)?;
            }
            let how = uses.key_use(secret);
            let how = how.ok_or("it takes no key of this kind")?;
            let asked_for = has_helper && !how.asks.is_empty();
            if !asked_for {
                env.insert(how.env.clone(), secret.clone());
            }
            if let (Some(name), Some(url)) = (&how.base_url_env, base_url) {
                env.insert(name.clone(), url.as_str().into());
            }
            Ok(Some(KeyLine {
                args: if asked_for { &how.asks } else { &how.args },
                base_url: base_url.as_deref().or(how.default_base_url.as_deref()),
                asked_for,
            }))
        }
    }
}

fn inherited(
    definition: &Definition,
    ambient: bool,
    outer: impl IntoIterator<Item = (String, String)>,
) -> BTreeMap<String, SecretString> {
    let rules = &definition.environment;
    let passes = |name: &str| {
        let fits = |entry: &str| fits(entry, name);
        let allowed = ALLOWED.iter().any(|e| fits(e))
            || rules.allow.iter().any(|e| fits(e))
            || (ambient && rules.ambient.iter().any(|e| fits(e)));
        // What belongs to another mount must not leak into this one through a broad `allow`.
        let foreign = !ambient && rules.ambient.iter().any(|e| fits(e));
        allowed && !foreign && !SCRUBBED.iter().any(|e| fits(e)) && !rules.scrub.iter().any(|e| fits(e))
    };
    outer
        .into_iter()
        .filter(|(name, value)| passes(name) && is_variable(name, value))
        .map(|(name, value)| (name, value.into()))
        .collect()
}

fn fits(entry: &str, name: &str) -> bool {
    match entry.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == entry,
    }
}

fn is_variable(name: &str, value: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::super::catalog::Catalog;
    use super::*;

    fn options() -> LaunchOptions {
        LaunchOptions {
            cwd: "/repo/a b".into(),
            prompt: Some("fix\nit".into()),
            trust: true,
            model: Some("m-1".into()),
            conversation: Conversation::New,
            extra: vec!["--extra".into()],
            env: BTreeMap::from([("POSTHOUSE_RUN".into(), "run-1".into())]),
            helper: None,
            socket: "/run/posthouse.sock".into(),
        }
    }

    fn outer() -> Vec<(String, String)> {
        [
            ("PATH", "/bin"),
            ("HOME", "/home/u"),
            ("LC_ALL", "C.UTF-8"),
            ("POSTHOUSE_SOCKET", "/x"),
            ("POSTHOUSE_RUN", "outer"),
            ("CLAUDECODE", "1"),
            ("CLAUDE_CODE_CHILD_SESSION", "1"),
            ("CLAUDE_CONFIG_DIR", "/home/u/.other"),
            ("ANTHROPIC_API_KEY", "sk-ant-outer"),
            ("ANTHROPIC_BASE_URL", "http://gateway"),
            ("OPENAI_API_KEY", "sk-outer"),
            ("CODEX_THREAD_ID", "1"),
            ("NO_COLOR", "1"),
            ("GIT_CONFIG_COUNT", "8"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .to_vec()
    }

    fn shown(harness: &str, credential: &Presentation, options: &LaunchOptions) -> String {
        let definition = Catalog::builtin().unwrap().get(harness).unwrap();
        let launch = launch(&definition, credential, options, outer()).unwrap();
        let env: Vec<String> = launch.exposed_env().map(|(k, v)| format!("{k}={v}")).collect();
        format!("{:#?}\n{}", launch.argv, env.join("\n"))
    }

    fn key(secret: &str, base_url: Option<&str>) -> Presentation {
        Presentation::Key { secret: secret.into(), base_url: base_url.map(str::to_owned), home: None }
    }

    #[test]
    fn codex_with_a_key_at_another_endpoint() {
        let got = shown("codex", &key("sk-secret", Some("http://127.0.0.1:8899/v1")), &options());
        insta::assert_snapshot!(got);
    }

    #[test]
    fn one_shot_tasks_begin_and_go_on() {
        let catalog = Catalog::builtin().unwrap();
        let mut lines = Vec::new();
        for harness in ["codex", "claude", "gemini", "opencode"] {
            let definition = catalog.get(harness).unwrap().one_shot().unwrap();
            for conversation in [Conversation::New, Conversation::Resume("9f4b".into())] {
                let options = LaunchOptions { conversation, trust: false, extra: vec![], ..options() };
                let launch = launch(&definition, &Presentation::Ambient, &options, outer()).unwrap();
                lines.push(format!("{:?}", launch.argv));
            }
        }
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn claude_resumes_on_a_login_directory() {
        let options = LaunchOptions {
            conversation: Conversation::Resume("9f4b".into()),
            prompt: None,
            model: None,
            ..options()
        };
        insta::assert_snapshot!(shown("claude", &Presentation::Home("/homes/max".into()), &options));
    }

    #[test]
    fn claude_takes_a_long_lived_token_and_an_api_key_apart() {
        assert!(
            shown("claude", &key("sk-ant-oat01-x", None), &options())
                .contains("CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-x")
        );
        let with_key = shown("claude", &key("sk-ant-api03-x", None), &options());
        assert!(with_key.contains("ANTHROPIC_API_KEY=sk-ant-api03-x") && !with_key.contains("OAUTH_TOKEN"));
    }

    #[test]
    fn settings_of_ours_are_given_where_the_user_has_none_and_there_is_a_program_to_start() {
        let given = |helper: Option<&str>, own: Option<&str>| {
            let mut options = LaunchOptions { helper: helper.map(Into::into), ..options() };
            options.env.extend(own.map(|own| ("OPENCODE_CONFIG_CONTENT".into(), own.into())));
            let definition = Catalog::builtin().unwrap().get("opencode").unwrap();
            let launch = launch(&definition, &Presentation::Ambient, &options, outer()).unwrap();
            launch.var("OPENCODE_CONFIG_CONTENT").map(str::to_owned)
        };
        assert_eq!(given(None, None), None);
        assert_eq!(given(Some("/bin/posthouse"), Some("{}")).as_deref(), Some("{}"));
        let ours = given(Some("/bin/\"posthouse"), None).unwrap();
        let ours: serde_json::Value = serde_json::from_str(&ours).unwrap();
        let command = serde_json::json!(["/bin/\"posthouse", "--socket", "/run/posthouse.sock", "mcp"]);
        assert_eq!(ours["mcp"]["posthouse"]["command"], command);
    }

    #[test]
    fn without_a_credential_the_users_own_keys_and_homes_pass() {
        let got = shown("claude", &Presentation::Ambient, &options());
        assert!(
            got.contains("ANTHROPIC_API_KEY=sk-ant-outer")
                && got.contains("CLAUDE_CONFIG_DIR=/home/u/.other")
        );
        assert!(!got.contains("CLAUDECODE") && !got.contains("sk-outer") && !got.contains("AWS_"));
    }

    #[test]
    fn a_generic_command_runs_as_given_and_inherits_no_secrets() {
        let options =
            LaunchOptions { prompt: None, model: None, extra: vec!["bash".into(), "-i".into()], ..options() };
        insta::assert_snapshot!(shown("generic", &Presentation::Ambient, &options), @r#"
        [
            "bash",
            "-i",
        ]
        COLORTERM=truecolor
        HOME=/home/u
        LC_ALL=C.UTF-8
        PATH=/bin
        POSTHOUSE_RUN=run-1
        PWD=/repo/a b
        TERM=xterm-256color
        "#);
    }

    #[test]
    fn refusals_name_the_harness_and_the_reason() {
        let catalog = Catalog::builtin().unwrap();
        let refused = |harness: &str, credential: &Presentation, change: fn(&mut LaunchOptions)| {
            let mut options = LaunchOptions { prompt: None, ..options() };
            change(&mut options);
            launch(&catalog.get(harness).unwrap(), credential, &options, outer()).unwrap_err().to_string()
        };
        let ambient = Presentation::Ambient;
        let refusals = [
            refused("generic", &ambient, |o| o.extra.clear()),
            refused("generic", &ambient, |o| o.prompt = Some("x".into())),
            refused("generic", &ambient, |o| o.conversation = Conversation::Resume("i".into())),
            refused("generic", &Presentation::Home("/h".into()), |_| ()),
            refused("generic", &key("k", None), |_| ()),
            refused("codex", &ambient, |o| o.conversation = Conversation::NewWithId("i".into())),
            refused("codex", &ambient, |o| o.extra = vec!["a\0b".into()]),
            refused("codex", &ambient, |o| {
                o.env.insert("A=B".into(), "x".into());
            }),
        ];
        insta::assert_snapshot!(refusals.join("\n"));
    }

    #[test]
    fn secrets_show_up_in_no_argument_and_no_debug_output() {
        let definition = Catalog::builtin().unwrap().get("codex").unwrap();
        let launch = launch(&definition, &key("sk-secret", None), &options(), outer()).unwrap();
        assert!(!format!("{launch:?}").contains("sk-secret"));
        assert!(!launch.argv.iter().any(|arg| arg.contains("sk-secret")));
        assert_eq!(launch.var("POSTHOUSE_KEY"), Some("sk-secret"));
    }
}
