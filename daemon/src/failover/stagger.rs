//! Sessions that sleep until the same time do not wake at the same time.

use std::time::Duration;

/// Most that a wake-up is put off.
const MOST: Duration = Duration::from_secs(30);
/// Of a short wait, this part is added at most.
const PART: u32 = 10;

/// `wait` and a little more: the same for a session each time, and spread evenly over sessions.
#[must_use]
pub fn stagger(session: &str, wait: Duration) -> Duration {
    let most = (wait / PART).min(MOST);
    // FNV-1a: stable over restarts, which the standard library's hash is not.
    let hash = session.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let part = u32::try_from(hash >> 32).unwrap_or(0);
    wait + most.mul_f64(f64::from(part) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_of_ten_sleepers_wake_together_and_none_early() {
        let wait = Duration::from_secs(3600);
        let mut wakes: Vec<Duration> = (0..10).map(|n| stagger(&format!("agent-{n}"), wait)).collect();
        assert!(wakes.iter().all(|wake| (wait..=wait + MOST).contains(wake)), "{wakes:?}");
        wakes.sort();
        wakes.dedup();
        assert_eq!(wakes.len(), 10);
        assert!(stagger("a", Duration::from_secs(1)) <= Duration::from_millis(1100));
    }
}
