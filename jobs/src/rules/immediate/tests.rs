use serde_json::Value;

use super::*;

#[test]
fn each_event_completes_it_on_its_own_day() {
    let mut state = Immediate.start();
    let mut days = Vec::new();
    for day in ["2026-11-21", "2026-11-20", "2026-11-20"] {
        let day: NaiveDate = day.parse().expect("a date");
        let occurrence = Occurrence {
            event_type: "birth.reported",
            day,
            occurred_at: Default::default(),
            properties: &Value::Null,
        };
        days.extend(Immediate.take(&mut state, &occurrence));
    }
    assert_eq!(
        days.iter().map(NaiveDate::to_string).collect::<Vec<_>>(),
        ["2026-11-21", "2026-11-20", "2026-11-20"]
    );
    let standing = Immediate.standing(&state, NaiveDate::MAX);
    assert_eq!(standing.last_counted_on, "2026-11-21".parse().ok());
    assert_eq!(
        (standing.current, standing.required),
        (Decimal::ZERO, Decimal::ONE)
    );
    assert_eq!(standing.deadline_on, None);
}
