//! What waits to be done: retractions, and events that are held.

use entity::clock::Timestamp;
use entity::event::{self, Event, HELD};
use entity::event_type;
use entity::id::EmployerId;
use entity::receipt::Identity;
use entity::retraction::{self, Retraction, State};

use super::{Case, instant, write};
use crate::harness::{Kind, TestApp, World, run};

on_both!(
    a_retraction_is_due_until_it_is_settled,
    a_retraction_of_one_event_is_taken_once,
    held_events_are_due_when_they_are_released,
);

const NOW: &str = "2026-11-21T12:00:00Z";
const LATER: &str = "2026-11-21T12:00:30Z";

/// A pending retraction of an event, due now.
pub(super) fn retraction(employer: EmployerId, event_id: &str) -> Retraction {
    Retraction {
        employer_id: employer,
        source: "app".to_owned(),
        event_id: event_id.to_owned(),
        reason: None,
        received_at: instant(NOW),
        state: State::Pending,
        attempts: 0,
        due_at: instant(NOW),
        expires_at: instant("2027-11-21T12:00:00Z"),
    }
}

async fn due(app: &TestApp, now: &str, limit: u32) -> Vec<Retraction> {
    write(app, async |txn| retraction::claim(txn, instant(now), limit).await).await
}

async fn next_due(app: &TestApp) -> Option<Timestamp> {
    retraction::next_due(app.app.db.read()).await.unwrap()
}

async fn a_retraction_is_due_until_it_is_settled(app: &TestApp) {
    let world = World::new(app).await;
    let [a, b, c] = ["a", "b", "c"].map(|id| retraction(world.employer, id));
    let c = Retraction {
        due_at: instant(LATER),
        reason: Some("typed twice".to_owned()),
        ..c
    };
    let rows = vec![c.clone(), b.clone(), a.clone()];
    write(app, async |txn| retraction::put_new(txn, rows).await).await;
    assert_eq!(due(app, "2026-11-21T11:59:59Z", 10).await, Vec::new());
    assert_eq!(due(app, NOW, 1).await, std::slice::from_ref(&a));
    // Looking at them takes nothing away.
    assert_eq!(due(app, NOW, 10).await, [a.clone(), b.clone()]);
    assert_eq!(due(app, LATER, 10).await, [a.clone(), b.clone(), c.clone()]);

    let settled = [a.identity()];
    write(app, async |txn| {
        retraction::settle(txn, &settled, State::Waiting).await
    })
    .await;
    let later = [(b.identity(), 1, instant("2026-11-21T12:00:31Z"))];
    write(app, async |txn| retraction::postpone(txn, &later).await).await;
    assert_eq!(next_due(app).await, Some(instant(LATER)));
    assert_eq!(due(app, LATER, 10).await, std::slice::from_ref(&c));
    let rest = [b.identity(), c.identity()];
    write(app, async |txn| {
        retraction::settle(txn, &rest, State::Applied).await
    })
    .await;
    assert_eq!(next_due(app).await, None);
    assert_eq!(due(app, "2026-11-22T12:00:00Z", 10).await, Vec::new());

    let unknown = Identity {
        event_id: "d".to_owned(),
        ..a.identity()
    };
    let wanted = [a.identity(), b.identity(), unknown];
    let mut known = retraction::list(app.app.db.read(), &wanted).await.unwrap();
    known.sort_by_key(Retraction::identity);
    assert_eq!(
        known,
        [
            Retraction {
                state: State::Waiting,
                ..a
            },
            Retraction {
                state: State::Applied,
                attempts: 1,
                due_at: instant("2026-11-21T12:00:31Z"),
                ..b
            }
        ]
    );
}

async fn a_retraction_of_one_event_is_taken_once(app: &TestApp) {
    let world = World::new(app).await;
    let other = World::named(app, "other", "elsewhere").await;
    let put = async |rows: Vec<Retraction>| {
        let mut fresh = write(app, async |txn| retraction::put_new(txn, rows).await).await;
        fresh.sort_unstable();
        fresh
    };
    let first = retraction(world.employer, "a");
    assert_eq!(put(vec![first.clone()]).await, [first.identity()]);
    let second = retraction(world.employer, "b");
    let foreign = retraction(other.employer, "a");
    let fresh = put(vec![second.clone(), first.clone(), foreign.clone()]).await;
    let mut expected = [second.identity(), foreign.identity()];
    expected.sort_unstable();
    assert_eq!(fresh, expected);
}

#[tokio::test]
async fn two_workers_of_a_server_never_hold_one_retraction() {
    run(Kind::Postgres, async |app| {
        let world = World::new(app).await;
        let [a, b] = ["a", "b"].map(|id| retraction(world.employer, id));
        let rows = vec![a.clone(), b.clone()];
        write(app, async |txn| retraction::put_new(txn, rows).await).await;
        let one = app.app.db.write_txn().await.unwrap();
        let other = app.app.db.write_txn().await.unwrap();
        let now = instant(NOW);
        let mine = retraction::claim(&*one, now, 1).await.unwrap();
        let yours = retraction::claim(&*other, now, 10).await.unwrap();
        assert_eq!((mine, yours), (vec![a.clone()], vec![b.clone()]));
        // Who gives up leaves it to the next.
        one.rollback().await.unwrap();
        let all = retraction::claim(&*other, now, 10).await.unwrap();
        assert_eq!(all, [a, b]);
        other.rollback().await.unwrap();
    })
    .await;
}

/// An event of ada, held for her incentive.
pub(super) async fn held(case: &Case<'_>, event_id: &str) -> Event {
    let app = case.world.app;
    let types = event_type::list(app.app.db.read(), case.world.employer)
        .await
        .unwrap();
    let meditation = types.iter().find(|row| row.key == "meditation.completed");
    Event {
        employer_id: case.world.employer,
        id: app.app.ids.next(),
        member_id: case.member,
        event_type_id: meditation.unwrap().id,
        source: String::new(),
        event_id: event_id.to_owned(),
        occurred_at: instant("2026-11-20T10:00:00Z"),
        received_at: instant(NOW),
        local_time: "2026-11-20T10:00:00".to_owned(),
        time_zone: "UTC".to_owned(),
        zone_origin: event::ZoneOrigin::Employer,
        properties: "{}".to_owned(),
        only_incentive_id: Some(case.incentive),
        attempts: 0,
        due_at: HELD,
    }
}

async fn held_events_are_due_when_they_are_released(app: &TestApp) {
    let case = Case::new(app).await;
    let rows = [held(&case, "e1").await, held(&case, "e2").await];
    write(app, async |txn| event::put(txn, &rows).await).await;
    assert_eq!(event::next_due(app.app.db.read()).await.unwrap(), None);
    app.run_jobs().await;
    assert_eq!(event::count(app.app.db.read()).await.unwrap(), 2);

    let employer = case.world.employer;
    let release = async |incentives: &[_]| {
        write(app, async |txn| {
            event::release(txn, employer, incentives, instant(NOW)).await
        })
        .await
    };
    assert_eq!(release(&[app.app.ids.next()]).await, 0);
    assert_eq!(release(&[case.incentive]).await, 2);
    assert_eq!(release(&[case.incentive]).await, 0);
    let next = event::next_due(app.app.db.read()).await.unwrap();
    assert_eq!(next, Some(instant(NOW)));
    app.run_jobs().await;
    assert_eq!(case.standing().await.len(), 1);
}
