//! Medians, percentiles, and a table that people can read.

use std::io::Write;

use crate::cpu::{Cost, Measured};

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
    /// What an event cost, and one of the floor, for each round in which that was measured.
    costs: Vec<(Cost, Cost)>,
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
        let row = self.row(what, against, unit);
        row.rounds.push((measured, floor));
    }

    /// Adds a round's rate, and what an event cost, to the row of this name.
    pub fn compare(
        &mut self,
        what: &str,
        measured: Measured,
        against: &'static str,
        floor: Measured,
        unit: &'static str,
    ) {
        let row = self.row(what, against, unit);
        row.rounds.push((measured.rate, floor.rate));
        row.costs.push((measured.cost, floor.cost));
    }

    fn row(&mut self, what: &str, against: &'static str, unit: &'static str) -> &mut Row {
        let known = self
            .rows
            .iter()
            .position(|row| row.what == what && row.against == against);
        let place = known.unwrap_or_else(|| {
            self.rows.push(Row {
                what: what.to_owned(),
                against,
                unit,
                rounds: Vec::new(),
                costs: Vec::new(),
            });
            self.rows.len() - 1
        });
        &mut self.rows[place]
    }

    /// Prints the table.
    pub fn show(&self) {
        say(&format!("\n{}", self.title));
        say(
            "cpu: microseconds of processor time an event, program + database (client), each with the ratio of the sums of both",
        );
        say(&format!(
            "{:<52} {:<34} {:>6} {:>13} {:>6}   noise: measured, compared with; cpu of both",
            "", "compared with", "ratio", "(lo..hi)", "cpu"
        ));
        for row in &self.rows {
            let ratios = row.rounds.iter().map(|(measured, floor)| measured / floor);
            let mut ratios: Vec<f64> = ratios.collect();
            let ratio = median(&mut ratios);
            let range = match (ratios.first(), ratios.last()) {
                (Some(low), Some(high)) => format!("({low:.2}..{high:.2})"),
                _ => String::new(),
            };
            let mut measured: Vec<f64> = row.rounds.iter().map(|(measured, _)| *measured).collect();
            let mut floor: Vec<f64> = row.rounds.iter().map(|(_, floor)| *floor).collect();
            let (costs, each) = costs(&row.costs);
            say(&format!(
                "{:<52} {:<34} {ratio:>6.2} {range:>13} {costs:>6}   {:.1}, {:.1} {}{each}",
                row.what,
                row.against,
                median(&mut measured),
                median(&mut floor),
                row.unit
            ));
        }
    }
}

/// The ratio of all costs, and each of them, as people read them.
fn costs(rounds: &[(Cost, Cost)]) -> (String, String) {
    if rounds.is_empty() {
        return (String::new(), String::new());
    }
    let of = |value: &dyn Fn(&(Cost, Cost)) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(value).collect();
        median(&mut values)
    };
    let ratio = of(&|(measured, floor)| measured.total() / floor.total());
    let each = |which: fn(&(Cost, Cost)) -> Cost| {
        let told = format!(
            "{:.1} + {:.1}",
            of(&|round| which(round).program),
            of(&|round| which(round).database)
        );
        match of(&|round| which(round).client) {
            client if client > 0.0 => format!("{told} ({client:.1})"),
            _ => told,
        }
    };
    let (measured, floor) = (each(|(measured, _)| *measured), each(|(_, floor)| *floor));
    (format!("{ratio:.2}"), format!("; cpu {measured}, {floor}"))
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
