//! Carrying a conversation from one mount to another: the harness resumes it there by its id.

use std::sync::Arc;

use super::spec::RunRecord;
use crate::failover::command::Assignment;
use crate::harness::definition::{Definition, TranscriptKind};
use crate::harness::launch::Presentation;
use crate::harness::transcript::{copy, find, resume};

/// What became of a conversation that was to go along.
pub enum Carried {
    /// It can be resumed under this id.
    Conversation(String),
    /// There was nothing in it but what is submitted again.
    Empty,
    /// It can't go along.
    Nothing(String),
}

/// Carries a conversation to the home of another mount, or of none. `cut` is the text of a turn that is submitted again and is not
/// to be in it twice.
pub async fn carry(
    definition: Arc<Definition>,
    left: RunRecord,
    assignment: Option<&Assignment>,
    cut: Option<String>,
) -> Carried {
    let presentation = assignment.map_or(Presentation::Ambient, |assignment| assignment.presentation.clone());
    let carried =
        tokio::task::spawn_blocking(move || carry_files(&definition, &left, &presentation, cut.as_deref()));
    carried.await.unwrap_or_else(|_| Carried::Nothing("it could not be copied".to_owned()))
}

fn carry_files(
    definition: &Definition,
    left: &RunRecord,
    presentation: &Presentation,
    cut: Option<&str>,
) -> Carried {
    if definition.name != left.harness {
        return Carried::Nothing(format!(
            "{} can't read the conversations of {}",
            definition.name, left.harness
        ));
    }
    let (Some(id), Some(home)) = (&left.conversation, &left.home) else {
        return match definition.transcript {
            TranscriptKind::None => Carried::Nothing("its conversations are not understood".to_owned()),
            // Nothing was ever recorded: no turn has begun.
            _ => Carried::Empty,
        };
    };
    let Some(file) = find::by_id(definition.transcript, home, id) else {
        return match definition.transcript {
            TranscriptKind::None => Carried::Nothing("its conversations are not understood".to_owned()),
            _ => Carried::Empty,
        };
    };
    if let Some(why) = resume::obstacle(definition, &file, presentation) {
        return Carried::Nothing(why);
    }
    let to = match presentation {
        Presentation::Home(dir) => dir.clone(),
        Presentation::Key { home: Some(dir), .. } => dir.clone(),
        Presentation::Key { home: None, .. } | Presentation::Ambient => home.clone(),
    };
    match copy::conversation(definition.transcript, id, home, &to, cut) {
        Ok(copied) if copied.has_history => Carried::Conversation(id.clone()),
        Ok(_) => Carried::Empty,
        Err(error) => Carried::Nothing(error.to_string()),
    }
}
