//! An employer's campaigns, ready to be used, and which of them an event is news to.

use std::collections::HashMap;
use std::sync::Arc;

use entity::campaign::Model;
use entity::campaign_mark::MarkKind;
use entity::id::CampaignId;
use serde_json::Value;

use super::Campaign;

/// All campaigns of one employer.
#[derive(Debug, Default)]
pub struct Shelf {
    campaigns: Vec<Arc<Campaign>>,
    by_id: HashMap<CampaignId, usize>,
    by_key: HashMap<String, usize>,
    by_event_type: HashMap<String, Vec<(usize, MarkKind)>>,
}

impl Shelf {
    /// Makes stored campaigns ready. One that cannot be read sends nothing, and says so in the log.
    pub fn new(rows: Vec<Model>) -> Self {
        let mut shelf = Self::default();
        for row in rows {
            let (employer, id) = (row.employer_id, row.id);
            match Campaign::read(row) {
                Ok(campaign) => shelf.add(campaign),
                Err(reason) => {
                    tracing::error!(%employer, campaign = %id, reason, "a campaign cannot be read and sends nothing");
                }
            }
        }
        shelf
    }

    fn add(&mut self, campaign: Campaign) {
        let place = self.campaigns.len();
        self.by_id.insert(campaign.row.id, place);
        self.by_key.insert(campaign.row.key.clone(), place);
        if campaign.row.archived_at.is_none() {
            let until = campaign.until.iter().map(|until| (until, MarkKind::Converted));
            let segment = campaign.segment.iter();
            let segment = segment.map(|segment| (&segment.did, MarkKind::Matched));
            for (pattern, kind) in until.chain(segment) {
                let places = self.by_event_type.entry(pattern.event_type().to_owned());
                places.or_default().push((place, kind));
            }
        }
        self.campaigns.push(Arc::new(campaign));
    }

    /// The campaign of this id.
    pub fn find(&self, id: CampaignId) -> Option<&Arc<Campaign>> {
        self.campaigns.get(*self.by_id.get(&id)?)
    }

    /// The campaign of this key.
    pub fn find_by_key(&self, key: &str) -> Option<&Arc<Campaign>> {
        self.campaigns.get(*self.by_key.get(key)?)
    }

    /// Whether any event is news to any campaign.
    pub fn marks_anything(&self) -> bool {
        !self.by_event_type.is_empty()
    }

    /// The campaigns that an event is news to, and what it tells them: that its member belongs to their segment, or has done what they
    /// work towards.
    pub fn marked_by(
        &self,
        event_type: &str,
        properties: &Value,
        attributes: &Value,
    ) -> impl Iterator<Item = (&Campaign, MarkKind)> {
        let places = self.by_event_type.get(event_type).into_iter().flatten();
        places.filter_map(move |(place, kind)| {
            let campaign = self.campaigns.get(*place)?;
            let pattern = match kind {
                MarkKind::Converted => campaign.until.as_ref(),
                MarkKind::Matched => campaign.segment.as_ref().map(|segment| &segment.did),
            };
            pattern?
                .matches(event_type, properties, attributes)
                .then_some((campaign.as_ref(), *kind))
        })
    }
}
