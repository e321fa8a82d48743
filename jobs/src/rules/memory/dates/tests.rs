use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn of(dates: &[&str]) -> BTreeSet<NaiveDate> {
    let dates = dates.iter();
    dates.map(|date| date.parse().expect("a date")).collect()
}

fn write(dates: &BTreeSet<NaiveDate>) -> Value {
    serialize(dates, serde_json::value::Serializer).expect("a list")
}

fn read(stored: Value) -> Option<BTreeSet<NaiveDate>> {
    deserialize(stored).ok()
}

#[test]
fn days_in_a_row_are_one_entry() {
    for (dates, list) in [
        (of(&[]), json!([])),
        (
            of(&["2026-11-16", "2026-11-23"]),
            json!(["2026-11-16", "2026-11-23"]),
        ),
        (
            of(&["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-03"]),
            json!(["2026-02-27*3", "2026-03-03"]),
        ),
    ] {
        assert_eq!(write(&dates), list);
        assert_eq!(read(list), Some(dates));
    }
}

#[test]
fn dates_that_were_written_one_by_one_are_still_read() {
    let dates = of(&["2026-11-20", "2026-11-21"]);
    assert_eq!(read(json!(["2026-11-20", "2026-11-21"])), Some(dates));
}

#[test]
fn what_was_never_written_is_refused() {
    for entry in [
        "",
        "*",
        "2026-11-31",
        "2026-11-21*",
        "2026-11-21*0",
        "2026-11-21*+2",
        "2026-11-21*2*2",
        "*2",
        "2026-11-21*100001",
        "2026-11-21*18446744073709551615",
        "2026-11-21*99999999999999999999",
        "+262142-12-31*2",
    ] {
        assert_eq!(read(json!([entry])), None, "{entry:?}");
    }
    assert_eq!(read(json!(["2026-11-21*60000", "2526-11-21*60000"])), None);
    assert_eq!(read(json!("2026-11-21")), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn what_is_written_is_read_back(numbers in prop::collection::btree_set(739_900..739_960, 0..50)) {
        let dates: BTreeSet<_> = numbers.into_iter().filter_map(NaiveDate::from_num_days_from_ce_opt).collect();
        prop_assert_eq!(read(write(&dates)), Some(dates));
    }
}
