//! A provider on loopback that real coding-agent CLIs talk to instead of OpenAI or Anthropic.
//!
//! It speaks the OpenAI Responses API, the OAuth token endpoint and the Anthropic Messages API, over HTTP and
//! HTTPS, misbehaves as it is told, per credential or per URL, and keeps a book of every request.

mod answer;
mod anthropic;
mod authority;
mod body;
mod conversation;
mod credential;
mod device;
mod directive;
mod endpoint;
mod exchange;
mod openai;
mod plan;
mod provider;
mod scenario;
mod server;
mod side;
mod sse;
mod token;
mod tunnel;

pub use authority::{Authority, AuthorityError};
pub use conversation::{Conversation, Role, Utterance};
pub use credential::{AccountToken, label_of};
pub use endpoint::Endpoint;
pub use exchange::{Book, Exchange, NothingFitting, Outcome};
pub use provider::{MockError, MockProvider};
pub use scenario::{RefreshFault, Refusal, Scenario, StreamFault, UnknownScenario, scenario_names};
