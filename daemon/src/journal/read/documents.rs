//! Documents, a whole kind at a time.

use rusqlite::params;

use super::Reader;
use crate::journal::{Document, DocumentKey, DocumentKind, DocumentValue, ReadError};

impl Reader {
    /// Every document of a kind, by owner and key.
    pub fn documents(&self, kind: DocumentKind) -> Result<Vec<Document>, ReadError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT owner, key, value FROM document WHERE kind = ?1 ORDER BY owner, key")?;
        let rows = statement.query_map(params![kind.as_str()], |row| {
            let key = DocumentKey { kind, owner: row.get(0)?, key: row.get(1)? };
            Ok(Document { key, value: DocumentValue::trusted(row.get(2)?) })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
