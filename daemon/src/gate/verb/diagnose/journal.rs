//! Whether the journal takes durable writes, and answers questions.

use std::time::Instant;

use tokio::sync::oneshot;

use super::finding::Finding;
use crate::gate::house::House;
use crate::journal::{DocumentKey, DocumentKind, Done, Durability, Op};

/// A durable flush that takes longer than this makes every message wait, in milliseconds.
const SLOW_MS: u128 = 250;

/// Removes a document that there is not: a durable commit that leaves nothing behind.
pub(super) async fn look(house: &House) -> Finding {
    let begun = Instant::now();
    let key = DocumentKey { kind: DocumentKind::Lease, owner: house.place.uid, key: "doctor".into() };
    let (done, written) = oneshot::channel();
    let submitted = house.journal.submit(vec![Op::Delete(key)], Durability::Durable, Done::Oneshot(done));
    let outcome = match submitted {
        Ok(()) => match written.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("write: the journal is closed".to_owned()),
        },
        Err(error) => Err(error.to_string()),
    };
    let took = begun.elapsed().as_millis();
    if let Err(why) = outcome {
        return Finding::bad(format!("it takes no writes: failed to {why}"), None);
    }
    match house.desk.ask(|reader| reader.oldest_event()).await {
        Err(error) => Finding::bad(format!("it takes writes, but failed to {error}"), None),
        Ok(_) if took > SLOW_MS => {
            Finding::doubt(format!("a durable write took {took} ms: every message waits so long"), None)
        }
        Ok(_) => Finding::Good(format!("readable, and a durable write took {took} ms")),
    }
}
