//! Messages that awards bring about: each is written with the award, and decided when it is due.
//!
//! Nothing is decided here: between the award and the message much can change, and what holds then is asked then
//! ([`crate::campaign::decide`]).

use chrono::{DateTime, Utc};
use entity::achievement;
use entity::id::Ids;
use entity::message::{self, MessageState, Model};
use sea_orm::{ConnectionTrait, DbErr};

use super::Written;
use crate::campaign::Campaign;
use crate::catalogue::Employers;

/// The bytes that make the links of a message nobody else's.
const TOKEN_BYTES: usize = 16;

/// Writes the messages that follow from what was earned, and says how many are new.
pub(super) async fn follow(
    connection: &impl ConnectionTrait,
    ids: &Ids,
    employers: &Employers,
    written: &Written,
    now: DateTime<Utc>,
) -> Result<usize, DbErr> {
    let mut messages = Vec::new();
    for award in &written.earned {
        let Some(catalogue) = employers.get(award.employer_id) else {
            continue;
        };
        let compiled = catalogue.find(award.incentive_id);
        let ready = compiled.and_then(|compiled| compiled.ready(award.incentive_version));
        for outcome in ready.into_iter().flat_map(|ready| &ready.outcomes.messages) {
            // One that is over sends nothing more.
            let campaign = catalogue.campaigns.find_by_key(&outcome.campaign);
            let Some(campaign) = campaign.filter(|campaign| campaign.row.archived_at.is_none()) else {
                continue;
            };
            messages.push(of_award(
                ids,
                campaign,
                (award, written),
                catalogue.employer.now(now),
            ));
        }
    }
    if messages.is_empty() {
        return Ok(0);
    }
    let fresh = message::insert_new(connection, &messages).await?;
    Ok(usize::try_from(fresh).unwrap_or(usize::MAX))
}

fn of_award(
    ids: &Ids,
    campaign: &Campaign,
    (award, written): (&achievement::Model, &Written),
    now: DateTime<Utc>,
) -> Model {
    let occasion = written
        .occasions
        .get(&award.id)
        .filter(|_| campaign.needs_event());
    Model {
        member_id: award.member_id,
        cause: message::cause_of_award(award.id),
        achievement_id: Some(award.id),
        sensitive: award.sensitive,
        event_type: occasion.map(|occasion| occasion.event_type.clone()),
        event_properties: occasion.map(|occasion| occasion.properties.clone()),
        ..blank(ids, campaign, award.member_id, now)
    }
}

/// A message of a campaign to a member, due now; what brings it about is the caller's to say.
pub(crate) fn blank(
    ids: &Ids,
    campaign: &Campaign,
    member_id: entity::id::MemberId,
    now: DateTime<Utc>,
) -> Model {
    let mut token = vec![0; TOKEN_BYTES];
    ids.fill(&mut token);
    let expires_at = now.checked_add_signed(campaign.time_to_live()).unwrap_or(now);
    Model {
        employer_id: campaign.row.employer_id,
        id: ids.next(),
        campaign_id: campaign.row.id,
        member_id,
        cause: String::new(),
        achievement_id: None,
        sensitive: false,
        triggered_at: now.into(),
        expires_at: expires_at.into(),
        event_type: None,
        event_properties: None,
        state: MessageState::Pending,
        due_at: Some(now.into()),
        waits_for: None,
        reason: None,
        lease: None,
        tries: 0,
        slot_category: None,
        slot_on: None,
        answer: None,
        token,
        settled_at: None,
        converted_at: None,
    }
}
