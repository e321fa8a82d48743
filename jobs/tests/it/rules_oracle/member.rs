//! A member of the rules: facts become evidence, and of everything else only the progress is kept.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate, NaiveTime, Utc};
use jobs::rules::{
    Award, Change, Edition, Evaluation, Evidence, Incentive, Occurrence, ProgressView, Terms, evaluate,
    explain, progress, reach,
};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::twin::{Cap, Demand, Fact, Step};

const KINDS: [&str; 3] = ["health_data.logged", "meditation.completed", "article.read"];

/// An incentive in the words of the rules.
pub fn incentive(demand: &Demand, cap: Cap) -> Incentive {
    let trigger = json!({ "eventType": KINDS[0] });
    let structure = match demand {
        Demand::Immediate => json!("immediate"),
        Demand::Streak {
            length,
            step,
            per_step,
            freezes,
        } => {
            let period = match step {
                Step::Day => "DAY",
                Step::Week => "WEEK",
                Step::Month => "MONTH",
            };
            json!({ "streak": { "length": length, "period": period, "perPeriod": per_step, "freezes": freezes } })
        }
        Demand::Count { times, window } => json!({ "count": { "times": times, "window": window } }),
        Demand::Total { at_least, window } => {
            let at_least = Decimal::new(*at_least, 2).to_string();
            json!({ "total": { "property": "order.total", "atLeast": at_least, "window": window } })
        }
        Demand::Sequence { kinds, within } => {
            let steps = kinds
                .iter()
                .map(|kind| json!({ "eventType": KINDS[usize::from(*kind)] }));
            json!({ "sequence": { "steps": steps.collect::<Vec<_>>(), "within": within } })
        }
    };
    let limit = match cap {
        Cap::Once => json!("once"),
        Cap::AtMost(times) => json!({ "atMost": times }),
        Cap::Unlimited => json!("unlimited"),
        Cap::OncePer(window) => json!({ "oncePer": window }),
    };
    let stored = match demand {
        Demand::Sequence { .. } => json!({ "structure": structure, "limit": limit }),
        _ => json!({ "trigger": trigger, "structure": structure, "limit": limit }),
    };
    Incentive::parse(&stored).unwrap_or_else(|faults| panic!("{stored}: {faults:?}"))
}

/// A version of an incentive: what it asks, and whether progress begins anew with it.
pub struct Version {
    pub demand: Demand,
    rule: Incentive,
    restarts: bool,
    from: Option<chrono::DateTime<Utc>>,
}

impl Version {
    pub fn first(demand: Demand, cap: Cap) -> Version {
        Version {
            rule: incentive(&demand, cap),
            demand,
            restarts: false,
            from: None,
        }
    }

    pub fn edit(demand: Demand, cap: Cap, restarts: bool, from: NaiveDate) -> Version {
        Version {
            restarts,
            from: Some(from.and_time(NaiveTime::MIN).and_utc()),
            ..Version::first(demand, cap)
        }
    }

    /// What a fact counts for; a sequence has no step for some of them.
    fn evidence(&self, fact: &Fact) -> Option<Evidence> {
        let kind = match self.demand {
            Demand::Sequence { .. } => fact.kind,
            _ => 0,
        };
        let properties: Value = json!({ "order": { "total": Decimal::new(fact.amount, 2).to_string() } });
        let occurrence = Occurrence {
            event_type: KINDS[usize::from(kind)],
            day: fact.day,
            occurred_at: fact.at,
            properties: &properties,
        };
        self.rule.evidence(&occurrence, &Value::Null).expect("no fault")
    }
}

/// What a member is judged by besides the facts.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    pub horizon: NaiveDate,
    pub revocable: bool,
    pub allowance: Option<u32>,
}

impl Policy {
    /// Nothing is forgotten, awards go with what they rest on, and there is budget for all of them.
    pub const PLAIN: Policy = Policy {
        horizon: NaiveDate::MIN,
        revocable: true,
        allowance: None,
    };
}

/// A member of whom only the progress is kept, and the awards that stand.
pub struct Member {
    pub versions: Vec<Version>,
    pub progress: Option<String>,
    pub standing: BTreeSet<(String, u32)>,
}

impl Member {
    pub fn of(demand: &Demand, cap: Cap) -> Member {
        Member {
            versions: vec![Version::first(demand.clone(), cap)],
            progress: None,
            standing: BTreeSet::new(),
        }
    }

    fn editions(&self) -> Vec<Edition<'_>> {
        let numbered = (1..).zip(&self.versions);
        numbered
            .map(|(number, version)| Edition {
                number,
                restarts: version.restarts,
                effective_from: version.from,
                rule: Some(&version.rule),
            })
            .collect()
    }

    /// Learns what is new and what does not hold any more, and checks what can be checked at any time.
    pub fn learn(
        &mut self,
        version: usize,
        added: &[&Fact],
        removed: &[&Fact],
        policy: Policy,
    ) -> Evaluation {
        let judge = &self.versions[version];
        let evidence = |facts: &[&Fact]| -> Vec<Evidence> {
            facts.iter().filter_map(|fact| judge.evidence(fact)).collect()
        };
        let change = Change {
            added: &evidence(added),
            removed: &evidence(removed),
            stopped_from: None,
        };
        let terms = Terms {
            horizon: policy.horizon,
            revocable: policy.revocable,
            allowance: policy.allowance,
        };
        let number = i32::try_from(version + 1).expect("a number");
        let evaluation = evaluate(&self.editions(), number, self.progress.as_deref(), &change, terms);
        let evaluation = evaluation.expect("no fault");
        assert_eq!(
            evaluation.changed,
            self.progress.as_ref() != Some(&evaluation.progress)
        );
        assert!(
            evaluation.too_late.is_empty(),
            "a horizon that keeps its word makes nothing late"
        );
        assert!(
            policy
                .allowance
                .is_none_or(|most| evaluation.awards.len() <= most as usize)
        );
        assert!(evaluation.revoked.is_empty() || policy.revocable && !removed.is_empty());
        for gone in &evaluation.revoked {
            let mut place = (gone.period_key.clone(), gone.ordinal);
            if !self.standing.contains(&place) {
                assert!(self.versions.len() > 1, "{place:?} did not stand");
                let keys = ["once", "ever", "program"].map(|key| (key.to_owned(), gone.ordinal));
                let stands = keys.into_iter().find(|key| self.standing.contains(key));
                place = stands.unwrap_or_else(|| panic!("{gone:?} did not stand"));
            }
            self.standing.remove(&place);
        }
        for award in &evaluation.awards {
            let place = (award.period_key.clone(), award.ordinal);
            assert!(self.standing.insert(place), "{award:?} is earned twice");
        }
        self.progress = Some(evaluation.progress.clone());
        evaluation
    }

    pub fn view(&self, today: NaiveDate) -> ProgressView {
        let latest = i32::try_from(self.versions.len()).expect("a number");
        progress(&self.editions(), latest, self.progress.as_deref(), today).expect("a view")
    }

    /// Whether a member with nothing but what explains an award completes the structure on the same day.
    pub fn is_explained(&self, award: &Award, facts: &[&Fact], cap: Cap) -> bool {
        let version = &self.versions[0];
        let mut known: Vec<Evidence> = facts.iter().filter_map(|fact| version.evidence(fact)).collect();
        known.sort_by_key(|evidence| (evidence.day, evidence.occurred_at));
        let grounds = explain(
            &self.editions(),
            1,
            self.progress.as_deref(),
            &known,
            award.completion,
        );
        let grounds = grounds.expect("grounds");
        // What is out of reach makes no difference, so nobody need read it.
        let reached = reach(&self.editions(), 1, self.progress.as_deref(), [award.completion]);
        let reached = reached.expect("a reach").expect("of one completion");
        let near: Vec<Evidence> = known
            .iter()
            .filter(|evidence| evidence.day >= reached)
            .cloned()
            .collect();
        let from_near = explain(
            &self.editions(),
            1,
            self.progress.as_deref(),
            &near,
            award.completion,
        );
        assert_eq!(
            from_near.expect("grounds").evidence(&near),
            grounds.evidence(&known),
            "{award:?} reaches back to {reached}"
        );
        let evidence = grounds.evidence(&known);
        let other = Version::first(version.demand.clone(), cap);
        let edition = Edition {
            number: 1,
            restarts: false,
            effective_from: None,
            rule: Some(&other.rule),
        };
        let change = Change {
            added: &evidence,
            ..Change::default()
        };
        let terms = Terms {
            horizon: NaiveDate::MIN,
            revocable: true,
            allowance: None,
        };
        let evaluation = evaluate(&[edition], 1, None, &change, terms).expect("no fault");
        evaluation
            .awards
            .iter()
            .any(|other| other.earned_on == award.earned_on)
    }
}

pub fn day_after(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_add_days(Days::new(days)).expect("a date")
}

pub fn day_before(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_sub_days(Days::new(days)).expect("a date")
}
