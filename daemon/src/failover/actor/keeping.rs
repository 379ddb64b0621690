//! Keeping in the journal what the ledger must still know after a restart.

use super::Actor;
use crate::credential::id::CredentialId;
use crate::failover::kept::Kept;
use crate::failover::pool::Reach;
use crate::journal::{Document, DocumentKey, DocumentKind, DocumentValue, Op};

impl Actor {
    pub(super) async fn keep_mark(&self, reach: &Reach) {
        let Some(mark) = self.ledger.mark(reach) else { return };
        self.keep(Kept::mark_key(reach), &Kept::Mark { reach: reach.clone(), mark: mark.clone() }).await;
    }

    /// None in a row is nothing to keep.
    pub(super) async fn keep_strikes(&self, credential: &CredentialId) {
        let key = Kept::strikes_key(credential);
        match self.ledger.strikes(credential) {
            0 => self.commit(vec![Op::Delete(self.kept_key(key))]).await,
            strikes => self.keep(key, &Kept::Strikes { credential: credential.clone(), strikes }).await,
        }
    }

    async fn keep(&self, key: String, kept: &Kept) {
        if let Ok(value) = DocumentValue::of(kept) {
            self.commit(vec![Op::Put(Document { key: self.kept_key(key), value })]).await;
        }
    }

    fn kept_key(&self, key: String) -> DocumentKey {
        DocumentKey { kind: DocumentKind::Cooldown, owner: self.owner, key: key.into() }
    }
}
