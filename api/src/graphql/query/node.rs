//! Things by their global id. Each is found under the scope by which it is found elsewhere, and within the token's tenant: an id that
//! this token may not see answers exactly like one that never was.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use entity::feed::Subject;
use entity::id::EmployerId;
use entity::id::PartnerId;
use entity::partner::own_feed;
use entity::{
    achievement, campaign, employer, feed, incentive, member, program, redemption, reward, webhook_endpoint,
};
use sea_orm::{ConnectionTrait, DbErr};

use crate::auth::access::{self, Operation};
use crate::auth::guard::Requires;
use crate::auth::scope::Scope;
use crate::auth::viewer::Viewer;
use crate::domain::achievement::{is_somebody, sees_sensitive};
use crate::domain::{self, points};
use crate::graphql::error::ApiError;
use crate::graphql::object::{
    Achievement, Campaign, Employer, FeedEntry, Incentive, Member, Message, Node, PointsEntry, Program,
    Redemption, Reward, WebhookEndpoint, Whole,
};
use crate::graphql::{app, permit, viewer};

/// Things by their global id.
#[derive(Default)]
pub struct NodeQuery;

/// Things by their global id.
#[Object]
impl NodeQuery {
    /// The thing of this global id. Null: there is none that this token may see, whatever its scopes. The operator finds employers
    /// only. Scope: any valid token.
    #[graphql(guard = "Requires::<access::ReadNode>::new()")]
    async fn node(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A global id, as `id` of any object gives it.")] id: ID,
    ) -> Result<Option<Whole<Node>>, ApiError> {
        permit::<access::ReadNode>(context)?;
        let found = find(app(context)?.db.read(), &viewer(context)?, &id).await?;
        Ok(found.map(Whole))
    }
}

async fn find(db: &impl ConnectionTrait, viewer: &Arc<Viewer>, id: &str) -> Result<Option<Node>, DbErr> {
    if let Ok(id) = id.parse::<EmployerId>() {
        let own = viewer
            .employer()
            .map_or(viewer.partner().is_none(), |own| own == id);
        if !own || !may::<access::ReadEmployer>(viewer) {
            return Ok(None);
        }
        return Ok(employer::find(db, id)
            .await?
            .map(|row| Node::Employer(Employer(row))));
    }
    match (viewer.employer(), viewer.partner()) {
        (Some(employer), _) => find_of_employer(db, viewer, employer, id).await,
        (None, Some(partner)) => find_of_partner(db, viewer, partner, id).await,
        _ => Ok(None),
    }
}

async fn find_of_partner(
    db: &impl ConnectionTrait,
    viewer: &Arc<Viewer>,
    partner: PartnerId,
    id: &str,
) -> Result<Option<Node>, DbErr> {
    let reads = may::<access::ReadFeed>(viewer);
    if let (Ok(id), true) = (id.parse(), reads) {
        let found = feed::find(db, partner, id).await?;
        return Ok(found.map(|entry| {
            Node::FeedEntry(FeedEntry {
                partner,
                entry,
                names: None,
            })
        }));
    }
    if let (Ok(id), true) = (id.parse(), reads) {
        let found = feed::find_of_achievement(db, partner, id).await?;
        return Ok(found.and_then(|entry| match &entry.subject {
            Subject::Achievement(told) => {
                let seen = Achievement::of_partner(entry.employer_id, &entry.member_ref, told);
                Some(Node::Achievement(seen))
            }
            Subject::Redemption(_) => None,
        }));
    }
    if let (Ok(id), true) = (id.parse(), may::<access::ListWebhookEndpoints>(viewer)) {
        let found = webhook_endpoint::find(db, partner, id).await?;
        return Ok(found.map(|row| Node::WebhookEndpoint(WebhookEndpoint(row))));
    }
    let fulfils = reads || may::<access::FulfilRedemption>(viewer);
    if let (Ok(id), true) = (id.parse(), fulfils) {
        let Some(row) = redemption::find_of_partner(db, partner, id).await? else {
            return Ok(None);
        };
        let row = domain::redemption::shown(db, viewer, row).await?;
        return Ok(Some(Node::Redemption(Redemption::of(viewer, row))));
    }
    if let (Ok(id), true) = (id.parse(), fulfils) {
        let found = reward::find_of_partner(db, partner, id).await?;
        return Ok(found.map(|row| Node::Reward(Reward(row))));
    }
    Ok(None)
}

async fn find_of_employer(
    db: &impl ConnectionTrait,
    viewer: &Arc<Viewer>,
    employer: EmployerId,
    id: &str,
) -> Result<Option<Node>, DbErr> {
    if !is_somebody(db, viewer).await? {
        return Ok(None);
    }
    if let (Ok(id), true) = (id.parse(), may::<access::ReadProgram>(viewer)) {
        return Ok(program::find(db, employer, id)
            .await?
            .map(|row| Node::Program(Program(row))));
    }
    if let (Ok(id), true) = (id.parse(), may::<access::ListIncentives>(viewer)) {
        return Ok(incentive::find(db, employer, id)
            .await?
            .map(|row| Node::Incentive(Incentive(row))));
    }
    if let (Ok(id), true) = (id.parse(), may::<access::ReadMember>(viewer)) {
        let found = member::find(db, employer, id).await?;
        return Ok(found
            .filter(|row| row.erased_at.is_none() && viewer.member().is_none_or(|own| own == row.id))
            .map(|row| Node::Member(Member(row))));
    }
    if let (Ok(id), true) = (id.parse(), may::<access::ListAchievements>(viewer)) {
        let found = achievement::find(db, employer, id).await?;
        let visible = |row: &achievement::Model| {
            viewer.member().is_none_or(|own| own == row.member_id)
                && (!row.sensitive || sees_sensitive(viewer))
        };
        return Ok(found
            .filter(visible)
            .map(|row| Node::Achievement(Achievement::of_employer(row))));
    }
    if let (Ok(id), true) = (id.parse(), may::<access::ReadReward>(viewer)) {
        return Ok(reward::find(db, employer, id)
            .await?
            .map(|row| Node::Reward(Reward(row))));
    }
    if let (Ok(id), true) = (id.parse(), may::<access::ReadCampaign>(viewer)) {
        return Ok(campaign::find(db, employer, id)
            .await?
            .map(|row| Node::Campaign(Campaign(row))));
    }
    if let (Ok(id), true) = (id.parse(), may::<access::ReadMemberMessages>(viewer)) {
        let found = domain::message::find(db, viewer, employer, id).await?;
        return Ok(found.map(|row| Node::Message(Message(row))));
    }
    if let (Ok(id), true) = (id.parse(), may::<access::ReadMemberRedemptions>(viewer)) {
        let found = redemption::find(db, employer, id).await?;
        let visible = |row: &redemption::Model| {
            viewer.member().is_none_or(|own| own == row.member_id)
                && (!row.sensitive || sees_sensitive(viewer))
        };
        return Ok(found
            .filter(visible)
            .map(|row| Node::Redemption(Redemption::of(viewer, row))));
    }
    if let (Ok(id), true) = (id.parse(), may::<access::ReadMemberActivity>(viewer)) {
        let found = feed::activity::find(db, employer, viewer.member(), id).await?;
        let partner = own_feed(employer);
        return Ok(found.map(|entry| {
            Node::FeedEntry(FeedEntry {
                partner,
                entry,
                names: None,
            })
        }));
    }
    // As `webhookEndpoints`: an employer's need both scopes.
    let sets_up = may::<access::ListWebhookEndpoints>(viewer) && viewer.scopes.contains(Scope::MemberAny);
    if let (Ok(id), true) = (id.parse(), sets_up) {
        let found = webhook_endpoint::find(db, own_feed(employer), id).await?;
        return Ok(found.map(|row| Node::WebhookEndpoint(WebhookEndpoint(row))));
    }
    if let (Ok(id), true) = (id.parse(), may::<access::ReadMemberPointsHistory>(viewer)) {
        let found = points::find_entry(db, viewer, employer, id).await?;
        return Ok(found.map(|entry| Node::PointsEntry(PointsEntry(entry))));
    }
    Ok(None)
}

fn may<O: Operation>(viewer: &Arc<Viewer>) -> bool {
    viewer.permit::<O>().is_ok()
}
