//! Back-fills: a partner that is granted a program is told, where it is asked for, what was achieved in it before.
//!
//! Achievements are looked at in the order of their ids, a batch a transaction, together with how far that has come: a crash costs
//! nothing, and any worker goes on. Told is what stands and is shown, and of whom the member shares with the partner at that moment.
//!
//! Why nothing is told twice and nothing is missed while members go on earning: whoever gives a grant waits for those who are writing
//! down awards ([`entity::employer::stop_awards`]). Who has not seen the grant has therefore committed before the first look is taken
//! here, wherever its ids lie; who writes later sees the grant and tells by itself, and its achievements come with their entries.
//! The same lock, held here too, lets a revoked grant end a back-fill before it is answered.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use entity::achievement::{self, AchievementStatus};
use entity::backfill::{self, BackfillState, Running, Step};
use entity::id::{EmployerId, MemberId, PartnerId};
use entity::{db, feed, grant, member};
use sea_orm::{ConnectionTrait, DbErr};
use tokio_util::sync::CancellationToken;

use crate::{Context, record};

/// Achievements looked at in one transaction: few enough that whoever waits for their members or the partner's feed hardly notices.
const BATCH: u64 = 500;

/// What became of an attempt to go on with a back-fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    /// It has come further, or to its end.
    Moved,
    /// Another worker is at it.
    Taken,
    /// What the employer has in force changed meanwhile.
    Changed,
}

/// Goes on with all back-fills until none is left or `shutdown`.
pub async fn drain(context: &Context, shutdown: &CancellationToken) -> Result<(), DbErr> {
    while !shutdown.is_cancelled() && round(context).await? {}
    Ok(())
}

/// Goes on with each back-fill by one batch; false when there was nothing to do, or others are at it.
pub async fn round(context: &Context) -> Result<bool, DbErr> {
    let mut has_moved = false;
    for running in backfill::list_running(context.db.read()).await? {
        has_moved |= advance(context, &running).await? == Attempt::Moved;
    }
    Ok(has_moved)
}

async fn advance(context: &Context, running: &Running) -> Result<Attempt, DbErr> {
    loop {
        // Each round but the last is due to a change that somebody has made by hand.
        match try_once(context, running).await {
            Ok(Attempt::Changed) => {}
            // It was in another transaction's way, which goes on; the next round or sweep tries again.
            Err(error) if db::is_retryable(&error) => return Ok(Attempt::Taken),
            outcome => return outcome,
        }
    }
}

async fn try_once(context: &Context, running: &Running) -> Result<Attempt, DbErr> {
    let now = context.clock.now();
    let txn = context.db.write_txn().await?;
    let (attempt, told) = step(context, &*txn, running, now).await?;
    if attempt != Attempt::Moved {
        txn.rollback().await?;
        return Ok(attempt);
    }
    txn.commit().await?;
    if let Some(partner) = told {
        context.wakes.feeds(vec![partner]);
    }
    Ok(attempt)
}

/// One batch, up to the commit; with the partner whose feed has grown.
async fn step(
    context: &Context,
    connection: &impl ConnectionTrait,
    running: &Running,
    now: DateTime<Utc>,
) -> Result<(Attempt, Option<PartnerId>), DbErr> {
    let employer = running.employer_id;
    let seen =
        achievement::list_of_program(connection, (employer, running.program_id), running.last_id, BATCH)
            .await?;
    let mut members: Vec<(EmployerId, MemberId)> = seen.iter().map(|row| (employer, row.member_id)).collect();
    members.sort_unstable();
    members.dedup();
    // In the order of whoever evaluates: the members, what is in force, the feed.
    let somebody: HashSet<MemberId> = member::lock(connection, &members)
        .await?
        .into_iter()
        .filter(|subject| subject.erased_at.is_none())
        .map(|subject| subject.id)
        .collect();
    let employers = context.catalogues.load(connection, vec![employer]).await?;
    if !employers.lock(connection, [employer]).await? {
        return Ok((Attempt::Changed, None));
    }
    let own_now = employers.now(employer, now).into();
    let moved = |moved| if moved { Attempt::Moved } else { Attempt::Taken };
    let Some(recipient) = grant::recipient(connection, employer, running.grant_id).await? else {
        let ended = backfill::end(connection, running, BackfillState::Stopped, own_now).await?;
        return Ok((moved(ended), None));
    };
    let Some(last_id) = seen.last().map(|row| row.id) else {
        let ended = backfill::end(connection, running, BackfillState::Done, own_now).await?;
        return Ok((moved(ended), None));
    };
    // As they are under the locks.
    let wanted: Vec<_> = seen.iter().map(|row| (employer, row.id)).collect();
    let mut rows = achievement::list_by_ids(connection, &wanted).await?;
    rows.retain(|row| row.status == AchievementStatus::Earned && somebody.contains(&row.member_id));
    rows.sort_unstable_by_key(|row| row.id);
    let entries = record::tell_late(connection, &context.ids, &employers, (&recipient, &rows), now).await?;
    let step = Step {
        last_id,
        done: seen.len(),
        told: entries.len(),
    };
    if !backfill::advance(connection, running, step).await? {
        return Ok((Attempt::Taken, None));
    }
    let told = (!entries.is_empty()).then_some(recipient.partner_id);
    // Takes the feed positions, so nothing comes between it and the commit.
    if told.is_some() {
        feed::append(connection, entries).await?;
    }
    Ok((Attempt::Moved, told))
}
