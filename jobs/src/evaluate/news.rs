//! What events are to campaigns and their members, beside what they count for: somebody belongs to a segment, has done what a campaign
//! works towards, or has registered; and the events that messages tell of.

use std::collections::{BTreeMap, HashMap};

use entity::campaign_mark::{self, Mark, MarkKind};
use entity::clock::Timestamp;
use entity::event::Event;
use entity::id::{CampaignId, EmployerId, MemberId};
use entity::{member, message};
use sea_orm::{ConnectionTrait, DbErr};
use serde_json::Value;

use crate::campaign::REGISTRATION;
use crate::catalogue::{Catalogue, Employers};
use crate::record::{Earned, Occasion};

/// What the events of a batch are news of.
#[derive(Debug, Default)]
pub(super) struct News {
    marks: BTreeMap<(EmployerId, CampaignId, MarkKind, MemberId), Mark>,
    engaged: BTreeMap<(EmployerId, MemberId), Timestamp>,
}

impl News {
    /// Takes note of an event.
    pub fn note(
        &mut self,
        catalogue: &Catalogue,
        event: &Event,
        event_type: &str,
        (properties, attributes): (&Value, &Value),
    ) {
        let (employer, member) = (event.employer_id, event.member_id);
        if event_type == REGISTRATION {
            let since = self
                .engaged
                .entry((employer, member))
                .or_insert(event.occurred_at);
            *since = (*since).min(event.occurred_at);
        }
        for (campaign, kind) in catalogue.campaigns.marked_by(event_type, properties, attributes) {
            let mark = Mark {
                employer_id: employer,
                campaign_id: campaign.row.id,
                kind,
                member_id: member,
                marked_at: event.occurred_at,
                source: event.source.clone(),
                event_id: event.event_id.clone(),
            };
            let key = (employer, mark.campaign_id, kind, member);
            let known = self.marks.get(&key);
            let is_news = known.is_none_or(|known| match kind {
                MarkKind::Matched => known.marked_at < mark.marked_at,
                MarkKind::Converted => mark.marked_at < known.marked_at,
            });
            if is_news {
                self.marks.insert(key, mark);
            }
        }
    }

    /// Writes what was noted. The caller holds the locks of the members.
    pub async fn write(self, connection: &impl ConnectionTrait, employers: &Employers) -> Result<(), DbErr> {
        if !self.engaged.is_empty() {
            let engaged: Vec<_> = self
                .engaged
                .into_iter()
                .map(|((employer, member), at)| (employer, member, at))
                .collect();
            member::engage(connection, &engaged).await?;
        }
        if self.marks.is_empty() {
            return Ok(());
        }
        let marks: Vec<Mark> = self.marks.into_values().collect();
        campaign_mark::put(connection, &marks).await?;
        let converted: Vec<_> = marks
            .iter()
            .filter(|mark| mark.kind == MarkKind::Converted)
            .filter_map(|mark| {
                let campaign = employers
                    .get(mark.employer_id)?
                    .campaigns
                    .find(mark.campaign_id)?;
                let at = mark.marked_at;
                let since = at.instant().checked_sub_signed(campaign.conversion_window())?;
                Some((
                    mark.employer_id,
                    mark.campaign_id,
                    mark.member_id,
                    at,
                    since.into(),
                ))
            })
            .collect();
        if !converted.is_empty() {
            message::convert(connection, &converted).await?;
        }
        Ok(())
    }
}

/// Puts the events that messages are to tell of with what was earned by them, where they are at hand.
pub(super) fn tell_of(earned: &mut [Earned], employers: &Employers, events: &[Event]) {
    if earned.iter().all(|earned| earned.completed_by.is_none()) {
        return;
    }
    let events: HashMap<(EmployerId, &str, &str), &Event> = events
        .iter()
        .map(|event| {
            let key = (event.employer_id, event.source.as_str(), event.event_id.as_str());
            (key, event)
        })
        .collect();
    for earned in earned {
        let Some((source, id)) = &earned.completed_by else {
            continue;
        };
        let found = events.get(&(earned.employer.id, source, id));
        earned.occasion = found.and_then(|event| {
            let kind = employers
                .get(event.employer_id)?
                .event_type(event.event_type_id)?;
            Some(Occasion {
                event_type: kind.key.clone(),
                properties: event.properties.clone(),
            })
        });
    }
}
