//! Messages of campaigns: how fast they are decided, beside ever more of them that were.
//!
//! Each member has ten, as if it had bought ten sandwiches: of nine members in ten none goes, as they are held out to compare with; of
//! the others one goes, into a folder, and nine are over the cap. The floor takes as many rows by statements of 500 and writes what
//! a decision writes, without deciding or sending anything.

use std::sync::Arc;

use anyhow::ensure;
use entity::campaign::{self, CapPeriod, Model, OverCap};
use entity::clock::{Clock, Timestamp};
use entity::db::sql::Sql;
use entity::db::{Db, Kind};
use entity::id::{MemberId, TypedId};
use entity::{employer, message};
use jobs::deliver::mail::Mailer;
use sea_orm::ConnectionTrait;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Scale;
use crate::cpu::{Measured, Runs};
use crate::employer::Employer;
use crate::evaluator::Evaluator;
use crate::report::{Report, say};
use crate::scenario;
use crate::stand::{Place, Stand, Tenant};

/// Messages of each member.
const EACH: usize = 10;
/// Messages written at once, before anything is measured.
const CHUNK: usize = 2_000;
/// Rows of one statement of the floor.
const FLOOR_BATCH: usize = 500;

/// Measures everything on one kind of database.
pub async fn run(place: &Place<'_>, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let members = scale.messages.div_ceil(EACH);
    let employers = [
        Employer::new("campaigns", scenario::simple(), members),
        Employer::new("floor", scenario::simple(), members),
    ];
    let stand = Stand::set_up(place, "campaigns", &employers).await?;
    let clock = Clock::system();
    let folder = tempfile::tempdir()?;
    let mut evaluator = Evaluator::new(&stand.db, &clock);
    evaluator.context.mailer = Mailer::folder(folder.path());
    evaluator.context.public_url = Arc::from("https://plaudit.example");
    let txn = stand.db.write_txn().await?;
    txn.execute_unprepared("UPDATE employer SET default_email = true")
        .await?;
    txn.execute_unprepared("UPDATE member SET email = external_id || '@example.com'")
        .await?;
    txn.commit().await?;
    let ours = stand.tenant("campaigns").await?;
    let floor = stand.tenant("floor").await?;
    let mut first: Option<Measured> = None;
    for round in 1..=scale.rounds {
        say(&format!(
            "{}: messages, round {round} of {}",
            report.title, scale.rounds
        ));
        let count = members * EACH;
        put(&stand, &evaluator, &floor, round).await?;
        let running = stand.meter.start(Runs::Inside);
        take(&stand.db, &floor).await?;
        let floor_rate = running.stop(count);
        put(&stand, &evaluator, &ours, round).await?;
        stand.settle().await?;
        let running = stand.meter.start(Runs::Inside);
        decide(&evaluator).await?;
        let rate = running.stop(count);
        let left = stand
            .count("SELECT count(*) FROM message WHERE state NOT IN ('SENT', 'DROPPED')")
            .await?;
        ensure!(left == 0, "{left} messages are not settled");
        report.compare(
            "messages decided",
            rate,
            "rows taken and written by 500",
            floor_rate,
            "messages/s",
        );
        if let Some(first) = first {
            let beside = "the first round, beside none";
            report.compare(
                "messages decided, beside those before",
                rate,
                beside,
                first,
                "messages/s",
            );
        }
        first.get_or_insert(rate);
    }
    stand.check().await?;
    stand.server.end().await?;
    Ok(stand.db.close().await?)
}

/// Writes the messages of a round, of a campaign of its own, due now.
async fn put(stand: &Stand, evaluator: &Evaluator, tenant: &Tenant, round: usize) -> anyhow::Result<()> {
    let context = &evaluator.context;
    let now = context.clock.now();
    let row = Model {
        employer_id: tenant.employer,
        id: context.ids.next(),
        program_id: None,
        key: format!("round-{round}"),
        name: "Round".to_owned(),
        version: 1,
        subject: "Was it good?".to_owned(),
        neutral_subject: None,
        body_text: "Register, {{ member.externalId }}!".to_owned(),
        body_html: None,
        content_url: None,
        content_timeout_millis: None,
        // Of its own, so that each round is the same work.
        category: format!("round-{round}"),
        transactional: false,
        cap_at_most: Some(1),
        cap_per: Some(CapPeriod::Day),
        cap_over: Some(OverCap::Drop),
        quiet_from: None,
        quiet_to: None,
        until: None,
        conversion_seconds: 604_800,
        held_out_percent: 90,
        time_to_live_seconds: 86_400,
        schedule: None,
        segment: None,
        next_run_at: None,
        created_at: now.into(),
        paused_at: None,
        archived_at: None,
    };
    let txn = stand.db.write_txn().await?;
    ensure!(
        campaign::insert(&*txn, row.clone()).await?,
        "the campaign is there"
    );
    employer::touch_catalogue(&*txn, tenant.employer).await?;
    txn.commit().await?;
    let members = stand.members(tenant).await?;
    let expires_at = Timestamp::from(now + chrono::TimeDelta::days(1));
    let all: Vec<message::Model> = (0..EACH)
        .flat_map(|number| members.iter().map(move |member| (number, *member)))
        .map(|(number, member)| message::Model {
            employer_id: tenant.employer,
            id: context.ids.next(),
            campaign_id: row.id,
            member_id: MemberId::from_uuid(member),
            cause: format!("bench:{number}"),
            achievement_id: None,
            sensitive: false,
            triggered_at: now.into(),
            expires_at,
            event_type: None,
            event_properties: None,
            state: message::MessageState::Pending,
            due_at: Some(now.into()),
            waits_for: None,
            reason: None,
            lease: None,
            tries: 0,
            slot_category: None,
            slot_on: None,
            answer: None,
            token: vec![7; 16],
            settled_at: None,
            converted_at: None,
        })
        .collect();
    for chunk in all.chunks(CHUNK) {
        let txn = stand.db.write_txn().await?;
        message::insert_new(&*txn, chunk).await?;
        txn.commit().await?;
    }
    Ok(())
}

/// Decides everything, with as many workers as Plaudit's processes would be.
async fn decide(evaluator: &Evaluator) -> anyhow::Result<()> {
    let mut workers = JoinSet::new();
    for _ in 0..connections(evaluator.context.db.kind()) {
        let context = evaluator.context.clone();
        workers.spawn(async move { jobs::message::drain(&context, &CancellationToken::new()).await });
    }
    while let Some(done) = workers.join_next().await {
        done??;
    }
    Ok(())
}

/// Takes the rows of the floor and writes what a decision writes.
async fn take(db: &Db, floor: &Tenant) -> anyhow::Result<()> {
    let mut takers = JoinSet::new();
    for _ in 0..connections(db.kind()) {
        let (db, employer) = (db.clone(), floor.employer);
        takers.spawn(async move {
            loop {
                let now = Timestamp::from(Clock::system().now());
                let txn = db.write_txn().await?;
                let taken = Sql::on(
                    &*txn,
                    "UPDATE message SET state = 'DROPPED', reason = 'CAP', due_at = NULL, settled_at = ",
                )
                .bind(now)
                .push(" WHERE (employer_id, id) IN (SELECT employer_id, id FROM message WHERE employer_id = ")
                .bind(employer)
                .push(" AND due_at <= ")
                .bind(now)
                .push(&format!(" ORDER BY due_at LIMIT {FLOOR_BATCH}"))
                .either(")", " FOR UPDATE SKIP LOCKED)")
                .execute(&*txn)
                .await?;
                txn.commit().await?;
                if taken == 0 {
                    return Ok::<(), sea_orm::DbErr>(());
                }
            }
        });
    }
    while let Some(done) = takers.join_next().await {
        done??;
    }
    Ok(())
}

fn connections(kind: Kind) -> usize {
    if kind == Kind::Postgres { 2 } else { 1 }
}
