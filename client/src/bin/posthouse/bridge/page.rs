//! Long lists in pages. A cursor names the last one that was listed, so that a page goes on where the one before it ended
//! whatever came and went in between.

use posthouse_protocol::Name;
use rmcp::ErrorData;
use rmcp::model::PaginatedRequestParams;

/// Sessions on a page.
const SIZE: usize = 50;
const AFTER: &str = "after:";

/// The name after which the wanted page begins; none for the first one.
pub(super) fn wanted(request: Option<PaginatedRequestParams>) -> Result<Option<Name>, ErrorData> {
    let Some(cursor) = request.and_then(|request| request.cursor) else { return Ok(None) };
    let name = cursor.strip_prefix(AFTER).and_then(|name| Name::parse(name).ok());
    name.map(Some).ok_or_else(|| unknown(&cursor))
}

/// Of a list that has one page only.
pub(super) fn only_one(request: Option<PaginatedRequestParams>) -> Result<(), ErrorData> {
    let cursor = request.and_then(|request| request.cursor);
    cursor.map_or(Ok(()), |cursor| Err(unknown(&cursor)))
}

/// The names of a page, and the cursor of the next one.
pub(super) fn cut(mut names: Vec<String>, after: Option<&Name>) -> (Vec<String>, Option<String>) {
    names.sort_unstable();
    names.retain(|name| after.is_none_or(|after| name.as_str() > after.as_str()));
    let more = names.len() > SIZE;
    names.truncate(SIZE);
    let next = names.last().filter(|_| more).map(|last| format!("{AFTER}{last}"));
    (names, next)
}

fn unknown(cursor: &str) -> ErrorData {
    let why = format!("{cursor:?} is no cursor of this list; leave it out to begin at the first page");
    ErrorData::invalid_params(why, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_every_name_once_and_in_order() {
        let names: Vec<String> = (0..2 * SIZE + 1).map(|n| format!("n{n:04}")).collect();
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let shuffled = names.iter().rev().cloned().collect();
            let (page, next) = cut(shuffled, after.as_ref());
            seen.extend(page);
            let Some(cursor) = next else { break };
            let request = PaginatedRequestParams::default().with_cursor(Some(cursor));
            after = wanted(Some(request)).unwrap();
        }
        assert_eq!(seen, names);
        let exact = cut(names[..SIZE].to_vec(), None);
        assert_eq!((exact.0.len(), exact.1), (SIZE, None), "no empty page follows");
        for bad in ["", "n1", "after:", "after:a b"] {
            let request = PaginatedRequestParams::default().with_cursor(Some(bad.to_owned()));
            assert!(wanted(Some(request.clone())).is_err() && only_one(Some(request)).is_err(), "{bad}");
        }
    }
}
