//! Everything that can be wrong with outcomes, when they are written. Pure: values in, faults out.

use std::collections::HashSet;

use rust_decimal::Decimal;
use serde_json::Value;

use super::{Outcome, PointsOutcome, RetractionPolicy};
use crate::rules::definition::{
    Definition, DefinitionFault, LimitDefinition, StructureDefinition, misfit_as_amount, misfit_as_name,
};
use crate::rules::points::FACTOR_MAX;

/// The most outcomes of an incentive.
const OUTCOMES_MAX: usize = 10;
/// The most points at once, before they are multiplied.
const AMOUNT_MAX: i64 = 1_000_000_000;
/// The most points for one unit.
const PER_UNIT_MAX: i64 = 1_000_000;
/// The most digits of a factor behind its point.
const SCALE_MAX: u32 = 6;
/// The longest time that points are pending, in seconds: ten years.
const PENDING_MAX: i64 = 3_653 * 86_400;
/// The most of one reward that is given at once.
const QUANTITY_MAX: u32 = 100;

const NOT_BY_EVENT: &str =
    "points per unit need an incentive that is immediate and unlimited: only there an award is one event";

const RELEASED_BY_EVENT: &str = "points can wait for an event only where the incentive is immediate and unlimited: only there an award is one event";

/// What is wrong with the outcomes of a definition, each fault with the path of the input field to mend. Texts, and whether rewards
/// are there, are left to the caller.
///
/// `schemas` answers with the JSON Schema of an event type's properties, `null` where it has none; no answer means that there is no
/// such event type.
pub fn check(
    outcomes: &[Outcome],
    definition: &Definition,
    schemas: &dyn Fn(&str) -> Option<Value>,
) -> Vec<DefinitionFault> {
    let mut faults = Faults::default();
    if outcomes.is_empty() {
        faults.add(&["outcomes"], "an incentive has an outcome");
    }
    if outcomes.len() > OUTCOMES_MAX {
        faults.add(
            &["outcomes"],
            format!("an incentive has at most {OUTCOMES_MAX} outcomes"),
        );
        return faults.0;
    }
    let of_kind = |kind: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| kind(outcome)).count();
    if of_kind(|outcome| matches!(outcome, Outcome::Achievement(_))) > 1 {
        faults.add(&["outcomes"], "an incentive has at most one achievement");
    }
    let per_unit = of_kind(|outcome| matches!(outcome, Outcome::Points(points) if points.per_unit.is_some()));
    if per_unit > 1 {
        faults.add(&["outcomes"], "an incentive gives points per unit at most once");
    }
    let mut categories = HashSet::new();
    let mut rewards = HashSet::new();
    let mut campaigns = HashSet::new();
    for (place, outcome) in outcomes.iter().enumerate() {
        let place = place.to_string();
        match outcome {
            Outcome::Achievement(_) => {}
            Outcome::Points(points) => {
                if !categories.insert(points.category.as_str()) {
                    let message = "an incentive gives points of one category at most once";
                    faults.add(&["outcomes", &place, "points", "category"], message);
                }
                faults.of_points(&place, points, definition, schemas);
            }
            Outcome::Reward(reward) => {
                if !rewards.insert(reward.reward.as_str()) {
                    let message = "an incentive gives a reward at most once; its quantity says how many";
                    faults.add(&["outcomes", &place, "reward", "reward"], message);
                }
                if !(1..=QUANTITY_MAX).contains(&reward.quantity) {
                    let message = format!("must be between 1 and {QUANTITY_MAX}");
                    faults.add(&["outcomes", &place, "reward", "quantity"], message);
                }
            }
            Outcome::Message(message) => {
                if !campaigns.insert(message.campaign.as_str()) {
                    let text = "an incentive sends messages of a campaign at most once for each award";
                    faults.add(&["outcomes", &place, "message", "campaign"], text);
                }
            }
        }
    }
    faults.of_policies(outcomes);
    faults.of_names(outcomes);
    faults.0
}

#[derive(Default)]
struct Faults(Vec<DefinitionFault>);

impl Faults {
    fn add(&mut self, path: &[&str], message: impl Into<String>) {
        self.0.push(DefinitionFault::at(path, message));
    }

    /// Outcomes are kept all together or not at all: an award that is kept keeps all that follows from it.
    fn of_policies(&mut self, outcomes: &[Outcome]) {
        let mut first = None;
        for (place, outcome) in outcomes.iter().enumerate() {
            let (kind, said) = match outcome {
                Outcome::Achievement(outcome) => ("achievement", outcome.on_retraction),
                Outcome::Points(outcome) => ("points", outcome.on_retraction),
                Outcome::Reward(outcome) => ("reward", outcome.on_retraction),
                Outcome::Message(_) => continue,
            };
            let Some(said) = said else { continue };
            let is_kept = said == RetractionPolicy::Keep;
            if *first.get_or_insert(is_kept) != is_kept {
                let message = "either all outcomes of an incentive are kept or none is";
                self.add(&["outcomes", &place.to_string(), kind, "onRetraction"], message);
            }
        }
    }

    /// An event names one order, however many outcomes ask for it.
    fn of_names(&mut self, outcomes: &[Outcome]) {
        let mut first = None;
        for (place, outcome) in outcomes.iter().enumerate() {
            let Outcome::Points(points) = outcome else {
                continue;
            };
            let refund = points.refund.as_ref().map(|refund| ("refund", &refund.match_on));
            let release = points.pending_until.as_ref();
            let release = release.map(|release| ("pendingUntil", &release.match_on));
            for (field, name) in refund.into_iter().chain(release) {
                if *first.get_or_insert(name) != name {
                    let message = "an incentive names the order by one property";
                    self.add(
                        &["outcomes", &place.to_string(), "points", field, "match"],
                        message,
                    );
                }
            }
        }
    }

    fn of_points(
        &mut self,
        place: &str,
        points: &PointsOutcome,
        definition: &Definition,
        schemas: &dyn Fn(&str) -> Option<Value>,
    ) {
        let at = |names: &[&'static str]| -> Vec<String> {
            let names = names.iter().map(|name| (*name).to_owned());
            ["outcomes", place, "points"]
                .map(str::to_owned)
                .into_iter()
                .chain(names)
                .collect()
        };
        let mut add = |names: &[&'static str], message: String| {
            self.0.push(DefinitionFault {
                path: at(names),
                message,
            });
        };
        if !is_category(&points.category) {
            let message = "1 to 63 of A-Z, a-z, 0-9, `.`, `_` and `-`, and starts with a letter or digit";
            add(&["category"], message.to_owned());
        }
        match (points.amount, &points.per_unit) {
            (Some(amount), None) if !(1..=AMOUNT_MAX).contains(&amount) => {
                add(&["amount"], format!("must be between 1 and {AMOUNT_MAX}"));
            }
            (Some(_), None) | (None, Some(_)) => {}
            (Some(_), Some(_)) | (None, None) => {
                add(&[], "needs either `amount` or `perUnit`".to_owned());
            }
        }
        if points
            .multiplier
            .is_some_and(|multiplier| !is_within(multiplier, FACTOR_MAX))
        {
            let message = format!("more than 0, at most {FACTOR_MAX}, with at most {SCALE_MAX} decimals");
            add(&["multiplier"], message);
        }
        if points.expires_after.is_some_and(|after| after.is_empty()) {
            add(&["expiresAfter"], "must be longer than nothing".to_owned());
        }
        if points
            .pending_for
            .is_some_and(|seconds| !(1..=PENDING_MAX).contains(&seconds))
        {
            add(&["pendingFor"], "between a second and ten years".to_owned());
        }
        if points.cap.is_some_and(|cap| cap.amount < 1) {
            add(&["cap", "amount"], "must be at least 1".to_owned());
        }
        let event_type = definition
            .trigger
            .as_ref()
            .map(|trigger| trigger.event_type.as_str());
        let is_per_event = matches!(definition.structure, StructureDefinition::Immediate)
            && definition.limit == LimitDefinition::Unlimited;
        if let Some(per_unit) = &points.per_unit {
            if !is_per_event {
                add(&["perUnit"], NOT_BY_EVENT.to_owned());
            }
            if !is_within(per_unit.points, PER_UNIT_MAX) {
                let message =
                    format!("more than 0, at most {PER_UNIT_MAX}, with at most {SCALE_MAX} decimals");
                add(&["perUnit", "points"], message);
            }
            if let Some(message) = event_type
                .and_then(schemas)
                .and_then(|schema| misfit_as_amount(&schema, &per_unit.property))
            {
                add(&["perUnit", "property"], message);
            }
        }
        if let Some(release) = &points.pending_until {
            if !is_per_event {
                add(&["pendingUntil"], RELEASED_BY_EVENT.to_owned());
            }
            if let Some(message) = event_type
                .and_then(schemas)
                .and_then(|schema| misfit_as_name(&schema, &release.match_on))
            {
                add(&["pendingUntil", "match"], message);
            }
            match schemas(&release.event_type) {
                None => add(
                    &["pendingUntil", "eventType"],
                    "there is no such event type".to_owned(),
                ),
                Some(schema) => {
                    if let Some(message) = misfit_as_name(&schema, &release.match_on) {
                        let message = format!("in the event that releases: {message}");
                        add(&["pendingUntil", "match"], message);
                    }
                }
            }
        }
        let Some(refund) = &points.refund else { return };
        let Some(per_unit) = &points.per_unit else {
            add(&["refund"], "only points per unit can be refunded".to_owned());
            return;
        };
        if let Some(message) = event_type
            .and_then(schemas)
            .and_then(|schema| misfit_as_name(&schema, &refund.match_on))
        {
            add(&["refund", "match"], message);
        }
        let Some(schema) = schemas(&refund.event_type) else {
            add(&["refund", "eventType"], "there is no such event type".to_owned());
            return;
        };
        let found = misfit_as_name(&schema, &refund.match_on);
        if let Some(message) = found {
            add(&["refund", "match"], format!("in the refund: {message}"));
        }
        if let Some(message) = misfit_as_amount(&schema, &per_unit.property) {
            let message = format!(
                "`{}` says what is left of the order: {message}",
                per_unit.property
            );
            add(&["refund", "eventType"], message);
        }
    }
}

/// Whether a text can name a kind of points.
pub fn is_category(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric();
    text.len() <= 63
        && text.bytes().next().is_some_and(is_plain)
        && text.bytes().all(|byte| is_plain(byte) || b"._-".contains(&byte))
}

fn is_within(value: Decimal, most: i64) -> bool {
    let value = value.normalize();
    value > Decimal::ZERO && value <= Decimal::from(most) && value.scale() <= SCALE_MAX
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(definition: &Value, outcomes: &Value) -> Vec<String> {
        let definition = Definition::parse(definition).expect("a definition");
        let outcomes = super::super::parse(outcomes).expect("outcomes");
        let schemas = |key: &str| match key {
            "order.completed" | "order.refunded" => Some(json!({"type": "object", "properties": {
                "order": {"type": "string"}, "total": {"type": "integer"}, "gift": {"type": "boolean"},
            }})),
            "meditation.completed" => {
                Some(json!({"type": "object", "properties": {"minutes": {"type": "integer"}}}))
            }
            _ => None,
        };
        check(&outcomes, &definition, &schemas)
            .into_iter()
            .map(|fault| fault.path.join("."))
            .collect()
    }

    fn each_order() -> Value {
        json!({"trigger": {"eventType": "order.completed"}, "structure": "immediate", "limit": "unlimited"})
    }

    fn points(fields: Value) -> Value {
        let mut outcome = json!({"category": "points"});
        for (name, value) in fields.as_object().expect("fields") {
            outcome[name] = value.clone();
        }
        json!([{"points": outcome}])
    }

    fn per_unit() -> Value {
        json!({"property": "total", "points": "0.01"})
    }

    #[test]
    fn sound_outcomes_are_taken() {
        let refund = json!({"eventType": "order.refunded", "match": "order", "shortfall": "NET"});
        for outcomes in [
            points(json!({"amount": 1})),
            points(
                json!({"perUnit": per_unit(), "refund": refund, "multiplier": "1.5", "expiresAfter": "P1Y",
                "pendingFor": 60, "cap": {"amount": 1, "window": "MONTH"}, "onRetraction": "KEEP"}),
            ),
            points(
                json!({"amount": 1, "pendingFor": 60, "pendingUntil": {"eventType": "order.refunded", "match": "order"}}),
            ),
            json!([{"points": {"category": "A", "amount": 1}}, {"points": {"category": "a", "perUnit": per_unit()}}]),
            json!([{"reward": {"reward": "mug"}}]),
        ] {
            assert!(faults(&each_order(), &outcomes).is_empty(), "{outcomes}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_where_it_stands() {
        let refund = |event_type: &str, match_on: &str| {
            points(json!({"perUnit": per_unit(), "refund": {"eventType": event_type, "match": match_on}}))
        };
        for (outcomes, path) in [
            (json!([]), "outcomes"),
            (points(json!({})), "outcomes.0.points"),
            (
                points(json!({"amount": 1, "perUnit": per_unit()})),
                "outcomes.0.points",
            ),
            (points(json!({"amount": 0})), "outcomes.0.points.amount"),
            (
                points(json!({"amount": 1_000_000_001})),
                "outcomes.0.points.amount",
            ),
            (
                points(json!({"amount": 1, "category": ""})),
                "outcomes.0.points.category",
            ),
            (
                points(json!({"amount": 1, "category": "ä"})),
                "outcomes.0.points.category",
            ),
            (
                points(json!({"amount": 1, "multiplier": "0"})),
                "outcomes.0.points.multiplier",
            ),
            (
                points(json!({"amount": 1, "multiplier": "100.1"})),
                "outcomes.0.points.multiplier",
            ),
            (
                points(json!({"amount": 1, "multiplier": "0.0000001"})),
                "outcomes.0.points.multiplier",
            ),
            (
                points(json!({"amount": 1, "expiresAfter": "P0D"})),
                "outcomes.0.points.expiresAfter",
            ),
            (
                points(json!({"amount": 1, "pendingFor": 0})),
                "outcomes.0.points.pendingFor",
            ),
            (
                points(json!({"amount": 1, "cap": {"amount": 0, "window": "DAY"}})),
                "outcomes.0.points.cap.amount",
            ),
            (
                points(json!({"amount": 1, "refund": {"eventType": "order.refunded", "match": "order"}})),
                "outcomes.0.points.refund",
            ),
            (
                points(json!({"perUnit": {"property": "total", "points": "0"}})),
                "outcomes.0.points.perUnit.points",
            ),
            (
                points(json!({"perUnit": {"property": "gift", "points": "1"}})),
                "outcomes.0.points.perUnit.property",
            ),
            (
                points(json!({"perUnit": {"property": "totla", "points": "1"}})),
                "outcomes.0.points.perUnit.property",
            ),
            (
                points(json!({"perUnit": {"property": "total..x", "points": "1"}})),
                "outcomes.0.points.perUnit.property",
            ),
            (
                refund("order.returned", "order"),
                "outcomes.0.points.refund.eventType",
            ),
            (
                refund("meditation.completed", "order"),
                "outcomes.0.points.refund.match outcomes.0.points.refund.eventType",
            ),
            (
                refund("order.refunded", "gift"),
                "outcomes.0.points.refund.match outcomes.0.points.refund.match",
            ),
            (
                json!([{"reward": {"reward": "mug", "quantity": 0}}]),
                "outcomes.0.reward.quantity",
            ),
            (
                json!([{"reward": {"reward": "mug"}}, {"reward": {"reward": "mug"}}]),
                "outcomes.1.reward.reward",
            ),
            (
                json!([{"points": {"category": "a", "amount": 1}}, {"points": {"category": "a", "amount": 2}}]),
                "outcomes.1.points.category",
            ),
            (
                json!([{"points": {"category": "a", "perUnit": per_unit()}}, {"points": {"category": "b", "perUnit": per_unit()}}]),
                "outcomes",
            ),
            (
                json!([{"achievement": {"title": "A"}}, {"achievement": {"title": "B"}}]),
                "outcomes",
            ),
            (
                json!([{"achievement": {"title": "A", "onRetraction": "KEEP"}}, {"points": {"category": "a", "amount": 1}},
                    {"reward": {"reward": "mug", "onRetraction": "REVOKE"}}]),
                "outcomes.2.reward.onRetraction",
            ),
        ] {
            assert_eq!(faults(&each_order(), &outcomes).join(" "), path, "{outcomes}");
        }
        let eleven: Vec<Value> = (0..11)
            .map(|place| json!({"points": {"category": place.to_string(), "amount": 1}}))
            .collect();
        assert_eq!(faults(&each_order(), &json!(eleven)), ["outcomes"]);
    }

    #[test]
    fn points_per_unit_need_an_award_for_each_event() {
        for definition in [
            json!({"trigger": {"eventType": "order.completed"}, "structure": "immediate"}),
            json!({"trigger": {"eventType": "order.completed"}, "structure": {"count": {"times": 2}}, "limit": "unlimited"}),
        ] {
            assert_eq!(
                faults(&definition, &points(json!({"perUnit": per_unit()}))),
                ["outcomes.0.points.perUnit"]
            );
            assert!(faults(&definition, &points(json!({"amount": 5}))).is_empty());
        }
    }

    #[test]
    fn an_outcome_that_says_nothing_follows_those_that_do() {
        let policy = |stored: Value, is_sensitive: bool| {
            let outcomes = super::super::Outcomes::new(super::super::parse(&stored).expect("outcomes"));
            outcomes.policy(None, is_sensitive)
        };
        let with = |said: &str| json!([{"points": {"category": "a", "amount": 1}}, {"reward": {"reward": "mug", "onRetraction": said}}]);
        assert_eq!(policy(with("KEEP"), false), RetractionPolicy::Keep);
        assert_eq!(policy(with("REVOKE_IF_UNUSED"), true), RetractionPolicy::Revoke);
        let silent = points(json!({"amount": 1}));
        assert_eq!(policy(silent.clone(), false), RetractionPolicy::Revoke);
        assert_eq!(policy(silent, true), RetractionPolicy::Keep);
    }
}
