//! Runs of schedules: a message for each member of the segment.
//!
//! A run is known by the instant for which it was due, so it may be repeated: whoever dies in the middle of one leaves it due, and what it
//! had written already is not written again. What was missed while nothing ran is made up for once.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use entity::campaign::{self, Model};
use entity::clock::Timestamp;
use entity::id::MemberId;
use entity::{campaign_mark, member, message};
use sea_orm::DbErr;
use tokio_util::sync::CancellationToken;

use crate::Context;
use crate::campaign::schedule::Schedule;
use crate::campaign::{Campaign, Segment};
use crate::catalogue::Catalogue;
use crate::record::blank;

/// Members written to in one transaction.
const BATCH: u64 = 1_000;

/// Runs every schedule that is due, until none is or the process is to end.
pub(super) async fn run(context: &Context, stop: &CancellationToken) -> Result<(), DbErr> {
    let due = campaign::list_due(context.db.read(), Timestamp::from(context.clock.now())).await?;
    for row in due {
        let employers = context
            .catalogues
            .load(context.db.read(), vec![row.employer_id])
            .await?;
        let Some(catalogue) = employers.get(row.employer_id) else {
            continue;
        };
        let now = catalogue.employer.now(context.clock.now());
        let Some(at) = row.next_run_at.map(Timestamp::instant) else {
            continue;
        };
        // While it is paused, or its program is over, the hours pass without it.
        if row.paused_at.is_none()
            && let Some(campaign) = catalogue.campaigns.find(row.id)
            && let Some(segment) = &campaign.segment
            && !write(context, (campaign, segment), (at, now), catalogue, stop).await?
        {
            return Ok(());
        }
        let zone: Tz = catalogue.employer.time_zone.parse().unwrap_or(Tz::UTC);
        let next = next(&row, now, zone);
        let txn = context.db.write_txn().await?;
        campaign::set_next_run(&*txn, &row, next).await?;
        txn.commit().await?;
    }
    Ok(())
}

/// The first run of a campaign after an instant.
fn next(row: &Model, now: DateTime<Utc>, zone: Tz) -> Option<Timestamp> {
    let schedule = Schedule::parse(row.schedule.as_deref()?).ok()?;
    schedule.next_after(now, zone).map(Into::into)
}

/// Writes the messages of a run; false: the process is to end before all of them are written.
async fn write(
    context: &Context,
    (campaign, segment): (&Campaign, &Segment),
    (at, now): (DateTime<Utc>, DateTime<Utc>),
    catalogue: &Catalogue,
    stop: &CancellationToken,
) -> Result<bool, DbErr> {
    let key = (campaign.row.employer_id, campaign.row.id);
    let since = at.checked_sub_signed(segment.within).unwrap_or(at);
    let is_sensitive = catalogue.is_sensitive(segment.did.event_type());
    let cause = message::cause_of_run(at.into());
    let mut after: Option<MemberId> = None;
    let mut written = 0;
    while !stop.is_cancelled() {
        let range = (since.into(), at.into());
        let found = campaign_mark::list_matched(context.db.read(), key, range, after, BATCH).await?;
        let Some(last) = found.last() else {
            // What no later run asks for is forgotten.
            let txn = context.db.write_txn().await?;
            campaign_mark::purge_matched(&*txn, key, since.into(), BATCH * 10).await?;
            txn.commit().await?;
            if written > 0 {
                context.wakes.messages();
            }
            return Ok(true);
        };
        after = Some(last.member_id);
        let members: Vec<_> = found
            .iter()
            .map(|mark| (mark.employer_id, mark.member_id))
            .collect();
        let members = member::list_by_ids(context.db.read(), &members).await?;
        let messages: Vec<message::Model> = members
            .iter()
            .filter(|row| row.erased_at.is_none())
            .filter(|row| {
                segment
                    .engaged
                    .is_none_or(|wanted| row.engaged_at.is_some() == wanted)
            })
            .map(|row| message::Model {
                cause: cause.clone(),
                sensitive: is_sensitive,
                ..blank(&context.ids, campaign, row.id, now)
            })
            .collect();
        if !messages.is_empty() {
            let txn = context.db.write_txn().await?;
            written += message::insert_new(&*txn, &messages).await?;
            txn.commit().await?;
        }
    }
    Ok(false)
}
