//! What was measured, as a table beside its baseline and its goal.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// Which direction is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    More,
    Less,
}

/// One figure of a workload.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    pub title: &'static str,
    pub unit: &'static str,
    pub better: Better,
}

/// What a contender is to reach in one figure.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// So many times the baseline; at least or at most, as the figure's direction says.
    Ratio(f64),
    /// This value.
    Value(f64),
}

/// A contender's medians.
#[derive(Debug)]
pub struct Line {
    pub who: &'static str,
    pub values: Vec<f64>,
    pub goals: Vec<Option<Goal>>,
}

/// One workload; the first line is the baseline.
#[derive(Debug)]
pub struct Section {
    pub title: &'static str,
    pub figures: Vec<Figure>,
    pub lines: Vec<Line>,
}

impl Section {
    /// The section for people.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for (at, figure) in self.figures.iter().enumerate() {
            let _ = writeln!(text, "{}, {} ({})", self.title, figure.title, figure.unit);
            for line in &self.lines {
                let (value, ratio, goal) = self.cells(line, at);
                let _ = writeln!(text, "  {:<34}{value:>14}  {ratio:>8}  {goal}", line.who);
            }
        }
        text
    }

    fn cells(&self, line: &Line, at: usize) -> (String, String, String) {
        let value = line.values.get(at).copied().unwrap_or(f64::NAN);
        let ratio = self.ratio(line, at).map_or_else(String::new, |ratio| format!("{ratio:.2} ×"));
        let goal = match (line.goals.get(at).copied().flatten(), self.met(line, at)) {
            (Some(goal), Some(met)) => {
                let sign = if self.figures.get(at).is_some_and(|f| f.better == Better::More) {
                    "≥"
                } else {
                    "≤"
                };
                let goal = match goal {
                    Goal::Ratio(ratio) => format!("{ratio} ×"),
                    Goal::Value(value) => number(value),
                };
                format!("goal {sign} {goal}{}", if met { "" } else { ", missed" })
            }
            _ => String::new(),
        };
        (number(value), ratio, goal)
    }

    fn ratio(&self, line: &Line, at: usize) -> Option<f64> {
        let base = self.lines.first().filter(|base| base.who != line.who)?;
        let base = *base.values.get(at)?;
        (base > 0.0).then_some(line.values.get(at)? / base)
    }

    fn met(&self, line: &Line, at: usize) -> Option<bool> {
        let figure = self.figures.get(at)?;
        let (reached, wanted) = match line.goals.get(at).copied().flatten()? {
            Goal::Ratio(wanted) => (self.ratio(line, at)?, wanted),
            Goal::Value(wanted) => (*line.values.get(at)?, wanted),
        };
        Some(match figure.better {
            Better::More => reached >= wanted,
            Better::Less => reached <= wanted,
        })
    }

    /// The section for programs.
    pub fn json(&self) -> Value {
        let figures = self.figures.iter().enumerate().map(|(at, figure)| {
            let lines = self.lines.iter().map(|line| {
                json!({
                    "who": line.who,
                    "value": line.values.get(at),
                    "ratio": self.ratio(line, at),
                    "goal_met": self.met(line, at),
                })
            });
            json!({ "figure": figure.title, "unit": figure.unit, "lines": lines.collect::<Vec<_>>() })
        });
        json!({ "workload": self.title, "figures": figures.collect::<Vec<_>>() })
    }
}

/// A number with the digits that mean something.
fn number(value: f64) -> String {
    match value.abs() {
        _ if value.is_nan() => "-".to_owned(),
        0.0 => "0".to_owned(),
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 1000.0 => format!("{value:.1}"),
        _ => {
            let digits = format!("{value:.0}");
            let grouped: Vec<&str> = digits
                .as_bytes()
                .rchunks(3)
                .rev()
                .map(|chunk| std::str::from_utf8(chunk).unwrap_or_default())
                .collect();
            grouped.join(",")
        }
    }
}
