//! The naive twin of the rules: it keeps every day of a member's history, walks the calendar day by day, and counts.
//!
//! It shares no code with the rules, and has a vocabulary of its own: calendars are labels that chrono prints or counts,
//! nothing is merged, nothing is forgotten.

use chrono::{Datelike, Days, Months, NaiveDate};

/// What a twin counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Day,
    Week,
    Month,
}

/// What a twin is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Demand {
    Immediate,
    Streak {
        length: usize,
        step: Step,
        per_step: usize,
    },
}

/// How often a twin is awarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cap {
    Once,
    AtMost(usize),
    Unlimited,
    OncePer(&'static str),
}

/// An award, as the twin sees it: its key, its ordinal, its day.
pub type Prize = (String, usize, NaiveDate);

/// A member of whom everything is remembered.
pub struct Twin {
    demand: Demand,
    cap: Cap,
    heard: Vec<NaiveDate>,
    pub prizes: Vec<Prize>,
}

impl Twin {
    pub fn of(demand: Demand, cap: Cap) -> Twin {
        Twin {
            demand,
            cap,
            heard: Vec::new(),
            prizes: Vec::new(),
        }
    }

    /// Hears of one event, and gives the prize it brings.
    pub fn hear(&mut self, day: NaiveDate) {
        let Demand::Streak { length, step, .. } = self.demand else {
            self.give(day);
            return;
        };
        let before: usize = self.runs().iter().map(|run| run.len() / length).sum();
        self.heard.push(day);
        let runs = self.runs();
        let after: usize = runs.iter().map(|run| run.len() / length).sum();
        assert!(
            before <= after && after <= before + 1,
            "one event is worth at most one completion, and never takes one back"
        );
        if after > before {
            let is_of_the_day = |other: &NaiveDate| label(step, *other) == label(step, day);
            let run = runs
                .iter()
                .find(|run| run.iter().any(is_of_the_day))
                .expect("the run with the new day");
            self.give(run[run.len() / length * length - 1]);
        }
    }

    /// The days of every run of consecutive steps on which a step had enough events.
    fn runs(&self) -> Vec<Vec<NaiveDate>> {
        let Demand::Streak { step, per_step, .. } = self.demand else {
            return Vec::new();
        };
        runs(&self.heard, step, per_step)
    }

    fn give(&mut self, day: NaiveDate) {
        let prize = match self.cap {
            Cap::Once if self.prizes.is_empty() => ("once".to_owned(), 1, day),
            Cap::AtMost(most) if self.prizes.len() < most => ("ever".to_owned(), self.prizes.len() + 1, day),
            Cap::Unlimited => ("ever".to_owned(), self.prizes.len() + 1, day),
            Cap::OncePer(window) if self.prizes.iter().all(|prize| prize.0 != key(window, day)) => {
                (key(window, day), 1, day)
            }
            _ => return,
        };
        self.prizes.push(prize);
    }
}

impl Demand {
    /// How many completions a set of days is worth, however they came.
    pub fn worth(self, heard: &[NaiveDate]) -> usize {
        match self {
            Demand::Immediate => heard.len(),
            Demand::Streak {
                length,
                step,
                per_step,
            } => runs(heard, step, per_step)
                .iter()
                .map(|run| run.len() / length)
                .sum(),
        }
    }

    /// The events that make this many steps in a row count, the first of them on `day`.
    pub fn steps_from(self, day: NaiveDate, count: usize) -> Vec<NaiveDate> {
        let Demand::Streak { step, per_step, .. } = self else {
            return vec![day; count];
        };
        let after = |steps: u32| match step {
            Step::Day => day.checked_add_days(Days::new(steps.into())),
            Step::Week => day.checked_add_days(Days::new(u64::from(steps) * 7)),
            Step::Month => day.checked_add_months(Months::new(steps)),
        };
        let days = (0..).take(count).filter_map(after);
        days.flat_map(|day| vec![day; per_step]).collect()
    }
}

fn runs(heard: &[NaiveDate], step: Step, per_step: usize) -> Vec<Vec<NaiveDate>> {
    let mut heard = heard.to_vec();
    heard.sort_unstable();
    let (Some(first), Some(last)) = (heard.first(), heard.last()) else {
        return Vec::new();
    };
    let (mut runs, mut run, mut events) = (Vec::new(), Vec::new(), 0);
    let mut current = label(step, *first);
    let mut rest = heard.iter().peekable();
    for day in first.iter_days().take_while(|day| day <= last) {
        if label(step, day) != current {
            if events < per_step {
                runs.push(std::mem::take(&mut run));
            }
            current = label(step, day);
            events = 0;
        }
        while rest.next_if(|other| **other == day).is_some() {
            events += 1;
            if events == per_step {
                run.push(day);
            }
        }
    }
    runs.push(run);
    runs
}

/// What the step of a day is called.
fn label(step: Step, day: NaiveDate) -> (i32, u32) {
    match step {
        Step::Day => (day.year(), day.ordinal()),
        Step::Week => (day.iso_week().year(), day.iso_week().week()),
        Step::Month => (day.year(), day.month()),
    }
}

/// What the window of a day is called.
fn key(window: &str, day: NaiveDate) -> String {
    match window {
        "DAY" => day.format("%Y-%m-%d").to_string(),
        "WEEK" => day.format("%G-W%V").to_string(),
        "MONTH" => day.format("%Y-%m").to_string(),
        "QUARTER" => format!("{}-Q{}", day.year(), day.month().div_ceil(3)),
        "YEAR" => day.format("%Y").to_string(),
        other => other.to_lowercase(),
    }
}
