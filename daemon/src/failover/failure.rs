//! What a failure is: its class, what to do about it, how far it reaches, and on what evidence.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What went wrong, independent of who said it and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The access token ran out; its refresh token can still mint another.
    ExpiredRefreshable,
    /// The provider said "unauthorized" without saying which kind.
    AuthAmbiguous,
    /// The refresh token was spent already, often by another process that holds the new pair.
    RefreshReused,
    /// The login is gone; only a person can make another.
    ReloginRequired,
    /// The harness's store now belongs to another account.
    AccountMismatch,
    /// The provider withdrew the token.
    TokenRevoked,
    /// The key is wrong.
    InvalidKey,
    /// The account, workspace or organisation was switched off.
    AccountDisabled,
    /// The provider wants the person to do something first (verify, accept terms).
    UserActionRequired,
    /// The plan does not include what was asked for.
    Entitlement,
    /// No credit left.
    Billing,
    /// A usage window is used up until a known or guessable time.
    QuotaReset,
    /// Too many requests just now.
    RateLimit,
    /// The provider has no capacity just now.
    Overloaded,
    /// The provider broke.
    ServerError,
    /// The way to the provider broke.
    Network,
    /// The provider refuses the place the request came from.
    EgressBlocked,
    /// The provider refuses the content.
    ContentPolicy,
    /// The conversation does not fit any more.
    ContextOverflow,
    /// The request or its configuration is wrong; another credential would fail alike.
    BadRequest,
    /// The turn was ended on purpose.
    Cancelled,
    /// A limit set on this side (turns, budget) was reached.
    LocalLimit,
    /// A failure that no rule knows.
    Unknown,
}

impl Class {
    /// The word used on the wire, in rules and in the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExpiredRefreshable => "expired_refreshable",
            Self::AuthAmbiguous => "auth_ambiguous",
            Self::RefreshReused => "refresh_reused",
            Self::ReloginRequired => "relogin_required",
            Self::AccountMismatch => "account_mismatch",
            Self::TokenRevoked => "token_revoked",
            Self::InvalidKey => "invalid_key",
            Self::AccountDisabled => "account_disabled",
            Self::UserActionRequired => "user_action_required",
            Self::Entitlement => "entitlement",
            Self::Billing => "billing",
            Self::QuotaReset => "quota_reset",
            Self::RateLimit => "rate_limit",
            Self::Overloaded => "overloaded",
            Self::ServerError => "server_error",
            Self::Network => "network",
            Self::EgressBlocked => "egress_blocked",
            Self::ContentPolicy => "content_policy",
            Self::ContextOverflow => "context_overflow",
            Self::BadRequest => "bad_request",
            Self::Cancelled => "cancelled",
            Self::LocalLimit => "local_limit",
            Self::Unknown => "unknown",
        }
    }

    /// The same thing as a clause that reads on its own.
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::ExpiredRefreshable => "the login expired and was not refreshed",
            Self::AuthAmbiguous => "the provider did not accept the login",
            Self::RefreshReused => "the refresh token was already used",
            Self::ReloginRequired => "a new login is needed",
            Self::AccountMismatch => "the login now belongs to another account",
            Self::TokenRevoked => "the login was revoked",
            Self::InvalidKey => "the key is not valid",
            Self::AccountDisabled => "the account is disabled",
            Self::UserActionRequired => "the account needs an action by its owner",
            Self::Entitlement => "the plan does not include this",
            Self::Billing => "no credit is left",
            Self::QuotaReset => "the usage limit is reached",
            Self::RateLimit => "there were too many requests",
            Self::Overloaded => "the provider is overloaded",
            Self::ServerError => "the provider failed",
            Self::Network => "the provider can't be reached",
            Self::EgressBlocked => "the provider refuses this network location",
            Self::ContentPolicy => "the request was refused for its content",
            Self::ContextOverflow => "the conversation no longer fits the model",
            Self::BadRequest => "the request is wrong",
            Self::Cancelled => "the turn was cancelled",
            Self::LocalLimit => "a limit set on this side is reached",
            Self::Unknown => "it failed in a way that no rule knows",
        }
    }

    /// Whether this class says that the login or key itself no longer works.
    #[must_use]
    pub const fn is_dead_login(self) -> bool {
        matches!(
            self,
            Self::RefreshReused
                | Self::ReloginRequired
                | Self::AccountMismatch
                | Self::TokenRevoked
                | Self::InvalidKey
        )
    }

    /// Whether this class is about being let in at all, dead or not.
    #[must_use]
    pub const fn is_auth(self) -> bool {
        self.is_dead_login() || matches!(self, Self::ExpiredRefreshable | Self::AuthAmbiguous)
    }

    /// What to do about this class unless a rule knows better.
    #[must_use]
    pub const fn default_action(self) -> Action {
        match self {
            Self::ExpiredRefreshable | Self::AuthAmbiguous => Action::RefreshThenRetry,
            Self::RefreshReused | Self::ReloginRequired | Self::TokenRevoked => Action::ReloadThenRelogin,
            Self::AccountMismatch | Self::InvalidKey | Self::AccountDisabled | Self::UserActionRequired => {
                Action::RotateDisable
            }
            Self::Entitlement => Action::NextModel,
            Self::Billing => Action::RotateBenchBilling,
            Self::QuotaReset => Action::RotateUntilReset,
            Self::RateLimit => Action::RetryThenRotate,
            Self::Overloaded | Self::ServerError | Self::Network | Self::Unknown => Action::RetrySame,
            Self::EgressBlocked => Action::NextProvider,
            Self::ContentPolicy | Self::BadRequest | Self::LocalLimit => Action::Surface,
            Self::ContextOverflow => Action::Compact,
            Self::Cancelled => Action::Abort,
        }
    }

    /// How far this class reaches unless a rule knows better; `None` where it condemns only the request.
    #[must_use]
    pub const fn default_scope(self) -> Option<Scope> {
        match self {
            Self::ExpiredRefreshable
            | Self::AuthAmbiguous
            | Self::RefreshReused
            | Self::ReloginRequired
            | Self::AccountMismatch
            | Self::TokenRevoked
            | Self::InvalidKey
            | Self::AccountDisabled
            | Self::UserActionRequired
            | Self::Billing
            | Self::QuotaReset
            | Self::RateLimit => Some(Scope::Credential),
            Self::Entitlement => Some(Scope::Model),
            Self::Overloaded | Self::ServerError | Self::Network => Some(Scope::Provider),
            Self::EgressBlocked => Some(Scope::Egress),
            Self::ContentPolicy
            | Self::ContextOverflow
            | Self::BadRequest
            | Self::Cancelled
            | Self::LocalLimit
            | Self::Unknown => None,
        }
    }
}

/// What should follow a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing at all.
    None,
    /// Let the harness go on retrying by itself.
    Wait,
    /// Re-read the store, refresh once if nothing newer is there, try again once.
    RefreshThenRetry,
    /// Re-read the store; unless a newer pair is there the login is dead.
    ReloadThenRelogin,
    /// Leave this credential until a person repairs it.
    RotateDisable,
    /// Leave this credential until its window opens again.
    RotateUntilReset,
    /// Leave this credential until it is topped up, probing rarely.
    RotateBenchBilling,
    /// Try again after the delay, then leave the credential.
    RetryThenRotate,
    /// Try again on the same credential; nothing is benched.
    RetrySame,
    /// Go on with another model, or with this model on another credential.
    NextModel,
    /// Go on with another provider.
    NextProvider,
    /// Tell the person; no other mount would do better.
    Surface,
    /// Make the conversation smaller.
    Compact,
    /// The turn is over as asked.
    Abort,
}

impl Action {
    /// The word used on the wire and in rules.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Wait => "wait",
            Self::RefreshThenRetry => "refresh_then_retry",
            Self::ReloadThenRelogin => "reload_then_relogin",
            Self::RotateDisable => "rotate_disable",
            Self::RotateUntilReset => "rotate_until_reset",
            Self::RotateBenchBilling => "rotate_bench_billing",
            Self::RetryThenRotate => "retry_then_rotate",
            Self::RetrySame => "retry_same",
            Self::NextModel => "next_model",
            Self::NextProvider => "next_provider",
            Self::Surface => "surface",
            Self::Compact => "compact",
            Self::Abort => "abort",
        }
    }

    /// When this action leads to another mount.
    #[must_use]
    pub const fn failover(self) -> FailoverWhen {
        match self {
            Self::ReloadThenRelogin
            | Self::RotateDisable
            | Self::RotateUntilReset
            | Self::RotateBenchBilling
            | Self::NextModel
            | Self::NextProvider => FailoverWhen::Now,
            Self::RefreshThenRetry | Self::RetryThenRotate | Self::RetrySame => FailoverWhen::AfterBudget,
            Self::None | Self::Wait | Self::Surface | Self::Compact | Self::Abort => FailoverWhen::Never,
        }
    }
}

/// When a failure leads to another mount, once it is corroborated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailoverWhen {
    /// At the next turn boundary.
    Now,
    /// When the tries that the class deserves are spent.
    AfterBudget,
    /// Another mount would not help, or nothing failed.
    Never,
}

/// How far a failure reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One login or key.
    Credential,
    /// One model on one credential.
    Model,
    /// Everything at one provider.
    Provider,
    /// Everything at one provider from this network location.
    Egress,
}

/// How strong the evidence is, weakest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Nothing speaks for a failure.
    #[default]
    None,
    /// Words on a terminal, which anything may have printed.
    Terminal,
    /// Words in a frame that only the harness writes.
    Frame,
    /// A status with its headers.
    Status,
    /// A typed code.
    Typed,
}

impl Evidence {
    /// The word used in the journal and in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Terminal => "terminal",
            Self::Frame => "frame",
            Self::Status => "status",
            Self::Typed => "typed",
        }
    }

    /// What the evidence is, as a phrase.
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::None => "without evidence",
            Self::Terminal => "by what the terminal shows",
            Self::Frame => "by the harness's own report",
            Self::Status => "by the status of the response",
            Self::Typed => "by a typed code",
        }
    }

    /// Whether this alone may declare a credential dead.
    #[must_use]
    pub const fn may_condemn(self) -> bool {
        matches!(self, Self::Typed | Self::Status)
    }
}

/// A classified observation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What went wrong.
    pub class: Class,
    /// What should follow.
    pub action: Action,
    /// When another mount should follow, once corroborated.
    pub failover: FailoverWhen,
    /// How far it reaches; `None` where it condemns only the request.
    pub scope: Option<Scope>,
    /// The model it is limited to, where the evidence names one.
    pub model: Option<String>,
    /// When it is over by itself, if anyone said so.
    pub until: Option<Timestamp>,
    /// How strong the evidence is.
    pub evidence: Evidence,
    /// Whether the evidence may move a session: strong by itself, or borne out by something else.
    pub corroborated: bool,
    /// Which rule decided, for the journal and for bug reports.
    pub rule: String,
}

/// Why an observation is no failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Harmless {
    /// Something an agent, a tool or a person wrote; it may quote anything.
    Content,
    /// The harness warns, or reports that all is well.
    Notice,
    /// A turn ended well.
    Success,
    /// An endpoint whose failures say nothing about inference.
    SideEndpoint,
    /// No rule sees a failure in it.
    NoMatch,
}

/// The answer of [`classify`](super::classify::classify).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Something failed.
    Failure(Failure),
    /// Nothing did.
    NotAFailure(Harmless),
}

impl Verdict {
    /// The failure, if there is one.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failure(failure) => Some(failure),
            Self::NotAFailure(_) => None,
        }
    }
}
