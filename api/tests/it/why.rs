//! Why something was earned: the events it rests on, and that exactly these earn it again; for whose eyes that is.

use serde_json::{Value, json};

use crate::harness::{Caller, Event, TestApp, World, event, incentive_input, streak_input};

on_both!(
    an_achievement_names_the_events_it_rests_on,
    evaluating_exactly_what_it_rests_on_earns_it_again,
    what_is_not_sensitive_is_explained_to_whoever_sees_it,
    what_is_sensitive_is_explained_by_dates_to_the_member_alone,
    of_a_long_streak_the_old_days_have_no_ids,
);

const WHY: &str = "id ordinal earnedOn incentive { key } why { incentiveVersion text events { id source localDate timeZone amount } }";

/// What a caller sees of ada's achievements.
async fn achievements(caller: &Caller<'_>) -> Vec<Value> {
    let query = format!("{{ achievements(first: 100) {{ nodes {{ {WHY} }} }} }}");
    let data = caller.data(&query, json!({})).await;
    data["achievements"]["nodes"].as_array().unwrap().clone()
}

async fn an_achievement_names_the_events_it_rests_on(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("three", 3, json!({"once": true})))
        .await;
    world
        .register(vec![json!({"externalId": "ada", "timeZone": "Asia/Tokyo"})])
        .await;
    let events = [
        event("e1", "ada", "2026-11-18T16:00:00Z"),
        event("e2", "ada", "2026-11-18T14:00:00Z").set("source", json!("watch")),
        event("e3", "ada", "2026-11-20T10:00:00Z").set("timeZone", json!("UTC")),
    ];
    world.did(events).await;
    let own = achievements(&world.member("ada").await).await;
    let why = &own[0]["why"];
    assert_eq!(why["incentiveVersion"], 1);
    let of = |id: &str, source: &str, day: &str, zone: &str| json!({"id": id, "source": source, "localDate": day, "timeZone": zone, "amount": "1"});
    let expected = json!([
        of("e2", "watch", "2026-11-18", "Asia/Tokyo"),
        of("e1", "default", "2026-11-19", "Asia/Tokyo"),
        of("e3", "default", "2026-11-20", "UTC"),
    ]);
    assert_eq!(why["events"], expected);
    let text = why["text"].as_str().unwrap();
    assert!(
        text.contains("2026-11-18") && text.contains("2026-11-20"),
        "{text}"
    );
}

/// Two weeks of meditations, some days twice, some not at all.
fn meditations() -> Vec<Event> {
    let days = [15, 15, 16, 17, 17, 17, 19, 20, 20, 21];
    let each = days.iter().enumerate().map(|(number, day)| {
        event(
            &format!("e{number}"),
            "ada",
            &format!("2026-11-{day}T{number:02}:00:00Z"),
        )
        .set("properties", json!({"minutes": 7 + number}))
    });
    each.collect()
}

async fn evaluating_exactly_what_it_rests_on_earns_it_again(app: &TestApp) {
    let world = World::new(app).await;
    let structures = [
        json!({"immediate": true}),
        json!({"streak": {"length": 2}}),
        json!({"streak": {"length": 5, "freezes": 1}}),
        json!({"streak": {"length": 1, "period": "WEEK", "perPeriod": 3}}),
        json!({"count": {"times": 3}}),
        json!({"count": {"times": 2, "window": "DAY"}}),
        json!({"total": {"property": "minutes", "atLeast": "25"}}),
    ];
    let mut inputs: Vec<Value> = structures
        .into_iter()
        .enumerate()
        .map(|(number, structure)| {
            incentive_input(
                &format!("i{number}"),
                "meditation.completed",
                structure,
                json!({"unlimited": true}),
            )
        })
        .collect();
    let step = |least: u32| {
        let condition = json!({"path": "properties.minutes", "op": "GTE", "value": least});
        json!({"eventType": "meditation.completed", "where": [condition]})
    };
    inputs.push(json!({
        "program": "wellbeing", "key": "steps", "name": "Steps", "outcomes": [{"achievement": {"title": "Steps"}}],
        "structure": {"sequence": {"steps": [step(8), step(10), step(12)], "within": "P3D"}},
    }));
    for input in &inputs {
        world.incentive(input.clone()).await;
    }
    world.members(&["ada"]).await;
    world.did(meditations()).await;
    let all = achievements(&world.admin()).await;
    assert!(all.len() > 20, "{}", all.len());
    let sent: Vec<Value> = meditations().into_iter().map(Value::from).collect();
    for input in &inputs {
        let mut seen = 0;
        for achievement in all.iter().filter(|one| one["incentive"]["key"] == input["key"]) {
            let named = achievement["why"]["events"].as_array().unwrap();
            let is_sum = !input["structure"]["total"].is_null();
            let events: Vec<Value> = named
                .iter()
                .map(|event| {
                    let mut again = sent.iter().find(|one| one["id"] == event["id"]).unwrap().clone();
                    if is_sum {
                        // The award before may have used up a part of the first one.
                        again["properties"]["minutes"] =
                            serde_json::from_str(event["amount"].as_str().unwrap()).unwrap();
                    } else {
                        assert_eq!(event["amount"], "1");
                    }
                    again
                })
                .collect();
            let query = "query($input: SimulateInput!) { simulate(input: $input) {
                awards { earnedOn } userErrors { message } } }";
            let dry = json!({"input": {"incentive": input, "events": events}});
            let again = world.admin().data(query, dry).await;
            let awards = again["simulate"]["awards"].as_array().unwrap();
            let is_same = |award: &Value| award["earnedOn"] == achievement["earnedOn"];
            assert!(awards.iter().any(is_same), "{input}\n{achievement}\n{again}");
            seen += 1;
        }
        assert!(seen > 0, "{input}");
    }
}

async fn what_is_not_sensitive_is_explained_to_whoever_sees_it(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("one", 1, json!({"once": true})))
        .await;
    world.members(&["ada"]).await;
    world.did([event("e1", "ada", "2026-11-20T10:00:00Z")]).await;
    for caller in [world.member("ada").await, world.backend(), world.admin()] {
        let seen = achievements(&caller).await;
        assert_eq!(seen[0]["why"]["events"][0]["id"], "e1");
    }
    let query = format!("{{ feed {{ entries {{ achievement {{ {WHY} }} }} }} }}");
    let data = world.partner().data(&query, json!({})).await;
    let told = &data["feed"]["entries"][0]["achievement"];
    assert_eq!((&told["ordinal"], &told["why"]), (&json!(1), &Value::Null));
}

async fn what_is_sensitive_is_explained_by_dates_to_the_member_alone(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(incentive_input(
            "born",
            "birth.reported",
            json!({"immediate": true}),
            json!({"once": true}),
        ))
        .await;
    world.members(&["ada"]).await;
    world
        .did([event("e1", "ada", "2026-11-20T10:00:00Z").of("birth.reported")])
        .await;
    let dated =
        json!([{"id": null, "source": null, "localDate": "2026-11-20", "timeZone": "UTC", "amount": null}]);
    for caller in [world.member("ada").await, world.backend()] {
        let seen = achievements(&caller).await;
        assert_eq!(seen[0]["why"]["events"], dated);
    }
    assert_eq!(achievements(&world.admin()).await, Vec::<Value>::new());
}

async fn of_a_long_streak_the_old_days_have_no_ids(app: &TestApp) {
    let world = World::sandbox(app, "lab", "gym").await;
    world
        .incentive(streak_input("sixty", 60, json!({"once": true})))
        .await;
    world.members(&["ada"]).await;
    let first = chrono::NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
    let day = |number: u64| first.checked_add_days(chrono::Days::new(number)).unwrap();
    for number in 0..60 {
        world.advance(&format!("{}T20:00:00Z", day(number))).await;
        world
            .did([event(
                &number.to_string(),
                "ada",
                &format!("{}T10:00:00Z", day(number)),
            )])
            .await;
        jobs::purge::run(&app.app.jobs).await.unwrap();
    }
    let seen = achievements(&world.backend()).await;
    let events = seen[0]["why"]["events"].as_array().unwrap();
    let dates: Vec<Value> = events.iter().map(|event| event["localDate"].clone()).collect();
    assert_eq!(dates.len(), 60);
    assert_eq!(
        (&dates[0], &dates[59]),
        (&json!("2026-11-21"), &json!(day(59).to_string()))
    );
    assert_eq!(
        (&events[0]["id"], &events[59]["id"]),
        (&Value::Null, &json!("59"))
    );
    // What can still be taken back is named.
    let named = events.iter().filter(|event| event["id"].is_string()).count();
    assert!(named > 31 && named < 60, "{named}");
}
