//! The tables by themselves: what their functions promise to whoever builds on them.

mod forgetting;
mod queues;

use chrono::NaiveDate;
use entity::achievement::{self, AchievementStatus};
use entity::clock::Timestamp;
use entity::contribution::{self, Contribution, Role};
use entity::id::{AchievementId, EmployerId, IncentiveId, MemberId, ProgramId};
use entity::program::ProgramState;
use entity::{feed, incentive, program};
use futures_util::future::try_join_all;
use sea_orm::{DatabaseTransaction, DbErr};
use serde_json::json;

use crate::harness::{TestApp, World, at, event, incentive_input};

on_both!(
    an_achievement_that_was_taken_back_leaves_its_place_free,
    an_entry_of_a_feed_tells_the_same_whatever_comes_later,
    contributions_come_in_the_order_of_what_happened,
    a_program_is_paused_and_resumed_until_it_ends,
    a_budget_is_never_overspent_however_many_spend_at_once,
    a_budget_cannot_go_below_what_is_spent,
    a_version_and_the_end_of_an_incentive_are_written_once,
);

/// Writes in a transaction of its own.
async fn write<T>(app: &TestApp, work: impl AsyncFnOnce(&DatabaseTransaction) -> Result<T, DbErr>) -> T {
    let txn = app.app.db.write_txn().await.unwrap();
    let done = work(&txn).await.unwrap();
    txn.commit().await.unwrap();
    done
}

fn instant(text: &str) -> Timestamp {
    at(text).into()
}

/// The employer "acme" with the incentive "once" and its member "ada".
struct Case<'a> {
    world: World<'a>,
    incentive: IncentiveId,
    member: MemberId,
}

impl<'a> Case<'a> {
    async fn new(app: &'a TestApp) -> Self {
        let world = World::new(app).await;
        let input = incentive_input(
            "once",
            "meditation.completed",
            json!({"immediate": true}),
            json!({"once": true}),
        );
        world.incentive(input).await;
        world.members(&["ada"]).await;
        let row = incentive::find_by_key(app.app.db.read(), world.employer, "once").await;
        let incentive = row.unwrap().unwrap().id;
        let member = world.member_id("ada").await;
        Self {
            world,
            incentive,
            member,
        }
    }

    fn key(&self) -> (EmployerId, MemberId, IncentiveId) {
        (self.world.employer, self.member, self.incentive)
    }

    async fn standing(&self) -> Vec<achievement::Model> {
        let db = self.world.app.app.db.read();
        achievement::list_standing(db, &[self.key()]).await.unwrap()
    }

    /// Lets ada earn the incentive.
    async fn earn(&self) -> achievement::Model {
        self.world.did([event("e1", "ada", "2026-11-20T10:00:00Z")]).await;
        self.standing().await.remove(0)
    }

    async fn program(&self) -> program::Model {
        let row = program::find_by_key(self.world.app.app.db.read(), self.world.employer, "wellbeing").await;
        row.unwrap().unwrap()
    }
}

async fn an_achievement_that_was_taken_back_leaves_its_place_free(app: &TestApp) {
    let case = Case::new(app).await;
    let employer = case.world.employer;
    let first = case.earn().await;
    let again = achievement::Model {
        id: app.app.ids.next(),
        why: Some("{}".to_owned()),
        ..first.clone()
    };
    let insert = || {
        write(app, async |txn| {
            achievement::insert_new(txn, std::slice::from_ref(&again)).await
        })
    };
    assert_eq!(insert().await, Vec::<AchievementId>::new());

    let at = instant("2026-11-21T12:00:00Z");
    let revoked = [achievement::Revoked {
        employer_id: employer,
        id: first.id,
        reason: Some("a mistake".to_owned()),
        at,
    }];
    let revoke = || write(app, async |txn| achievement::revoke(txn, &revoked).await);
    assert_eq!(revoke().await, [first.id]);
    assert_eq!(revoke().await, Vec::<AchievementId>::new());
    assert_eq!(case.standing().await, Vec::<achievement::Model>::new());
    let row = achievement::find(app.app.db.read(), employer, first.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.status, AchievementStatus::Revoked);
    assert_eq!(row.revoked_at, Some(at));
    assert_eq!(row.revocation_reason.as_deref(), Some("a mistake"));

    assert_eq!(insert().await, [again.id]);
    assert_eq!(case.standing().await, std::slice::from_ref(&again));
    let why = [(employer, again.id, None)];
    write(app, async |txn| achievement::set_why(txn, &why).await).await;
    assert_eq!(case.standing().await, [achievement::Model { why: None, ..again }]);
}

async fn an_entry_of_a_feed_tells_the_same_whatever_comes_later(app: &TestApp) {
    let case = Case::new(app).await;
    let earned = case.earn().await;
    let employer = case.world.employer;
    let before = case.world.feed().await;
    let revoked = [achievement::Revoked {
        employer_id: employer,
        id: earned.id,
        reason: None,
        at: app.now().into(),
    }];
    write(app, async |txn| achievement::revoke(txn, &revoked).await).await;
    assert_eq!(case.world.feed().await, before);
    let told = feed::told(app.app.db.read(), &[(employer, earned.id)]).await;
    assert_eq!(told.unwrap(), [(earned.id, case.world.partner)]);

    let entry = feed::NewEntry {
        partner_id: case.world.partner,
        id: app.app.ids.next(),
        employer_id: employer,
        news: feed::News::Revoked(earned.id),
        member_ref: "somebody".to_owned(),
        recorded_at: app.now().into(),
    };
    write(app, async |txn| feed::append(txn, vec![entry.clone()]).await).await;
    let after = case.world.feed().await;
    assert_eq!(after[..1], before);
    assert_eq!(after[1]["kind"], json!("ACHIEVEMENT_REVOKED"));
    assert_eq!(after[1]["achievement"]["status"], json!("REVOKED"));
    assert_eq!(after[1]["achievement"]["id"], before[0]["achievement"]["id"]);
    // Being told of the end is not being told of the beginning.
    let told = feed::told(app.app.db.read(), &[(employer, earned.id)]).await;
    assert_eq!(told.unwrap(), [(earned.id, case.world.partner)]);
}

/// A contribution of this event on this day.
fn contribution(case: &Case<'_>, event_id: &str, day: &str) -> Contribution {
    Contribution {
        employer_id: case.world.employer,
        member_id: case.member,
        incentive_id: case.incentive,
        source: String::new(),
        event_id: event_id.to_owned(),
        version: 1,
        day: day.parse::<NaiveDate>().unwrap(),
        time_zone: "UTC".to_owned(),
        occurred_at: instant("2026-11-20T10:00:00Z"),
        amount: "1".to_owned(),
        steps: 0,
        role: Role::Counts,
        cause: None,
        units: None,
        factor: None,
    }
}

async fn contributions_come_in_the_order_of_what_happened(app: &TestApp) {
    let case = Case::new(app).await;
    let (day, other) = ("2026-11-20", "2026-11-21");
    // A database that sorts by the rules of a language has the small letter first.
    let [b, a, late, early] =
        [("B", day), ("a", day), ("c", other), ("d", day)].map(|(id, day)| contribution(&case, id, day));
    let early = Contribution {
        occurred_at: instant("2026-11-20T09:00:00Z"),
        ..early
    };
    let rows = [late.clone(), a.clone(), early.clone(), b.clone()];
    write(app, async |txn| contribution::put(txn, &rows).await).await;
    let list = || async {
        contribution::list_of_cases(app.app.db.read(), &[case.key()])
            .await
            .unwrap()
    };
    assert_eq!(list().await, [early.clone(), b.clone(), a.clone(), late.clone()]);

    // The same event once more replaces what it said before.
    let a = Contribution {
        amount: "2.50".to_owned(),
        ..a
    };
    write(app, async |txn| {
        contribution::put(txn, std::slice::from_ref(&a)).await
    })
    .await;
    let keys = [b.key(), late.key()];
    write(app, async |txn| {
        contribution::set_role(txn, &keys, Role::Idle).await
    })
    .await;
    write(app, async |txn| contribution::delete(txn, &[early.key()]).await).await;
    let [b, late] = [b, late].map(|row| Contribution {
        role: Role::Idle,
        ..row
    });
    assert_eq!(list().await, [b, a.clone(), late]);
    let wanted = [
        (a.employer_id, a.member_id, String::new(), "a".to_owned()),
        (a.employer_id, a.member_id, "elsewhere".to_owned(), "B".to_owned()),
    ];
    let found = contribution::list_of_events(app.app.db.read(), &wanted).await;
    assert_eq!(found.unwrap(), [a]);
}

async fn a_program_is_paused_and_resumed_until_it_ends(app: &TestApp) {
    let case = Case::new(app).await;
    let (employer, id) = (case.world.employer, case.program().await.id);
    let (noon, later) = (instant("2026-11-21T12:00:00Z"), instant("2026-11-21T13:00:00Z"));
    let pause = || write(app, async |txn| program::pause(txn, employer, id, noon).await);
    let resume = || write(app, async |txn| program::resume(txn, employer, id).await);
    let end = || write(app, async |txn| program::end(txn, employer, id, later).await);
    assert!(!resume().await);
    assert!(pause().await);
    assert_eq!(case.program().await.state(), ProgramState::Paused);
    assert!(!pause().await);
    assert!(resume().await);
    assert_eq!(case.program().await.state(), ProgramState::Active);
    assert!(case.program().await.covers_instant(later));
    assert!(pause().await);
    assert!(end().await);
    let ended = case.program().await;
    assert_eq!(ended.state(), ProgramState::Ended);
    assert!(ended.covers_instant(noon));
    assert!(!ended.covers_instant(later));
    assert!(!pause().await && !resume().await && !end().await);

    let input = json!({"key": "draft", "name": "Draft"});
    case.world
        .admin()
        .change("createProgram", input, "program { id }")
        .await;
    let draft = program::find_by_key(app.app.db.read(), employer, "draft").await;
    let draft = draft.unwrap().unwrap();
    assert_eq!(draft.state(), ProgramState::Draft);
    assert!(
        !write(app, async |txn| program::pause(txn, employer, draft.id, noon)
            .await)
        .await
    );
    assert!(!write(app, async |txn| program::end(txn, employer, draft.id, noon).await).await);
}

/// Spends one award where the budget still allows it, as an evaluator does; whether it did.
async fn spend_one(app: &TestApp, program: (EmployerId, ProgramId)) -> Result<bool, DbErr> {
    let txn = app.app.db.write_txn().await?;
    let budgets = program::lock_budgets(&*txn, &[program]).await?;
    let allowed = budgets
        .iter()
        .all(|row| row.budget.is_none_or(|budget| row.budget_spent < budget));
    if allowed {
        program::spend(&*txn, &[(program.0, program.1, 1)]).await?;
    }
    txn.commit().await?;
    Ok(allowed)
}

async fn a_budget_is_never_overspent_however_many_spend_at_once(app: &TestApp) {
    let case = Case::new(app).await;
    let row = case.program().await;
    let key = (row.employer_id, row.id);
    let row = program::Model {
        budget: Some(5),
        ..row
    };
    assert!(write(app, async |txn| program::update(txn, &row, None).await).await);
    let spent = try_join_all((0..12).map(|_| spend_one(app, key))).await.unwrap();
    assert_eq!(spent.iter().filter(|spent| **spent).count(), 5);
    assert_eq!(case.program().await.budget_spent, 5);
    // What is given back can be spent once more.
    write(app, async |txn| program::spend(txn, &[(key.0, key.1, -1)]).await).await;
    assert!(spend_one(app, key).await.unwrap());
    assert!(!spend_one(app, key).await.unwrap());
}

async fn a_budget_cannot_go_below_what_is_spent(app: &TestApp) {
    let case = Case::new(app).await;
    let row = case.program().await;
    let key = (row.employer_id, row.id);
    // Spending is counted without a budget, too.
    write(app, async |txn| program::spend(txn, &[(key.0, key.1, 3)]).await).await;
    let with = |budget| program::Model {
        budget,
        name: "Renamed".to_owned(),
        ends_on: "2027-01-31".parse().ok(),
        ..row.clone()
    };
    let update = async |budget| {
        let row = with(budget);
        write(app, async |txn| program::update(txn, &row, None).await).await
    };
    assert!(!update(Some(2)).await);
    assert_eq!(case.program().await.name, "wellbeing");
    assert!(update(Some(3)).await);
    let expected = program::Model {
        budget_spent: 3,
        ..with(Some(3))
    };
    assert_eq!(case.program().await, expected);
    let txn = app.app.db.write_txn().await.unwrap();
    program::spend(&*txn, &[(key.0, key.1, 1)]).await.unwrap_err();
    txn.rollback().await.unwrap();
    assert!(update(None).await);
    assert_eq!(case.program().await.budget, None);
}

async fn a_version_and_the_end_of_an_incentive_are_written_once(app: &TestApp) {
    let case = Case::new(app).await;
    let (employer, id) = (case.world.employer, case.incentive);
    let first = incentive::latest_version(app.app.db.read(), employer, id).await;
    let first = first.unwrap().unwrap();
    assert!(!first.restarts);
    let publish = async |version, restarts| {
        let next = incentive::Version {
            version,
            restarts,
            ..first.clone()
        };
        write(app, async |txn| {
            incentive::insert_version(txn, employer, next).await
        })
        .await
    };
    assert!(publish(2, true).await);
    assert!(!publish(2, false).await);
    let versions = incentive::list_versions(app.app.db.read(), employer).await;
    let restarts: Vec<bool> = versions.unwrap().iter().map(|row| row.restarts).collect();
    assert_eq!(restarts, [false, true]);

    let retire = async |text| {
        let at = instant(text);
        write(app, async |txn| incentive::retire(txn, employer, id, at).await).await
    };
    assert!(retire("2026-11-21T12:00:00Z").await);
    assert!(!retire("2026-11-22T12:00:00Z").await);
    let row = incentive::find(app.app.db.read(), employer, id).await;
    assert_eq!(
        row.unwrap().unwrap().retired_at,
        Some(instant("2026-11-21T12:00:00Z"))
    );
}
