//! What of a session's prompts fits its record in the journal.

/// Most bytes of text that one list of prompts has in a record; a record has at most three lists, and a document of the
/// journal at most 1 MiB, with every quote and line end escaped.
pub const BUDGET: usize = 128 << 10;

/// Which entries of a list fit, in order: an entry that does not leaves its room to the next.
pub fn within_budget<T>(list: &[T], text: impl Fn(&T) -> &str) -> Vec<bool> {
    let mut left = BUDGET;
    let mut fits = |entry: &T| {
        let length = text(entry).len();
        let fits = length <= left;
        left -= if fits { length } else { 0 };
        fits
    };
    list.iter().map(&mut fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_leaves_its_room_to_the_next() {
        let list = [BUDGET / 2, BUDGET, BUDGET / 2, 1].map(|length| "x".repeat(length));
        assert_eq!(within_budget(&list, |text| text), [true, false, true, false]);
    }
}
