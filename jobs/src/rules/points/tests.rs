use chrono::NaiveDate;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn dec(text: &str) -> Decimal {
    Decimal::from_str_exact(text).expect("a decimal")
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).expect("an instant")
}

fn per_unit(points: &str, rounding: Rounding) -> Worth {
    Worth::PerUnit {
        points: dec(points),
        rounding,
    }
}

#[test]
fn points_are_rounded_once_at_the_end() {
    use Rounding::{Down, HalfUp, Up};
    for (points, units, factor, rounding, gross) in [
        ("1", "25.90", "1", Down, 25),
        ("1", "25.90", "1", Up, 26),
        ("1", "25.50", "1", HalfUp, 26),
        ("1", "25.49", "1", HalfUp, 25),
        // A point for each euro, of cents.
        ("0.01", "1999", "1", Down, 19),
        // 1.5 and a half each: not one and then one and a half.
        ("1.5", "1", "1.5", Down, 2),
        ("0.5", "3", "2", Down, 3),
        ("1", "0.4", "1", Down, 0),
        ("1", "0", "1", Up, 0),
        ("1000000", "999999999999999", "100", Down, GROSS_MAX),
    ] {
        assert_eq!(
            per_unit(points, rounding).gross(dec(units), dec(factor)),
            gross,
            "{points} × {units} × {factor} {rounding:?}"
        );
    }
    assert_eq!(Worth::Fixed(5).gross(dec("7"), dec("1.5")), 7);
}

#[test]
fn factors_are_multiplied_and_bounded() {
    assert_eq!(factor([]), Decimal::ONE);
    assert_eq!(factor([dec("2"), dec("1.5")]), dec("3"));
    assert_eq!(factor([dec("100"), dec("2")]), dec("100"));
    assert_eq!(factor([dec("100"); 40]), dec("100"));
}

#[test]
fn a_cap_that_rejects_is_not_passed() {
    let mut used = Used::default();
    assert!(!used.would_pass(100, 100));
    assert_eq!(used.change(100, 60), 60);
    assert!(used.would_pass(100, 41));
    assert!(!used.would_pass(100, 40));
}

#[test]
fn names_of_orders_are_equal_by_value() {
    let named = |value: Value| name(&json!({"order": {"id": value}}), "order.id");
    assert_eq!(named(json!("A-1")), named(json!("A-1")));
    assert_eq!(named(json!(5)), named(json!(5.0)));
    assert_ne!(named(json!(5)), named(json!("5")));
    assert_eq!(named(json!(true)), None);
    assert_eq!(name(&json!({}), "order.id"), None);
}

#[test]
fn a_refund_may_leave_nothing_and_says_nothing_below_it() {
    let read = |value: Value| left(&json!({"total": value}), "total");
    assert_eq!(read(json!(0)), Ok(Some(Decimal::ZERO)));
    assert_eq!(read(json!("12.5")), Ok(Some(dec("12.5"))));
    assert_eq!(read(json!(-1)), Ok(None));
    assert_eq!(read(json!(null)), Ok(None));
    assert!(read(json!(1e16)).is_err());
    assert_eq!(units(&json!({"total": 0}), "total"), Ok(None));
}

#[test]
fn a_boost_applies_on_its_days_to_what_it_is_for() {
    let days = (NaiveDate::MIN, NaiveDate::MAX);
    let day = |text: &str| text.parse::<NaiveDate>().expect("a date");
    let week = (day("2026-11-16"), day("2026-11-22"));
    let gold = json!([{"path": "member.attributes.plan", "op": "EQ", "value": "gold"}]);
    let long = json!([{"path": "properties.minutes", "op": "GTE", "value": 10}]);
    let read = |days, category: Option<&str>, ended, conditions: &Value| {
        Boost::read("2", category.map(str::to_owned), days, ended, conditions).expect("a boost")
    };
    let attributes = json!({"plan": "gold"});
    let properties = json!({"minutes": 12});
    let event = Occasion {
        category: "points",
        day: day("2026-11-22"),
        at: Some(at(100)),
        properties: Some(&properties),
        attributes: &attributes,
    };
    let award = Occasion {
        at: None,
        properties: None,
        ..event
    };
    let none = json!([]);
    let applies = |boost: &Boost, to: &Occasion<'_>| boost.applies(to).is_some();
    let week = read(week, None, None, &none);
    assert!(applies(&week, &event) && applies(&week, &award));
    assert!(!applies(
        &week,
        &Occasion {
            day: day("2026-11-23"),
            ..event
        }
    ));
    assert!(!applies(
        &week,
        &Occasion {
            day: day("2026-11-15"),
            ..event
        }
    ));
    assert!(!applies(&read(days, Some("other"), None, &none), &event));
    assert!(applies(&read(days, None, None, &gold), &award));
    assert!(!applies(
        &read(days, None, None, &gold),
        &Occasion {
            attributes: &none,
            ..event
        }
    ));
    assert!(applies(&read(days, None, None, &long), &event));
    assert!(!applies(&read(days, None, None, &long), &award));
    let ended = Some((at(100), day("2026-11-22")));
    let ended = read(days, None, ended, &none);
    assert!(!applies(&ended, &event) && applies(&ended, &award));
    assert!(applies(
        &ended,
        &Occasion {
            at: Some(at(99)),
            ..event
        }
    ));
    assert!(!applies(
        &ended,
        &Occasion {
            day: day("2026-11-23"),
            ..award
        }
    ));
    assert!(Boost::read("0", None, days, None, &none).is_err());
    assert!(Boost::read("2", None, days, None, &json!([{"path": "x", "op": "EQ"}])).is_err());
}

/// What is said of the orders of one member.
#[derive(Debug, Clone)]
enum Said {
    Ordered(usize, Stated),
    Refunded(usize, Stated),
    RefundTakenBack(usize, Stated),
    OrderTakenBack(usize),
}

const ORDERS: usize = 4;

/// The points of four orders and what their cap has let through, after all this was said in this order.
fn told(said: &[Said], worth: Worth, cap: i64) -> ([i64; ORDERS], Used) {
    let mut used = Used::default();
    let mut gross = [0; ORDERS];
    let mut orders: [Option<Stated>; ORDERS] = [None; ORDERS];
    let mut gone = [false; ORDERS];
    let mut refunds: [Vec<Stated>; ORDERS] = Default::default();
    let mut void: [Vec<Stated>; ORDERS] = Default::default();
    let mut given = 0;
    for one in said {
        let place = match one {
            Said::Ordered(place, stated) => {
                orders[*place] = Some(*stated);
                place
            }
            Said::Refunded(place, stated) => {
                refunds[*place].push(*stated);
                place
            }
            Said::RefundTakenBack(place, stated) => {
                void[*place].push(*stated);
                place
            }
            Said::OrderTakenBack(place) => {
                gone[*place] = true;
                place
            }
        };
        let left = refunds[*place]
            .iter()
            .filter(|refund| !void[*place].contains(refund));
        let left = Stated::latest(left.copied()).map(|refund| refund.amount);
        let order = orders[*place].filter(|_| !gone[*place]);
        let after = order.map_or(0, |order| worth.gross_of(order.amount, left, Decimal::ONE));
        given += used.change(cap, after - gross[*place]);
        gross[*place] = after;
    }
    assert_eq!(given, used.granted);
    assert_eq!(used.gross, gross.iter().sum::<i64>());
    (gross, used)
}

fn rounding() -> impl Strategy<Value = Rounding> {
    prop_oneof![Just(Rounding::Down), Just(Rounding::HalfUp), Just(Rounding::Up)]
}

fn cents(amount: i64) -> Decimal {
    Decimal::new(amount, 2)
}

fn said() -> impl Strategy<Value = Vec<Said>> {
    let refund = (0..ORDERS, 0..20_i64, 0..10_000_i64, any::<bool>());
    (
        prop::collection::vec((0..10_000_i64, any::<bool>()), ORDERS),
        prop::collection::vec(refund, 0..12),
    )
        .prop_map(|(orders, refunds)| {
            let mut said = Vec::new();
            for (place, (amount, is_gone)) in orders.into_iter().enumerate() {
                let stated = Stated {
                    at: at(0),
                    amount: cents(amount),
                };
                said.push(Said::Ordered(place, stated));
                if is_gone && place == 0 {
                    said.push(Said::OrderTakenBack(place));
                }
            }
            for (place, second, amount, is_void) in refunds {
                let stated = Stated {
                    at: at(second),
                    amount: cents(amount),
                };
                said.push(Said::Refunded(place, stated));
                if is_void {
                    said.push(Said::RefundTakenBack(place, stated));
                }
            }
            said
        })
}

proptest! {
    #[test]
    fn the_order_in_which_things_are_said_does_not_matter(
        (said, shuffled) in said().prop_flat_map(|said| (Just(said.clone()), Just(said).prop_shuffle())),
        rounding in rounding(),
        cap in 0..300_i64,
    ) {
        let worth = per_unit("1.37", rounding);
        let (gross, used) = told(&said, worth, cap);
        let (again, used_again) = told(&shuffled, worth, cap);
        prop_assert_eq!(gross, again);
        prop_assert_eq!(used, used_again);
        prop_assert_eq!(used.granted, used.gross.min(cap));
    }

    #[test]
    fn any_split_of_refunds_takes_back_one_full_refund(
        total in 1..100_000_i64,
        mut parts in prop::collection::vec(0..100_000_i64, 0..6),
        rounding in rounding(),
    ) {
        let worth = per_unit("0.73", rounding);
        parts.retain(|part| *part < total);
        parts.sort_unstable();
        let earned = worth.gross(cents(total), Decimal::ONE);
        let mut left = earned;
        let mut taken = 0;
        for part in parts.into_iter().rev().chain([0]) {
            let after = worth.gross_of(cents(total), Some(cents(part)), Decimal::ONE);
            prop_assert!(after <= left);
            taken += left - after;
            left = after;
        }
        prop_assert_eq!(taken, earned);
        prop_assert_eq!(left, 0);
    }

    #[test]
    fn no_more_is_given_than_a_cap_allows(changes in prop::collection::vec((1..500_i64, any::<bool>()), 0..20), cap in 1..600_i64) {
        let mut used = Used::default();
        let mut there: Vec<i64> = Vec::new();
        for (amount, adds) in changes {
            if adds || there.is_empty() {
                there.push(amount);
                prop_assert!(used.change(cap, amount) >= 0);
            } else {
                let gone = there.remove(usize::try_from(amount).unwrap_or(0) % there.len());
                prop_assert!(used.change(cap, -gone) <= 0);
            }
            prop_assert_eq!(used.gross, there.iter().sum::<i64>());
            prop_assert_eq!(used.granted, used.gross.min(cap));
        }
    }
}
