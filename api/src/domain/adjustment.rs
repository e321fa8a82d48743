//! Points: corrections by hand.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use entity::id::PointsEntryId;
use entity::idempotency::{self, Claim, Request};
use entity::ledger::{
    About, Account, AccountKey, Depth, Earned, EntryKind, Ledger, NEVER, Refusal, Want, adjustment,
};
use entity::member;
use serde_json::json;

use super::audit::{Change, What};
use super::{Error, Fault, FaultCode, Outcome, require_none, retrying, tenant};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::{Permit, Viewer};
use crate::validate;

/// The most points that one correction adds or takes.
const AMOUNT_MAX: u64 = 1_000_000_000;

/// A correction by hand.
pub struct Adjust {
    /// The key of the employer.
    pub employer: Option<String>,
    /// The member's external id.
    pub member: String,
    /// Which points.
    pub category: String,
    /// How many are added, or taken.
    pub amount: i64,
    /// Why.
    pub reason: String,
    /// The caller's own name for this request.
    pub idempotency_key: String,
}

/// What came of it.
pub struct Adjusted {
    /// The entry of the ledger.
    pub entry: PointsEntryId,
    /// What the member can spend now.
    pub available: i64,
    /// What it cannot spend yet.
    pub pending: i64,
}

/// Adds points that never end, or takes points that can be spent; once, however often it is asked for by one key.
pub async fn adjust(app: &App, permit: Permit<access::AdjustPoints>, adjust: &Adjust) -> Outcome<Adjusted> {
    require_none(faults(adjust))?;
    retrying(|| adjust_once(app, permit.viewer(), adjust)).await
}

fn faults(adjust: &Adjust) -> Vec<Fault> {
    let mut faults = Vec::new();
    validate::category(&["category"], &adjust.category, &mut faults);
    if adjust.amount == 0 || adjust.amount.unsigned_abs() > AMOUNT_MAX {
        faults.push(Fault::invalid(
            &["amount"],
            "from -1,000,000,000 to 1,000,000,000, and not 0",
        ));
    }
    validate::name(&["reason"], &adjust.reason, &mut faults);
    validate::idempotency_key(&["idempotencyKey"], &adjust.idempotency_key, &mut faults);
    faults
}

async fn adjust_once(app: &App, viewer: &Viewer, adjust: &Adjust) -> Outcome<Adjusted> {
    let txn = Change::by::<access::AdjustPoints>(app, viewer).await?;
    let employer = tenant::resolve(&*txn, viewer, adjust.employer.as_deref()).await?;
    let unknown = || {
        Fault::new(
            FaultCode::UnknownMember,
            &["member"],
            "the employer has no member of this id",
        )
    };
    let member = match validate::is_external_id(&adjust.member) {
        true => member::find_by_external_id(&*txn, employer.id, &adjust.member).await?,
        false => None,
    };
    let member = member.ok_or_else(unknown)?;
    let moment = jobs::moment::moment(&employer, app.clock.now());
    let request = Request {
        operation: "adjustPoints",
        employer_id: employer.id,
        key: &adjust.idempotency_key,
        body_hash: body_hash(adjust),
        member_id: member.id,
        made_id: app.ids.next::<PointsEntryId>(),
        at: moment.at,
    };
    let claim = idempotency::claim(&*txn, &request).await?;
    let locked = member::lock(&*txn, &[(employer.id, member.id)]).await?;
    if locked.iter().all(|subject| subject.erased_at.is_some()) {
        return Err(unknown().into());
    }
    let key = AccountKey {
        employer_id: employer.id,
        member_id: member.id,
        category: adjust.category.clone(),
    };
    let depth = Depth::Lots;
    let wanted = BTreeMap::from([(key.clone(), Want { moment, depth })]);
    let mut ledger = Ledger::open(&*txn, &app.ids, wanted).await?;
    let account = ledger
        .account(&key)
        .ok_or(Error::Internal("an account was not brought in"))?;
    let entry = match claim {
        // What came of it then; the balance is today's.
        Claim::Again(entry) => return Ok(adjusted(account, entry)),
        Claim::Conflict => {
            return Err(Fault::new(
                FaultCode::Conflict,
                &["idempotencyKey"],
                "this key was used before, for something else",
            )
            .into());
        }
        Claim::First => request.made_id,
    };
    account.promise(entry);
    let about = About::default();
    let done = if adjust.amount > 0 {
        let earned = Earned {
            amount: adjust.amount,
            active_from: moment.at,
            expires_at: NEVER,
            cause: None,
        };
        let kind = EntryKind::Adjusted;
        account.earn(&app.ids, moment.at, kind, earned, about).map(|_| ())
    } else {
        let amount = -adjust.amount;
        account
            .spend(&app.ids, amount, EntryKind::Adjusted, about)
            .map(|_| ())
    };
    done.map_err(|refusal| match refusal {
        Refusal::Insufficient => Fault::new(
            FaultCode::InsufficientPoints,
            &["amount"],
            "the member has not as many points to spend",
        ),
        Refusal::TooMany => Fault::new(
            FaultCode::TooMany,
            &["amount"],
            "more points than an account can hold",
        ),
    })?;
    let adjusted = adjusted(account, entry);
    ledger.write(&*txn).await?;
    let made_by = viewer.client_id.as_str();
    adjustment::insert(&*txn, (employer.id, entry), &adjust.reason, made_by).await?;
    // Not the reason: it is in somebody's own words, and goes when the member is erased.
    let after = json!({"category": adjust.category, "amount": adjust.amount});
    let what = What::other(entry.to_string(), None, Some(after)).of(vec![member.id]);
    txn.commit(app, Some(&employer), what).await?;
    Ok(adjusted)
}

fn adjusted(account: &Account, entry: PointsEntryId) -> Adjusted {
    Adjusted {
        entry,
        available: account.available(),
        pending: account.pending(),
    }
}

/// A digest of all that is asked for. JSON, so that no two requests read alike when their parts are put together.
fn body_hash(adjust: &Adjust) -> Vec<u8> {
    let body = serde_json::json!([adjust.member, adjust.category, adjust.amount, adjust.reason]);
    digest(&SHA256, body.to_string().as_bytes()).as_ref().to_vec()
}
