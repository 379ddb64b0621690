//! Stores and removes documents.

use rusqlite::{Connection, Statement, params};

use crate::journal::{Document, DocumentKey};

/// The `document` table.
pub(super) struct Documents<'db> {
    put: Statement<'db>,
    delete: Statement<'db>,
}

impl<'db> Documents<'db> {
    pub(super) fn prepare(db: &'db Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            put: db.prepare(
                "INSERT OR REPLACE INTO document (kind, owner, key, value) VALUES (?1, ?2, ?3, ?4)",
            )?,
            delete: db.prepare("DELETE FROM document WHERE kind = ?1 AND owner = ?2 AND key = ?3")?,
        })
    }

    pub(super) fn put(&mut self, document: &Document) -> rusqlite::Result<()> {
        let key = &document.key;
        self.put.execute(params![key.kind.as_str(), key.owner, &*key.key, document.value.as_str()]).map(drop)
    }

    pub(super) fn delete(&mut self, key: &DocumentKey) -> rusqlite::Result<()> {
        self.delete.execute(params![key.kind.as_str(), key.owner, &*key.key]).map(drop)
    }
}
