//! Medians and percentiles.

use std::time::Duration;

/// The value below which `part` of the values lie; 0 of none.
pub fn percentile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * part).round() as usize).copied().unwrap_or_default()
}

/// The middle value.
pub fn median(values: &mut [f64]) -> f64 {
    percentile(values, 0.5)
}

/// Durations in microseconds.
pub fn micros(durations: impl IntoIterator<Item = Duration>) -> Vec<f64> {
    durations.into_iter().map(|duration| duration.as_secs_f64() * 1e6).collect()
}
