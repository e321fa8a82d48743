use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::*;

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

fn of(days: &[(&str, &str)]) -> DaySums {
    let mut sums = DaySums::default();
    for (day, sum) in days {
        assert!(sums.push(date(day), decimal(sum)), "{day} is in order");
    }
    sums
}

/// Sums of so many consecutive days, of which `sum` says how much each has.
fn daily(number: usize, sum: impl Fn(usize) -> Decimal) -> DaySums {
    let mut sums = DaySums::default();
    for (place, day) in date("2026-01-01").iter_days().take(number).enumerate() {
        assert!(sums.push(day, sum(place)), "{day} is in order");
    }
    sums
}

fn read(stored: serde_json::Value) -> Option<DaySums> {
    serde_json::from_value(stored).ok()
}

#[test]
fn days_are_written_as_runs_from_the_first_on() {
    for (sums, text) in [
        (of(&[("2026-11-21", "1")]), "2026-11-21 1"),
        (of(&[("2026-11-20", "3"), ("2026-11-21", "3")]), "2026-11-20 3*2"),
        (
            of(&[("2026-12-31", "7.5"), ("2027-01-01", "0.000001")]),
            "2026-12-31 7.5 0.000001",
        ),
        // One day, and several, of which nothing is known.
        (
            of(&[("2026-11-19", "1"), ("2026-11-21", "1")]),
            "2026-11-19 1 0 1",
        ),
        (
            of(&[("2028-02-27", "1"), ("2028-03-01", "2")]),
            "2028-02-27 1 0*2 2",
        ),
        (
            of(&[("2026-11-21", "1000000000000000.000001")]),
            "2026-11-21 1000000000000000.000001",
        ),
    ] {
        assert_eq!(serde_json::to_value(&sums).ok(), Some(json!(text)));
        assert_eq!(read(json!(text)), Some(sums), "{text}");
    }
}

#[test]
fn what_was_written_day_by_day_is_still_read() {
    let stored = json!({ "2026-11-18": "1.5", "2026-11-20": "3", "2026-11-21": "3" });
    let sums = read(stored).expect("sums");
    assert_eq!(
        sums,
        of(&[("2026-11-18", "1.5"), ("2026-11-20", "3"), ("2026-11-21", "3")])
    );
    assert_eq!(
        serde_json::to_value(&sums).ok(),
        Some(json!("2026-11-18 1.5 0 3*2"))
    );
    assert_eq!(read(json!({})), Some(DaySums::default()));
}

#[test]
fn what_was_never_written_is_refused() {
    for text in [
        "",
        " ",
        "1",
        "2026-11-21",
        "2026-11-21 ",
        "2026-11-21 0",
        "2026-11-21  1",
        "2026-11-21 1 ",
        "2026-11-31 1",
        "2026-11-21 one",
        "2026-11-21 -1",
        "2026-11-21 +1",
        "2026-11-21 1_0",
        "2026-11-21 1e3",
        "2026-11-21 1.",
        "2026-11-21 .1",
        "2026-11-21 .",
        "2026-11-21 1.2.3",
        "2026-11-21 1*",
        "2026-11-21 *2",
        "2026-11-21 1*0",
        "2026-11-21 1*-1",
        "2026-11-21 1*+2",
        "2026-11-21 1*1.5",
        "2026-11-21 1*2*2",
        "2026-11-21 1*99999999999999999999",
        "2026-11-21 79228162514264337593543950336",
        "2026-11-21 1;2026-11-22 1",
        "+262142-12-31 1*2",
    ] {
        assert_eq!(read(json!(text)), None, "{text:?}");
    }
    for other in [json!(1), json!(null), json!([]), json!({ "2026-11-21": "one" })] {
        assert_eq!(read(other.clone()), None, "{other}");
    }
}

#[test]
fn a_short_text_does_not_stand_for_endless_days() {
    for bomb in [
        "1*10001",
        "1*4000000000",
        "1*999999999999999999",
        "1*10000 1",
        "1*6000 0*3 1*6000",
        "1 0*999999999999999999 1",
        "0*999999999999999999 0*999999999999999999 1",
    ] {
        assert_eq!(read(json!(format!("2026-11-21 {bomb}"))), None, "{bomb}");
    }
    let most = read(json!("2026-11-21 1*10000")).expect("sums");
    assert_eq!(most, read(json!("2026-11-21 1*9999 1")).expect("the same"));
}

#[test]
fn more_days_than_can_be_read_back_are_not_added() {
    let mut sums = daily(DAYS_MAX, |_| Decimal::ONE);
    let first = date("2026-01-01");
    assert_eq!(sums.add(first, Decimal::ONE), Ok(()));
    let one_more = sums.add(first - TimeDelta::days(1), Decimal::ONE);
    assert_eq!(one_more, Err(Fault::TooMuchToRemember));
    assert!(
        read(json!(sums.text())) == Some(sums),
        "all of them are read back"
    );
}

#[test]
fn the_ends_of_the_calendar_are_days_as_well() {
    let mut sums = DaySums::default();
    for day in [NaiveDate::MAX, NaiveDate::MIN] {
        sums.add(day, Decimal::ONE).expect("it counts");
    }
    assert_eq!(read(json!(sums.text())), Some(sums.clone()));
    assert_eq!(sums.through(NaiveDate::MAX).len(), 2);
    assert_eq!(sums.before(NaiveDate::MAX).len(), 1);
}

#[test]
fn days_that_are_alike_take_no_room() {
    // A day that differs is as long as its own sum.
    for (sums, most) in [
        (daily(40, |_| Decimal::ONE), "2026-01-01 1*40".len()),
        (daily(400, |_| decimal("12.5")), "2026-01-01 12.5*400".len()),
        (daily(40, |place| Decimal::from(place % 9 + 1)), 10 + 40 * 2),
        (
            daily(400, |place| {
                Decimal::new(1_001 + 2 * i64::try_from(place).expect("small"), 2)
            }),
            10 + 400 * 6,
        ),
    ] {
        assert_eq!(sums.text().len(), most);
    }
}

fn any_sum() -> impl Strategy<Value = Decimal> {
    prop_oneof![
        4 => (1..4_i64).prop_map(Decimal::from),
        2 => (1..i64::MAX, 0..=6_u32).prop_map(|(digits, scale)| Decimal::new(digits, scale)),
        1 => (1..i128::from(i64::MAX) * 1_000_000_000, 0..=6_u32)
            .prop_map(|(digits, scale)| Decimal::from_i128_with_scale(digits, scale)),
        1 => select(vec![Decimal::MAX, Decimal::new(1, 28), Decimal::new(1, 6)]),
    ]
    .prop_map(|sum| sum.normalize())
}

/// Runs of days: how many days are missing before each, how long it is, and what each of its days has.
fn any_days() -> impl Strategy<Value = DaySums> {
    let run = (0..4_i32, 1..5_usize, any_sum());
    (730_000..740_000, prop::collection::vec(run, 0..12)).prop_map(|(start, runs)| {
        let mut number = start;
        let mut sums = DaySums::default();
        for (missing, length, sum) in runs {
            number += missing;
            for _ in 0..length {
                let day = NaiveDate::from_num_days_from_ce_opt(number).expect("a date");
                assert!(sums.push(day, sum));
                number += 1;
            }
        }
        sums
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn what_is_written_is_read_back(sums in any_days()) {
        let text = sums.text();
        if !sums.is_empty() {
            let back = DaySums::parse(&text).expect("sums");
            // The same numbers, and as many places of each.
            prop_assert_eq!(back.text(), text);
            prop_assert_eq!(&back, &sums);
        }
        let day_by_day: serde_json::Map<_, _> = sums.all().iter().map(|(day, sum)| (day.to_string(), json!(sum))).collect();
        prop_assert_eq!(read(day_by_day.into()), Some(sums));
    }

    #[test]
    fn no_text_is_too_strange(words in prop::collection::vec(select(vec!["2026-11-21", "1", "0", "*", "4000000000", ".", " ", "-", ";", "é"]), 0..8)) {
        let text = words.concat();
        if let Some(sums) = DaySums::parse(&text) {
            prop_assert!(sums.all().len() <= DAYS_MAX);
            prop_assert!(sums.all().is_sorted_by(|one, next| one.0 < next.0));
            prop_assert_eq!(DaySums::parse(&sums.text()), Some(sums));
        }
    }

    #[test]
    fn what_is_added_and_taken_back_in_any_order_is_the_same(sums in any_days(), places in prop::collection::vec(any::<prop::sample::Index>(), 0..30)) {
        let mut backwards = DaySums::default();
        for (day, sum) in sums.all().iter().rev() {
            prop_assert_eq!(backwards.add(*day, *sum), Ok(()));
        }
        prop_assert_eq!(&backwards, &sums);
        for place in places.iter().filter(|_| !sums.is_empty()) {
            let (day, sum) = *place.get(sums.all());
            prop_assert!(backwards.take(day, sum));
            prop_assert!(!backwards.take(day, sum));
            prop_assert_eq!(backwards.add(day, sum), Ok(()));
        }
        prop_assert_eq!(backwards, sums);
    }
}
