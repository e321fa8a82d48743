//! Whether a message goes, by what holds at this moment.

use aws_lc_rs::digest;
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use entity::campaign::OverCap;
use entity::id::{CampaignId, MemberId, TypedId};
use entity::message::{NotSent, WaitsFor};

use super::Campaign;
use super::timing::Cap;
use crate::rules::calendar;

/// What is known of the member when a message to it is decided.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// Whether it was erased.
    pub is_erased: bool,
    /// The first local date on which it is eligible; none: any.
    pub eligible_from: Option<NaiveDate>,
    /// The last.
    pub eligible_until: Option<NaiveDate>,
    /// Whether an address of it is known.
    pub has_address: bool,
    /// Whether that is not written to any more.
    pub is_suppressed: bool,
    /// Whether it consents to being mailed.
    pub consents: bool,
    /// Whether it has done what the campaign works towards.
    pub has_converted: bool,
    /// Where it lives.
    pub zone: Tz,
}

/// All that a decision goes by.
pub struct Facts<'a> {
    /// The employer's present.
    pub now: DateTime<Utc>,
    /// What would be said.
    pub campaign: &'a Campaign,
    /// When the message's time is over.
    pub expires_at: DateTime<Utc>,
    /// Whether the award behind it stands, if there is one.
    pub still_holds: bool,
    /// To whom.
    pub member_id: MemberId,
    /// What is known of it.
    pub person: Person,
    /// How many messages of all campaigns a member gets of the employer.
    pub employer_cap: Option<Cap>,
    /// How many messages the member got from a local date on: of one category, or of all.
    pub sent_since: &'a dyn Fn(Option<&str>, NaiveDate) -> i64,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes, on this local date of the member.
    Send(NaiveDate),
    /// It is decided anew at an instant.
    Wait(WaitsFor, DateTime<Utc>),
    /// It stays undecided as long as its time is not over: its campaign is paused.
    Leave,
    /// It does not go.
    Drop(NotSent),
}

/// Decides a message. What stops it for good comes before what only delays it; what the member has said comes before what the employer
/// wishes.
pub fn decide(facts: &Facts<'_>) -> Verdict {
    let Facts {
        now,
        campaign,
        person,
        ..
    } = facts;
    let row = &campaign.row;
    let today = calendar::civil(*now, person.zone).date();
    let out_of_time = *now >= facts.expires_at;
    let not_eligible = person.eligible_from.is_some_and(|from| today < from)
        || person.eligible_until.is_some_and(|until| until < today);
    let advertises = !row.transactional;
    let stopped = [
        (person.is_erased, NotSent::Erased),
        (row.archived_at.is_some(), NotSent::Archived),
        (!facts.still_holds, NotSent::Revoked),
        (not_eligible, NotSent::NotEligible),
        (out_of_time, NotSent::Expired),
    ];
    if let Some((_, why)) = stopped.iter().find(|(is_so, _)| *is_so) {
        return Verdict::Drop(*why);
    }
    if row.paused_at.is_some() {
        return Verdict::Leave;
    }
    let stopped = [
        (!person.has_address, NotSent::NoAddress),
        (person.is_suppressed, NotSent::Suppressed),
        (advertises && !person.consents, NotSent::NoConsent),
        (person.has_converted, NotSent::Converted),
        (
            advertises && is_held_out(row.id, facts.member_id, row.held_out_percent),
            NotSent::HeldOut,
        ),
    ];
    if let Some((_, why)) = stopped.iter().find(|(is_so, _)| *is_so) {
        return Verdict::Drop(*why);
    }
    if row.transactional {
        return Verdict::Send(today);
    }
    let wait = |what: WaitsFor, until: Option<DateTime<Utc>>, otherwise: NotSent| match until {
        Some(until) if until < facts.expires_at => Verdict::Wait(what, until),
        _ => Verdict::Drop(otherwise),
    };
    if let Some(quiet) = campaign.quiet
        && let Some(end) = quiet.end(*now, person.zone)
    {
        return wait(WaitsFor::QuietHours, Some(end), NotSent::Expired);
    }
    let full = |cap: Option<Cap>, category: Option<&str>| {
        cap.filter(|cap| (facts.sent_since)(category, cap.first_day(today)) >= cap.at_most)
    };
    let caps = [
        full(campaign.cap, Some(&row.category)),
        full(facts.employer_cap, None),
    ];
    if caps.iter().all(Option::is_none) {
        return Verdict::Send(today);
    }
    if row.cap_over != Some(OverCap::Defer) {
        return Verdict::Drop(NotSent::Cap);
    }
    let next = caps
        .iter()
        .flatten()
        .filter_map(|cap| cap.next_period(today, person.zone))
        .max();
    wait(WaitsFor::Cap, next, NotSent::Cap)
}

/// Whether a member belongs to those of a campaign who get nothing: always the same, and of another campaign others.
pub fn is_held_out(campaign: CampaignId, member: MemberId, percent: i64) -> bool {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"plaudit held out\0");
    context.update(campaign.uuid().as_bytes());
    context.update(member.uuid().as_bytes());
    let tag = context.finish();
    let mut bytes = [0; 8];
    for (byte, found) in bytes.iter_mut().zip(tag.as_ref()) {
        *byte = *found;
    }
    i64::try_from(u64::from_be_bytes(bytes) % 100).is_ok_and(|place| place < percent)
}

#[cfg(test)]
mod tests;
