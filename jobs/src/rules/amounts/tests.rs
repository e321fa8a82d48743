use serde_json::json;

use super::*;

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

fn amounts(step: &str, window: Window) -> Amounts {
    Amounts {
        step: decimal(step),
        window,
    }
}

fn of(day: &str, amount: &str) -> Evidence {
    let day = date(day);
    Evidence {
        day,
        occurred_at: day.and_time(chrono::NaiveTime::MIN).and_utc(),
        amount: decimal(amount),
        steps: 1,
        stops: false,
    }
}

fn sums(evidence: &[Evidence]) -> Sums {
    let mut sums = Sums::default();
    for item in evidence {
        sums.days.add(item.day, item.amount).expect("it counts");
    }
    sums
}

fn days(completions: &Completions) -> Vec<String> {
    let days = completions.days().iter();
    days.map(|(day, times)| format!("{day} {times}")).collect()
}

#[test]
fn every_step_that_the_sum_passes_completes_it() {
    let amounts = amounts("10", Window::Ever);
    let evidence = [
        of("2026-11-19", "9.99"),
        of("2026-11-20", "0.01"),
        of("2026-11-21", "25"),
    ];
    let sums = sums(&evidence);
    assert_eq!(
        days(&amounts.completions(&sums)),
        ["2026-11-20 1", "2026-11-21 2"]
    );
    assert_eq!(amounts.standing(&sums, date("2026-11-21")).current, decimal("5"));
}

#[test]
fn ten_dimes_are_a_whole_one() {
    let amounts = amounts("1", Window::Ever);
    let sums = sums(&vec![of("2026-11-21", "0.1"); 10]);
    assert_eq!(days(&amounts.completions(&sums)), ["2026-11-21 1"]);
    assert_eq!(amounts.standing(&sums, date("2026-11-21")).current, Decimal::ZERO);
}

#[test]
fn a_new_window_begins_with_nothing() {
    for (window, completed) in [
        (Window::Day, vec![]),
        (Window::Week, vec!["2027-01-01 1"]),
        (Window::Month, vec!["2026-12-31 1"]),
        (Window::Quarter, vec!["2026-12-31 1"]),
        (Window::Year, vec!["2026-12-31 1"]),
        (Window::Program, vec!["2026-12-31 1", "2027-01-04 1"]),
        (Window::Ever, vec!["2026-12-31 1", "2027-01-04 1"]),
    ] {
        // The week of the 28th has the 28th, the 31st and the 1st.
        let amounts = amounts(if window == Window::Week { "3" } else { "2" }, window);
        let days_of = ["2026-12-28", "2026-12-31", "2027-01-01", "2027-01-04"];
        let sums = sums(&days_of.map(|day| of(day, "1")));
        let expected = if window == Window::Month || window == Window::Quarter || window == Window::Year {
            vec!["2026-12-31 1", "2027-01-04 1"]
        } else {
            completed
        };
        assert_eq!(days(&amounts.completions(&sums)), expected, "{window:?}");
    }
}

#[test]
fn a_member_sees_how_long_what_is_there_will_last() {
    let weekly = amounts("3", Window::Week);
    let sums = sums(&[of("2026-11-17", "1")]);
    let standing = weekly.standing(&sums, date("2026-11-21"));
    assert_eq!(
        (standing.current, standing.required),
        (Decimal::ONE, decimal("3"))
    );
    assert_eq!(standing.deadline, Some(Deadline::EndOf(date("2026-11-22"))));
    let standing = weekly.standing(&sums, date("2026-11-23"));
    assert_eq!((standing.current, standing.deadline), (Decimal::ZERO, None));
    assert_eq!(standing.last_counted_on, Some(date("2026-11-17")));
}

#[test]
fn what_is_settled_goes_on_counting() {
    let amounts = amounts("10", Window::Ever);
    let mut sums = sums(&[
        of("2026-11-10", "7"),
        of("2026-11-11", "7"),
        of("2026-11-20", "5"),
    ]);
    let consumed = amounts.consume_before(&mut sums, date("2026-11-15"));
    assert_eq!(days(&consumed), ["2026-11-11 1"]);
    assert_eq!(days(&amounts.completions(&sums)), Vec::<String>::new());
    sums.days
        .add(date("2026-11-16"), decimal("1"))
        .expect("it counts");
    assert_eq!(days(&amounts.completions(&sums)), ["2026-11-20 1"]);
    assert!(!amounts.forget_before(&mut sums, date("2026-11-15")));
}

#[test]
fn what_is_left_over_of_a_window_that_is_over_is_forgotten() {
    let amounts = amounts("10", Window::Week);
    let mut sums = sums(&[of("2026-11-10", "7"), of("2026-11-17", "7")]);
    assert_eq!(amounts.consume_before(&mut sums, date("2026-11-18")).total(), 0);
    assert!(amounts.forget_before(&mut sums, date("2026-11-18")));
    assert_eq!(sums.rests.len(), 1);
    assert_eq!(sums.last, Some(date("2026-11-17")));
}

#[test]
fn after_an_edit_what_was_on_the_way_is_there_and_can_be_taken_back() {
    let ten = amounts("10", Window::Ever);
    let evidence = [
        of("2026-11-10", "7"),
        of("2026-11-11", "7"),
        of("2026-11-20", "3"),
    ];
    let mut sums = sums(&evidence);
    assert_eq!(days(&ten.consume_all(&mut sums)), ["2026-11-11 1"]);
    let five = amounts("5", Window::Ever);
    assert!(five.is_sound(&sums));
    assert_eq!(days(&five.completions(&sums)), ["2026-11-20 1"]);
    assert!(sums.days.take(evidence[2].day, evidence[2].amount));
    assert_eq!(five.standing(&sums, date("2026-11-20")).current, decimal("4"));
    // What is used up is not.
    assert!(!sums.days.take(evidence[0].day, evidence[0].amount));
}

#[test]
fn a_rest_beyond_an_edited_step_is_used_with_the_next_event() {
    let mut sums = sums(&[of("2026-11-10", "7")]);
    amounts("10", Window::Ever).consume_before(&mut sums, date("2026-11-15"));
    let three = amounts("3", Window::Ever);
    assert!(three.is_sound(&sums));
    assert_eq!(three.standing(&sums, date("2026-11-20")).current, decimal("3"));
    sums.days
        .add(date("2026-11-20"), decimal("1"))
        .expect("it counts");
    assert_eq!(days(&three.completions(&sums)), ["2026-11-20 2"]);
}

#[test]
fn a_step_rests_on_what_came_after_the_one_before() {
    let amounts = amounts("10", Window::Ever);
    let evidence = [
        of("2026-11-18", "8"),
        of("2026-11-19", "5"),
        of("2026-11-20", "4"),
        of("2026-11-20", "3"),
        of("2026-11-20", "20"),
    ];
    let sums = sums(&evidence);
    for (day, nth, places, partly) in [
        ("2026-11-19", 1, vec![0, 1], None),
        // What the 19th had too much went on.
        ("2026-11-20", 1, vec![2, 3], Some((1, decimal("3")))),
        ("2026-11-20", 2, vec![4], None),
        ("2026-11-20", 3, vec![4], None),
    ] {
        let day = date(day);
        let grounds = amounts.grounds(&sums, &evidence, Completion { day, nth });
        assert_eq!(grounds.places, places, "{day} {nth}");
        assert_eq!(grounds.partly, Vec::from_iter(partly), "{day} {nth}");
    }
}

#[test]
fn what_is_only_remembered_as_a_sum_is_named_as_one() {
    let amounts = amounts("10", Window::Ever);
    let evidence = [of("2026-11-10", "6"), of("2026-11-20", "4")];
    let mut sums = sums(&evidence);
    amounts.consume_before(&mut sums, date("2026-11-15"));
    let completion = Completion {
        day: date("2026-11-20"),
        nth: 1,
    };
    let grounds = amounts.grounds(&sums, &evidence[1..], completion);
    assert_eq!(grounds.places, [0]);
    assert_eq!(grounds.remembered, [of("2026-11-10", "6")]);
}

#[test]
fn an_amount_is_read_as_it_was_written() {
    let read = |value: Value| {
        read(
            &json!({ "order": { "total": value } }),
            &["order".into(), "total".into()],
        )
    };
    for (value, amount) in [
        (json!(5), "5"),
        (json!(0.1), "0.1"),
        (json!("0.10"), "0.1"),
        (json!(1e3), "1000"),
        (json!("123456789012345.678901"), "123456789012345.678901"),
        (json!(0.000_001), "0.000001"),
    ] {
        assert_eq!(read(value.clone()), Ok(Some(decimal(amount))), "{value}");
    }
    for nothing in [
        json!(0),
        json!(-5),
        json!(-1e300),
        json!(null),
        json!("five"),
        json!(true),
        json!([5]),
        json!(""),
        json!("1.2.3"),
        json!("2026.11.21"),
        json!("."),
        json!(".."),
    ] {
        assert_eq!(read(nothing.clone()), Ok(None), "{nothing}");
    }
    for beyond in [
        json!(1e15),
        json!(1e300),
        json!("0.0000001"),
        json!("1000000000000000"),
        json!("99999999999999999999999999999999"),
        json!("0.00000000000000000000000000000001"),
        json!(1e-7),
        json!(u64::MAX),
    ] {
        assert_eq!(read(beyond.clone()), Err(Fault::AmountOutOfRange), "{beyond}");
    }
    assert_eq!(super::read(&json!({}), &["total".into()]), Ok(None));
}

#[test]
fn sums_beyond_all_reason_are_a_fault_and_no_panic() {
    let amounts = amounts("1", Window::Ever);
    let mut sums = sums(&[of("2026-11-21", "79228162514264337593543950335")]);
    let one_more = sums.days.add(date("2026-11-21"), decimal("1"));
    assert_eq!(one_more, Err(Fault::AmountOutOfRange));
    assert_eq!(amounts.completions(&sums).total(), 0);
}
