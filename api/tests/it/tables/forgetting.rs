//! What is forgotten: what has served its time, by the clock of its employer, and members who want to be.

use chrono::{DateTime, TimeDelta, Utc};
use entity::clock::Timestamp;
use entity::id::{EmployerId, EventTypeId, MemberId};
use entity::page::Page;
use entity::receipt::{self, Identity, Receipt};
use entity::retraction::{self, Retraction, State};
use entity::{contribution, dead_event, employer, event, event_type, kept_event, member, progress};
use serde_json::json;

use super::queues::{held, retraction};
use super::{Case, contribution as counted, instant, write};
use crate::harness::{TestApp, World, event as did, streak_input};

on_both!(
    the_clock_of_a_sandbox_only_goes_forward,
    what_has_served_its_time_goes_by_the_clock_of_its_employer,
    contributions_and_dead_events_go_by_their_day,
    progress_that_has_not_changed_is_found_page_by_page,
    an_erased_member_leaves_nothing_but_counts,
);

const DAY_MICROS: i64 = 86_400_000_000;

async fn make_sandbox(app: &TestApp, key: &str) {
    app.sql(&format!("UPDATE employer SET sandbox = true WHERE key = '{key}'"))
        .await
        .unwrap();
}

/// The real instant so many days from now.
fn after_days(app: &TestApp, days: i64) -> DateTime<Utc> {
    app.now().checked_add_signed(TimeDelta::days(days)).unwrap()
}

async fn put_forward(app: &TestApp, employer: EmployerId, days: i64) -> bool {
    write(app, async |txn| {
        employer::set_clock_offset(txn, employer, days * DAY_MICROS).await
    })
    .await
}

async fn the_clock_of_a_sandbox_only_goes_forward(app: &TestApp) {
    let world = World::new(app).await;
    let read = async || {
        let row = employer::find(app.app.db.read(), world.employer).await;
        row.unwrap().unwrap()
    };
    assert!(!put_forward(app, world.employer, 1).await);
    make_sandbox(app, "acme").await;
    let before = read().await;
    assert_eq!(before.now(app.now()), app.now());
    assert!(put_forward(app, world.employer, 3).await);
    assert!(!put_forward(app, world.employer, 3).await);
    assert!(!put_forward(app, world.employer, 2).await);
    let after = read().await;
    assert_eq!(after.now(app.now()), after_days(app, 3));
    assert!(
        after.catalogue_version > before.catalogue_version,
        "nobody would look at it again"
    );
    // The database itself keeps the clock of a real employer.
    app.sql("UPDATE employer SET sandbox = false").await.unwrap_err();
}

/// Writes a receipt, a settled retraction, a pending one and a kept event for a member, all with this end.
async fn leave_traces(app: &TestApp, world: &World<'_>, expires_at: Timestamp) {
    let (employer_id, member_id) = (world.employer, world.member_id("ada").await);
    let types = event_type::list(app.app.db.read(), employer_id).await.unwrap();
    let event_type_id = types[0].id;
    let receipt = Receipt {
        identity: Identity {
            employer_id,
            source: String::new(),
            event_id: "e1".to_owned(),
        },
        body_digest: [0; 32],
        accepted_at: app.now().into(),
        expires_at,
        member_id,
        event_type_id,
    };
    let expiring = |event_id, state| Retraction {
        state,
        expires_at,
        ..retraction(employer_id, event_id)
    };
    let retractions = vec![
        expiring("e1", State::Applied),
        expiring("e2", State::Waiting),
        expiring("e3", State::Pending),
    ];
    let kept = kept(app, (employer_id, member_id, event_type_id), expires_at);
    write(app, async |txn| {
        receipt::insert_new(txn, vec![receipt]).await?;
        retraction::put_new(txn, retractions).await?;
        kept_event::put(txn, &[kept]).await
    })
    .await;
}

fn kept(
    app: &TestApp,
    (employer_id, member_id, event_type_id): (EmployerId, MemberId, EventTypeId),
    expires_at: Timestamp,
) -> kept_event::Model {
    kept_event::Model {
        employer_id,
        id: app.app.ids.next(),
        member_id,
        event_type_id,
        source: String::new(),
        event_id: "e1".to_owned(),
        occurred_at: app.now().into(),
        local_time: "2026-11-21T12:00:00".to_owned(),
        time_zone: "UTC".to_owned(),
        properties: "{}".to_owned(),
        expires_at,
    }
}

/// Forgets at most `limit` of each kind: how many receipts, retractions and kept events went.
async fn purge(app: &TestApp, limit: u64) -> [u64; 3] {
    let now = app.now().into();
    write(app, async |txn| {
        Ok([
            receipt::purge(txn, now, limit).await?,
            retraction::purge(txn, now, limit).await?,
            kept_event::purge(txn, now, limit).await?,
        ])
    })
    .await
}

async fn what_has_served_its_time_goes_by_the_clock_of_its_employer(app: &TestApp) {
    let real = World::new(app).await;
    let sandbox = World::named(app, "sandbox", "beach").await;
    make_sandbox(app, "sandbox").await;
    let tomorrow = Timestamp::from(after_days(app, 1));
    for world in [&real, &sandbox] {
        world.members(&["ada"]).await;
        leave_traces(app, world, tomorrow).await;
    }
    assert_eq!(purge(app, 10).await, [0, 0, 0]);
    // Exactly at its end it is still there.
    assert!(put_forward(app, sandbox.employer, 1).await);
    assert_eq!(purge(app, 10).await, [0, 0, 0]);
    assert!(put_forward(app, sandbox.employer, 2).await);
    assert_eq!(purge(app, 1).await, [1, 1, 1]);
    assert_eq!(purge(app, 10).await, [0, 1, 0]);
    for table in ["receipt", "kept_event"] {
        let left = format!(
            "SELECT count(*) AS count FROM {table} JOIN employer ON employer.id = {table}.employer_id WHERE key = 'acme'"
        );
        assert_eq!(app.count(&left).await, 1, "{table}");
    }
    // In real time what is left is found however far the sandbox is ahead; what is pending waits for whoever carries it out.
    leave_traces(app, &sandbox, tomorrow).await;
    app.pass(TimeDelta::days(3));
    assert_eq!(purge(app, 10).await, [2, 4, 2]);
    assert_eq!(purge(app, 10).await, [0, 0, 0]);
    let pending = "SELECT count(*) AS count FROM retraction WHERE state = 'PENDING'";
    assert_eq!(app.count(pending).await, 2);
}

async fn contributions_and_dead_events_go_by_their_day(app: &TestApp) {
    let case = Case::new(app).await;
    let employer = case.world.employer;
    let rows = ["2026-11-18", "2026-11-19", "2026-11-20"].map(|day| counted(&case, day, day));
    write(app, async |txn| contribution::put(txn, &rows).await).await;
    let purge = async |day: &str, limit| {
        let day = day.parse().unwrap();
        write(app, async |txn| {
            contribution::purge(txn, employer, day, limit).await
        })
        .await
    };
    assert_eq!(purge("2026-11-18", 10).await, 0);
    assert_eq!(purge("2026-11-20", 1).await, 1);
    assert_eq!(purge("2026-11-20", 10).await, 1);
    let left = contribution::list_of_cases(app.app.db.read(), &[case.key()]).await;
    assert_eq!(left.unwrap(), rows[2..]);

    let dead = [(held(&case, "e1").await, "broken".to_owned())];
    write(app, async |txn| {
        dead_event::put(txn, &dead, app.now().into()).await
    })
    .await;
    let purge = async |employer, text| {
        let before = instant(text);
        write(app, async |txn| {
            dead_event::purge(txn, employer, before, 10).await
        })
        .await
    };
    assert_eq!(purge(employer, "2026-11-20T10:00:00Z").await, 0);
    assert_eq!(purge(app.app.ids.next(), "2026-11-21T10:00:00Z").await, 0);
    assert_eq!(purge(employer, "2026-11-21T10:00:00Z").await, 1);
}

async fn progress_that_has_not_changed_is_found_page_by_page(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("daily", 3, json!({"once": true})))
        .await;
    let members = ["ada", "bob", "cid"];
    world.members(&members).await;
    world
        .did(members.map(|member| did(member, member, "2026-11-20T10:00:00Z")))
        .await;
    let stale = async |after, before: &str| {
        let rows = progress::list_stale(app.app.db.read(), after, instant(before), 2).await;
        let rows = rows.unwrap().into_iter();
        rows.map(|row| (row.employer_id, row.member_id, row.incentive_id))
            .collect::<Vec<_>>()
    };
    assert_eq!(stale(None, "2026-11-21T12:00:00Z").await, []);
    let soon = "2026-11-21T12:00:01Z";
    let first = stale(None, soon).await;
    let second = stale(first.last().copied(), soon).await;
    assert_eq!((first.len(), second.len()), (2, 1));
    assert!(first[0] < first[1] && first[1] < second[0]);
    assert_eq!(stale(second.last().copied(), soon).await, []);
    // What a sandbox writes is dated ahead, and is as old as that.
    make_sandbox(app, "acme").await;
    assert!(put_forward(app, world.employer, 1).await);
    assert_eq!(stale(None, "2026-11-20T12:00:00Z").await, []);
    assert_eq!(stale(None, "2026-11-20T12:00:01Z").await, first);
    assert_eq!(
        write(app, async |txn| progress::delete(txn, &first).await).await,
        2
    );
    assert_eq!(stale(None, soon).await, second);
}

async fn an_erased_member_leaves_nothing_but_counts(app: &TestApp) {
    let case = Case::new(app).await;
    let world = &case.world;
    world
        .incentive(streak_input("daily", 3, json!({"once": true})))
        .await;
    world
        .register(vec![
            json!({"externalId": "ada", "email": "ada@example.com", "locale": "de", "timeZone": "Europe/Vienna",
                   "eligibleFrom": "2026-01-01", "attributes": {"team": "blue"}, "consents": [{"purpose": "EMAIL", "given": true}]}),
            json!({"externalId": "bob", "consents": [{"purpose": "EMAIL", "given": true}]}),
        ])
        .await;
    for member in ["ada", "bob"] {
        world.did([did(member, member, "2026-11-20T10:00:00Z")]).await;
        let id = world.member_id(member).await;
        let case = Case {
            world: World { ..*world },
            member: id,
            incentive: case.incentive,
        };
        let (waits, dies) = (held(&case, "waits").await, held(&case, "dies").await);
        let seen = kept(
            app,
            (world.employer, id, waits.event_type_id),
            instant("2027-01-01T00:00:00Z"),
        );
        let row = counted(&case, member, "2026-11-20");
        write(app, async |txn| {
            event::put(txn, &[waits]).await?;
            dead_event::put(txn, &[(dies, "broken".to_owned())], app.now().into()).await?;
            kept_event::put(txn, &[seen]).await?;
            contribution::put(txn, &[row]).await
        })
        .await;
    }
    app.sql("UPDATE achievement SET why = 'because'").await.unwrap();
    app.leave_failures();
    let before = app.row_counts().await;
    let marker = "\u{1}erased";
    let erase = async || {
        let now = app.now().into();
        write(app, async |txn| {
            member::erase(txn, world.employer, case.member, marker, now).await
        })
        .await
    };
    assert!(erase().await);
    for ((table, before), (_, after)) in before.into_iter().zip(app.row_counts().await) {
        let expected = match table {
            // The streak's alone: what is earned once leaves a row too.
            "progress" => before / 2,
            // Beside the one that was written by hand, what the events have counted for.
            "contribution" => {
                assert!(before > 2, "nothing has counted");
                before / 2
            }
            "consent" | "event" | "dead_event" | "kept_event" | "receipt" => {
                assert_eq!(before, 2, "{table} before");
                1
            }
            // The other member's.
            "consent_word" => before - 1,
            _ => before,
        };
        assert_eq!(after, expected, "{table}");
    }
    let row = member::find(app.app.db.read(), world.employer, case.member).await;
    let row = row.unwrap().unwrap();
    assert_eq!(row.external_id, marker);
    assert_eq!((row.time_zone, row.locale, row.email), (None, None, None));
    assert_eq!((row.eligible_from, row.eligible_until), (None, None));
    assert_eq!(row.attributes, json!({}));
    assert_eq!(row.erased_at, Some(app.now().into()));
    let standing = case.standing().await;
    assert_eq!(standing.len(), 1);
    assert_eq!(standing[0].why, None);
    let told = "SELECT count(*) AS count FROM achievement WHERE why = 'because'";
    assert_eq!(app.count(told).await, 1);
    let named: Vec<bool> = world
        .feed()
        .await
        .iter()
        .map(|entry| entry["achievement"]["memberRef"] != "erased")
        .collect();
    assert_eq!(named, [false, true]);
    let bob = world.member_id("bob").await;
    let seen = kept_event::list_of_member(app.app.db.read(), world.employer, bob, Page::first(10)).await;
    assert_eq!(seen.unwrap().rows.len(), 1);
    assert!(!erase().await);
    // Whoever comes by that name is somebody else.
    world.members(&["ada"]).await;
}
