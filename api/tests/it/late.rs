//! Events that come late, out of order and from elsewhere: what counts is the day on which something happened where it happened.

use serde_json::{Value, json};

use crate::harness::{Event, TestApp, World, event, incentive_input, streak_input};

on_both!(
    a_phone_that_was_offline_for_a_weekend_loses_nothing,
    runs_merge_however_late_the_day_between_them_comes,
    a_late_day_gives_the_freeze_back,
    what_was_reached_keeps_its_day_and_says_when_it_became_known,
    a_traveller_loses_no_day_to_the_west_and_gains_none_to_the_east,
    a_day_that_starts_at_four_takes_in_the_night,
    the_day_without_an_hour_is_a_day,
    what_is_too_late_is_refused_and_counted,
);

fn at(member: &str, instant: &str) -> Event {
    event(&format!("{member}-{instant}"), member, instant)
}

fn in_zone(instant: &str, zone: &str) -> Event {
    at("ada", instant).set("timeZone", json!(zone))
}

async fn streak(app: &TestApp, length: u32, limit: Value) -> World<'_> {
    let world = World::new(app).await;
    world.incentive(streak_input("steady", length, limit)).await;
    world.members(&["ada"]).await;
    world
}

async fn a_phone_that_was_offline_for_a_weekend_loses_nothing(app: &TestApp) {
    let world = streak(app, 5, json!({"once": true})).await;
    app.set_clock("2026-11-23T18:00:00Z");
    world
        .did(["2026-11-19T20:00:00Z", "2026-11-23T17:00:00Z"].map(|day| at("ada", day)))
        .await;
    assert_eq!(world.times("ada", "steady").await, 0);
    // Friday to Sunday, the newest first, as phones keep them.
    let weekend = [
        "2026-11-22T09:00:00Z",
        "2026-11-21T23:59:59Z",
        "2026-11-20T00:00:00Z",
    ];
    world.did(weekend.map(|day| at("ada", day))).await;
    assert_eq!(
        world.earned("ada", "steady").await,
        [(1, "2026-11-23".to_owned())]
    );
}

async fn runs_merge_however_late_the_day_between_them_comes(app: &TestApp) {
    let world = streak(app, 3, json!({"unlimited": true})).await;
    let days = |days: &[u32]| -> Vec<Event> {
        days.iter()
            .map(|day| at("ada", &format!("2026-11-{day}T10:00:00Z")))
            .collect()
    };
    world.did(days(&[15, 16, 18, 19, 20])).await;
    assert_eq!(
        world.earned("ada", "steady").await,
        [(1, "2026-11-20".to_owned())]
    );
    // A run of two and one of three make one of six: once more, and the first keeps its day.
    world.did(days(&[17])).await;
    assert_eq!(
        world.earned("ada", "steady").await,
        [(1, "2026-11-20".to_owned()), (2, "2026-11-17".to_owned())]
    );
}

async fn a_late_day_gives_the_freeze_back(app: &TestApp) {
    let world = World::new(app).await;
    let structure = json!({"streak": {"length": 5, "freezes": 1}});
    let limit = json!({"unlimited": true});
    world
        .incentive(incentive_input(
            "mostly",
            "meditation.completed",
            structure,
            limit,
        ))
        .await;
    world.members(&["ada"]).await;
    let days = |days: &[u32]| -> Vec<Event> {
        days.iter()
            .map(|day| at("ada", &format!("2026-11-{day}T10:00:00Z")))
            .collect()
    };
    // Two days are missing, and one is bridged.
    world.did(days(&[15, 16, 18, 20])).await;
    assert_eq!(world.times("ada", "mostly").await, 0);
    world.did(days(&[17])).await;
    // The one that came late needs no bridge, so the other has it.
    assert_eq!(
        world.earned("ada", "mostly").await,
        [(1, "2026-11-20".to_owned())]
    );
}

async fn what_was_reached_keeps_its_day_and_says_when_it_became_known(app: &TestApp) {
    let world = streak(app, 2, json!({"once": true})).await;
    world.did([at("ada", "2026-11-18T10:00:00Z")]).await;
    app.set_clock("2026-11-21T15:30:00Z");
    world.did([at("ada", "2026-11-19T10:00:00Z")]).await;
    let shown = async || {
        let query = "{ achievements(filter: {member: \"ada\"}) { nodes { earnedOn recordedAt } } }";
        world.by("member:any").data(query, json!({})).await["achievements"]["nodes"].clone()
    };
    let expected = json!([{"earnedOn": "2026-11-19", "recordedAt": "2026-11-21T15:30:00Z"}]);
    assert_eq!(shown().await, expected);
    // Known now, it would have been reached a day earlier.
    app.set_clock("2026-11-21T16:00:00Z");
    world.did([at("ada", "2026-11-17T10:00:00Z")]).await;
    assert_eq!(shown().await, expected);
}

async fn a_traveller_loses_no_day_to_the_west_and_gains_none_to_the_east(app: &TestApp) {
    let world = streak(app, 3, json!({"unlimited": true})).await;
    // Noon in Auckland on the 18th, evening in Honolulu on the 18th (23 hours later), then the 19th and the 20th there.
    world
        .did([
            in_zone("2026-11-17T23:00:00Z", "Pacific/Auckland"),
            in_zone("2026-11-19T05:00:00Z", "Pacific/Honolulu"),
            in_zone("2026-11-20T05:00:00Z", "Pacific/Honolulu"),
        ])
        .await;
    // Two events of one local date are one day, although there is more than a day between them.
    assert_eq!(world.times("ada", "steady").await, 0);
    world
        .did([in_zone("2026-11-21T05:00:00Z", "Pacific/Honolulu")])
        .await;
    assert_eq!(
        world.earned("ada", "steady").await,
        [(1, "2026-11-20".to_owned())]
    );
    // Back across the date line: late on the 14th in Honolulu, an hour later it is the 16th in Auckland. The 15th was never there.
    world.members(&["bob"]).await;
    let of_bob = |instant: &str, zone: &str| at("bob", instant).set("timeZone", json!(zone));
    world
        .did([
            of_bob("2026-11-15T09:30:00Z", "Pacific/Honolulu"),
            of_bob("2026-11-15T12:30:00Z", "Pacific/Auckland"),
            of_bob("2026-11-16T12:30:00Z", "Pacific/Auckland"),
        ])
        .await;
    assert_eq!(world.times("bob", "steady").await, 0);
}

async fn a_day_that_starts_at_four_takes_in_the_night(app: &TestApp) {
    let world = World::new(app).await;
    world
        .program(json!({"key": "night", "dayStartsAt": "04:00"}))
        .await;
    let mut input = streak_input("nights", 3, json!({"once": true}));
    input["program"] = json!("night");
    world.incentive(input).await;
    world
        .incentive(streak_input("days", 3, json!({"once": true})))
        .await;
    world.members(&["ada"]).await;
    // The night from the 19th to the 20th, and from the 20th to the 21st, each after midnight; four o'clock is the next day.
    world
        .did(
            [
                "2026-11-18T12:00:00Z",
                "2026-11-20T03:59:59Z",
                "2026-11-21T01:00:00Z",
            ]
            .map(|day| at("ada", day)),
        )
        .await;
    assert_eq!(
        world.earned("ada", "nights").await,
        [(1, "2026-11-20".to_owned())]
    );
    assert_eq!(world.times("ada", "days").await, 0);
    world.members(&["bob"]).await;
    world
        .did(
            [
                "2026-11-18T12:00:00Z",
                "2026-11-20T04:00:00Z",
                "2026-11-21T04:00:00Z",
            ]
            .map(|day| at("bob", day)),
        )
        .await;
    assert_eq!(world.times("bob", "nights").await, 0);
}

async fn the_day_without_an_hour_is_a_day(app: &TestApp) {
    app.set_clock("2027-03-30T12:00:00Z");
    let world = World::new(app).await;
    world
        .program(json!({"key": "night", "dayStartsAt": "02:30"}))
        .await;
    let mut input = streak_input("nights", 3, json!({"once": true}));
    input["program"] = json!("night");
    world.incentive(input).await;
    world.members(&["ada"]).await;
    // On the 28th in Berlin there is no half past two: at 3:10 by the clock the day has started, an hour and ten after midnight at
    // 1:10 it has not.
    let berlin = |instant: &str| in_zone(instant, "Europe/Berlin");
    world
        .did(["2027-03-28T00:10:00Z", "2027-03-28T01:10:00Z"].map(berlin))
        .await;
    assert_eq!(world.times("ada", "nights").await, 0);
    world.did([berlin("2027-03-28T23:00:00Z")]).await;
    assert_eq!(world.times("ada", "nights").await, 0);
    // 1:00 on the 29th was still the 28th; 2:30 is the 29th.
    world.did([berlin("2027-03-29T00:30:00Z")]).await;
    assert_eq!(
        world.earned("ada", "nights").await,
        [(1, "2027-03-29".to_owned())]
    );
}

async fn what_is_too_late_is_refused_and_counted(app: &TestApp) {
    let world = streak(app, 1, json!({"unlimited": true})).await;
    let sent =
        ["2026-11-14T11:59:59Z", "2026-11-14T12:00:00Z"].map(|instant| Value::from(at("ada", instant)));
    assert_eq!(world.backend().record(sent).await, ["TOO_LATE", "ACCEPTED"]);
    app.run_jobs().await;
    assert_eq!(world.times("ada", "steady").await, 1);
    let query = "{ employer { refusedEvents { code count } } }";
    let data = world.admin().data(query, json!({})).await;
    assert_eq!(
        data["employer"]["refusedEvents"],
        json!([{"code": "TOO_LATE", "count": 1}])
    );
}
