//! The naive twin of the rules: it is told everything that counts for a member at a moment, and counts it anew each time.
//!
//! It shares no code with the rules, and has a vocabulary of its own: calendars are labels that chrono prints, amounts are
//! whole numbers, a maximum is found by trying all ways. Nothing is merged, nothing is forgotten, nothing is taken back.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, Utc};

/// What a twin counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Day,
    Week,
    Month,
}

/// Where a twin begins anew.
pub type Window = &'static str;

/// What a twin is asked for.
#[derive(Debug, Clone)]
pub enum Demand {
    Immediate,
    Streak {
        length: usize,
        step: Step,
        per_step: usize,
        freezes: usize,
    },
    Count {
        times: i64,
        window: Window,
    },
    /// Amounts are in hundredths.
    Total {
        at_least: i64,
        window: Window,
    },
    /// The kinds of facts that follow one another, and how many seconds they may take.
    Sequence {
        kinds: Vec<u8>,
        within: i64,
    },
}

/// How often a twin is awarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cap {
    Once,
    AtMost(usize),
    Unlimited,
    OncePer(Window),
}

/// One thing that a member has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub day: NaiveDate,
    pub at: DateTime<Utc>,
    /// In hundredths.
    pub amount: i64,
    pub kind: u8,
}

impl Demand {
    /// How often facts complete it, in whatever order they came.
    pub fn worth(&self, facts: &[Fact]) -> usize {
        match self {
            Demand::Streak { length, freezes, .. } => most_rows(&self.steps(facts), *length, *freezes),
            Demand::Sequence { kinds, within } => most_chains(facts, kinds, *within),
            Demand::Immediate | Demand::Count { .. } | Demand::Total { .. } => self.days(facts).len(),
        }
    }

    /// The days on which facts complete it, where that is only a matter of adding up.
    pub fn days(&self, facts: &[Fact]) -> Vec<NaiveDate> {
        let (step, window, weigh): (i64, Window, fn(&Fact) -> i64) = match self {
            Demand::Count { times, window } => (*times, *window, |_| 1),
            Demand::Total { at_least, window } => (*at_least, *window, |fact| fact.amount),
            _ => (1, "EVER", |_| 1),
        };
        let mut facts = facts.to_vec();
        facts.sort_by_key(|fact| fact.day);
        let mut sums: HashMap<String, i64> = HashMap::new();
        let mut days = Vec::new();
        for fact in &facts {
            let sum = sums.entry(key(window, fact.day)).or_default();
            for _ in 0..weigh(fact) {
                *sum += 1;
                if *sum % step == 0 {
                    days.push(fact.day);
                }
            }
        }
        days
    }

    /// The facts that make this many steps in a row count, the first of them on `day`.
    pub fn steps_from(&self, day: NaiveDate, count: usize) -> Vec<Fact> {
        let Demand::Streak { step, per_step, .. } = self else {
            return Vec::new();
        };
        let after = |steps: u32| match step {
            Step::Day => day.checked_add_days(Days::new(steps.into())),
            Step::Week => day.checked_add_days(Days::new(u64::from(steps) * 7)),
            Step::Month => day.checked_add_months(Months::new(steps)),
        };
        let fact = |day: NaiveDate| Fact {
            day,
            at: day.and_time(NaiveTime::MIN).and_utc(),
            amount: 100,
            kind: 0,
        };
        let days = (0..).take(count).filter_map(after);
        days.flat_map(|day| vec![fact(day); *per_step]).collect()
    }

    /// The places of the steps that have enough facts, counted from the first day of all.
    fn steps(&self, facts: &[Fact]) -> Vec<usize> {
        let Demand::Streak { step, per_step, .. } = self else {
            return Vec::new();
        };
        let days = facts.iter().map(|fact| fact.day);
        let (Some(first), Some(last)) = (days.clone().min(), days.clone().max()) else {
            return Vec::new();
        };
        let mut labels = Vec::new();
        for day in first.iter_days().take_while(|day| *day <= last) {
            let label = label(*step, day);
            if labels.last() != Some(&label) {
                labels.push(label);
            }
        }
        let heard: Vec<_> = days.map(|day| label(*step, day)).collect();
        let has_enough =
            |label: &(i32, u32)| heard.iter().filter(|other| *other == label).count() >= *per_step;
        (0..labels.len())
            .filter(|place| has_enough(&labels[*place]))
            .collect()
    }

    /// Whether a completion stays in its window of the calendar whatever else happens, so that it is known which windows
    /// have an award.
    pub fn stays_in(&self, cap: Cap) -> bool {
        let Cap::OncePer(limit) = cap else {
            return true;
        };
        let within = |window: Window| match window {
            "DAY" => true,
            "WEEK" => matches!(limit, "WEEK" | "PROGRAM" | "EVER"),
            "MONTH" => !matches!(limit, "DAY" | "WEEK"),
            "QUARTER" => !matches!(limit, "DAY" | "WEEK" | "MONTH"),
            "YEAR" => matches!(limit, "YEAR" | "PROGRAM" | "EVER"),
            _ => matches!(limit, "PROGRAM" | "EVER"),
        };
        match self {
            Demand::Immediate => true,
            Demand::Count { window, .. } | Demand::Total { window, .. } => within(window),
            Demand::Streak { .. } | Demand::Sequence { .. } => matches!(limit, "PROGRAM" | "EVER"),
        }
    }
}

impl Cap {
    /// The key under which there are this many awards for so many completions; none where windows decide.
    pub fn counted(self, worth: usize) -> Option<(&'static str, usize)> {
        match self {
            Cap::Once => Some(("once", worth.min(1))),
            Cap::AtMost(most) => Some(("ever", worth.min(most))),
            Cap::Unlimited => Some(("ever", worth)),
            Cap::OncePer("PROGRAM") => Some(("program", worth.min(1))),
            Cap::OncePer("EVER") => Some(("ever", worth.min(1))),
            Cap::OncePer(_) => None,
        }
    }
}

/// The places of the awards for completions on these days, each in its window.
pub fn in_windows(window: Window, days: &[NaiveDate]) -> BTreeSet<(String, u32)> {
    days.iter().map(|day| (key(window, *day), 1)).collect()
}

/// The most stretches without a step in common, each with `length` of the steps and at most `freezes` others among them.
fn most_rows(steps: &[usize], length: usize, freezes: usize) -> usize {
    let mut best = vec![0; steps.len() + 1];
    for first in (0..steps.len()).rev() {
        best[first] = best[first + 1];
        let last = first + length - 1;
        if last < steps.len() && steps[last] - steps[first] < length + freezes {
            best[first] = best[first].max(1 + best[last + 1]);
        }
    }
    best[0]
}

/// The most chains without a fact in common, found by trying everything.
fn most_chains(facts: &[Fact], kinds: &[u8], within: i64) -> usize {
    let mut facts = facts.to_vec();
    facts.sort_by_key(|fact| fact.at);
    assert!(facts.len() < 20, "too much to try everything");
    let all = (1_u32 << facts.len()) - 1;
    best_of(all, &facts, kinds, within, &mut BTreeMap::new())
}

fn best_of(left: u32, facts: &[Fact], kinds: &[u8], within: i64, known: &mut BTreeMap<u32, usize>) -> usize {
    if (left.count_ones() as usize) < kinds.len() {
        return 0;
    }
    if let Some(best) = known.get(&left) {
        return *best;
    }
    // The earliest one is of no use, or a chain begins with it.
    let first = left.trailing_zeros() as usize;
    let rest = left & !(1 << first);
    let mut best = best_of(rest, facts, kinds, within, known);
    if facts[first].kind == kinds[0] {
        let mut chains = vec![(1_u32 << first, first)];
        for kind in &kinds[1..] {
            let mut longer = Vec::new();
            for (chain, last) in chains {
                for next in last + 1..facts.len() {
                    let took = facts[next].at - facts[first].at;
                    if rest & (1 << next) != 0
                        && facts[next].kind == *kind
                        && facts[next].at > facts[last].at
                        && took.num_seconds() <= within
                    {
                        longer.push((chain | 1 << next, next));
                    }
                }
            }
            chains = longer;
        }
        for (chain, _) in chains {
            best = best.max(1 + best_of(left & !chain, facts, kinds, within, known));
        }
    }
    known.insert(left, best);
    best
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
fn key(window: Window, day: NaiveDate) -> String {
    match window {
        "DAY" => day.format("%Y-%m-%d").to_string(),
        "WEEK" => day.format("%G-W%V").to_string(),
        "MONTH" => day.format("%Y-%m").to_string(),
        "QUARTER" => format!("{}-Q{}", day.year(), day.month().div_ceil(3)),
        "YEAR" => day.format("%Y").to_string(),
        other => other.to_lowercase(),
    }
}
