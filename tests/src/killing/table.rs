//! What the matrix prints.

use super::Verdict;

/// One line: a point on the way of one kind of message, or a scene.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// Where.
    pub point: String,
    /// On the way of what.
    pub kind: String,
    /// How often the daemon (or holder) died there.
    pub deaths: u32,
    /// Losses, duplicates, wrong receipts, whatever else.
    pub faults: [usize; 4],
    /// Each in words.
    pub words: Vec<String>,
}

impl Row {
    /// An empty line.
    pub fn new(point: &str, kind: &str) -> Self {
        Self { point: point.to_owned(), kind: kind.to_owned(), ..Self::default() }
    }

    /// Adds what a death showed.
    pub fn add(&mut self, verdict: &Verdict) {
        self.deaths += u32::from(verdict.died);
        let Verdict { losses, duplicates, receipts, others, .. } = verdict;
        for (count, found) in self.faults.iter_mut().zip([losses, duplicates, receipts, others]) {
            *count += found.len();
        }
        self.words.extend(verdict.faults().cloned());
    }
}

/// Prints the lines and their sum; whether all is as promised.
pub fn print(rows: &[Row], seconds: u64) -> bool {
    println!(
        "{:<18} {:<12} {:>6} {:>7} {:>10} {:>8} {:>6}",
        "point", "kind", "deaths", "losses", "duplicates", "receipts", "others"
    );
    for row in rows.iter().filter(|row| row.deaths > 0 || !row.words.is_empty()) {
        let [losses, duplicates, receipts, others] = row.faults;
        println!(
            "{:<18} {:<12} {:>6} {losses:>7} {duplicates:>10} {receipts:>8} {others:>6}",
            row.point, row.kind, row.deaths
        );
        for words in &row.words {
            println!("    {words}");
        }
    }
    let deaths: u32 = rows.iter().map(|row| row.deaths).sum();
    let sum = |at: usize| rows.iter().map(|row| row.faults[at]).sum::<usize>();
    println!(
        "{deaths} deaths in {seconds} s: {} losses, {} duplicates, {} wrong receipts, {} other faults",
        sum(0),
        sum(1),
        sum(2),
        sum(3)
    );
    rows.iter().all(|row| row.words.is_empty())
}
