//! Taking what is due, and deciding it.
//!
//! Messages are locked first, then their members: under the lock of a member its consent, its erasure and the places that it has taken of
//! its caps stay as they are, so two workers never give away one place twice.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::achievement::{self, AchievementStatus};
use entity::clock::Timestamp;
use entity::consent::{self, Consent, Purpose};
use entity::id::{AchievementId, EmployerId, MemberId};
use entity::message::{self, MessageState, Model, Slots};
use entity::{campaign_mark, employer, member, suppression};
use sea_orm::{ConnectionTrait, DbErr};

use super::MESSAGES;
use crate::Context;
use crate::campaign::Campaign;
use crate::campaign::decide::{Facts, Person, Verdict, decide};
use crate::campaign::timing::Cap;
use crate::catalogue::Employers;

/// How long whoever reserves a message has until it is marked as being sent.
const LEASE: TimeDelta = TimeDelta::minutes(10);
/// The longest period of a cap, and a day for the zones.
const LONGEST_PERIOD: Days = Days::new(33);
/// The category under which messages count that take no place in any cap.
const UNCOUNTED: &str = "";

/// A message that is to be sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// The message, reserved.
    pub row: Model,
    /// Under which lease.
    pub lease: i64,
    /// What it says.
    pub campaign: Arc<Campaign>,
    /// By whom.
    pub employer: employer::Model,
    /// To whom.
    pub member: member::Model,
    /// The award that brought it about, if one did.
    pub award: Option<achievement::Model>,
}

/// What was looked at.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// How many messages were looked at.
    pub looked_at: usize,
    /// Those that are to be sent.
    pub outgoing: Vec<Outgoing>,
}

/// Decides at most so many messages that are due.
pub(super) async fn take(context: &Context, limit: usize) -> Result<Taken, DbErr> {
    let real = context.clock.now();
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    // A look first: most of the time nothing is due, and a look keeps nobody waiting.
    let due = message::list_due(context.db.read(), Timestamp::from(real), limit).await?;
    if due.is_empty() {
        return Ok(Taken::default());
    }
    let txn = context.db.write_txn().await?;
    let rows = message::lock(&*txn, &due).await?;
    if rows.is_empty() {
        // Others are at all of them.
        txn.rollback().await?;
        return Ok(Taken::default());
    }
    let known = Known::load(context, &*txn, &rows).await?;
    let mut random = [0; 8];
    context.ids.fill(&mut random);
    let lease = i64::from_be_bytes(random);
    let (decided, outgoing) = known.decide(rows, lease, real);
    if decided.is_empty() {
        txn.rollback().await?;
        return Ok(Taken::default());
    }
    message::decide(&*txn, &decided).await?;
    txn.commit().await?;
    for row in &decided {
        if let Some(why) = row.reason {
            context.metrics.count(&MESSAGES, [("outcome", why.as_str())], 1);
        }
        if row.state == MessageState::Unknown {
            context.metrics.count(&MESSAGES, [("outcome", "unknown")], 1);
        }
    }
    Ok(Taken {
        looked_at: decided.len(),
        outgoing,
    })
}

type MemberKey = (EmployerId, MemberId);

/// All that decisions go by, as it is under the locks.
struct Known {
    employers: Employers,
    members: HashMap<MemberKey, member::Model>,
    awards: HashMap<(EmployerId, AchievementId), achievement::Model>,
    consents: HashMap<MemberKey, Vec<Consent>>,
    suppressed: HashSet<(EmployerId, Vec<u8>)>,
    converted: HashSet<campaign_mark::MarkKey>,
    slots: HashMap<MemberKey, Vec<(String, NaiveDate, i64)>>,
    lease_lasts: TimeDelta,
}

impl Known {
    async fn load(
        context: &Context,
        connection: &impl ConnectionTrait,
        rows: &[Model],
    ) -> Result<Self, DbErr> {
        let members: BTreeSet<MemberKey> = rows.iter().map(|row| (row.employer_id, row.member_id)).collect();
        let members: Vec<MemberKey> = members.into_iter().collect();
        let _locked = member::lock(connection, &members).await?;
        let employers: BTreeSet<EmployerId> = rows.iter().map(|row| row.employer_id).collect();
        let employers = context
            .catalogues
            .load(connection, employers.into_iter().collect())
            .await?;
        let awards: Vec<_> = rows
            .iter()
            .filter_map(|row| Some((row.employer_id, row.achievement_id?)))
            .collect();
        let awards = if awards.is_empty() {
            Vec::new()
        } else {
            achievement::list_awards_by_ids(connection, &awards).await?
        };
        let mut consents: HashMap<MemberKey, Vec<Consent>> = HashMap::new();
        for word in consent::list(connection, Purpose::Email, &members).await? {
            let key = (word.employer_id, word.member_id);
            consents.entry(key).or_default().push(word);
        }
        let people = member::list_by_ids(connection, &members).await?;
        let addresses: Vec<_> = people.iter().filter_map(address).collect();
        let suppressed = suppression::list(connection, &addresses).await?;
        let marks: BTreeSet<_> = rows
            .iter()
            .map(|row| (row.employer_id, row.campaign_id, row.member_id))
            .collect();
        let marks: Vec<_> = marks.into_iter().collect();
        let converted = campaign_mark::list_converted(connection, &marks).await?;
        let today = context.clock.now().date_naive();
        let since = today.checked_sub_days(LONGEST_PERIOD).unwrap_or(today);
        let mut slots: HashMap<MemberKey, Vec<(String, NaiveDate, i64)>> = HashMap::new();
        for Slots {
            employer_id,
            member_id,
            slot_category,
            slot_on,
            count,
        } in message::list_slots(connection, &members, since).await?
        {
            let taken = slots.entry((employer_id, member_id)).or_default();
            taken.push((slot_category, slot_on, count));
        }
        Ok(Self {
            employers,
            members: people
                .into_iter()
                .map(|row| ((row.employer_id, row.id), row))
                .collect(),
            awards: awards
                .into_iter()
                .map(|row| ((row.employer_id, row.id), row))
                .collect(),
            consents,
            suppressed: suppressed
                .into_iter()
                .map(|row| (row.employer_id, row.address_digest))
                .collect(),
            converted: converted
                .into_iter()
                .map(|mark| (mark.employer_id, mark.campaign_id, mark.member_id))
                .collect(),
            slots,
            lease_lasts: context.outbound.scale.shorten(LEASE),
        })
    }

    /// Decides messages, the first brought about first: rows to be written, and those of them that are to be sent.
    fn decide(
        mut self,
        mut rows: Vec<Model>,
        lease: i64,
        real: DateTime<Utc>,
    ) -> (Vec<Model>, Vec<Outgoing>) {
        rows.sort_by_key(|row| (row.employer_id, row.triggered_at, row.id));
        let (mut decided, mut outgoing) = (Vec::new(), Vec::new());
        for row in rows {
            let now = self.employers.now(row.employer_id, real);
            // Somebody may have decided it between the look and the lock.
            if row.due_at.is_none_or(|due| due > Timestamp::from(now)) {
                continue;
            }
            if row.state == MessageState::Sending {
                // Whoever was handing it over has not said in time what came of it.
                decided.push(Model {
                    state: MessageState::Unknown,
                    due_at: None,
                    settled_at: Some(now.into()),
                    ..row
                });
                continue;
            }
            self.free_place_of(&row);
            let open = Model {
                state: MessageState::Pending,
                waits_for: None,
                reason: None,
                lease: None,
                slot_category: None,
                slot_on: None,
                ..row
            };
            let verdict = self.verdict(&open, now);
            let row = match verdict {
                Some(Verdict::Send(on)) => self.reserve(open, (lease, on), now),
                Some(Verdict::Wait(what, until)) => Model {
                    due_at: Some(until.into()),
                    waits_for: Some(what),
                    ..open
                },
                // Whoever resumes the campaign makes it due.
                Some(Verdict::Leave) => Model {
                    due_at: Some(open.expires_at),
                    ..open
                },
                Some(Verdict::Drop(why)) => dropped(open, why, now),
                // What is said cannot be read: whoever operates this has been told by the log.
                None => dropped(open, message::NotSent::Unrenderable, now),
            };
            if row.state == MessageState::Reserved {
                outgoing.extend(self.outgoing(&row, lease));
            }
            decided.push(row);
        }
        (decided, outgoing)
    }

    fn verdict(&self, row: &Model, now: DateTime<Utc>) -> Option<Verdict> {
        let catalogue = self.employers.get(row.employer_id)?;
        let campaign = catalogue.campaigns.find(row.campaign_id)?;
        let key = (row.employer_id, row.member_id);
        let employer = &catalogue.employer;
        let still_holds = row.achievement_id.is_none_or(|award| {
            let award = self.awards.get(&(row.employer_id, award));
            award.is_some_and(|award| award.status == AchievementStatus::Earned)
        });
        let none = Vec::new();
        let taken = self.slots.get(&key).unwrap_or(&none);
        let sent_since = |category: Option<&str>, since: NaiveDate| {
            let counts = |of: &str| match category {
                Some(category) => of == category,
                None => of != UNCOUNTED,
            };
            taken
                .iter()
                .filter(|(of, on, _)| counts(of) && *on >= since)
                .map(|(.., count)| count)
                .sum()
        };
        let employer_cap = match (employer.message_cap_at_most, employer.message_cap_per) {
            (Some(at_most), Some(per)) => Some(Cap { at_most, per }),
            _ => None,
        };
        Some(decide(&Facts {
            now,
            campaign,
            expires_at: row.expires_at.instant(),
            still_holds,
            member_id: row.member_id,
            person: self.person(key, campaign, employer)?,
            employer_cap,
            sent_since: &sent_since,
        }))
    }

    fn person(&self, key: MemberKey, campaign: &Campaign, employer: &employer::Model) -> Option<Person> {
        let member = self.members.get(&key)?;
        let words = self.consents.get(&key);
        let said = words.and_then(|words| words.iter().find(|word| word.partner_id.is_none()));
        let is_marked = self.converted.contains(&(key.0, campaign.row.id, key.1));
        let has_registered = campaign.ends_with_registration() && member.engaged_at.is_some();
        let zone = member.time_zone.as_deref().unwrap_or(&employer.time_zone);
        Some(Person {
            is_erased: member.erased_at.is_some(),
            eligible_from: member.eligible_from,
            eligible_until: member.eligible_until,
            has_address: member.email.is_some(),
            is_suppressed: address(member).is_some_and(|address| self.suppressed.contains(&address)),
            consents: said.map_or(employer.default_email, |word| word.given),
            has_converted: is_marked || has_registered,
            // The zone was checked when it was written.
            zone: zone.parse().unwrap_or(Tz::UTC),
        })
    }

    /// A message whose lease has ended takes no place until it is decided anew.
    fn free_place_of(&mut self, row: &Model) {
        let (Some(category), Some(on)) = (&row.slot_category, row.slot_on) else {
            return;
        };
        let taken = self.slots.entry((row.employer_id, row.member_id)).or_default();
        let own = taken.iter_mut().find(|(of, day, _)| of == category && *day == on);
        if let Some((.., count)) = own {
            *count = count.saturating_sub(1);
        }
    }

    fn reserve(&mut self, row: Model, (lease, on): (i64, NaiveDate), now: DateTime<Utc>) -> Model {
        let campaign = self
            .employers
            .get(row.employer_id)
            .and_then(|catalogue| catalogue.campaigns.find(row.campaign_id));
        let category = campaign
            .filter(|campaign| !campaign.row.transactional)
            .map_or_else(|| UNCOUNTED.to_owned(), |campaign| campaign.row.category.clone());
        let taken = self.slots.entry((row.employer_id, row.member_id)).or_default();
        taken.push((category.clone(), on, 1));
        Model {
            state: MessageState::Reserved,
            lease: Some(lease),
            due_at: Some(now.checked_add_signed(self.lease_lasts).unwrap_or(now).into()),
            slot_category: Some(category),
            slot_on: Some(on),
            ..row
        }
    }

    fn outgoing(&self, row: &Model, lease: i64) -> Option<Outgoing> {
        let catalogue = self.employers.get(row.employer_id)?;
        let award = row.achievement_id;
        Some(Outgoing {
            campaign: Arc::clone(catalogue.campaigns.find(row.campaign_id)?),
            employer: catalogue.employer.clone(),
            member: self.members.get(&(row.employer_id, row.member_id))?.clone(),
            award: award.and_then(|award| self.awards.get(&(row.employer_id, award)).cloned()),
            row: row.clone(),
            lease,
        })
    }
}

/// A message that is not sent: the event behind it is forgotten.
pub(super) fn dropped(row: Model, why: message::NotSent, now: DateTime<Utc>) -> Model {
    Model {
        state: MessageState::Dropped,
        reason: Some(why),
        due_at: None,
        waits_for: None,
        settled_at: Some(now.into()),
        event_type: None,
        event_properties: None,
        ..row
    }
}

fn address(member: &member::Model) -> Option<(EmployerId, Vec<u8>)> {
    let address = member.email.as_deref()?;
    Some((
        member.employer_id,
        suppression::address_digest(member.employer_id, address),
    ))
}
