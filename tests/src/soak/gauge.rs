//! The daemon's memory and descriptors over its lives, and how they grow.

use std::time::Duration;

/// What a young daemon does says little of how it grows: with the first failure that it judges, which a key that is revoked
/// brings about by then, it builds 20 MiB of automata once.
const WARM: Duration = Duration::from_secs(150);

/// One look.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Which life of the daemon.
    pub life: usize,
    /// How old it was.
    pub age: Duration,
    /// Resident memory, KiB.
    pub memory: f64,
    /// Open descriptors.
    pub descriptors: f64,
}

/// Looks at a process; `None` once it is gone.
pub fn look(pid: u32, life: usize, age: Duration) -> Option<Sample> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let memory = memory.split_whitespace().next()?.parse().ok()?;
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as f64;
    Some(Sample { life, age, memory, descriptors })
}

/// Growth per hour, by least squares over all lives, each with a level of its own. `None` without two looks at a life that
/// was warm.
pub fn growth(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> Option<f64> {
    let warm: Vec<&Sample> = samples.iter().filter(|sample| sample.age >= WARM).collect();
    let lives: std::collections::BTreeSet<usize> = warm.iter().map(|sample| sample.life).collect();
    let (mut both, mut square) = (0.0, 0.0);
    for life in lives {
        let of_it: Vec<_> = warm.iter().filter(|sample| sample.life == life).collect();
        let count = of_it.len() as f64;
        let mean_age = of_it.iter().map(|s| s.age.as_secs_f64()).sum::<f64>() / count;
        let mean = of_it.iter().map(|s| of(s)).sum::<f64>() / count;
        for sample in of_it {
            let age = sample.age.as_secs_f64() - mean_age;
            both += age * (of(sample) - mean);
            square += age * age;
        }
    }
    (square > 0.0).then(|| both / square * 3600.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_of_each_life_for_itself() {
        let sample =
            |life, age: u64, memory| Sample { life, age: Duration::from_secs(age), memory, descriptors: 7.0 };
        // Both grow by one in ten seconds; the second began higher, and the first was warming up.
        let samples = [
            sample(0, 1, 0.0),
            sample(0, 160, 10.0),
            sample(0, 170, 11.0),
            sample(1, 160, 99.0),
            sample(1, 180, 101.0),
        ];
        assert!((growth(&samples, |s| s.memory).unwrap() - 360.0).abs() < 1e-6);
        assert_eq!(growth(&samples, |s| s.descriptors), Some(0.0));
        assert_eq!(growth(&samples[..2], |s| s.memory), None);
    }
}
