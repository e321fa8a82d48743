//! What members earn points for, and what is taken back: all that a batch comes to, by one way.
//!
//! Where each event earns by itself, events that count, count no longer or were refunded are what changes; elsewhere awards are. What
//! was said is brought in first, then what is earned for each cause is worked out anew ([`change`]), then the difference goes through
//! the caps and into the accounts. The caller holds the locks of the members.

mod change;
mod preview;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use entity::clock::Timestamp;
use entity::earning::{self, CauseKey, cap, refund};
use entity::id::{EmployerId, Ids, MemberId, TypedId};
use entity::ledger::{
    AWAITED, About, Account, AccountKey, Cause, Depth, Earned, EntryKind, Ledger, MOST, Moment, NEVER, Want,
};
use entity::{achievement, contribution, member};
use rust_decimal::Decimal;
use sea_orm::{ConnectionTrait, DbErr};
use serde_json::Value;

use super::Written;
use crate::catalogue::{Catalogue, Compiled, Employers};
use crate::judge::{Counted, Refunds, Release, factor};
use crate::outcome::{PointsOutcome, RetractionPolicy};
use crate::rules::points::{Occasion, Stated};
pub(crate) use preview::{Caps, Gain, gains, settle_orders};

use change::{Board, Change, Delta, Known, What};

/// Writes what was earned and taken back; nothing where nothing has changed.
pub(super) async fn follow(
    connection: &impl ConnectionTrait,
    ids: &Ids,
    employers: &Employers,
    (counted, refunds): (&[Counted], &Refunds),
    written: &Written,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    if !refunds.stated.is_empty() {
        refund::put(connection, &refunds.stated).await?;
    }
    if !refunds.taken_back.is_empty() {
        refund::delete(connection, &refunds.taken_back).await?;
    }
    let mut changes = of_events(employers, counted);
    changes.extend(of_awards(connection, employers, written).await?);
    let said = refunds.stated.iter().chain(&refunds.taken_back);
    let refunded: BTreeSet<CauseKey> = said.map(refund::Refund::cause_key).collect();
    let released = refunds.released.as_slice();
    if changes.is_empty() && refunded.is_empty() && released.is_empty() {
        return Ok(());
    }
    let known = known(connection, employers, &changes, &refunded, released).await?;
    let mut board = Board::new(employers, known, &refunds.taken_back);
    board.apply(changes, &refunded, released, |employer| {
        moment(employers, employer, now)
    });
    let wanted = board.caps();
    if !wanted.is_empty() {
        let keys: Vec<&cap::Key> = wanted.iter().collect();
        board.bring_caps(cap::list(connection, &keys).await?);
    }
    let deltas = board.settle(|employer| moment(employers, employer, now).on);
    book(connection, ids, employers, deltas, now).await?;
    let (earnings, caps) = board.changed();
    if !earnings.is_empty() {
        earning::put(connection, &earnings).await?;
    }
    if !caps.is_empty() {
        cap::put(connection, &caps).await?;
    }
    Ok(())
}

/// What changes by events that earn by themselves.
fn of_events(employers: &Employers, counted: &[Counted]) -> Vec<Change> {
    let mut changes = Vec::new();
    for Counted { row, counts } in counted {
        let found = employers.get(row.employer_id);
        let Some(compiled) = found.and_then(|catalogue| catalogue.find(row.incentive_id)) else {
            continue;
        };
        for earned in change::earned_by(compiled, row) {
            let what = if *counts {
                What::Earned(earned.claim)
            } else {
                match policy(compiled, row.version, earned.outcome) {
                    RetractionPolicy::Keep => continue,
                    policy => What::Gone {
                        stated: earned.claim.stated,
                        policy,
                    },
                }
            };
            changes.push(Change {
                cause: earned.cause,
                category: earned.outcome.category.clone(),
                is_order: earned.is_order,
                what,
            });
        }
    }
    changes
}

/// What changes by awards, where these are what is paid for.
async fn of_awards(
    connection: &impl ConnectionTrait,
    employers: &Employers,
    written: &Written,
) -> Result<Vec<Change>, DbErr> {
    let mut paid = Vec::new();
    for (rows, stands) in [(&written.earned, true), (&written.revoked, false)] {
        for row in rows {
            let Some(catalogue) = employers.get(row.employer_id) else {
                continue;
            };
            let Some(compiled) = catalogue.find(row.incentive_id) else {
                continue;
            };
            if let Some(ready) = compiled.ready(row.incentive_version)
                && !ready.earns_by_event
                && !ready.outcomes.points.is_empty()
            {
                paid.push((row, stands, catalogue, compiled, ready.outcomes.points.as_slice()));
            }
        }
    }
    // Only a boost that asks about the member needs to know anything of the member.
    let asks = |catalogue: &Catalogue, compiled: &Compiled| {
        let mut boosts = catalogue.boosts(compiled.program.id).iter();
        boosts.any(crate::rules::points::Boost::asks_about_member)
    };
    let wanted: BTreeSet<(EmployerId, MemberId)> = paid
        .iter()
        .filter(|(_, stands, catalogue, compiled, _)| *stands && asks(catalogue, compiled))
        .map(|(row, ..)| (row.employer_id, row.member_id))
        .collect();
    let mut attributes: HashMap<MemberId, Value> = HashMap::new();
    if !wanted.is_empty() {
        let wanted: Vec<_> = wanted.into_iter().collect();
        for row in member::list_by_ids(connection, &wanted).await? {
            attributes.insert(row.id, row.attributes);
        }
    }
    let mut changes = Vec::new();
    for (row, stands, catalogue, compiled, outcomes) in paid {
        for outcome in outcomes {
            let stated = Stated {
                at: row.recorded_at.instant(),
                amount: Decimal::ONE,
            };
            let what = if stands {
                let own = attributes.get(&row.member_id).unwrap_or(&Value::Null);
                let factor = factor_of_award(catalogue, compiled, outcome, row.earned_on, own);
                What::Earned(change::Claim {
                    version: row.incentive_version,
                    day: row.earned_on,
                    stated,
                    factor,
                })
            } else {
                match policy(compiled, row.incentive_version, outcome) {
                    RetractionPolicy::Keep => continue,
                    policy => What::Gone { stated, policy },
                }
            };
            changes.push(Change {
                cause: cause_of(row),
                category: outcome.category.clone(),
                is_order: false,
                what,
            });
        }
    }
    Ok(changes)
}

/// By how much the points of an award of this day are multiplied.
pub(crate) fn factor_of_award(
    catalogue: &Catalogue,
    compiled: &Compiled,
    outcome: &PointsOutcome,
    day: chrono::NaiveDate,
    attributes: &Value,
) -> Decimal {
    let occasion = Occasion {
        category: &outcome.category,
        day,
        at: None,
        properties: None,
        attributes,
    };
    factor(catalogue, compiled, outcome, &occasion)
}

fn cause_of(award: &achievement::Model) -> CauseKey {
    CauseKey {
        employer_id: award.employer_id,
        member_id: award.member_id,
        incentive_id: award.incentive_id,
        cause: award.id.uuid().as_bytes().to_vec(),
    }
}

/// What becomes of points when what they were earned for is taken back.
fn policy(compiled: &Compiled, version: i32, outcome: &PointsOutcome) -> RetractionPolicy {
    let sensitive = compiled.incentive.sensitive;
    compiled.ready(version).map_or(RetractionPolicy::Keep, |ready| {
        ready.outcomes.policy(outcome.on_retraction, sensitive)
    })
}

/// Brings in what is known of the causes that change.
async fn known(
    connection: &impl ConnectionTrait,
    employers: &Employers,
    changes: &[Change],
    refunded: &BTreeSet<CauseKey>,
    released: &[Release],
) -> Result<Known, DbErr> {
    let of = |wanted: &dyn Fn(&Change) -> bool| -> BTreeSet<CauseKey> {
        let causes = changes.iter().filter(|change| wanted(change));
        causes.map(|change| change.cause.clone()).collect()
    };
    let mut causes = of(&|_| true);
    causes.extend(refunded.iter().cloned());
    causes.extend(released.iter().map(|release| release.cause.clone()));
    let causes: Vec<CauseKey> = causes.into_iter().collect();
    let earnings = earning::list(connection, &causes).await?;
    let mut orders = of(&|change| change.is_order);
    // Of an order that nothing was earned for yet, its refunds are asked when it comes.
    let earned: BTreeSet<CauseKey> = earnings.iter().map(earning::Earning::cause_key).collect();
    orders.extend(refunded.intersection(&earned).cloned());
    let orders: Vec<CauseKey> = orders.into_iter().collect();
    let refunds = if orders.is_empty() {
        Vec::new()
    } else {
        refund::list(connection, &orders).await?
    };
    let gone = of(&|change| change.is_order && matches!(change.what, What::Gone { .. }));
    let gone: Vec<CauseKey> = gone.into_iter().collect();
    let mut others = Vec::new();
    if !gone.is_empty() {
        for row in contribution::list_of_causes(connection, &gone).await? {
            let found = employers.get(row.employer_id);
            let Some(compiled) = found.and_then(|catalogue| catalogue.find(row.incentive_id)) else {
                continue;
            };
            for earned in change::earned_by(compiled, &row) {
                others.push(((earned.cause, earned.outcome.category.clone()), earned.claim));
            }
        }
    }
    Ok(Known {
        earnings,
        refunds,
        others,
    })
}

/// Puts what was earned into the accounts, and takes what is taken back.
async fn book(
    connection: &impl ConnectionTrait,
    ids: &Ids,
    employers: &Employers,
    deltas: Vec<Delta>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let mut wanted: BTreeMap<AccountKey, Want> = BTreeMap::new();
    for delta in &deltas {
        let depth = if delta.points < 0 || delta.releases {
            Depth::Lots
        } else {
            Depth::Head
        };
        let want = wanted.entry(delta.account()).or_insert_with(|| Want {
            moment: moment(employers, delta.cause.employer_id, now),
            depth,
        });
        want.depth = want.depth.max(depth);
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let mut ledger = Ledger::open(connection, ids, wanted).await?;
    for delta in deltas {
        let key = delta.account();
        let at = moment(employers, key.employer_id, now).at;
        let found = employers.get(key.employer_id);
        let Some((catalogue, compiled)) =
            found.and_then(|catalogue| Some((catalogue, catalogue.find(delta.cause.incentive_id)?)))
        else {
            continue;
        };
        let outcome = compiled
            .ready(delta.version)
            .and_then(|ready| ready.outcomes.points_of(&delta.category));
        let Some((outcome, account)) = outcome.zip(ledger.account(&key)) else {
            continue;
        };
        let about = About {
            incentive: Some(delta.cause.incentive_id),
            redemption: None,
            sensitive: compiled.incentive.sensitive,
        };
        let cause = Cause {
            incentive: delta.cause.incentive_id,
            key: delta.cause.cause.clone(),
        };
        let (active_from, expires_at) = times(outcome, catalogue, compiled, at);
        if delta.releases {
            account.release(ids, &cause, active_from, expires_at);
        }
        if delta.points < 0 {
            account.take_back(ids, delta.points.saturating_neg(), &cause, delta.shortfall, about);
            continue;
        }
        let (active_from, expires_at) = if delta.awaits {
            (AWAITED, NEVER)
        } else {
            (active_from, expires_at)
        };
        let earned = Earned {
            amount: delta.points.min(room(account)),
            active_from,
            expires_at,
            cause: Some(cause),
        };
        if earned.amount < delta.points {
            tracing::error!(employer = %key.employer_id, incentive = %delta.cause.incentive_id, "an account is full, points are lost");
        }
        if earned.amount > 0 {
            // There is room for it.
            let _entry = account.earn(ids, at, EntryKind::Earned, earned, about);
        }
    }
    ledger.write(connection).await
}

/// How many points an account can still take.
fn room(account: &Account) -> i64 {
    MOST.saturating_sub(account.available())
        .saturating_sub(account.pending())
        .max(0)
}

/// When points become active and when they end.
fn times(
    outcome: &PointsOutcome,
    catalogue: &Catalogue,
    compiled: &Compiled,
    at: Timestamp,
) -> (Timestamp, Timestamp) {
    let pending = outcome.pending_for.unwrap_or(0).saturating_mul(1_000_000);
    let active_from = Timestamp(at.0.saturating_add(pending));
    let expires_at = outcome.expires_after.map_or(NEVER, |after| {
        let zone = catalogue.zone_of(compiled);
        Timestamp::from(after.end_of_day(active_from.instant(), zone))
    });
    (active_from, expires_at)
}

/// The present of an employer of the batch.
fn moment(employers: &Employers, employer: EmployerId, now: DateTime<Utc>) -> Moment {
    let known = employers.get(employer);
    known.map_or_else(
        || Moment {
            at: now.into(),
            on: now.date_naive(),
        },
        |catalogue| crate::moment::moment(&catalogue.employer, now),
    )
}
