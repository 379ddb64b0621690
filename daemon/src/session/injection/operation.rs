//! Operation ids that a later daemon can work out again: each names one write of one attempt of one prompt
//! in one run, so that the holder can be asked "how far?" by someone who never sent it.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::holder::run::RunId;
use crate::holder::script::OperationId;

/// Which write of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text and Enter. Numbered from 0: a script that was cancelled before its first byte leaves its id used up.
    Script(u32),
    /// Enter once more.
    EnterAgain,
    /// The end of a paste that was cut short.
    PasteEnd,
}

/// The id of a write.
pub fn operation(prompt: Uuid, run: RunId, attempt: u32, part: Part) -> OperationId {
    let (tag, number) = match part {
        Part::Script(number) => (0u8, number),
        Part::EnterAgain => (1, 0),
        Part::PasteEnd => (2, 0),
    };
    let mut hash = Sha256::new();
    hash.update(prompt.as_bytes());
    hash.update(run.uuid().as_bytes());
    hash.update(attempt.to_be_bytes());
    hash.update([tag]);
    hash.update(number.to_be_bytes());
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    OperationId::new(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_write_has_its_own_id_and_always_the_same() {
        let (prompt, run) = (Uuid::from_u128(1), RunId::new(Uuid::from_u128(2)));
        let other = RunId::new(Uuid::from_u128(3));
        let all = [
            operation(prompt, run, 1, Part::Script(0)),
            operation(prompt, run, 1, Part::Script(1)),
            operation(prompt, run, 2, Part::Script(0)),
            operation(prompt, run, 1, Part::EnterAgain),
            operation(prompt, run, 1, Part::PasteEnd),
            operation(prompt, other, 1, Part::Script(0)),
            operation(Uuid::from_u128(9), run, 1, Part::Script(0)),
        ];
        let different: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert_eq!(operation(prompt, run, 1, Part::Script(0)), all[0]);
    }
}
