//! Medians, percentiles, and a table that people can read.

use std::io::Write;

/// Writes a line to the terminal.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // A reader that has gone away is no fault.
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

/// One row: what, against what, and a measurement and its floor for each round.
struct Row {
    what: String,
    against: &'static str,
    unit: &'static str,
    rounds: Vec<(f64, f64)>,
}

/// The rows of one database.
pub struct Report {
    /// Which database.
    pub title: &'static str,
    rows: Vec<Row>,
}

impl Report {
    /// An empty table.
    pub fn new(title: &'static str) -> Self {
        Self {
            title,
            rows: Vec::new(),
        }
    }

    /// Adds a round's measurement to the row of this name.
    pub fn note(&mut self, what: &str, measured: f64, against: &'static str, floor: f64, unit: &'static str) {
        let known = self
            .rows
            .iter_mut()
            .find(|row| row.what == what && row.against == against);
        if let Some(row) = known {
            row.rounds.push((measured, floor));
            return;
        }
        self.rows.push(Row {
            what: what.to_owned(),
            against,
            unit,
            rounds: vec![(measured, floor)],
        });
    }

    /// Prints the table.
    pub fn show(&self) {
        say(&format!("\n{}", self.title));
        say(&format!(
            "{:<52} {:<34} {:>6} {:>13}   noise: measured, compared with",
            "", "compared with", "ratio", "(lo..hi)"
        ));
        for row in &self.rows {
            let mut ratios: Vec<f64> = row
                .rounds
                .iter()
                .map(|(measured, floor)| measured / floor)
                .collect();
            let ratio = median(&mut ratios);
            let range = match (ratios.first(), ratios.last()) {
                (Some(low), Some(high)) => format!("({low:.2}..{high:.2})"),
                _ => String::new(),
            };
            let mut measured: Vec<f64> = row.rounds.iter().map(|(measured, _)| *measured).collect();
            let mut floor: Vec<f64> = row.rounds.iter().map(|(_, floor)| *floor).collect();
            say(&format!(
                "{:<52} {:<34} {ratio:>6.2} {range:>13}   {:.1}, {:.1} {}",
                row.what,
                row.against,
                median(&mut measured),
                median(&mut floor),
                row.unit
            ));
        }
    }
}

/// The middle value; sorts them.
pub fn median(values: &mut [f64]) -> f64 {
    percentile(values, 0.5)
}

/// The value below which this share of the values lies; sorts them.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a small count"
    )]
    let place = (values.len().saturating_sub(1) as f64 * share).round() as usize;
    values.get(place).copied().unwrap_or(f64::NAN)
}
